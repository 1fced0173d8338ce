//! A storage, its disk and a floor above that remembers everything: what was appended, what was acknowledged,
//! what must therefore be there after a crash.

use super::disk::Disk;
use crate::config::StorageConfig;
use crate::entry::{Entry, EntryKind, HardState, Members};
use crate::ids::{ClusterId, DiskId, Index, NodeId, Offset, PartitionId, ReplicaId, Term, TopicId, TopicPartition};
use crate::now::{Mono, Wall};
use crate::rng::Rng;
use crate::storage::{
    Chunk, CommittedBatch, Durable, Lookup, NodeMeta, Outcome, Part, ReadFault, ReadId, Recovery, Reset, Storage,
};
use bytes::Bytes;
use rust_mq_proto::records::{Batch, BatchBuilder, Batches};
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
        tail_bytes_max: 1 << 10,
    }
}

/// What a replica remembers at some moment.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub hard_state: HardState,
    /// Index of the entry before the first.
    pub base: u64,
    pub entries: Vec<Entry>,
    /// Offset after the last record up to `base`.
    pub base_offset: i64,
}

impl Memory {
    pub fn last(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// Offset after the entry at `index`.
    pub fn offset_at(&self, index: u64) -> i64 {
        let count = (index.saturating_sub(self.base)) as usize;
        let records: i64 = self.entries[..count].iter().map(records_in).sum();
        self.base_offset + records
    }
}

fn records_in(entry: &Entry) -> i64 {
    match entry.kind {
        EntryKind::Batch => i64::from(Batch::parse(&entry.payload).expect("ours").count()),
        _ => 0,
    }
}

#[derive(Clone, Debug)]
pub struct Replica {
    pub of: TopicPartition,
    /// Memory after each append.
    pub history: Vec<Memory>,
    /// The append that the newest `Persisted` named: index into the history.
    pub acked: usize,
    pub applied: u64,
    pub log_start: i64,
    /// All batches applied, by base offset.
    pub batches: BTreeMap<i64, Bytes>,
    pub settled: Option<Offset>,
    /// The journal has its addition for certain.
    pub is_durable: bool,
}

impl Replica {
    pub fn now(&self) -> &Memory {
        self.history.last().expect("never empty")
    }
}

pub struct World {
    pub config: StorageConfig,
    pub storage: Storage,
    pub disk: Disk,
    pub now: Mono,
    pub rng: Rng,
    pub replicas: BTreeMap<ReplicaId, Replica>,
    pub drawn: u64,
    pub starts: u64,
    pub checkpoints: u64,
    pub reads: BTreeMap<ReadId, Result<Chunk, ReadFault>>,
    pub recovery: Option<Recovery>,
    pub meta_written: bool,
    pub is_full: bool,
}

pub fn partition(number: u64) -> TopicPartition {
    TopicPartition { topic: TopicId([7; 16]), partition: PartitionId(number as i32) }
}

pub fn batch(base: i64, count: i64, size: usize, timestamp: i64) -> Bytes {
    let mut builder = BatchBuilder::new();
    for number in 0..count {
        let value = vec![(base + number) as u8; size];
        builder = builder.push(timestamp + number, None, Some(&value), &[]);
    }
    builder.place(base, 1).build().freeze()
}

impl World {
    /// A world with an empty disk, started and given a name.
    pub fn new(seed: u64, config: StorageConfig) -> World {
        let mut world = World::unstarted(seed, config, Disk::default());
        world.boot();
        world.storage.write_meta(meta(), &mut Vec::new().also(|_| {}));
        world
    }
}
