//! Running: a recovered disk at work. Owns the parts of storage and carries what one must tell another:
//! a frame's sync lets a checkpoint's slot be written, a segment's write lets the next one begin.
//!
//! Invariants: no frame is written before node.meta is durable; a failed write or sync ends everything, a
//! refused one (full disk) is tried again with the same bytes.

use super::checkpoint::checkpointer::{Checkpointer, Made};
use super::checkpoint::state_files::StateFiles;
use super::disk::Disk;
use super::disk::removals::Removals;
use super::disk::space::Space;
use super::disk::ticket::{Job, ReadId, Tickets};
use super::journal::frames::{Journal, Landed};
use super::local::{Local, Locals};
use super::node_meta::MetaFile;
use super::reads::cold::{ReadEnd, ReadFault, Reads};
use super::segments::log::Log;
use super::segments::rewrite::Rewrite;
use super::segments::segment::files_of;
use super::segments::write_behind::{Io, WriteBehind};
use super::{Outcome, Recovery};
use crate::action::Action;
use crate::config::StorageConfig;
use crate::event::DoneResult;
use crate::file::{File, SegmentName};
use crate::ids::{ReplicaId, Ticket, TopicPartition};
use crate::limits::DOOMED_AGE_MAX;
use crate::mutant::{Mutant, is_planted};
use crate::now::{Mono, earliest};
use std::collections::{BTreeMap, BTreeSet};

/// The parts.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) config: StorageConfig,
    pub(super) tickets: Tickets,
    pub(super) meta: MetaFile,
    pub(super) journal: Journal,
    pub(super) locals: Locals,
    pub(super) behind: WriteBehind,
    pub(super) checkpointer: Checkpointer,
    pub(super) state: StateFiles,
    pub(super) reads: Reads,
    pub(super) space: Space,
    /// Segments that the next checkpoint no longer names.
    pub(super) doomed: Vec<SegmentName>,
    /// And those whose place another has taken: that only a durable checkpoint says, so until then they stay.
    pub(super) replaced: Vec<SegmentName>,
    pub(super) removals: Removals,
    /// The generation for the next replica of a partition that has files here, or whose files' removal waits.
    pub(super) generations: BTreeMap<TopicPartition, u32>,
    /// Segments of partitions that no replica here holds.
    pub(super) left: BTreeMap<TopicPartition, Vec<SegmentName>>,
    /// Logs whose write met a full disk.
    pub(super) stalled: BTreeSet<ReplicaId>,
    /// Logs of which a segment is being mended: nothing else is written to them, or synced, until that is done.
    pub(super) mending: BTreeSet<ReplicaId>,
    /// Closed segments that are being written anew.
    pub(super) rewrites: BTreeMap<ReplicaId, Rewrite>,
    /// Whether the checkpoint being made held logs back when they were last looked at.
    pub(super) is_holding: bool,
    /// When a checkpoint is due for the sake of removing what is doomed.
    pub(super) remove_at: Option<Mono>,
    /// That moment has come.
    pub(super) is_removal_due: bool,
    /// How many have become durable.
    pub(super) checkpoints: u64,
    /// Frames before this one are covered by the checkpoint in force.
    pub(super) covered: u64,
    /// What recovery brought, until the first seal is synced.
    pub(super) announcement: Option<Recovery>,
    /// The bug that is planted, if one is.
    pub(super) mutant: Option<Mutant>,
}

/// Where a turn's results go.
pub(super) struct Turn<'a> {
    pub(super) now: Mono,
    pub(super) actions: &'a mut Vec<Action>,
    pub(super) outcomes: &'a mut Vec<Outcome>,
}

impl Turn<'_> {
    /// The disk, to be asked for work in this turn.
    pub(super) fn disk<'a>(&'a mut self, tickets: &'a mut Tickets) -> Disk<'a> {
        Disk::new(tickets, self.actions)
    }
}

impl Running {
    /// A file action is answered. The error is a disk that failed.
    pub(super) fn done(
        &mut self,
        ticket: Ticket,
        job: Job,
        result: DoneResult,
        turn: &mut Turn<'_>,
    ) -> Result<(), String> {
        self.watch_space(&job, &result, turn);
        match job {
            Job::Recovery => Ok(()),
            Job::Meta => {
                let answers = self.meta.done(ticket, result, &mut turn.disk(&mut self.tickets))?;
                turn.outcomes.extend(std::iter::repeat_n(Outcome::MetaWritten, answers));
                Ok(())
            }
            Job::Frame => self.frame_done(ticket, result, turn),
            Job::Zero { file, end } => self.zero_done(file, end, result, turn),
            Job::ZeroSync => {
                self.journal.ring().step_ended();
                no_failure(result)
            }
            Job::Removed(file) => {
                self.removals.done(file, &mut turn.disk(&mut self.tickets));
                no_failure(result)
            }
            Job::JournalRemoved(number) => {
                self.journal.ring().removed(number);
                no_failure(result)
            }
            Job::Segment(replica, name) => self.segment_done(replica, name, result, turn),
            Job::Index(file) => {
                // Nobody relies on an index being there.
                if !matches!(result, DoneResult::Written { .. }) {
                    turn.actions.push(Action::Forget { file });
                }
                Ok(())
            }
            Job::CheckpointSegments(synced) => {
                no_failure(result)?;
                self.behind.synced(&synced);
                self.checkpointer.synced();
                self.advance_checkpoint(turn);
                self.write_ripe(turn);
                Ok(())
            }
            Job::Drain(replica, synced) => {
                no_failure(result)?;
                self.behind.synced(&synced);
                if let Some(local) = self.locals.get_mut(&replica) {
                    local.log.is_syncing = false;
                }
                // Drained, unless more was wanted while the disk was busy.
                self.write_log(replica, turn);
                Ok(())
            }
            Job::State => self.state_done(ticket, result, turn),
            Job::Slot => {
                if let Some(made) = self.checkpointer.done(ticket, result)? {
                    self.made(made, turn);
                }
                Ok(())
            }
            Job::Read(id) => {
                self.read_done(id, result, turn);
                Ok(())
            }
            Job::Rewrite(replica, name) => self.piece_done(replica, name, result, turn),
            Job::Replace(replica, name) => self.replace_done(replica, name, result, turn),
            Job::Mend(replica, name, from) => self.mend_done((replica, name, from), result, turn),
        }
    }

    fn state_done(&mut self, ticket: Ticket, result: DoneResult, turn: &mut Turn<'_>) -> Result<(), String> {
        if self.state.done(ticket, result)? {
            self.advance_checkpoint(turn);
        }
        Ok(())
    }

    fn read_done(&mut self, id: ReadId, result: DoneResult, turn: &mut Turn<'_>) {
        for ReadEnd { read, replica, result } in
            self.reads.done(id, result, &self.locals, &mut turn.disk(&mut self.tickets))
        {
            if let Err(ReadFault::Damaged { from, below }) = result {
                turn.outcomes.push(Outcome::Damaged { replica, from, below });
            }
            turn.outcomes.push(Outcome::Read { read, replica, result });
        }
    }

    /// The turn's end.
    pub(super) fn flush(&mut self, turn: &mut Turn<'_>) {
        self.behind.turn_ends(turn.now, &self.config);
        // The last log that a checkpoint waited for may have been dropped: nothing else would go on with it.
        self.advance_checkpoint(turn);
        self.write_ripe(turn);
        if self.meta.is_durable() {
            self.journal.flush(turn.now, &mut turn.disk(&mut self.tickets));
        }
        if !self.space.is_full()
            && let Some(zeroing) = self.journal.ring().zero()
        {
            Journal::zero(zeroing, &mut turn.disk(&mut self.tickets));
        }
        let is_stalled = self.journal.is_stalled()
            || self.meta.is_stalled()
            || self.checkpointer.is_stalled()
            || self.state.is_stalled()
            || !self.stalled.is_empty();
        if is_stalled {
            self.space.try_later(turn.now);
        }
        let gives_up = !self.doomed.is_empty() || !self.replaced.is_empty();
        if self.remove_at.is_none() && !self.is_removal_due && gives_up {
            self.remove_at = Some(turn.now + DOOMED_AGE_MAX);
        }
        // Once the disk is full, a checkpoint may not find the room that it needs: then `remove_early` does without.
        if self.space.is_short() && !self.space.is_full() && gives_up {
            (self.remove_at, self.is_removal_due) = (None, true);
        }
    }

    /// The earliest moment at which `woke` has something to do.
    pub(super) fn next_deadline(&self) -> Option<Mono> {
        let space = self.space.retry_at();
        earliest([self.journal.seal_at(), self.behind.next_deadline(), space, self.remove_at])
    }

    /// A deadline has come, perhaps one of ours.
    pub(super) fn woke(&mut self, turn: &mut Turn<'_>) {
        if self.space.woke(turn.now) {
            self.journal.retry(&mut turn.disk(&mut self.tickets));
            self.meta.retry(&mut turn.disk(&mut self.tickets));
            self.checkpointer.retry(&mut turn.disk(&mut self.tickets));
            self.state.retry(&mut turn.disk(&mut self.tickets));
            if self.space.is_full() {
                self.remove_early(turn);
                if let Some(probe) = self.journal.ring().probe() {
                    Journal::zero(probe, &mut turn.disk(&mut self.tickets));
                }
            }
            for replica in std::mem::take(&mut self.stalled) {
                self.behind.ripen(replica);
                self.write_log(replica, turn);
            }
        }
        if self.remove_at.is_some_and(|at| at <= turn.now) {
            (self.remove_at, self.is_removal_due) = (None, true);
        }
        self.behind.woke(turn.now);
        self.write_ripe(turn);
        let is_needless = is_planted(self.mutant, Mutant::NeverSealed);
        self.journal.seal(turn.now, is_needless, &mut turn.disk(&mut self.tickets));
    }

    /// Writes the next piece of a log, if it may be written now; then what waits for its being written.
    pub(super) fn write_log(&mut self, replica: ReplicaId, turn: &mut Turn<'_>) {
        let Some(local) = self.locals.get_mut(&replica) else {
            if !is_planted(self.mutant, Mutant::GoneLogWaits) {
                self.behind.gone(replica);
            }
            return;
        };
        let goal = match self.checkpointer.goal(replica) {
            Some(goal) => goal,
            None if self.checkpointer.holds(replica) => return,
            None => local.log.end(),
        };
        if self.stalled.contains(&replica) || self.mending.contains(&replica) {
            return;
        }
        let indexes = &mut self.reads.indexes;
        let mut io = Io { disk: turn.disk(&mut self.tickets), removals: &mut self.removals, indexes };
        self.behind.write(&self.config, replica, &mut local.log, goal, &mut io);
        let Some(drained) = self.behind.draining(replica) else { return };
        let log = &mut local.log;
        let is_written = log.written_end() >= drained && !log.is_writing() && !log.is_syncing;
        if is_written && !self.checkpointer.holds(replica) {
            let synced = self.behind.unsynced_of(log);
            if synced.is_empty() || is_planted(self.mutant, Mutant::DrainedUnsynced) {
                return self.drained(replica, turn);
            }
            log.is_syncing = true;
            let files = synced.iter().map(|(name, _)| File::Segment(*name)).collect();
            turn.disk(&mut self.tickets).sync(Job::Drain(replica, synced), files);
        }
    }

    /// Gives up segments: nobody reads them any more, and the next checkpoint does not name them.
    pub(super) fn doom(&mut self, names: Vec<SegmentName>) {
        names.iter().for_each(|name| self.reads.forget(*name));
        self.doomed.extend(names);
    }

    /// Takes a log out, its files with it.
    pub(super) fn give_up_log(&mut self, replica: ReplicaId, log: &Log) {
        self.behind.forget(replica, log);
        self.stalled.remove(&replica);
        let next = self.generations.entry(log.of).or_default();
        *next = log.newest_generation().saturating_add(1).max(*next);
        self.doom(log.names());
        let begun = self.rewrites.remove(&replica).filter(Rewrite::is_idle).map(|rewrite| rewrite.name());
        self.doom(begun.into_iter().collect());
    }

    fn watch_space(&mut self, job: &Job, result: &DoneResult, turn: &mut Turn<'_>) {
        match result {
            DoneResult::Written { free_bytes } => self.space.written(turn.now, *free_bytes, turn.actions),
            DoneResult::Full if !matches!(job, Job::Index(_) | Job::Rewrite(..)) => {
                self.space.met_full(turn.now, turn.actions)
            }
            _ => {}
        }
    }

    fn frame_done(&mut self, ticket: Ticket, result: DoneResult, turn: &mut Turn<'_>) -> Result<(), String> {
        match self.journal.done(turn.now, ticket, result) {
            Landed::Waiting => {}
            Landed::Failed(reason) => return Err(reason),
            Landed::Synced(persisted) => {
                turn.outcomes.extend(self.announcement.take().map(Outcome::Recovered));
                let told = persisted.into_iter();
                turn.outcomes.extend(told.map(|(replica, number)| Outcome::Persisted { replica, number }));
                self.write_slot(turn);
            }
        }
        Ok(())
    }

    fn zero_done(
        &mut self,
        file: u32,
        end: u64,
        result: DoneResult,
        turn: &mut Turn<'_>,
    ) -> Result<(), String> {
        if result == DoneResult::Full {
            self.journal.ring().step_ended();
            turn.actions.push(Action::Forget { file: File::Journal(file) });
            return Ok(());
        }
        no_failure(result)?;
        let next = self.journal.ring().zeroed(file, end);
        Journal::zero(next, &mut turn.disk(&mut self.tickets));
        Ok(())
    }

    fn segment_done(
        &mut self,
        replica: ReplicaId,
        name: SegmentName,
        result: DoneResult,
        turn: &mut Turn<'_>,
    ) -> Result<(), String> {
        let is_full = result == DoneResult::Full;
        if is_full {
            turn.actions.push(Action::Forget { file: File::Segment(name) });
        } else {
            no_failure(result)?;
        }
        // The replica may have been dropped, or have started anew in another generation.
        let writes = |local: &&mut Local| local.log.writing() == Some(name);
        let Some(local) = self.locals.get_mut(&replica).filter(writes) else {
            self.behind.orphan_done(name);
            return Ok(());
        };
        if is_full {
            local.log.not_written();
            self.stalled.insert(replica);
            return Ok(());
        }
        self.behind.written(&self.config, replica, &mut local.log);
        self.checkpointer.written(replica, local);
        // The start may have passed what was in memory yet, or just being written: nothing else gives that up on a node
        // that is idle from now on (seed 5002).
        if !is_planted(self.mutant, Mutant::PassedInMemoryStays) {
            let below = local.log.advance_start(local.log.log_start());
            self.doom(below);
        }
        while let Some(replica) = self.behind.next_eviction(&self.config) {
            let evicted = self.locals.get_mut(&replica).map_or(0, |local| local.log.evict());
            self.behind.evicted(evicted);
        }
        let goes_on = self.behind.is_ripe(replica) || self.checkpointer.goal(replica).is_some();
        if goes_on || self.behind.draining(replica).is_some() {
            self.write_log(replica, turn);
        }
        self.advance_checkpoint(turn);
        Ok(())
    }

    fn drained(&mut self, replica: ReplicaId, turn: &mut Turn<'_>) {
        let Some(goal) = self.behind.draining(replica) else { return };
        self.behind.drained(replica);
        turn.outcomes.push(Outcome::Drained { replica, end: goal });
        self.write_log(replica, turn);
    }

    /// Goes on with the logs that are to be written and that nothing holds back.
    fn write_ripe(&mut self, turn: &mut Turn<'_>) {
        let was_holding = std::mem::replace(&mut self.is_holding, self.checkpointer.holds_logs());
        if was_holding && !self.is_holding {
            self.behind.all_are_due();
        }
        if self.behind.is_any_due() {
            for replica in self.behind.take_due() {
                self.write_log(replica, turn);
            }
        }
    }

    /// Goes on with a checkpoint whose logs may all be written now.
    pub(super) fn advance_checkpoint(&mut self, turn: &mut Turn<'_>) {
        // A write under way on a file that is synced would, on a full disk, look like a sync that failed: of logs that
        // are here none is; one that is gone may have left one.
        let is_written = self.state.is_idle() || is_planted(self.mutant, Mutant::PagesNotAwaited);
        let is_quiet = self.mending.is_empty() && is_written && self.behind.orphaned_bytes() == 0;
        if is_quiet && self.checkpointer.begins_to_sync() {
            let synced = self.behind.unsynced();
            if synced.is_empty() || is_planted(self.mutant, Mutant::SegmentsNotSynced) {
                self.checkpointer.synced();
            } else {
                let is_left_out = |name: &SegmentName| {
                    is_planted(self.mutant, Mutant::NewFileNotSynced)
                        && !synced.iter().any(|(other, _)| other.of == name.of && other.base > name.base)
                };
                let names = synced.iter().map(|(name, _)| *name).filter(|name| !is_left_out(name));
                let files = names.map(File::Segment).collect();
                turn.disk(&mut self.tickets).sync(Job::CheckpointSegments(synced), files);
            }
        }
        self.write_slot(turn);
    }

    fn write_slot(&mut self, turn: &mut Turn<'_>) {
        let chain =
            self.checkpointer.needed().and_then(|(needed, durable)| self.journal.marked(needed, durable));
        if let Some(chain) = chain {
            if is_planted(self.mutant, Mutant::RecycledEarly) {
                self.recycle(chain.sequence, chain.file, turn);
            }
            let doomed = self.doomed.iter().chain(&self.replaced).copied();
            self.checkpointer.write(chain, doomed, &mut turn.disk(&mut self.tickets));
        }
    }

    /// A checkpoint is durable: only now is anything recycled or removed.
    fn made(&mut self, made: Made, turn: &mut Turn<'_>) {
        self.covered = made.needed;
        self.recycle(made.needed, made.named, turn);
        let named: BTreeSet<SegmentName> = made.doomed.into_iter().collect();
        // What an earlier one gave up is on its way already.
        let is_given_up = |name: &mut SegmentName| named.contains(name);
        let mut goes: Vec<SegmentName> = self.doomed.extract_if(.., is_given_up).collect();
        goes.extend(self.replaced.extract_if(.., is_given_up));
        self.remove(&goes, turn);
        let dead = self.state.named(made.live, made.kept, self.mutant);
        self.removals.begin(dead, &mut turn.disk(&mut self.tickets));
        if self.removals.is_idle() {
            self.forget_generations();
        }
        (self.remove_at, self.is_removal_due) = (None, false);
        self.checkpoints += 1;
        turn.outcomes.push(Outcome::Checkpointed);
    }

    /// Frees the files of the journal whose frames are older than `needed`; those that are too many go.
    fn recycle(&mut self, needed: u64, named: u32, turn: &mut Turn<'_>) {
        for number in self.journal.ring().recycle(needed, named) {
            turn.disk(&mut self.tickets).remove(Job::JournalRemoved(number), File::Journal(number));
        }
    }

    /// Forgets the generations of partitions of which nothing is here any more, as the next start would. A file of
    /// theirs may get its name again: all removals are asked for, and what is done with it comes after (law 1 of the door).
    fn forget_generations(&mut self) {
        let live = self.locals.values().map(|local| local.log.of);
        let given_up = self.doomed.iter().chain(&self.replaced).map(|name| name.of);
        let held: BTreeSet<TopicPartition> = live.chain(given_up).collect();
        self.generations.retain(|of, _| held.contains(of) || self.left.contains_key(of));
    }

    /// On a full disk a checkpoint may itself need the space that only removing gives. What was given up is
    /// then removed as soon as the journal says durably why. Should the node crash, the checkpoint in force
    /// names files that are missing; replay gives them up again.
    fn remove_early(&mut self, turn: &mut Turn<'_>) {
        if self.journal.is_idle() && !self.journal.fill_log_starts() {
            self.checkpointer.give_up_stalled(&self.stalled, self.state.is_stalled());
            if self.checkpointer.is_idle() {
                let doomed = std::mem::take(&mut self.doomed);
                self.remove(&doomed, turn);
            }
        }
    }

    pub(super) fn remove(&mut self, doomed: &[SegmentName], turn: &mut Turn<'_>) {
        self.behind.removed(doomed);
        self.removals.begin(files_of(doomed), &mut turn.disk(&mut self.tickets));
    }
}

pub(super) fn no_failure(result: DoneResult) -> Result<(), String> {
    match result {
        DoneResult::Failed { reason, .. } => Err(reason),
        // A write that met a full disk was looked at before; nothing else may.
        DoneResult::Full => Err("no space for what needs none".into()),
        _ => Ok(()),
    }
}
