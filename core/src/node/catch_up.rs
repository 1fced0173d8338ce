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
//! The leader's side is `serving`. A step that fails is simply dropped: the leader asks again with
//! every heartbeat's answer for as long as it must. Only batches that the leader does not give, because its disk rots
//! or stalls, are asked of the other replicas first: it may be that nobody can be reached who could mend it (seed 50090).
//! Those that follow them are the leader's again: another may give them too, and take for ever (seed 88002514).
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

use super::company::Company;
use super::ports::Ports;
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
use crate::resident::{Effect, Residents};
use crate::storage::{CommittedBatch, Reset};
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{Batch, BatchBuilder, Batches, HEADER_BYTES};
use std::collections::BTreeMap;

/// The catch-ups of this node's replicas.
#[derive(Default)]
pub(super) struct CatchUps {
    of: BTreeMap<ReplicaId, Progress>,
}

/// How far one has come.
struct Progress {
    leader: NodeId,
    term: Term,
    /// The call that is on the way, and whom it was made to.
    call: CallId,
    asked: NodeId,
    /// Who is asked for the next batches.
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

impl CatchUps {
    /// How many are under way.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.of.len()
    }

    /// The leader says that a replica of this node is behind its window.
    pub fn told(
        &mut self,
        now: Now,
        leader: NodeId,
        told: &CatchUp,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        let id = told.replica;
        let is_further = |known: &Progress| known.term >= told.term || known.step == Step::Ready;
        if self.of.get(&id).is_some_and(is_further) || !residents.is_told_by_its_leader(leader, told) {
            return;
        }
        let progress = Progress {
            leader,
            term: told.term,
            call: CallId(0),
            asked: leader,
            giver: leader,
            refusals: 0,
            log_start: told.log_start,
            to: told.high_watermark,
            until: now.mono + CATCH_UP_PATIENCE,
            snapshot: None,
            step: Step::Answer,
        };
        self.of.insert(id, progress);
        self.further(now, id, told.partition, told.high_watermark, residents, ports);
    }

    /// Batches that a peer gave, or did not.
    pub fn fetched(
        &mut self,
        now: Now,
        node: NodeId,
        fetched: &Fetched,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        let Some(id) = self.caller(node, fetched.id) else { return };
        let Some(of) = residents.partition_of(id) else { return };
        let is_kept = fetched.error == 0 && keep_fetched(id, fetched, ports);
        let Some(progress) = self.of.get_mut(&id) else { return };
        if !is_kept {
            return self.ask_another(now, id, of, residents, ports);
        }
        (progress.giver, progress.refusals) = (progress.leader, 0);
        if progress.snapshot.is_none() {
            progress.to = progress.to.max(fetched.high_watermark);
        }
        let to = progress.to;
        self.further(now, id, of, to, residents, ports);
    }

    /// The state above them.
    pub fn snapshot_came(
        &mut self,
        now: Now,
        node: NodeId,
        snapshot: Snapshot,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        let Some(id) = self.caller(node, snapshot.id) else { return };
        let Some(of) = residents.partition_of(id) else { return };
        if snapshot.error != 0 {
            return self.over(id);
        }
        if let Err(said) = residents.check_snapshot(id, &snapshot) {
            self.over(id);
            return ports.peers.disbelieve(node, said.kind(), &said, now.mono);
        }
        let (start, to) = (snapshot.log_start, snapshot.segment_end);
        let has_records = residents.partition(id).is_some();
        if has_records && start > ports.kept_end(id) {
            ports.storage.skip_to(id, start);
        }
        if let Some(progress) = self.of.get_mut(&id) {
            progress.snapshot = Some(snapshot);
            progress.to = to;
        }
        if has_records {
            self.further(now, id, of, to, residents, ports);
        } else {
            self.install(id, residents, ports);
        }
    }

    /// Every batch of a replica is durable.
    pub fn log_durable(&mut self, id: ReplicaId, end: Offset, residents: &mut Residents, ports: &mut Ports) {
        let Some(progress) = self.of.get(&id).filter(|progress| progress.step == Step::Disk) else { return };
        let is_whole = progress.snapshot.as_ref().is_some_and(|snapshot| snapshot.segment_end <= end);
        if is_whole && ports.kept_end(id) == end {
            self.install(id, residents, ports);
        } else {
            // Raft has brought more meanwhile: the log is near, or its leader asks again.
            self.over(id);
        }
    }

    /// A ready with a reset: the state it speaks of takes the place of what was here, in memory and in the journal.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn journal(
        &mut self,
        id: ReplicaId,
        ready: &Ready,
        reset: &SnapshotMeta,
        effects: &mut Vec<Effect>,
        residents: &mut Residents,
        ports: &mut Ports,
    ) -> Result<(), Undecodable> {
        let progress = self.of.remove(&id).expect("only a catch-up restores a replica");
        let snapshot = progress.snapshot.expect("it was there when the replica was restored");
        let resident = residents.get_mut(id).expect("a replica that makes a ready is here");
        let notice = Notice::CaughtUp { partition: resident.of(), from: progress.leader };
        ports.actions.push(Action::Note(notice));
        assert!(snapshot.index == reset.at.index, "the reset is the one that was asked for");
        let hard_state = ready.hard_state.unwrap_or_else(|| resident.replica().hard_state());
        let state = snapshot.state;
        resident.install(reset.at, &state, effects, &mut ports.told())?;
        let reset = Reset {
            index: reset.at.index,
            term: reset.at.term,
            members: reset.members.clone(),
            hard_state,
            segment_end: snapshot.segment_end,
            log_start: snapshot.log_start,
            state,
        };
        ports.storage.reset(id, ready.number.0, reset, &ready.entries);
        Ok(())
    }

    /// What was asked of a node will not be answered.
    pub fn lost(&mut self, now: Now, node: NodeId, residents: &mut Residents, ports: &mut Ports) {
        self.give_up_answers(now, |progress| progress.asked == node, residents, ports);
    }

    /// Once a tick: what is not answered is given up.
    pub fn tick(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        self.give_up_answers(now, |progress| progress.until <= now.mono, residents, ports);
    }

    /// A replica runs here no more, or needs none of it any more.
    pub fn over(&mut self, id: ReplicaId) {
        self.of.remove(&id);
    }

    /// The next call: batches while some are missing below `to`, then the snapshot.
    fn further(
        &mut self,
        now: Now,
        id: ReplicaId,
        of: TopicPartition,
        to: Offset,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        // A machine has no records: its whole state is in its snapshot.
        let has_records = residents.partition(id).is_some();
        let end = if has_records { ports.kept_end(id) } else { to };
        let call = ports.next_call();
        let Some(progress) = self.of.get_mut(&id) else { return };
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
            return ports.storage.drain(now.mono, id, &mut ports.actions, &mut ports.outcomes);
        } else {
            Bulk::SnapshotWanted(SnapshotWanted { id: call, replica: id, partition: of, log_end: end })
        };
        if ports.peers.send_bulk(progress.asked, ask).is_err() {
            self.over(id);
        }
    }

    /// Who was asked for batches has none to give: a rotten disk, one that does not answer, or a log that ends too
    /// early. What is committed is the same at every replica, so the next one is asked; when all were, the leader
    /// will ask again.
    fn ask_another(
        &mut self,
        now: Now,
        id: ReplicaId,
        of: TopicPartition,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        let others = Company::of(residents, ports).other_holders(id);
        let Some(progress) = self.of.get_mut(&id) else { return };
        progress.refusals += 1;
        let place = others.iter().position(|node| *node == progress.giver).unwrap_or(0);
        let following = others.iter().cycle().skip(place + 1).take(others.len().saturating_sub(1));
        let next = following.copied().find(|node| ports.peers.has_bulk(*node));
        match next.filter(|_| progress.refusals < others.len()) {
            Some(next) => {
                progress.giver = next;
                let to = progress.to;
                self.further(now, id, of, to, residents, ports);
            }
            None => self.over(id),
        }
    }

    fn give_up_answers(
        &mut self,
        now: Now,
        is_lost: impl Fn(&Progress) -> bool,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        if ports.is_planted(Mutant::CatchUpNeverGivenUp) {
            return;
        }
        let lost = |progress: &Progress| progress.step == Step::Answer && is_lost(progress);
        let of = self.of.iter().filter(|(_, progress)| lost(progress));
        for id in of.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.unanswered(now, id, residents, ports);
        }
    }

    /// No answer will come to what was asked for this replica: batches are asked of another, all else of the leader when
    /// that asks again.
    fn unanswered(&mut self, now: Now, id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
        let to = self.of.get(&id).map_or(Offset(0), |progress| progress.to);
        match residents.partition(id).map(Partition::of).filter(|_| ports.kept_end(id) < to) {
            Some(of) => self.ask_another(now, id, of, residents, ports),
            None => self.over(id),
        }
    }

    /// Which replica a call was made for, by the node it was made to.
    fn caller(&self, node: NodeId, call: CallId) -> Option<ReplicaId> {
        let is_it = |progress: &Progress| {
            progress.call == call && progress.asked == node && progress.step == Step::Answer
        };
        self.of.iter().find(|(_, progress)| is_it(progress)).map(|(id, _)| *id)
    }

    /// Hands the snapshot to Raft; what comes back is a ready with a reset.
    fn install(&mut self, id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
        let Some(progress) = self.of.get(&id) else { return };
        let (term, leader) = (progress.term, progress.leader);
        let Some(snapshot) = &progress.snapshot else { return };
        let Some(of) = residents.partition_of(id) else { return };
        let Some(from) = residents.replica_on(of, leader) else { return };
        if residents.check_snapshot(id, snapshot).is_err() {
            // It was sound when it came: what has been applied since says more.
            return self.over(id);
        }
        let at = Stamp { index: snapshot.index, term: snapshot.term, wall: snapshot.wall };
        let meta = SnapshotMeta { at, members: snapshot.members.clone() };
        let restored = residents.replica_mut(id).map(|replica| replica.restore(meta, from, term));
        match self.of.get_mut(&id) {
            Some(progress) if matches!(restored, Some(Ok(Restored::Reset))) => progress.step = Step::Ready,
            _ => self.over(id),
        }
        // Not needed, or refused, it may have told Raft something all the same.
        ports.touch(id);
    }
}

/// Keeps fetched batches that follow what is here. Returns whether anything did.
fn keep_fetched(id: ReplicaId, fetched: &Fetched, ports: &mut Ports) -> bool {
    let mut is_any = false;
    for chunk in &fetched.chunks {
        for batch in Batches::new(chunk) {
            let Ok(batch) = batch else { return is_any };
            let end = ports.kept_end(id);
            if batch.check_crc().is_err() || batch.last_offset() < end.0 {
                continue;
            }
            let Some(bytes) = from_the_end(&batch, end) else { return is_any };
            let next = Offset(batch.last_offset() + 1);
            let max_timestamp = batch.max_timestamp();
            ports.storage.keep(id, CommittedBatch { base: end, next, max_timestamp, bytes });
            is_any = true;
        }
    }
    is_any
}

/// The batch, if it begins where the log ends here. Of one without records, as compaction leaves them, what lies behind
/// that: where such a run is cut is each replica's own matter.
fn from_the_end(batch: &Batch<'_>, end: Offset) -> Option<Bytes> {
    let next = batch.last_offset().checked_add(1).filter(|next| *next > end.0)?;
    match batch.base_offset() {
        base if base == end.0 => Some(Bytes::copy_from_slice(batch.bytes())),
        base if base < end.0 && batch.count() == 0 => {
            BatchBuilder::hollow((end.0, next), batch.leader_epoch(), HEADER_BYTES).map(BytesMut::freeze)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_log_is_kept_and_of_a_run_without_records_the_rest() {
        let mut builder = BatchBuilder::new();
        (0..3).for_each(|_| builder.push(0, Some(b"k"), None, &[]));
        let full = builder.place(10, 4).build();
        let full = Batch::parse(&full).expect("built");
        assert_eq!(from_the_end(&full, Offset(10)).as_deref(), Some(full.bytes()));
        assert_eq!(from_the_end(&full, Offset(9)), None, "a gap");
        assert_eq!(from_the_end(&full, Offset(12)), None, "a batch is kept whole");
        let hollow = BatchBuilder::hollow((10, 20), 4, HEADER_BYTES).expect("it fits");
        let hollow = Batch::parse(&hollow).expect("built");
        let rest = from_the_end(&hollow, Offset(15)).expect("five are missing");
        let rest = Batch::parse(&rest).expect("built");
        assert_eq!((rest.base_offset(), rest.last_offset(), rest.count()), (15, 19, 0));
        assert_eq!((rest.leader_epoch(), rest.check_crc()), (4, Ok(())));
        assert_eq!(from_the_end(&hollow, Offset(20)), None);
    }
}
