//! Catching up: a replica that is behind its leader's window keeps its committed prefix, pulls what it lacks by
//! offset over the bulk lane, and then takes a small snapshot: state and index, no files.
//!
//! ```text
//! leader                                   follower
//! CatchUp{term, log start, watermark}  ->  starts, or goes on
//!                                      <-  Fetch{from}                 until it has what the leader had; not at all
//!                                                                      where the leader's log starts above its own
//! Fetched{batches}                     ->  kept in storage, not applied
//!                                      <-  SnapshotWanted{log end}
//! Snapshot{index, state, segment end}  ->  the rest is fetched, made durable, and Raft starts anew above it
//! ```
//! The leader's side is `serving_catch_up`. A step that fails is simply dropped: the leader asks again with
//! every heartbeat's answer for as long as it must. Only batches that the leader does not give, because its disk rots
//! or stalls, are asked of the other replicas first: it may be that nobody can be reached who could mend it (seed 50090).
//!
//! - Invariant: only committed batches are fetched: nobody gives what is above its high watermark.
//! - Invariant: a snapshot is installed only when every batch below its segment end is durable here. There may be more:
//!   an earlier leader had applied more than this one knows committed, which perhaps has no other follower to commit
//!   it with (seed 3001396). What lies beyond is kept, and not kept again when Raft brings it.
//! - Invariant: the log start that a leader tells is where its storage begins, which may be above its state's
//!   (`Node::bounds`); so it is here then.
//! - Invariant: what is kept is given up only for a snapshot that may be believed and whose log starts above it, never
//!   for a notice: by the time its leader has a snapshot to give, Raft's own word says that it leads.
//! - Invariant: at most one catch-up a replica, and one call of it on the way.
//! - Invariant: from the moment Raft has a snapshot until its ready is journaled, the snapshot is kept here: the
//!   ready speaks of it, and may wait for room in a frame.

use super::Node;
use crate::action::{Action, Notice};
use crate::entry::Stamp;
use crate::ids::{NodeId, Offset, ReplicaId, Term, TopicPartition};
use crate::limits::{CATCH_UP_FETCH_BYTES, CATCH_UP_PATIENCE};
use crate::machine::Undecodable;
use crate::mutant::Mutant;
use crate::now::{Mono, Now};
use crate::partition::Partition;
use crate::peer::{Bulk, CallId, CatchUp, Fetch, Fetched, Snapshot, SnapshotWanted};
use crate::replica::{Ready, Restored, SnapshotMeta};
use crate::resident::Effect;
use crate::storage::{CommittedBatch, Reset};
use bytes::Bytes;
use rust_mq_proto::records::Batches;
use std::collections::BTreeMap;

/// The catch-ups of this node's replicas.
#[derive(Default)]
pub(super) struct CatchUps {
    of: BTreeMap<ReplicaId, Progress>,
    next_call: u64,
}

/// How far one has come.
struct Progress {
    leader: NodeId,
    term: Term,
    /// The call that is on the way, and whom it was made to.
    call: CallId,
    asked: NodeId,
    /// Who gives the batches.
    giver: NodeId,
    /// Nodes that gave none, one after the other.
    refusals: usize,
    /// Where the leader's log starts.
    log_start: Offset,
    /// Where the batches end that are to be fetched, as far as is known.
    to: Offset,
    /// Given up then: the leader will ask again.
    until: Mono,
    /// The snapshot that waits for the batches below its end.
    snapshot: Option<Snapshot>,
    step: Step,
}

/// What a catch-up waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The answer to its call; given up after a while, or when the lane breaks.
    Answer,
    /// All its batches being durable.
    Disk,
    /// The ready that speaks of the snapshot.
    Ready,
}

impl Node {
    /// The leader says that a replica of this node is behind its window.
    pub(super) fn told_to_catch_up(&mut self, now: Now, leader: NodeId, told: &CatchUp) {
        let id = told.replica;
        let is_under_way = self
            .catching_up
            .of
            .get(&id)
            .is_some_and(|progress| progress.term >= told.term || progress.step == Step::Ready);
        if is_under_way || !self.residents.is_told_by_its_leader(leader, told) {
            return;
        }
        let call = CallId(0);
        let until = now.mono + CATCH_UP_PATIENCE;
        let progress = Progress {
            leader,
            term: told.term,
            call,
            asked: leader,
            giver: leader,
            refusals: 0,
            log_start: told.log_start,
            to: told.high_watermark,
            until,
            snapshot: None,
            step: Step::Answer,
        };
        self.catching_up.of.insert(id, progress);
        self.catch_up_further(now, id, told.partition, told.high_watermark);
    }

    /// The next call: batches while some are missing below `to`, then the snapshot.
    fn catch_up_further(&mut self, now: Now, id: ReplicaId, of: TopicPartition, to: Offset) {
        let has_records = self.has_records(id);
        let end = if has_records { self.kept_end(id) } else { to };
        let call = self.next_call();
        let Some(progress) = self.catching_up.of.get_mut(&id) else { return };
        progress.call = call;
        progress.until = now.mono + CATCH_UP_PATIENCE;
        progress.asked = progress.leader;
        // Everything here is below what the leader still has: only its snapshot can be begun with.
        let is_useless = has_records && progress.snapshot.is_none() && progress.log_start > end;
        let ask = if end < to && !is_useless {
            progress.asked = progress.giver;
            Bulk::Fetch(Fetch { id: call, partition: of, from: end, max_bytes: CATCH_UP_FETCH_BYTES })
        } else if progress.snapshot.is_some() {
            progress.step = Step::Disk;
            return self.storage.settle(now.mono, id, &mut self.disk_actions, &mut self.disk_news);
        } else {
            Bulk::SnapshotWanted(SnapshotWanted { id: call, replica: id, partition: of, log_end: end })
        };
        if self.peers.send_bulk(progress.asked, ask).is_err() {
            self.catching_up.of.remove(&id);
        }
    }

    /// Who was asked for batches has none to give: a rotten disk, one that does not answer, or a log that ends too
    /// early. What is committed is the same at every replica, so the next one is asked; when all were, the leader
    /// will ask again.
    fn ask_another(&mut self, now: Now, id: ReplicaId, of: TopicPartition) {
        let others = self.other_holders(id);
        let Some(progress) = self.catching_up.of.get_mut(&id) else { return };
        progress.refusals += 1;
        let place = others.iter().position(|node| *node == progress.giver).unwrap_or(0);
        let in_turn = others.iter().cycle().skip(place + 1).take(others.len().saturating_sub(1));
        let next = in_turn.copied().find(|node| self.peers.has_bulk(*node));
        match next.filter(|_| progress.refusals < others.len()) {
            Some(next) => {
                progress.giver = next;
                let to = progress.to;
                self.catch_up_further(now, id, of, to);
            }
            None => {
                self.catching_up.of.remove(&id);
            }
        }
    }

    /// No answer will come to what was asked for these replicas: batches are asked of another, all else of the leader
    /// when that asks again.
    fn unanswered(&mut self, now: Now, replicas: Vec<ReplicaId>) {
        for id in replicas {
            let to = self.catching_up.of.get(&id).map_or(Offset(0), |progress| progress.to);
            match self.residents.partition(id).map(Partition::of).filter(|_| self.kept_end(id) < to) {
                Some(of) => self.ask_another(now, id, of),
                None => {
                    self.catching_up.of.remove(&id);
                }
            }
        }
    }

    /// Whether that replica is of records, and not of a machine, whose whole state is in its snapshot.
    fn has_records(&self, id: ReplicaId) -> bool {
        self.residents.partition(id).is_some()
    }

    /// A number for a call on the bulk lane.
    pub(super) fn next_call(&mut self) -> CallId {
        self.catching_up.next_call += 1;
        CallId(self.catching_up.next_call)
    }

    /// Which replica a call was made for, by the node it was made to.
    fn caller(&self, node: NodeId, call: CallId) -> Option<ReplicaId> {
        let is_it = |progress: &Progress| {
            progress.call == call && progress.asked == node && progress.step == Step::Answer
        };
        self.catching_up.of.iter().find(|(_, progress)| is_it(progress)).map(|(id, _)| *id)
    }

    pub(super) fn fetched(&mut self, now: Now, node: NodeId, fetched: Fetched) {
        let Some(id) = self.caller(node, fetched.id) else { return };
        let Some(of) = self.residents.partition_of(id) else { return };
        let is_kept = fetched.error == 0 && self.keep_fetched(id, &fetched);
        let Some(progress) = self.catching_up.of.get_mut(&id) else { return };
        if !is_kept {
            return self.ask_another(now, id, of);
        }
        progress.refusals = 0;
        if progress.snapshot.is_none() {
            progress.to = progress.to.max(fetched.high_watermark);
        }
        let to = progress.to;
        self.catch_up_further(now, id, of, to);
    }

    /// Keeps fetched batches that follow what is here. Returns whether anything did.
    fn keep_fetched(&mut self, id: ReplicaId, fetched: &Fetched) -> bool {
        let mut is_any = false;
        for chunk in &fetched.chunks {
            for batch in Batches::new(chunk) {
                let Ok(batch) = batch else { return is_any };
                let end = self.kept_end(id);
                if batch.check_crc().is_err() || batch.last_offset() < end.0 {
                    continue;
                }
                if batch.base_offset() != end.0 || batch.last_offset() < batch.base_offset() {
                    return is_any;
                }
                let bytes = Bytes::copy_from_slice(batch.bytes());
                let next = Offset(batch.last_offset() + 1);
                let max_timestamp = batch.max_timestamp();
                self.storage.keep(id, CommittedBatch { base: end, next, max_timestamp, bytes });
                is_any = true;
            }
        }
        is_any
    }

    pub(super) fn snapshot_came(&mut self, now: Now, node: NodeId, snapshot: Snapshot) {
        let Some(id) = self.caller(node, snapshot.id) else { return };
        let Some(of) = self.residents.partition_of(id) else { return };
        if snapshot.error != 0 {
            self.catching_up.of.remove(&id);
            return;
        }
        if let Err(said) = self.residents.check_snapshot(id, &snapshot) {
            self.catching_up.of.remove(&id);
            return self.peers.disbelieve(node, said.kind(), &said, now.mono);
        }
        let (start, to) = (snapshot.log_start, snapshot.segment_end);
        let has_records = self.has_records(id);
        if has_records && start > self.kept_end(id) {
            self.storage.skip_to(id, start);
        }
        if let Some(progress) = self.catching_up.of.get_mut(&id) {
            progress.snapshot = Some(snapshot);
            progress.to = to;
        }
        if has_records {
            self.catch_up_further(now, id, of, to);
        } else {
            self.install(id);
        }
    }

    /// Every batch of a replica is durable.
    pub(super) fn log_settled(&mut self, id: ReplicaId, end: Offset) {
        let Some(progress) = self.catching_up.of.get(&id).filter(|progress| progress.step == Step::Disk)
        else {
            return;
        };
        let is_whole = progress.snapshot.as_ref().is_some_and(|snapshot| snapshot.segment_end <= end);
        if is_whole && self.kept_end(id) == end {
            self.install(id);
        } else {
            // Raft has brought more meanwhile: the log is near, or its leader asks again.
            self.catching_up.of.remove(&id);
        }
    }

    /// Hands the snapshot to Raft; what comes back is a ready with a reset.
    fn install(&mut self, id: ReplicaId) {
        let Some(progress) = self.catching_up.of.get(&id) else { return };
        let (term, leader) = (progress.term, progress.leader);
        let Some(snapshot) = progress.snapshot.clone() else { return };
        let Some(of) = self.residents.partition_of(id) else { return };
        let Some(from) = self.residents.replica_on(of, leader) else { return };
        if self.residents.check_snapshot(id, &snapshot).is_err() {
            // It was sound when it came: what has been applied since says more.
            self.catching_up.of.remove(&id);
            return;
        }
        let at = Stamp { index: snapshot.index, term: snapshot.term, wall: snapshot.wall };
        let meta = SnapshotMeta { at, members: snapshot.members.clone() };
        let restored = self.residents.get_mut(id).map(|one| one.replica_mut().restore(meta, from, term));
        match self.catching_up.of.get_mut(&id) {
            Some(progress) if matches!(restored, Some(Ok(Restored::Reset))) => progress.step = Step::Ready,
            _ => {
                self.catching_up.of.remove(&id);
            }
        }
        // Not needed, or refused, it may have told Raft something all the same.
        self.touch(id);
    }

    /// A ready with a reset: the state it speaks of takes the place of what was here, in memory and in the
    /// journal.
    pub(super) fn journal_reset(
        &mut self,
        id: ReplicaId,
        ready: &Ready,
        reset: &SnapshotMeta,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Undecodable> {
        let progress = self.catching_up.of.remove(&id).expect("only a catch-up restores a replica");
        let snapshot = progress.snapshot.expect("it was there when the replica was restored");
        if let Some(partition) = self.residents.partition_of(id) {
            self.disk_actions.push(Action::Note(Notice::CaughtUp { partition, from: progress.leader }));
        }
        assert!(snapshot.index == reset.at.index, "the reset is the one that was asked for");
        let hard_state = self.residents.get(id).map(|resident| resident.replica().hard_state());
        let hard_state = ready.hard_state.or(hard_state).expect("a replica that makes a ready is here");
        let state = snapshot.state;
        self.with(id, |resident, told| resident.install(reset.at, &state, effects, told)).transpose()?;
        let reset = Reset {
            index: reset.at.index,
            term: reset.at.term,
            members: reset.members.clone(),
            hard_state,
            segment_end: snapshot.segment_end,
            log_start: snapshot.log_start,
            state,
        };
        self.mending_over(id);
        self.storage.reset(id, ready.number.0, reset, &ready.entries);
        Ok(())
    }

    /// What was asked of a node will not be answered.
    pub(super) fn catch_ups_lost(&mut self, now: Now, node: NodeId) {
        self.give_up_answers(now, |progress| progress.asked == node);
    }

    pub(super) fn tick_catch_ups(&mut self, now: Now) {
        self.give_up_answers(now, |progress| progress.until <= now.mono);
    }

    fn give_up_answers(&mut self, now: Now, is_lost: impl Fn(&Progress) -> bool) {
        if self.is_planted(Mutant::CatchUpNeverGivenUp) {
            return;
        }
        let lost = |progress: &Progress| progress.step == Step::Answer && is_lost(progress);
        let of = self.catching_up.of.iter().filter(|(_, progress)| lost(progress));
        let replicas = of.map(|(id, _)| *id).collect();
        self.unanswered(now, replicas);
    }

    pub(super) fn catch_up_stopped(&mut self, id: ReplicaId) {
        self.catching_up.of.remove(&id);
    }
}
