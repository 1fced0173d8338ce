//! Compacting, with a disk that keeps what it is given.

use super::House;
use crate::action::Action;
use crate::compaction::Compacted;
use crate::entry::{Entry, EntryKind};
use crate::event::DoneResult;
use crate::file::File;
use crate::ids::{ClusterId, DiskId, Index, Offset, ReplicaId, Term};
use crate::level::Levels;
use crate::node::compacting::Compacting;
use crate::now::{Mono, Now, Wall};
use crate::partition::PartitionCommand;
use crate::settings::{CompactionConfig, TopicConfig};
use crate::storage::{CommittedBatch, Lookup, NodeMeta, Outcome, Roll};
use bytes::Bytes;
use rust_mq_proto::records::{Batch, BatchBuilder, Batches, Codec, Decompressor};
use std::collections::BTreeMap;

const RULES: CompactionConfig =
    CompactionConfig { min_lag_ms: 0, max_lag_ms: i64::MAX, dirty_share_min: 0, tombstone_retention_ms: 0 };

/// A house with a log of 40 batches of 5 records, with 10 keys, in several segments.
struct Logged {
    house: House,
    compacting: Compacting,
    files: BTreeMap<File, Vec<u8>>,
    id: ReplicaId,
    now: Now,
    applied: u64,
}

impl Logged {
    fn new() -> Logged {
        let mut house = House::new(1);
        let (id, of) = house.add_partition(7, 1);
        let (cluster, node) = (Some(ClusterId(5)), house.config.node);
        let meta = NodeMeta { cluster, node, disk: DiskId(9), dead: Vec::new(), loss: None };
        house.ports.storage.write_meta(meta, &mut house.ports.actions);
        house.ports.storage.add_replica(id, of);
        house.ports.storage.set_roll(id, Roll { bytes: 1 << 10, ..Roll::default() });
        let mut world = Logged {
            compacting: Compacting::new(1 << 30),
            house,
            files: BTreeMap::new(),
            id,
            now: Now { mono: Mono(0), wall: Wall(1_000) },
            applied: 0,
        };
        let partition = world.house.residents.partition_mut(id).expect("it is here");
        let config = TopicConfig { compaction: Some(RULES), segment_bytes: 4 << 10, ..*partition.config() };
        partition.configure(config);
        world.compacting.configured(id, true);
        for number in 0..40 {
            let mut builder = BatchBuilder::new().codec(Codec::ALL[number as usize % 5]);
            for record in 0..5 {
                let key = [b'a' + ((number * 3 + record) % 10) as u8];
                let value = [number as u8; 40];
                builder.push(number, Some(&key), (number % 7 > 0).then_some(&value[..]), &[]);
            }
            let bytes = builder.place(number * 5, 1).build().freeze();
            world.apply(EntryKind::Batch, bytes.clone());
            let (base, next) = (Offset(number * 5), Offset(number * 5 + 5));
            let batch = CommittedBatch { base, next, max_timestamp: number, bytes };
            world.house.ports.storage.keep(id, batch);
        }
        let (ports, mono) = (&mut world.house.ports, world.now.mono);
        ports.storage.drain(mono, id, &mut ports.actions, &mut ports.outcomes);
        world.run();
        assert!(world.house.ports.storage.closed(id).len() > 4);
        world
    }

    fn apply(&mut self, kind: EntryKind, payload: Bytes) {
        self.applied += 1;
        let entry = Entry { index: Index(self.applied), term: Term(1), kind, wall: Wall(1_000), payload };
        let partition = self.house.residents.partition_mut(self.id).expect("it is here");
        partition.apply(&entry).expect("it fits");
    }

    fn decide(&mut self, up_to: i64, tombstones_before: i64) -> Compacted {
        let decided = Compacted { up_to: Offset(up_to), tombstones_before: Offset(tombstones_before) };
        self.apply(EntryKind::Commands, PartitionCommand::Compacted(decided).encode(Levels::BUILD.newest));
        decided
    }

    /// The disk does all it was asked for, and who waits for it is told.
    fn run(&mut self) {
        let House { ports, .. } = &mut self.house;
        loop {
            ports.storage.flush(self.now.mono, &mut ports.actions, &mut ports.outcomes);
            let actions = std::mem::take(&mut ports.actions);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                let Some((ticket, result)) = work(&mut self.files, action) else { continue };
                ports.storage.done(self.now.mono, ticket, result, &mut ports.actions, &mut ports.outcomes);
            }
            for outcome in std::mem::take(&mut ports.outcomes) {
                match outcome {
                    Outcome::Read { read, result, .. } => {
                        assert!(self.compacting.read(self.now, read, &result, ports), "nobody else reads");
                    }
                    Outcome::Rewritten { replica, is_done } => {
                        self.compacting.rewritten(self.now, replica, is_done, ports);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Lets it work until it rests, for so many steps at most. How long that took, in nanoseconds.
    fn work(&mut self, steps: usize) -> u64 {
        let begun = self.now.mono;
        for _ in 0..steps {
            let due = self.compacting.next_deadline().expect("a log is compacted");
            if due.0 > self.now.mono.0 + 10_000_000_000 {
                break;
            }
            self.now.mono = self.now.mono.max(due);
            self.compacting.woke(self.now, &mut self.house.residents, &mut self.house.ports);
            self.run();
        }
        self.now.mono.0 - begun.0
    }

    /// Offset, key and whether there is a value, of each record.
    fn records(&mut self) -> Vec<(i64, u8, bool)> {
        let mut records = Vec::new();
        let (mut at, mut decompressor) = (0, Decompressor::new());
        while at < 200 {
            let ports = &mut self.house.ports;
            let read = ports.storage.read(self.id, Offset(at), Offset(200), 1 << 20, &mut ports.actions);
            let runs = match read {
                Lookup::Now(chunk) => chunk.batches,
                Lookup::Later(_) => self.read(),
                Lookup::Refused(fault) => panic!("{fault:?}"),
            };
            for run in &runs {
                for batch in Batches::new(run).map(|batch: Result<Batch<'_>, _>| batch.expect("whole")) {
                    at = batch.last_offset() + 1;
                    for record in batch.records(&mut decompressor, 1 << 20).expect("sound") {
                        let record = record.expect("sound");
                        records.push((
                            record.offset,
                            record.key.expect("it has one")[0],
                            record.value.is_some(),
                        ));
                    }
                }
            }
        }
        records
    }

    fn read(&mut self) -> Vec<Bytes> {
        let ports = &mut self.house.ports;
        loop {
            for action in std::mem::take(&mut ports.actions) {
                let Some((ticket, result)) = work(&mut self.files, action) else { continue };
                ports.storage.done(self.now.mono, ticket, result, &mut ports.actions, &mut ports.outcomes);
            }
            for outcome in std::mem::take(&mut ports.outcomes) {
                if let Outcome::Read { result, .. } = outcome {
                    return result.expect("it can be read").batches;
                }
            }
        }
    }
}

/// A disk that keeps what it is given.
fn work(files: &mut BTreeMap<File, Vec<u8>>, action: Action) -> Option<(crate::ids::Ticket, DoneResult)> {
    Some(match action {
        Action::Write { ticket, file, at, parts } => {
            let (bytes, at) = (files.entry(file).or_default(), at as usize);
            let new = parts.concat();
            bytes.resize(bytes.len().max(at + new.len()), 0);
            bytes[at..at + new.len()].copy_from_slice(&new);
            (ticket, DoneResult::Written { free_bytes: u64::MAX })
        }
        Action::Read { ticket, file, at, len } => {
            let bytes = files.get(&file).cloned().unwrap_or_default();
            let from = bytes.len().min(at as usize);
            let to = bytes.len().min(from + len as usize);
            (ticket, DoneResult::Bytes(Bytes::copy_from_slice(&bytes[from..to])))
        }
        other => return super::done(other),
    })
}

/// What is to be there of the log that is made above.
fn expected(decided: Compacted) -> Vec<(i64, u8, bool)> {
    let all: Vec<(i64, u8, bool)> = (0..200)
        .map(|offset| (offset, b'a' + ((offset / 5 * 3 + offset % 5) % 10) as u8, offset / 5 % 7 > 0))
        .collect();
    let is_last = |offset: i64, key: u8| {
        !all.iter().any(|(other, its, _)| *its == key && *other > offset && *other < decided.up_to.0)
    };
    let stays = |(offset, key, has_value): &&(i64, u8, bool)| {
        *offset >= decided.up_to.0
            || is_last(*offset, *key) && (*has_value || *offset >= decided.tombstones_before.0)
    };
    all.iter().filter(stays).copied().collect()
}

#[test]
fn what_was_decided_is_carried_out_and_then_it_rests() {
    let mut world = Logged::new();
    world.work(20);
    assert_eq!(world.records().len(), 200, "nothing was decided");
    for (up_to, tombstones_before) in [(60, 0), (150, 60), (200, 200)] {
        let decided = world.decide(up_to, tombstones_before);
        world.now.mono.0 += 20_000_000_000;
        world.work(10_000);
        assert_eq!(world.records(), expected(decided), "{decided:?}");
        assert_eq!(world.house.ports.storage.compacted(world.id), decided);
        assert!(world.compacting.next_deadline().expect("it looks again").0 > world.now.mono.0);
    }
    assert!(world.house.ports.storage.segments(world.id).len() <= 2, "they are joined");
}

#[test]
fn a_log_that_begins_anew_meanwhile_is_not_taken_for_compacted() {
    let mut world = Logged::new();
    world.decide(150, 60);
    world.work(12);
    world.house.ports.storage.skip_to(world.id, Offset(500));
    world.work(200);
    assert_eq!(world.house.ports.storage.compacted(world.id), Compacted::default());
    world.compacting.over(world.id);
    assert_eq!(world.compacting.next_deadline(), None, "nothing is waited for where no log is compacted");
}
