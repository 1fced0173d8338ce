//! Write-behind: when committed batches leave memory for their segments, and what of the segments is synced.
//!
//! A log is written when 1 MiB of it waits, when its oldest waiting batch is 30 s old, when all logs together
//! hold more than the memory allowed, or because a checkpoint or a reset needs it. What is written stays in
//! memory as a cache for readers at the tail, oldest out first.
//!
//! Invariants: cached_bytes <= tail_bytes_max once `next_eviction` names nobody; at most half of `evictions` is of
//! batches that are gone; a segment leaves `unsynced` only when a sync is done that was asked for after its last write,
//! or with its file. No pass looks at all logs.

use super::log::{CommittedBatch, Log, SegmentWrite};
use crate::config::StorageConfig;
use crate::file::{File, SegmentName};
use crate::ids::{Offset, ReplicaId};
use crate::limits::LOGS_WRITTEN_EARLY;
use crate::now::Mono;
use crate::storage::disk::Disk;
use crate::storage::disk::removals::Removals;
use crate::storage::disk::ticket::{Job, Synced};
use crate::timer::Deadlines;
use bytes::BytesMut;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::index::{ENTRY_BYTES, IndexCache, IndexEntry};

/// What is in memory and what is not on the disk for good.
#[derive(Debug, Default)]
pub struct WriteBehind {
    /// When the oldest waiting batch of a log is too old. May name logs that have nothing waiting.
    deadlines: Deadlines<ReplicaId>,
    /// Logs that got something to wait since the last turn's end.
    touched: Vec<ReplicaId>,
    /// Logs to be written.
    ripe: BTreeSet<ReplicaId>,
    /// Those of them, and of the draining ones, that something happened to: whoever waits for the disk, or for a
    /// checkpoint, is looked at again when that is done, and not every turn.
    due: BTreeSet<ReplicaId>,
    /// Logs whose end must be in synced segments up to here before a reset names them.
    draining: BTreeMap<ReplicaId, Offset>,
    /// Segments written since their last sync, and their lengths.
    unsynced: BTreeMap<SegmentName, u64>,
    /// The cached batches' logs, oldest batch first.
    evictions: VecDeque<ReplicaId>,
    /// How many of them, of each log, are of batches that went with an earlier log of the replica: its first ones.
    gone: BTreeMap<ReplicaId, usize>,
    gone_count: usize,
    cached_bytes: u64,
    unwritten_bytes: u64,
    /// Writes under way for logs that are gone: their memory is not.
    orphans: BTreeMap<SegmentName, u64>,
    orphaned_bytes: u64,
}

impl WriteBehind {
    /// How many logs are to be written, and writes for logs that are gone.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.ripe.len() + self.due.len() + self.draining.len() + self.orphans.len()
    }

    /// A batch of `replica` was kept.
    pub fn keep(&mut self, config: &StorageConfig, replica: ReplicaId, log: &mut Log, batch: CommittedBatch) {
        if log.unwritten_bytes() == 0 {
            self.touched.push(replica);
        }
        self.unwritten_bytes += batch.bytes.len() as u64;
        log.keep(batch);
        if log.unwritten_bytes() >= config.segment_write_bytes {
            self.ripen(replica);
        }
    }

    /// The turn's end: arms deadlines, and makes the oldest ripe while memory is short.
    pub fn turn_ends(&mut self, now: Mono, config: &StorageConfig) {
        for replica in self.touched.drain(..) {
            self.deadlines.arm(now + config.segment_write_age, replica);
        }
        if self.unwritten_bytes > config.tail_bytes_max && self.ripe.is_empty() {
            let oldest = std::iter::from_fn(|| self.deadlines.pop_due(Mono(u64::MAX)));
            let oldest: Vec<ReplicaId> = oldest.take(LOGS_WRITTEN_EARLY).collect();
            oldest.into_iter().for_each(|replica| self.ripen(replica));
        }
    }

    /// When to call [`WriteBehind::woke`].
    pub fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.next()
    }

    /// Makes ripe what has become old.
    pub fn woke(&mut self, now: Mono) {
        while let Some(replica) = self.deadlines.pop_due(now) {
            self.ripen(replica);
        }
    }

    /// Whether [`WriteBehind::take_due`] gives any.
    pub fn is_any_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The logs to be written or drained that something happened to, which the caller goes on with. One that drains
    /// may have nothing to write any more: a checkpoint has written it, or a full disk was in the way when its turn
    /// came.
    pub fn take_due(&mut self) -> BTreeSet<ReplicaId> {
        std::mem::take(&mut self.due)
    }

    /// What held back all logs is over.
    pub fn all_are_due(&mut self) {
        self.due.extend(self.ripe.iter().chain(self.draining.keys()));
    }

    /// Whether `replica`'s log is to be written.
    pub fn is_ripe(&self, replica: ReplicaId) -> bool {
        self.ripe.contains(&replica)
    }

    /// Wants the whole of `replica`'s log written.
    pub fn ripen(&mut self, replica: ReplicaId) {
        if self.ripe.insert(replica) {
            self.due.insert(replica);
        }
    }

    /// There is no log of `replica` any more, and a deadline of it was left.
    pub fn gone(&mut self, replica: ReplicaId) {
        self.ripe.remove(&replica);
    }

    /// Wants the log of `replica` in synced segments up to `goal`.
    pub fn drain(&mut self, replica: ReplicaId, goal: Offset) {
        self.draining.insert(replica, goal);
        self.ripe.insert(replica);
        self.due.insert(replica);
    }

    /// Writes the next piece of a log, up to `goal`, if there is one and none is under way.
    pub fn write(
        &mut self,
        config: &StorageConfig,
        replica: ReplicaId,
        log: &mut Log,
        goal: Offset,
        io: &mut Io<'_>,
    ) {
        let Some(write) = log.next_write(goal, config.segment_bytes, config.index_interval_bytes) else {
            if !log.is_writing() && log.written_end() == log.end() {
                self.ripe.remove(&replica);
            }
            return;
        };
        io.write(Job::Segment(replica, write.name), write);
    }

    /// A log's write is done.
    pub fn written(&mut self, config: &StorageConfig, replica: ReplicaId, log: &mut Log) {
        let (before, cached_before) = (log.unwritten_bytes(), log.cached());
        let is_all = log.writes_all();
        let of = log.of;
        let Some(segment) = log.written() else { return };
        self.unsynced.insert(segment.name(of), segment.bytes);
        let written = before - log.unwritten_bytes();
        self.unwritten_bytes -= written;
        self.cached_bytes += written;
        self.evictions.extend(std::iter::repeat_n(replica, log.cached() - cached_before));
        // What came meanwhile waits for its own time, or small writes would follow each other. What had waited already
        // goes on into the next segment.
        if is_all && log.unwritten_bytes() < config.segment_write_bytes {
            self.ripe.remove(&replica);
        }
        if log.unwritten_bytes() > 0 {
            self.touched.push(replica);
        }
    }

    /// Whose oldest cached batch has to go, if the cache is too large.
    pub fn next_eviction(&mut self, config: &StorageConfig) -> Option<ReplicaId> {
        if self.cached_bytes <= config.tail_bytes_max {
            return None;
        }
        while let Some(replica) = self.evictions.pop_front() {
            if !takes_one(&mut self.gone, replica) {
                return Some(replica);
            }
            self.gone_count -= 1;
        }
        None
    }

    /// Places in the order of evictions.
    #[cfg(test)]
    pub fn evictions(&self) -> usize {
        self.evictions.len()
    }

    /// So many cached batches of a log, the oldest ones, have left the cache before their time.
    pub fn evicted_early(&mut self, replica: ReplicaId, batches: usize, bytes: u64) {
        self.cached_bytes -= bytes;
        self.gone_early(replica, batches);
    }

    /// A batch of so many bytes left the cache.
    pub fn evicted(&mut self, bytes: u64) {
        self.cached_bytes -= bytes;
    }

    /// A log is gone, with what it had in memory.
    pub fn forget(&mut self, replica: ReplicaId, log: &Log) {
        self.unwritten_bytes -= log.unwritten_bytes();
        self.cached_bytes -= log.cached_bytes();
        self.gone_early(replica, log.cached());
        self.ripe.remove(&replica);
        self.due.remove(&replica);
        self.draining.remove(&replica);
        if let Some(name) = log.writing() {
            self.orphans.insert(name, log.writing_bytes());
            self.orphaned_bytes += log.writing_bytes();
        }
    }

    /// So many of a log's first places in the order of evictions are of batches that are gone.
    fn gone_early(&mut self, replica: ReplicaId, batches: usize) {
        if batches > 0 {
            *self.gone.entry(replica).or_default() += batches;
            self.gone_count += batches;
        }
        // Each is passed once, and half of them go: what a log leaves behind costs no more than it did.
        if self.gone_count > self.evictions.len() / 2 {
            let gone = &mut self.gone;
            self.evictions.retain(|replica| !takes_one(gone, *replica));
            self.evictions.shrink_to(self.evictions.len() * 2);
            self.gone_count = 0;
        }
    }

    /// A write is done of a log that is gone.
    pub fn orphan_done(&mut self, name: SegmentName) {
        self.orphaned_bytes -= self.orphans.remove(&name).unwrap_or(0);
    }

    /// Bytes of writes under way for logs that are gone.
    pub fn orphaned_bytes(&self) -> u64 {
        self.orphaned_bytes
    }

    /// Segments are removed now. Until then they are synced even if their log has given them up: a checkpoint
    /// being made may name them, and a crash may take back what gave them up.
    pub fn removed(&mut self, names: &[SegmentName]) {
        names.iter().for_each(|name| {
            self.unsynced.remove(name);
        });
    }

    /// All segments a checkpoint has to sync.
    pub fn unsynced(&self) -> Synced {
        self.unsynced.iter().map(|(name, bytes)| (*name, *bytes)).collect()
    }

    /// A sync is done that was asked for when the segments had these lengths.
    pub fn synced(&mut self, synced: &Synced) {
        for (name, bytes) in synced {
            if self.unsynced.get(name) == Some(bytes) {
                self.unsynced.remove(name);
            }
        }
    }

    /// Where `replica` has to be drained up to, if a reset waits for that.
    pub fn draining(&self, replica: ReplicaId) -> Option<Offset> {
        self.draining.get(&replica).copied()
    }

    /// `replica` is drained.
    pub fn drained(&mut self, replica: ReplicaId) {
        self.draining.remove(&replica);
    }

    /// The segments of one log that are not synced.
    pub fn unsynced_of(&self, log: &Log) -> Synced {
        let names = log.segments().iter().map(|segment| segment.name(log.of));
        names.filter_map(|name| self.unsynced.get(&name).map(|bytes| (name, *bytes))).collect()
    }

    /// Whether nothing waits to be written or synced.
    pub fn is_clean(&self) -> bool {
        self.unwritten_bytes == 0 && self.unsynced.is_empty()
    }
}

/// Takes one off the count of `replica`, if it has one.
fn takes_one(counts: &mut BTreeMap<ReplicaId, usize>, replica: ReplicaId) -> bool {
    let Some(count) = counts.get_mut(&replica) else { return false };
    *count -= 1;
    if *count == 0 {
        counts.remove(&replica);
    }
    true
}

/// Where requests for file work go, and what they leave behind in memory.
pub struct Io<'a> {
    pub disk: Disk<'a>,
    pub removals: &'a mut Removals,
    pub indexes: &'a mut IndexCache,
}

impl Io<'_> {
    /// Writes to a segment, and to its index, for which nobody waits.
    pub fn write(&mut self, job: Job, write: SegmentWrite) {
        self.removals.claim(File::Segment(write.name), &mut self.disk);
        self.disk.write(job, File::Segment(write.name), write.at, write.parts);
        self.write_index(write.name, write.index_from, &write.index);
    }

    /// Writes entries of a segment's index, the first of which has this number.
    pub fn write_index(&mut self, name: SegmentName, from: u32, entries: &[IndexEntry]) {
        if entries.is_empty() {
            return;
        }
        let mut bytes = BytesMut::with_capacity(entries.len() * ENTRY_BYTES);
        entries.iter().for_each(|entry| entry.encode(&mut bytes));
        self.indexes.extend(name, entries);
        let file = File::SegmentIndex(name);
        self.removals.claim(file, &mut self.disk);
        let at = u64::from(from) * ENTRY_BYTES as u64;
        self.disk.write(Job::Index(file), file, at, vec![bytes.freeze()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TopicPartition;
    use bytes::Bytes;

    #[test]
    fn a_log_that_waits_for_the_disk_is_not_looked_at_every_turn() {
        let config = StorageConfig { segment_write_bytes: 10, ..StorageConfig::default() };
        let mut behind = WriteBehind::default();
        let replicas: Vec<ReplicaId> = (1..=100).map(ReplicaId).collect();
        for replica in &replicas {
            let mut log = Log::new(TopicPartition::default(), 0, Offset(0), Offset(0), Vec::new());
            for base in 0..3 {
                let (base, next) = (Offset(base), Offset(base + 1));
                let bytes = Bytes::from_static(&[0; 10]);
                behind.keep(
                    &config,
                    *replica,
                    &mut log,
                    CommittedBatch { base, next, max_timestamp: 0, bytes },
                );
            }
        }
        assert_eq!(behind.take_due().len(), 100);
        assert_eq!(behind.take_due().len(), 0, "their writes are in flight: nothing happened to them");
        assert!(replicas.iter().all(|replica| behind.is_ripe(*replica)));
        behind.all_are_due();
        assert_eq!(behind.take_due().len(), 100, "a checkpoint that held them back is made");
    }
}
