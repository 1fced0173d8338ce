//! Replay: a checkpoint's records, brought up to date by the items of the frames that follow it.
//!
//! Checkpoints are fuzzy: each record is as of the moment at which it was taken, and holds what earlier frames say; items
//! of those are skipped, for an entry of theirs may follow one that a later frame took back. It is as of its own
//! applied index. The frames replayed are those that were
//! begun after it, so the rules are: an entry at or below the applied index is skipped, any other replaces
//! what stood from its index on; the last hard state wins; a reset below the applied index is skipped; items
//! of a replica that is not there are skipped; a log start never reaches beyond what the record has: what lies above
//! is kept, and given up, again. Segments below a log's start are given up: a full disk may have none of them left,
//! although the checkpoint names them.
//!
//! Invariant: a record's entries are contiguous and start right above its applied index. A frame that would
//! break this was not written by us: the replica is unfit, and treated as if its journal had rotted.

use crate::compaction::Compacted;
use crate::entry::Entry;
use crate::file::SegmentName;
use crate::ids::{Index, ReplicaId, TopicPartition};
use crate::mutant::{Mutant, is_planted};
use crate::storage::checkpoint::slot::{Record, Stored};
use crate::storage::codec::unpinned;
use crate::storage::journal::frame::{Item, LogStart, StoredReset};
use std::collections::{BTreeMap, BTreeSet};

/// What is rebuilt so far.
#[derive(Debug, Default)]
pub struct Replay {
    pub records: BTreeMap<ReplicaId, Record>,
    /// Segments that replicas gave up when they were dropped or reset.
    pub given_up: Vec<SegmentName>,
    /// Partitions whose replicas were dropped, by frames that the checkpoint in force does not cover: it may not name
    /// all that they had written.
    pub dropped: BTreeSet<TopicPartition>,
    /// Replicas with items that cannot follow each other.
    pub unfit: BTreeSet<ReplicaId>,
    /// The generation above those of all files that are there or were named, per partition.
    pub generations: BTreeMap<TopicPartition, u32>,
    /// The bug that is planted, if one is.
    pub mutant: Option<Mutant>,
}

impl Replay {
    /// A file of this generation is, or was, named: later ones are above it, or a file given up and one newly
    /// written could share a name.
    pub fn see(&mut self, of: TopicPartition, generation: u32) {
        let above = generation.saturating_add(1);
        let next = self.generations.entry(of).or_default();
        *next = above.max(*next);
    }

    /// Takes a checkpoint's record.
    pub fn take(&mut self, record: Record) {
        if !is_contiguous(&record) {
            self.unfit.insert(record.replica);
        }
        self.see(record.of, record.generation);
        record.segments.iter().for_each(|segment| self.see(record.of, segment.generation));
        self.records.insert(record.replica, record);
    }

    /// Applies one item of the frame `sequence`, which was read in `source_bytes`.
    pub fn apply(&mut self, item: Item, sequence: u64, source_bytes: usize) {
        if self.records.get(&item.replica()).is_some_and(|record| sequence < record.from) {
            return;
        }
        match item {
            Item::Entry(replica, entry) => {
                let entry = Entry { payload: unpinned(entry.payload, source_bytes), ..entry };
                let mutant = self.mutant;
                if let Some(record) = self.records.get_mut(&replica)
                    && !take_entry(record, entry, mutant)
                {
                    self.unfit.insert(replica);
                }
            }
            Item::HardState(replica, state) => {
                if let Some(record) = self.records.get_mut(&replica) {
                    record.hard_state = state;
                }
            }
            Item::Reset(replica, reset) => self.reset(replica, *reset, source_bytes),
            Item::ReplicaAdded(replica, of) => {
                let generation = self.generations.get(&of).copied().unwrap_or(0);
                self.records.entry(replica).or_insert_with(|| Record::new(replica, of, generation));
            }
            Item::ReplicaDropped(replica) => {
                if let Some(record) = self.records.remove(&replica) {
                    self.dropped.insert(record.of);
                    self.give_up(&record);
                }
            }
            Item::LogStart(replica, start) => self.log_start(replica, start),
        }
    }

    fn log_start(&mut self, replica: ReplicaId, start: LogStart) {
        let Some(record) = self.records.get_mut(&replica) else { return };
        if let Some(generation) = start.anew {
            (record.generation, record.end) = (generation, record.end.max(start.offset));
            record.compacted = Compacted::default();
        }
        record.log_start = record.log_start.max(start.offset.min(record.end));
        let (of, generation) = (record.of, record.generation);
        self.see(of, generation);
    }

    fn reset(&mut self, replica: ReplicaId, reset: StoredReset, source_bytes: usize) {
        let Some(record) = self.records.get_mut(&replica) else { return };
        if reset.index < record.applied {
            return;
        }
        let of = record.of;
        let kept =
            |entry: &Entry| is_planted(self.mutant, Mutant::ResetKeepsEntries) && entry.index > reset.index;
        let entries = record.entries.extract_if(.., |entry| kept(entry)).collect();
        // A log that is kept is compacted so far at least.
        let none = Compacted::default();
        let renewed = Record {
            replica,
            of,
            hard_state: reset.hard_state,
            members: reset.members,
            applied: reset.index,
            applied_term: reset.term,
            log_start: reset.log_start,
            end: reset.end,
            generation: reset.generation,
            segments: reset.segments,
            compacted: if record.generation == reset.generation { record.compacted } else { none },
            from: 0,
            state: Stored::Whole(unpinned(reset.state, source_bytes)),
            entries,
        };
        let old = std::mem::replace(record, renewed);
        let is_kept = |name: &SegmentName| {
            self.records[&replica].segments.iter().any(|segment| segment.name(name.of) == *name)
        };
        let lost = old.segments.iter().map(|segment| segment.name(old.of)).filter(|name| !is_kept(name));
        self.given_up.extend(lost.collect::<Vec<_>>());
        self.unfit.remove(&replica);
        self.see(of, reset.generation);
    }

    fn give_up(&mut self, record: &Record) {
        self.given_up.extend(record.segments.iter().map(|segment| segment.name(record.of)));
    }

    /// All frames were applied: segments below a log's start are given up, wherever that was said; commits are at
    /// least what was applied, and whoever lost what it had committed is unfit (a commit beyond the log proves
    /// that; raft-rs would panic on it).
    pub fn finish(&mut self) {
        for record in self.records.values_mut() {
            let (of, from) = (record.of, record.log_start);
            let below = record.segments.extract_if(.., |segment| segment.next <= from);
            self.given_up.extend(below.map(|segment| segment.name(of)));
            let last = record.entries.last().map_or(record.applied, |entry| entry.index);
            record.hard_state.commit = record.hard_state.commit.max(record.applied);
            if record.hard_state.commit > last {
                self.unfit.insert(record.replica);
            }
        }
    }
}

/// Whether `entry` follows what `record` has.
fn take_entry(record: &mut Record, entry: Entry, mutant: Option<Mutant>) -> bool {
    if entry.index <= record.applied {
        return true;
    }
    let place = entry.index.0 - record.applied.0 - 1;
    let Some(place) = usize::try_from(place).ok().filter(|place| *place <= record.entries.len()) else {
        return false;
    };
    if is_planted(mutant, Mutant::ConflictSurvives) && place < record.entries.len() {
        return true;
    }
    record.entries.truncate(place);
    record.entries.push(entry);
    true
}

/// Whether a checkpoint's entries are what the invariant says.
fn is_contiguous(record: &Record) -> bool {
    record.entries.iter().zip(1..).all(|(entry, place)| entry.index == Index(record.applied.0 + place))
}
