//! Storage: the journal, the checkpoint and the segments of one node: a pure model that asks for file work and
//! is told when it is done. It knows no Raft and no Kafka beyond the 61 bytes of a batch's header.
//!
//! One journal serves all replicas of a node, so one fdatasync makes a whole turn of all partitions durable.
//! What is committed and applied is written behind, from memory, to segments in Kafka's own format; a
//! checkpoint then names them, and the journal before it is written over. (Why not an LSM tree: a Raft log is
//! append, cut the tail, drop the head; a compacting tree rewrites it for nothing.)
//!
//! ```text
//! node.meta                              who this disk is: two slots                         (node_meta)
//! journal/0000..                         a ring of files, frames of 4 KiB blocks               (journal)
//!   [frame 7: items of r1 r2 r9][frame 8: r2][seal 9][frame 10 ...torn?]
//! checkpoint.a  checkpoint.b             everything small, in turn                          (checkpoint)
//! state/0000..                           pages of states: what is named by a checkpoint     (checkpoint)
//! data/TOPIC/PARTITION/BASE-GEN.log      batches back to back                          (segments, reads)
//! data/TOPIC/PARTITION/BASE-GEN.index    where to start looking                        (segments, reads)
//!
//!                 append               keep
//! replica's log -> journal   machine's apply -> tail in memory -> segment -> named by a checkpoint
//!                 Persisted                      read: at once    read: from the file
//! ```
//! The rooms within import downwards only, as those of the core do (`tests/tests/tidy/floors.rs`):
//!
//! ```text
//! Storage    running  start  mend  rewriting  retained  checkpointing     what one room must tell another
//! recovery                   node_meta  checkpoint             from the files back to a disk that is served from
//! reads                                                        batches out of their files
//! local                                                        one replica: its log, its hard state
//! journal                                                      frames, and the ring they lie in
//! segments                                                     logs: in memory, and in files
//! codec  disk                                                  fields; tickets, writes that last, space
//! ```
//! The life of it: `start`, then every `Done` of the node goes to `done`, every turn ends with `flush`, and
//! `woke` is called at `next_deadline`. Nothing else may be called before `Outcome::Recovered`.
//!
//! Invariants:
//! - Persisted only after the fdatasync of the frame with all items up to that number.
//! - Whatever was acknowledged is recovered; nothing that was not appended is; a recovery finds what the one
//!   before it found (`recovery`, `resume`).
//! - checkpoint in force <= frames on the disk: nothing needed may live only in a frame older than it.
//! - Nothing on the disk can make this room panic: what does not parse is damage, which is said and refused.
//! - Nothing is removed but what a durable checkpoint has given up (on a full disk: what the durable journal
//!   has), and nothing because something is missing.
//!
//! Rot in the journal kills all replicas of the node that were here: which votes were in the unreadable frame
//! nobody can say. Which frame it was is remembered and said at every start; what is left is not touched. Rot in a
//! segment is refused range by range, and mended in place with a peer's bytes.
//!
//! Not here: Raft's window (`replica`), what state means, when to retain or delete (the floors above).

mod checkpoint;
mod checkpointing;
mod codec;
mod counted;
mod disk;
mod journal;
mod local;
mod mend;
mod node_meta;
mod outcome;
mod reads;
mod recovery;
#[cfg(any(test, feature = "simulation"))]
mod remembered;
mod retained;
mod rewriting;
mod running;
mod segments;
mod start;
#[cfg(test)]
mod tests;

pub use checkpoint::checkpointer::{Part, PartState};
pub use disk::ticket::ReadId;
pub use mend::MendRefused;
pub use node_meta::{JournalLoss, NodeMeta};
pub use outcome::{Durable, Outcome, Reset};
pub use reads::cold::{Lookup, ReadFault};
pub use recovery::announcement::{Files, RecoveredReplica, Recovery, Shortened};
#[cfg(any(test, feature = "simulation"))]
pub use remembered::{Remembered, remember};
pub use rewriting::RewriteRefused;
pub use segments::chunk::{Chunk, ChunkPlace};
pub use segments::log::{CommittedBatch, Extent, Roll};
pub use segments::segment::Segment;

use crate::action::{Action, HaltReason};
use crate::config::StorageConfig;
use crate::entry::{Entry, HardState};
use crate::event::DoneResult;
use crate::ids::{Index, NodeId, Offset, PartitionId, ReplicaId, Ticket, TopicId, TopicPartition};
use crate::mutant::{Mutant, is_planted};
use crate::now::Mono;
use crate::rng::Rng;
use disk::Disk;
use journal::frame::{self, LogStart, StoredReset};
use local::Local;
use reads::want::Want;
use running::{Running, Turn};
use segments::log::Log;
use start::{Started, Starting};

/// The node's storage.
#[derive(Debug)]
pub struct Storage {
    state: State,
}

#[derive(Debug)]
enum State {
    Starting(Box<Starting>),
    Running(Box<Running>),
    /// The core was told to halt: nothing counts any more.
    Halted,
}

impl Storage {
    /// The storage of `node`, before its start. `rng` is a stream of its own.
    /// `mutant` is the bug that the simulator has planted.
    pub fn new(config: &StorageConfig, node: NodeId, rng: Rng, mutant: Option<Mutant>) -> Storage {
        Storage { state: State::Starting(Box::new(Starting::new(config.clone(), node, rng, mutant))) }
    }

    /// Asks for the listing that everything else follows from.
    pub fn start(&mut self, actions: &mut Vec<Action>) {
        if let State::Starting(starting) = &mut self.state {
            starting.start(actions);
        }
    }

    /// A file action is answered.
    pub fn done(
        &mut self,
        now: Mono,
        ticket: Ticket,
        result: DoneResult,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) {
        match &mut self.state {
            State::Starting(starting) => match starting.done(now, ticket, result, actions) {
                Started::Waiting => {}
                Started::Running(running) => self.state = State::Running(running),
                Started::Refused(reason) => self.halt(HaltReason::CannotStart { reason }, actions),
                Started::Failed(reason) => self.halt(HaltReason::DiskFailed { reason }, actions),
            },
            State::Running(running) => {
                let Some(job) = running.tickets.redeem(ticket) else { return };
                let mut turn = Turn { now, actions, outcomes };
                if let Err(reason) = running.done(ticket, job, result, &mut turn) {
                    self.halt(HaltReason::DiskFailed { reason }, actions);
                }
            }
            State::Halted => {}
        }
    }

    /// The earliest moment at which `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        match &self.state {
            State::Starting(starting) => starting.retry_at(),
            State::Running(running) => running.next_deadline(),
            State::Halted => None,
        }
    }

    /// Whether a checkpoint is being made.
    pub fn is_checkpointing(&self) -> bool {
        matches!(&self.state, State::Running(running) if !running.checkpointer.is_idle())
    }

    /// A deadline has come, perhaps not one of ours.
    pub fn woke(&mut self, now: Mono, actions: &mut Vec<Action>, outcomes: &mut Vec<Outcome>) {
        match &mut self.state {
            State::Starting(starting) => starting.woke(now, actions),
            State::Running(running) => running.woke(&mut Turn { now, actions, outcomes }),
            State::Halted => {}
        }
    }

    /// The end of a turn: writes the frame that was filled if none is in flight, and what else is due.
    pub fn flush(&mut self, now: Mono, actions: &mut Vec<Action>, outcomes: &mut Vec<Outcome>) {
        if let State::Running(running) = &mut self.state {
            running.flush(&mut Turn { now, actions, outcomes });
        }
    }

    /// Says who this disk is; answered by [`Outcome::MetaWritten`]. No frame is written before the first is.
    pub fn write_meta(&mut self, meta: NodeMeta, actions: &mut Vec<Action>) {
        if let Some(running) = self.running() {
            running.meta.write(meta, &mut Disk::new(&mut running.tickets, actions));
        }
    }

    /// A replica lives here from the next frame on; the one before it of the same partition has been dropped,
    /// or is dead. Files left over of its partition go after the next
    /// checkpoint.
    pub fn add_replica(&mut self, replica: ReplicaId, of: TopicPartition) {
        let Some(running) = self.running() else { return };
        let left = running.left.remove(&of).unwrap_or_default();
        running.doom(left);
        let generation = running.generations.get(&of).copied().unwrap_or(0);
        let (frame, sequence) = running.journal.filling(0);
        frame.replica_added(replica, of);
        let log = Log::new(of, generation, Offset(0), Offset(0), Vec::new());
        let local = Local { log, hard_state: HardState::default(), last: Index(0), frame: sequence };
        let before = running.locals.insert(replica, local);
        assert!(before.is_none(), "a replica id is never used twice");
    }

    /// A replica is gone from the next frame on; its files go after the next checkpoint.
    pub fn drop_replica(&mut self, replica: ReplicaId) {
        let Some(running) = self.running() else { return };
        let Some(local) = running.locals.remove(&replica) else { return };
        running.journal.gone(replica);
        if !is_planted(running.mutant, Mutant::GoneReplicaAwaited) {
            running.checkpointer.forget(replica, true);
        }
        running.state.forget(replica);
        running.journal.filling(0).0.replica_dropped(replica);
        if !is_planted(running.mutant, Mutant::DeletedFilesStay) {
            running.give_up_log(replica, &local.log);
        }
    }

    /// A topic is gone: what lies here of it, and no replica here holds, goes after the next checkpoint. Such are the
    /// files of the dead, which nobody drops.
    pub fn topic_gone(&mut self, topic: TopicId) {
        let Some(running) = self.running() else { return };
        let of_topic = TopicPartition { topic, partition: PartitionId(0) }..;
        let gone = running.left.range(of_topic).map(|(of, _)| *of).take_while(|of| of.topic == topic);
        for of in gone.collect::<Vec<_>>() {
            let left = running.left.remove(&of).unwrap_or_default();
            running.doom(left);
        }
    }

    /// Starts a replica's memory anew, and appends the entries above that; answered by [`Outcome::Persisted`].
    /// If the log reaches `segment_end` it is kept, all of it, and must be drained; else it is given up and starts
    /// there, empty. The hard state may speak of the entries, so all of it goes into one frame.
    pub fn reset(&mut self, replica: ReplicaId, number: u64, reset: Reset, entries: &[Entry]) {
        let Some(running) = self.running() else { return };
        running.checkpointer.forget(replica, false);
        running.state.forget(replica);
        running.journal.forget(replica);
        let mut local = running.locals.remove(&replica).expect("a reset is of a replica that is here");
        if local.log.end() >= reset.segment_end {
            let is_drained = local.log.written_end() == local.log.end()
                && running.behind.unsynced_of(&local.log).is_empty();
            assert!(is_drained, "a reset names only synced segments: drain the replica first");
            let below = local.log.advance_start(reset.log_start);
            running.doom(below);
        } else {
            running.give_up_log(replica, &local.log);
            let generation = running.generations.get(&local.log.of).copied().unwrap_or(0);
            local.log = local.log.anew(generation, reset.segment_end);
        }
        let log = &local.log;
        let stored = StoredReset {
            index: reset.index,
            term: reset.term,
            hard_state: reset.hard_state,
            members: reset.members,
            log_start: log.log_start(),
            end: log.end(),
            generation: log.generation,
            segments: log.segments().to_vec(),
            state: reset.state,
        };
        (local.hard_state, local.last) = (reset.hard_state, reset.index);
        let bytes = stored.state.len() + frame::append_bytes(entries);
        let (frame, sequence) = running.journal.filling(bytes);
        local.frame = sequence;
        frame.reset(replica, &stored);
        local.append(replica, entries, frame);
        frame.persisted.push((replica, number));
        running.locals.insert(replica, local);
    }

    /// Gives up what is kept of a replica and goes on at `to`, empty: what lies below is deleted everywhere.
    pub fn skip_to(&mut self, replica: ReplicaId, to: Offset) {
        let Some(running) = self.running() else { return };
        let mut local = running.locals.remove(&replica).expect("a skip is of a replica that is here");
        assert!(to > local.log.end(), "a skip leaves a gap: what is here is of no use");
        // A checkpoint would wait for ever for what is no longer there to be written.
        running.checkpointer.forget(replica, false);
        running.give_up_log(replica, &local.log);
        let generation = local.log.newest_generation().saturating_add(1);
        local.log = local.log.anew(generation, to);
        running.journal.log_start(replica, LogStart { offset: to, anew: Some(generation) });
        running.locals.insert(replica, local);
    }

    /// Wants everything kept of a replica in synced segments; answered by [`Outcome::Drained`].
    pub fn drain(
        &mut self,
        now: Mono,
        replica: ReplicaId,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Some(running) = self.running() else { return };
        let Some(end) = running.locals.get(&replica).map(|local| local.log.end()) else { return };
        running.behind.drain(replica, end);
        running.write_log(replica, &mut Turn { now, actions, outcomes });
    }

    /// Bytes that the filling frame still takes. At 0 no further append should come in this turn; one that is
    /// larger than the room goes into a frame of its own.
    pub fn room(&self) -> usize {
        match &self.state {
            State::Running(running) => running.journal.room(),
            _ => 0,
        }
    }

    /// Adds what Raft must remember to the next frame. A hard state that differs only in its commit forces no
    /// frame: it travels with the next one.
    pub fn append(
        &mut self,
        replica: ReplicaId,
        number: u64,
        hard_state: Option<HardState>,
        entries: &[Entry],
    ) -> Durable {
        let Some(running) = self.running() else { return Durable::Later };
        let local = running.locals.get_mut(&replica).expect("an append is of a replica that is here");
        let before = local.hard_state;
        let state = hard_state.unwrap_or(before);
        local.hard_state = state;
        let has_voted = (state.term, state.vote) != (before.term, before.vote);
        if entries.is_empty() && !has_voted {
            if state != before {
                running.journal.hint(replica, state);
            }
            let waits = running.journal.tell_after(local.frame, replica, number);
            return if waits { Durable::Later } else { Durable::Already };
        }
        if is_planted(running.mutant, Mutant::CommitAheadOfEntry) && state.commit > before.commit {
            running.journal.filling(0).0.hard_state(replica, state);
            running.journal.end_frame();
        }
        let (frame, sequence) = running.journal.filling(frame::append_bytes(entries));
        if state != before {
            frame.hard_state(replica, state);
        }
        local.append(replica, entries, frame);
        match frame.persisted.last_mut().filter(|(last, _)| *last == replica) {
            Some((_, last)) => *last = number,
            None => frame.persisted.push((replica, number)),
        }
        local.frame = sequence;
        if state != before {
            running.journal.forget_hint(replica);
        }
        Durable::Later
    }

    /// Takes an applied batch: readable at once, written behind.
    pub fn keep(&mut self, replica: ReplicaId, batch: CommittedBatch) {
        let Some(running) = self.running() else { return };
        let local = running.locals.get_mut(&replica).expect("a batch is of a replica that is here");
        running.behind.keep(&running.config, replica, &mut local.log, batch);
    }

    /// Batches from the one that holds `from`, of which none reaches `below` or beyond.
    pub fn read(
        &mut self,
        replica: ReplicaId,
        from: Offset,
        below: Offset,
        max_bytes: usize,
        actions: &mut Vec<Action>,
    ) -> Lookup {
        let Some(running) = self.running() else { return Lookup::Refused(ReadFault::Gone) };
        let Some(local) = running.locals.get(&replica) else { return Lookup::Refused(ReadFault::Gone) };
        let log = &local.log;
        if from < log.log_start() || from > log.end() {
            return Lookup::Refused(ReadFault::OutOfRange);
        }
        let below = below.min(log.end());
        if from >= below {
            return Lookup::Now(Chunk::default());
        }
        if let Some(chunk) = log.read_tail(from, below, max_bytes) {
            return Lookup::Now(chunk);
        }
        let want = Want::Offset { from, below, max_bytes: max_bytes as u64 };
        match log.segment_of(from) {
            Some(segment) => Lookup::Later(running.reads.begin(
                replica,
                log,
                segment,
                want,
                &mut Disk::new(&mut running.tickets, actions),
            )),
            None => Lookup::Refused(ReadFault::Damaged { from, below }),
        }
    }

    /// The first batch, from `from` or the log start on, that has a record at or after `timestamp`, as a chunk; empty if
    /// there is none.
    pub fn find_time(
        &mut self,
        replica: ReplicaId,
        from: Offset,
        timestamp: i64,
        actions: &mut Vec<Action>,
    ) -> Lookup {
        let Some(running) = self.running() else { return Lookup::Refused(ReadFault::Gone) };
        let Some(local) = running.locals.get(&replica) else { return Lookup::Refused(ReadFault::Gone) };
        let (log, from) = (&local.log, from.max(local.log.log_start()));
        let segment = log.segment_reaching(from, timestamp).filter(|segment| segment.base < log.tail_start());
        match segment {
            Some(segment) => Lookup::Later(running.reads.begin(
                replica,
                log,
                segment,
                Want::Time { from, timestamp },
                &mut Disk::new(&mut running.tickets, actions),
            )),
            None => Lookup::Now(log.find_tail(from, timestamp)),
        }
    }

    /// What a replica's data spans; `None` if it is not here.
    pub fn extent(&self, replica: ReplicaId) -> Option<Extent> {
        match &self.state {
            State::Running(running) => running.locals.get(&replica).map(|local| local.log.extent()),
            _ => None,
        }
    }

    /// Where a replica's data ends; `None` if it is not here.
    pub fn end(&self, replica: ReplicaId) -> Option<Offset> {
        match &self.state {
            State::Running(running) => running.locals.get(&replica).map(|local| local.log.end()),
            _ => None,
        }
    }

    /// The offset after the segment that holds `offset`, if one does.
    pub fn segment_end(&self, replica: ReplicaId, offset: Offset) -> Option<Offset> {
        match &self.state {
            State::Running(running) => {
                let log = &running.locals.get(&replica)?.log;
                log.segment_of(offset).map(|segment| segment.next)
            }
            _ => None,
        }
    }

    /// Whether records may be appended. Hard states, no-ops, commands, resets and members always may.
    pub fn accepts_records(&self) -> bool {
        matches!(&self.state, State::Running(running) if !running.space.is_full())
    }

    /// Bytes that are free on the disk, as of the last write; `None` before one.
    pub fn free_bytes(&self) -> Option<u64> {
        match &self.state {
            State::Running(running) => running.space.free_bytes(),
            _ => None,
        }
    }

    /// The number of the oldest frame that is not durable, if one is not; numbers only rise.
    pub fn oldest_unsynced(&self) -> Option<u64> {
        match &self.state {
            State::Running(running) => running.journal.oldest_unsynced(),
            _ => None,
        }
    }

    /// The number of the oldest read of batches that has not come back, if there is one; numbers only rise.
    pub fn oldest_read(&self) -> Option<u64> {
        match &self.state {
            State::Running(running) => running.tickets.oldest_read(),
            _ => None,
        }
    }

    fn running(&mut self) -> Option<&mut Running> {
        assert!(!matches!(self.state, State::Starting(_)), "storage is used only after it has recovered");
        match &mut self.state {
            State::Running(running) => Some(running),
            _ => None,
        }
    }

    fn halt(&mut self, reason: HaltReason, actions: &mut Vec<Action>) {
        self.state = State::Halted;
        actions.push(Action::Halt(reason));
    }
}
