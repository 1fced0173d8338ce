//! What the floor above remembers in these tests, and what it writes.

use super::rewrites::Rewritten;
use crate::config::StorageConfig;
use crate::entry::{Entry, EntryKind, HardState};
use crate::ids::{ClusterId, DiskId, Index, NodeId, Offset, PartitionId, TopicId, TopicPartition};
use crate::now::Wall;
use crate::paged::Paged;
use crate::storage::NodeMeta;
use bytes::Bytes;
use rust_mq_proto::records::{Batch, BatchBuilder};
use std::collections::BTreeMap;
use std::time::Duration;

pub const NODE: NodeId = NodeId(1);

/// Small sizes, so that rare states are common.
pub fn small() -> StorageConfig {
    StorageConfig {
        journal_file_bytes: 64 << 10,
        first_journal_file_bytes: 16 << 10,
        frame_bytes_max: 16 << 10,
        checkpoint_bytes: 40 << 10,
        segment_write_bytes: 600,
        segment_write_age: Duration::from_millis(500),
        segment_bytes: 4 << 10,
        index_interval_bytes: 512,
        free_bytes_floor: 0,
        free_bytes_short: 0,
        tail_bytes_max: 1 << 10,
        state_file_bytes: 48 << 10,
        ..StorageConfig::default()
    }
}

pub fn meta() -> NodeMeta {
    NodeMeta { cluster: Some(ClusterId(5)), node: NODE, disk: DiskId(9), dead: Vec::new(), loss: None }
}

pub fn partition(number: u64) -> TopicPartition {
    TopicPartition { topic: TopicId([7; 16]), partition: PartitionId(number as i32) }
}

pub fn batch(base: i64, count: i64, size: usize, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new();
    for number in 0..count {
        let value = vec![(base + number) as u8; size];
        builder.push(timestamp + number, None, Some(&value), &[]);
    }
    builder.place(base, 1).build().freeze()
}

/// What a replica remembers at some moment.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub hard_state: HardState,
    /// Index of the entry before the first, and the offset after the records up to it.
    pub base: u64,
    pub base_offset: i64,
    pub entries: Vec<Entry>,
}

impl Memory {
    pub fn last(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// Adds entries of these sizes; 0 is a no-op.
    pub fn grow(&mut self, sizes: &[usize]) {
        let mut offset = self.offset_at(self.last());
        for size in sizes {
            let index = Index(self.last() + 1);
            let timestamp = 1000 + offset * 10;
            let (kind, payload) = match size {
                0 => (EntryKind::NoOp, Bytes::new()),
                size => (EntryKind::Batch, batch(offset, 1 + (*size % 3) as i64, *size, timestamp)),
            };
            let entry = Entry { index, term: self.hard_state.term, kind, wall: Wall(timestamp), payload };
            offset += records_in(&entry);
            self.entries.push(entry);
        }
    }

    /// Offset after the entry at `index`.
    pub fn offset_at(&self, index: u64) -> i64 {
        let count = index.saturating_sub(self.base) as usize;
        self.base_offset + self.entries[..count].iter().map(records_in).sum::<i64>()
    }
}

pub fn records_in(entry: &Entry) -> i64 {
    match entry.kind {
        EntryKind::Batch => i64::from(Batch::parse(&entry.payload).expect("ours").count()),
        _ => 0,
    }
}

#[derive(Clone, Debug)]
pub struct Replica {
    pub of: TopicPartition,
    /// Memory after each append, with the append's place in the order of all appends.
    pub history: Vec<(u64, Memory)>,
    /// The newest of the history that was acknowledged.
    pub acked: usize,
    pub applied: u64,
    /// What was applied adds up to this, as of the index with it; it follows when it is needed.
    pub machine: (u64, Machine),
    /// The highest index ever applied: no entry up to it is ever replaced.
    pub committed: u64,
    /// Offset after the last record ever applied.
    pub highest_end: i64,
    pub log_start: i64,
    /// All batches ever applied, by base offset.
    pub batches: BTreeMap<i64, Bytes>,
    /// Which of them were taken out.
    pub rewritten: Rewritten,
    pub drained: Option<Offset>,
    /// When it was dropped.
    pub dropped: Option<u64>,
}

impl Replica {
    /// No entry up to this index is ever replaced.
    pub fn committed(&self) -> u64 {
        self.committed.max(self.applied).max(self.now().hard_state.commit.0)
    }

    /// Brings the machine up to what is applied.
    pub fn catch_up(&mut self) {
        for index in self.machine.0 + 1..=self.applied {
            apply(&mut self.machine.1, index);
        }
        self.machine.0 = self.applied;
    }

    pub fn now(&self) -> &Memory {
        &self.history.last().expect("never empty").1
    }
}

/// A toy machine's state.
pub type Machine = Paged<u64, Vec<u8>>;

/// What the entry at `index` does to it.
fn apply(machine: &mut Machine, index: u64) {
    let key = index * 7 % 90;
    if index.is_multiple_of(5) {
        machine.remove(&(key / 2));
    }
    machine.insert(key, vec![index as u8; (index * 131 % 1500) as usize]);
}

/// What everything up to `applied` adds up to.
pub fn machine(applied: u64) -> Machine {
    let mut machine = Machine::default();
    (1..=applied).for_each(|index| apply(&mut machine, index));
    machine
}

pub fn state(applied: u64) -> Bytes {
    Bytes::copy_from_slice(&applied.to_be_bytes())
}
