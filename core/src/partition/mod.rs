//! User data on a replica: one partition's offsets, high watermark, leader epochs, producers, and whoever waits
//! for them. The same shape as a machine: `log` is the committed copy, a function of the applied entries and of
//! nothing else; `overlay` is the leader's tip on top of it.
//!
//! ```text
//! append   a batch from a client -> checked -> offset and epoch written into its header -> proposed, parked
//! apply    a committed entry -> log end, epochs, producers, log start; the batch goes on to storage
//! delete   a later start of the log -> proposed, parked
//! compact  how far the last record of each key alone stays -> proposed
//! settle   what was parked up to the applied index is answered
//! ```
//!
//! - Invariant: log_start <= high_watermark <= log_end, and the high watermark never falls (claim C5).
//! - Invariant: a batch's base offset == the log end when it is applied, on every replica (claim C6).
//! - Invariant: a parked produce is answered with success only when its entry is applied (claim C3), and durable on as
//!   many voters as `min.insync.replicas` says, where that is more than a majority and the sender asked for it.
//!
//! The high watermark *is* the end of the applied log: what is applied is committed, and nothing else is ever
//! shown to a consumer. `log_end` differs on a leader only, by what is proposed and not yet applied.
//!
//! A leader takes batches once an entry of its own term is applied; so the overlay starts empty, and no batch
//! of an earlier leader can surface under it.
//!
//! Not here: where the bytes are (`storage/`), which replica leads (`replica/`), Kafka's requests (`api/`).
//! Sources: KIP-98 (idempotence), KIP-101 and KIP-279 (leader epochs), KIP-360 (unknown producers).

mod append;
mod arriving;
mod compaction;
mod compactions;
mod deletion;
mod epochs;
mod followers;
mod keys;
mod log;
mod newest;
mod overlay;
mod producers;
mod refusal;
mod refused;
mod retention;
mod timestamps;

pub use append::{Appended, Conditions, Settled};
pub use arriving::Unfit;
pub use compactions::Compactions;
pub use epochs::Epochs;
pub use log::{LogState, PartitionCommand};
#[cfg(test)]
pub use producers::ProducerBatch;
pub use producers::Remembered;
pub use refusal::AppendRefusal;
pub use retention::Retained;

use crate::compaction::Compacted;
use crate::entry::{Entry, EntryKind, Stamp};
use crate::ids::{Index, Offset, ProducerId, ReplicaId, Term, TopicPartition};
use crate::level::{Level, Levels};
use crate::machine::{Undecodable, Waiter};
use crate::mutant::{Mutant, is_planted};
use crate::now::{Mono, Now};
use crate::replica::Replica;
use crate::settings::TopicConfig;
use crate::watched::Traffic;
use append::Parked;
use bytes::BytesMut;
use followers::Followers;
use overlay::Overlay;
use producers::Producers;
use refused::Refused;
use retention::Looked;
use rust_mq_proto::kafka::{Chain, ErrorCode};
use rust_mq_proto::records::Batches;
use std::collections::{BTreeSet, VecDeque};
use std::ops::{Add, Sub};

/// One partition, as this node's replica of it.
pub struct Partition {
    of: TopicPartition,
    config: TopicConfig,
    replica: Replica,
    log: LogState,
    applied: Stamp,
    /// The cluster's feature level.
    level: Level,
    overlay: Overlay,
    followers: Followers,
    refused: Refused,
    parked: VecDeque<Parked>,
    /// Applied, and wanted on more disks than a majority's.
    awaiting_disks: VecDeque<Parked>,
    watchers: BTreeSet<Waiter>,
    looked: Looked,
    /// The newest compaction that it has proposed, and in which term: until that is applied, it is not proposed again.
    compaction_proposed: Option<(Term, Compacted)>,
    traffic: Traffic,
}

/// What a partition keeps in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Of entries that the replica has, about.
    pub entries_bytes: u64,
    /// Producers that are remembered.
    pub producers: usize,
}

impl Add for Weight {
    type Output = Weight;

    fn add(self, other: Weight) -> Weight {
        Weight {
            entries_bytes: self.entries_bytes + other.entries_bytes,
            producers: self.producers + other.producers,
        }
    }
}

impl Sub for Weight {
    type Output = Weight;

    fn sub(self, other: Weight) -> Weight {
        Weight {
            entries_bytes: self.entries_bytes - other.entries_bytes,
            producers: self.producers - other.producers,
        }
    }
}

/// What applying one entry means for the floor above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// A batch to keep, as storage wants it.
    pub batch: Option<AppliedBatch>,
    /// The log starts later now.
    pub log_start: Option<Offset>,
}

/// Where an applied batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedBatch {
    /// Its first offset.
    pub base: Offset,
    /// The offset after its last.
    pub next: Offset,
    /// Its newest timestamp.
    pub max_timestamp: i64,
}

impl Partition {
    /// A partition in the state that it had at `applied`, on `replica`, which starts there too.
    pub fn new(
        of: TopicPartition,
        config: TopicConfig,
        replica: Replica,
        log: LogState,
        applied: Stamp,
    ) -> Partition {
        let overlay = Overlay::empty(log.end);
        Partition {
            of,
            config,
            replica,
            log,
            applied,
            level: Levels::BUILD.oldest,
            overlay,
            followers: Followers::default(),
            refused: Refused::default(),
            parked: VecDeque::new(),
            awaiting_disks: VecDeque::new(),
            watchers: BTreeSet::new(),
            looked: Looked::default(),
            compaction_proposed: None,
            traffic: Traffic::default(),
        }
    }

    /// The cluster has this feature level, or a higher one: what it writes is of it.
    pub fn level_raised(&mut self, level: Level) {
        self.level = self.level.max(level);
    }

    /// Takes a committed entry in.
    ///
    /// # Errors
    /// A command that this build does not know, or a batch that does not stand where the log ends: the node
    /// must stop rather than go on with a log that differs from its peers'.
    pub fn apply(&mut self, entry: &Entry) -> Result<Applied, Undecodable> {
        assert!(entry.index == self.applied.index.next(), "entries are applied in order, each once");
        let before = self.has(Mutant::ProducersOnLeaderOnly).then(|| self.log.producers.clone());
        let start = self.log.start;
        let applied = self.log.apply(entry)?;
        if self.has(Mutant::NoOpTakesOffset) && entry.kind == EntryKind::NoOp && self.replica.is_leader() {
            self.log.end = Offset(self.log.end.0 + 1);
        }
        if self.has(Mutant::RetentionOnLeaderOnly) && !self.replica.is_leader() {
            self.log.start = start;
        }
        if let Some(before) = before.filter(|_| !self.replica.is_leader()) {
            self.log.producers = before;
        }
        self.applied = Stamp { index: entry.index, term: entry.term, wall: entry.wall };
        if entry.kind == EntryKind::Batch {
            self.overlay.applied(entry.index, self.log.end);
        }
        assert!(self.log.start <= self.log.end, "log_start <= high_watermark");
        Ok(applied)
    }

    /// After a round of `apply`, or a change of role: answers what is true now.
    pub fn settle(&mut self, out: &mut Vec<Settled>) {
        let term = self.replica.term();
        let mut waiting = self.parked.front().into_iter().chain(self.awaiting_disks.front());
        if !self.is_leading() || waiting.any(|parked| parked.term != term) {
            self.refused = Refused::default();
            // What was proposed in another term may stand in the log or not.
            if !self.has(Mutant::StaleTip) {
                self.overlay = Overlay::empty(self.log.end);
            }
            if !self.has(Mutant::AnsweredByIndex) {
                out.extend(self.abandon());
                return;
            }
        }
        let done =
            if self.has(Mutant::AckAtPropose) { self.replica.last_index() } else { self.applied.index };
        while self.parked.front().is_some_and(|parked| parked.index <= done) {
            let parked = self.parked.pop_front().expect("the front was just looked at");
            if parked.wants_more_disks && !self.has(Mutant::MinInsyncForgotten) {
                let at = self.awaiting_disks.partition_point(|other| other.index <= parked.index);
                self.awaiting_disks.insert(at, parked);
            } else {
                out.extend(parked.done(self.log.start));
            }
        }
    }

    /// Whether [`Partition::settle_on_disks`] may have something to say.
    pub fn awaits_disks(&self) -> bool {
        !self.awaiting_disks.is_empty()
    }

    /// Answers what is applied and has waited for more voters' disks: `in_sync` replicas are in sync now.
    pub fn settle_on_disks(&mut self, in_sync: usize, out: &mut Vec<Settled>) {
        let wanted = self.config.min_insync_replicas;
        let voters = &self.replica.members().voters;
        let mut held: Vec<Index> = self
            .replica
            .progress()
            .filter(|(id, _)| voters.contains(id))
            .map(|(_, matched)| matched)
            .collect();
        held.sort_unstable_by(|one, other| other.cmp(one));
        let held = wanted.checked_sub(1).and_then(|nth| held.get(nth).copied()).unwrap_or_default();
        while self.awaiting_disks.front().is_some_and(|parked| parked.index <= held) {
            let parked = self.awaiting_disks.pop_front().expect("the front was just looked at");
            out.extend(parked.done(self.log.start));
        }
        if in_sync < wanted {
            let code = ErrorCode::NotEnoughReplicasAfterAppend;
            out.extend(self.awaiting_disks.drain(..).filter_map(|parked| parked.unsure(code)));
        }
    }

    /// Replaces the state by a snapshot of another member's; its batches are in storage already.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn install(&mut self, at: Stamp, state: &[u8]) -> Result<(), Undecodable> {
        let mut log = LogState::decode(state)?;
        if self.has(Mutant::EpochsNotInstalled) {
            log.epochs = self.log.epochs.clone();
        }
        assert!(log.end >= self.log.end, "a snapshot never takes a committed record back (claim C5)");
        self.log = log;
        self.applied = at;
        self.overlay = Overlay::empty(self.log.end);
        Ok(())
    }

    /// This replica leads no more, or its topic is deleted: whoever waits is told that the outcome is unknown.
    pub fn abandon(&mut self) -> Vec<Settled> {
        self.awaiting_disks.drain(..).chain(self.parked.drain(..)).filter_map(Parked::lost).collect()
    }

    /// Which partition.
    pub fn of(&self) -> TopicPartition {
        self.of
    }

    /// Its topic has these settings now. What was taken before stays; what waits is measured by them.
    pub fn configure(&mut self, config: TopicConfig) {
        self.config = config;
    }

    /// Its topic's settings.
    pub fn config(&self) -> &TopicConfig {
        &self.config
    }

    /// The last entry it includes.
    pub fn applied(&self) -> Stamp {
        self.applied
    }

    /// Whether records are taken and given here: this replica leads, and an entry of its term is applied.
    pub fn is_leading(&self) -> bool {
        self.replica.is_leader() && self.replica.has_applied_own_term()
    }

    /// The first offset there is.
    pub fn log_start(&self) -> Offset {
        self.log.start
    }

    /// The offset that the next record to be committed gets; what lies below may be read.
    pub fn high_watermark(&self) -> Offset {
        if self.has(Mutant::WatermarkAhead) { self.overlay.end } else { self.log.end }
    }

    /// The offset that the next record to be proposed gets.
    pub fn log_end(&self) -> Offset {
        self.overlay.end
    }

    /// Where each leader epoch starts.
    pub fn epochs(&self) -> &Epochs {
        &self.log.epochs
    }

    /// The log's state, for checks.
    pub fn log(&self) -> &LogState {
        &self.log
    }

    /// Whether the tip adds nothing to the log: for the simulator's comparison.
    pub fn is_overlay_empty(&self) -> bool {
        self.overlay.is_empty_on(self.log.end)
    }

    /// A client's view of the leader epoch: is it asking the right leader (KIP-320)? -1 asks nothing.
    pub fn check_epoch(&self, epoch: i32) -> ErrorCode {
        let term = self.replica.term();
        let known = if term > Term::MAX { i32::MAX } else { term.epoch() };
        match epoch {
            -1 => ErrorCode::None,
            _ if self.has(Mutant::ClientEpochNotFenced) => ErrorCode::None,
            asked if asked < known => ErrorCode::FencedLeaderEpoch,
            asked if asked > known => ErrorCode::UnknownLeaderEpoch,
            _ => ErrorCode::None,
        }
    }

    /// Looks how far the followers are, if this replica leads.
    pub fn look_at_followers(&mut self, now: Mono) {
        self.followers.look(now, &self.replica);
    }

    /// A follower's node is gone, if this replica leads.
    pub fn follower_lost(&mut self, follower: ReplicaId) {
        self.followers.lost(follower, &self.replica);
    }

    /// A follower's node is there again, if this replica leads.
    pub fn follower_returned(&mut self, follower: ReplicaId, now: Mono) {
        self.followers.returned(follower, &self.replica, now);
    }

    /// The replicas that keep up with the leader, itself among them. Means something on a leader only.
    pub fn in_sync(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.replica.progress().filter(|(id, matched)| self.keeps_up(*id, *matched)).map(|(id, _)| id)
    }

    /// The others.
    pub fn out_of_sync(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.replica.progress().filter(|(id, matched)| !self.keeps_up(*id, *matched)).map(|(id, _)| id)
    }

    fn keeps_up(&self, id: ReplicaId, matched: Index) -> bool {
        self.followers.is_in_sync(&self.replica, id, matched)
    }

    /// Wakes `waiter` once, when records are committed, or when this replica stops leading.
    pub fn watch(&mut self, waiter: Waiter) {
        self.watchers.insert(waiter);
    }

    /// `waiter` is answered, and waits for nothing any more.
    pub fn unwatch(&mut self, waiter: Waiter) {
        self.watchers.remove(&waiter);
    }

    /// Whoever is to be woken.
    pub fn wake_watchers(&mut self, woken: &mut Vec<(Waiter, TopicPartition)>) {
        let of = self.of();
        woken.extend(std::mem::take(&mut self.watchers).into_iter().map(|waiter| (waiter, of)));
    }

    /// How many wait for records.
    pub fn watcher_count(&self) -> usize {
        self.watchers.len()
    }

    /// What is kept in memory.
    pub fn weight(&self) -> Weight {
        Weight { entries_bytes: self.replica.held_bytes() as u64, producers: self.log.producers.len() }
    }

    /// Proposes to forget so many of the longest idle producers. Whether that is on its way.
    pub fn forget_producers(&mut self, now: Now, count: usize) -> bool {
        let command = PartitionCommand::ForgetProducers(u32::try_from(count).unwrap_or(u32::MAX));
        self.replica.propose(EntryKind::Commands, now.wall, command.encode(self.level)).is_ok()
    }

    /// What went through it, for those who watch.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// These records of it are given to a client.
    pub fn gave(&mut self, records: &Chain) {
        let (Some(first), Some(last)) = (records.parts().first(), records.parts().last()) else { return };
        // By their offsets: to look at each batch would cost a reader of many more than all else.
        let first = Batches::new(first).flatten().next().map(|batch| batch.base_offset());
        let last = Batches::new(last).flatten().last().map(|batch| batch.last_offset());
        if let (Some(first), Some(last)) = (first, last) {
            self.traffic.fetched_records += (last - first + 1).unsigned_abs();
        }
        self.traffic.fetched_bytes += records.len() as u64;
    }

    /// The replica below.
    pub fn replica(&self) -> &Replica {
        &self.replica
    }

    /// The replica below, to be stepped, ticked and read.
    pub fn replica_mut(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// The idempotent producers that are remembered.
    pub fn remembered(&self) -> impl Iterator<Item = (ProducerId, Remembered)> + '_ {
        self.log.producers.remembered()
    }

    /// The state as bytes, for a snapshot.
    pub fn encode(&self) -> BytesMut {
        let mut bytes = BytesMut::new();
        self.told().encode(self.level, &mut bytes);
        bytes
    }

    /// The level that what it writes is of.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The state as it is told to others and to the disk.
    pub fn told(&self) -> LogState {
        let log = self.log.clone();
        if self.has(Mutant::SnapshotWithoutProducers) {
            LogState { producers: Producers::default(), ..log }
        } else if self.has(Mutant::SnapshotWithoutEpochs) {
            LogState { epochs: Epochs::default(), ..log }
        } else {
            log
        }
    }

    /// Whether that bug is planted.
    fn has(&self, mutant: Mutant) -> bool {
        is_planted(self.replica.settings().mutant, mutant)
    }
}
