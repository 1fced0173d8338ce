//! Rewriting: closed segments of a log are written anew as one, by whoever says what stays of them (`compaction`).
//!
//! ```text
//! rewrite(span, batches)   a piece of the new file     --Rewritten-->   the next piece
//! replace(span)            synced, takes the place     --Rewritten-->   the log is read from it, and the next
//!                                                                       checkpoint gives the old segments up
//! ```
//! Nothing of it is in the journal: which file is the log's a checkpoint says, and until it is durable the old segments
//! stay, whatever the disk's space (they are `replaced`, and not `doomed`, of which the journal says why they go).
//!
//! - Invariant: whatever moment a crash comes at, each offset of the log lies in the segments that the checkpoint in
//!   force names, whole.
//! - Invariant: of one replica one rewrite is under way at most. It is given up with its log, and where there is little
//!   space; what was written goes.
//!
//! Not here: the bytes (`segments/rewrite`); which records stay, and the pace (the floors above).

use super::disk::Disk;
use super::disk::ticket::Job;
use super::running::{Running, Turn, no_failure};
use super::segments::rewrite::Rewrite;
use super::segments::segment::Segment;
use super::segments::write_behind::Io;
use super::{Outcome, State, Storage};
use crate::action::Action;
use crate::compaction::{Compacted, Span};
use crate::event::DoneResult;
use crate::file::{File, SegmentName};
use crate::ids::{Offset, ReplicaId};
use bytes::Bytes;

/// Why nothing is written anew. What was written of the span before goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewriteRefused {
    /// The replica has no closed segments that begin and end there, any more.
    Gone,
    /// There is little space on the disk, and what is there is for what comes.
    NoSpace,
}

impl Storage {
    /// The segments of a replica that take no more batches, oldest first.
    pub fn closed(&self, replica: ReplicaId) -> &[Segment] {
        let State::Running(running) = &self.state else { return &[] };
        running.locals.get(&replica).map_or(&[], |local| local.log.closed())
    }

    /// Lets the newest segment of a replica take no more batches.
    pub fn close_newest(&mut self, replica: ReplicaId) {
        if let Some(local) = self.running().and_then(|running| running.locals.get_mut(&replica)) {
            local.log.close_newest();
        }
    }

    /// Tells the log of a replica from one of it that began anew; `None` if it is not here.
    pub fn era(&self, replica: ReplicaId) -> Option<u32> {
        let State::Running(running) = &self.state else { return None };
        running.locals.get(&replica).map(|local| local.log.generation)
    }

    /// The file that holds `offset`, if one does.
    pub fn file_of(&self, replica: ReplicaId, offset: Offset) -> Option<SegmentName> {
        let State::Running(running) = &self.state else { return None };
        let log = &running.locals.get(&replica)?.log;
        log.segment_of(offset).map(|segment| segment.name(log.of))
    }

    /// How far the closed segments of a replica are compacted.
    pub fn compacted(&self, replica: ReplicaId) -> Compacted {
        let State::Running(running) = &self.state else { return Compacted::default() };
        running.locals.get(&replica).map_or(Compacted::default(), |local| local.log.compacted)
    }

    /// They are compacted so far now. The next checkpoint remembers it.
    pub fn set_compacted(&mut self, replica: ReplicaId, compacted: Compacted) {
        if let Some(local) = self.running().and_then(|running| running.locals.get_mut(&replica)) {
            assert!(compacted.covers(local.log.compacted), "what is compacted stays compacted");
            local.log.compacted = compacted;
        }
    }

    /// Writes whole batches, the next of those that are to take the place of a span of closed segments. The first ones
    /// begin it, and give up what was begun of another span. Answered by [`Outcome::Rewritten`].
    ///
    /// # Errors
    /// Nothing is written.
    pub fn rewrite(
        &mut self,
        replica: ReplicaId,
        span: Span,
        batches: Bytes,
        actions: &mut Vec<Action>,
    ) -> Result<(), RewriteRefused> {
        let Some(running) = self.running() else { return Err(RewriteRefused::Gone) };
        running.begin_rewrite(replica, span, actions)?;
        let Some(rewrite) = running.rewrites.get_mut(&replica) else { return Err(RewriteRefused::Gone) };
        let write = rewrite.next_write(batches, running.config.index_interval_bytes);
        running.io(actions).write(Job::Rewrite(replica, write.name), write);
        Ok(())
    }

    /// All batches of the span are written: once that is durable the new file takes the place. Answered by
    /// [`Outcome::Rewritten`].
    ///
    /// # Errors
    /// Nothing of the span was written, or it was given up with its log.
    pub fn replace(
        &mut self,
        replica: ReplicaId,
        span: Span,
        actions: &mut Vec<Action>,
    ) -> Result<(), RewriteRefused> {
        let Some(running) = self.running() else { return Err(RewriteRefused::Gone) };
        let rewrite = running.rewrites.get_mut(&replica).filter(|rewrite| rewrite.span() == span);
        let rewrite = rewrite.ok_or(RewriteRefused::Gone)?;
        rewrite.begins_to_sync();
        let name = rewrite.name();
        Disk::new(&mut running.tickets, actions).sync(Job::Replace(replica, name), vec![File::Segment(name)]);
        Ok(())
    }

    /// Gives up what was begun of a span. An answer that is on its way does not come.
    pub fn give_up_rewrite(&mut self, replica: ReplicaId, actions: &mut Vec<Action>) {
        if let Some(running) = self.running() {
            running.give_up_rewrite(replica, actions);
        }
    }
}

impl Running {
    /// Makes sure that a rewrite of this span is under way.
    fn begin_rewrite(
        &mut self,
        replica: ReplicaId,
        span: Span,
        actions: &mut Vec<Action>,
    ) -> Result<(), RewriteRefused> {
        if self.space.is_short() {
            self.give_up_rewrite(replica, actions);
            return Err(RewriteRefused::NoSpace);
        }
        if self.rewrites.get(&replica).is_some_and(|rewrite| rewrite.span() == span) {
            return Ok(());
        }
        self.give_up_rewrite(replica, actions);
        let log = self.locals.get_mut(&replica).map(|local| &mut local.log);
        let log = log.filter(|log| log.has_closed(span)).ok_or(RewriteRefused::Gone)?;
        let rewrite = Rewrite::new(log.of, span, log.next_generation());
        self.rewrites.insert(replica, rewrite);
        Ok(())
    }

    fn give_up_rewrite(&mut self, replica: ReplicaId, actions: &mut Vec<Action>) {
        // A removal behind a write that meets a full disk would look like a disk that fails: the answer is waited for.
        if let Some(rewrite) = self.rewrites.remove(&replica).filter(Rewrite::is_idle) {
            self.remove_begun(rewrite.name(), actions);
        }
    }

    /// Removes the file of a rewrite that is given up: no checkpoint names it.
    fn remove_begun(&mut self, name: SegmentName, actions: &mut Vec<Action>) {
        self.removals.begin([File::Segment(name)], &mut Disk::new(&mut self.tickets, actions));
    }

    fn io<'a>(&'a mut self, actions: &'a mut Vec<Action>) -> Io<'a> {
        let disk = Disk::new(&mut self.tickets, actions);
        Io { disk, removals: &mut self.removals, indexes: &mut self.reads.indexes }
    }

    /// A piece of a new file is written, or could not be.
    pub(super) fn piece_done(
        &mut self,
        replica: ReplicaId,
        name: SegmentName,
        result: DoneResult,
        turn: &mut Turn<'_>,
    ) -> Result<(), String> {
        let is_done = result != DoneResult::Full;
        if is_done {
            no_failure(result)?;
        } else {
            turn.actions.push(Action::Forget { file: File::Segment(name) });
        }
        let Some(rewrite) = self.rewrites.get_mut(&replica).filter(|rewrite| rewrite.name() == name) else {
            self.remove_begun(name, turn.actions);
            return Ok(());
        };
        rewrite.written();
        if !is_done {
            self.give_up_rewrite(replica, turn.actions);
        }
        turn.outcomes.push(Outcome::Rewritten { replica, is_done });
        Ok(())
    }

    /// A new file is durable: it takes the place of the span's segments.
    pub(super) fn replace_done(
        &mut self,
        replica: ReplicaId,
        name: SegmentName,
        result: DoneResult,
        turn: &mut Turn<'_>,
    ) -> Result<(), String> {
        no_failure(result)?;
        let is_it = self.rewrites.get(&replica).is_some_and(|rewrite| rewrite.name() == name);
        let rewrite = if is_it { self.rewrites.remove(&replica) } else { None };
        let Some((rewrite, local)) = rewrite.zip(self.locals.get_mut(&replica)) else {
            self.remove_begun(name, turn.actions);
            return Ok(());
        };
        let (segment, index) = rewrite.synced();
        let next = segment.next;
        let old = local.log.replace(segment);
        let is_done = !old.is_empty();
        if is_done {
            // What is in memory of them is as it was before.
            let (batches, bytes) = local.log.evict_below(next);
            self.behind.evicted_early(replica, batches, bytes);
            old.iter().for_each(|name| self.reads.forget(*name));
            self.replaced.extend(old);
            self.io(turn.actions).write_index(name, 0, &index);
        } else {
            self.remove_begun(name, turn.actions);
        }
        turn.outcomes.push(Outcome::Rewritten { replica, is_done });
        Ok(())
    }
}
