//! What the floor above asks of checkpoints: whether one is due, that one is made, and whether all is in one; and what
//! the parts of storage tell each other while parts are taken for one.
//!
//! Not here: how one is made (`checkpoint`).

use super::checkpoint::checkpointer::Part;
use super::running::{Running, Turn};
use super::{Outcome, State, Storage};
use crate::action::Action;
use crate::ids::PageId;
use crate::ids::ReplicaId;
use crate::mutant::{Mutant, is_planted};
use crate::now::Mono;
use bytes::Bytes;

impl Storage {
    /// Whether the floor above should begin a checkpoint: the journal has grown enough, or files wait to be
    /// removed.
    pub fn checkpoint_is_due(&self) -> bool {
        match &self.state {
            State::Running(running) => {
                let written = running.journal.bytes_written();
                let has_grown = running.checkpointer.is_due(written, running.config.checkpoint_bytes);
                has_grown || (running.is_removal_due && running.checkpointer.is_idle())
            }
            _ => false,
        }
    }

    /// Whether a checkpoint that is begun now lets a good part of the journal's entries go.
    pub fn checkpoint_frees(&self) -> bool {
        match &self.state {
            State::Running(running) => {
                let written = running.journal.bytes_written();
                running.checkpointer.frees(written, running.config.checkpoint_bytes)
            }
            _ => false,
        }
    }

    /// Bytes of writes under way for logs that are gone.
    pub fn orphaned_bytes(&self) -> u64 {
        match &self.state {
            State::Running(running) => running.behind.orphaned_bytes(),
            _ => 0,
        }
    }

    /// Begins a checkpoint of all replicas that are here, if none is being made: whether it began. Each is to be taken,
    /// over as many turns as it needs. Answered by [`Outcome::Checkpointed`], unless a reset or a full disk gives it up,
    /// after which one is due again.
    pub fn begin_checkpoint(
        &mut self,
        now: Mono,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) -> bool {
        let is_idle = |running: &&mut Running| running.checkpointer.is_idle();
        let Some(running) = self.running().filter(is_idle) else { return false };
        running.begin_checkpoint(&mut Turn { now, actions, outcomes });
        true
    }

    /// Whether a checkpoint waits for parts.
    pub fn is_gathering(&self) -> bool {
        matches!(&self.state, State::Running(running) if running.checkpointer.is_gathering())
    }

    /// Whether more may be taken in this turn: what was taken before is on the disk.
    pub fn can_gather(&self) -> bool {
        matches!(&self.state, State::Running(running)
            if running.checkpointer.is_gathering() && !running.state.is_busy())
    }

    /// Takes a part, as it is now. If its state comes in pages, they follow, by [`Storage::name_page`] or
    /// [`Storage::take_page`], and [`Storage::part_ends`].
    pub fn take_part(
        &mut self,
        now: Mono,
        part: Part,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) {
        if let Some(running) = self.running() {
            running.take_part(part, &mut Turn { now, actions, outcomes });
        }
    }

    /// Names the next page where it lies already. False if it does not, or is to be written anew: then it is taken.
    pub fn name_page(&mut self, replica: ReplicaId, id: PageId) -> bool {
        let Some(running) = self.running() else { return true };
        let place = running.state.place_of(replica, id, running.mutant);
        place.iter().for_each(|place| running.checkpointer.take_page(id, *place));
        place.is_some()
    }

    /// Takes the next page, which is written.
    pub fn take_page(&mut self, id: PageId, bytes: Bytes) {
        if let Some(running) = self.running() {
            let place = running.state.add(bytes);
            running.checkpointer.take_page(id, place);
        }
    }

    /// A replica's state will be read anew: its pages have other editions then.
    pub fn forget_pages(&mut self, replica: ReplicaId) {
        if let Some(running) = self.running() {
            running.state.forget(replica);
            running.checkpointer.forget_pages(replica);
        }
    }

    /// All pages of a replica were named or taken.
    pub fn part_ends(
        &mut self,
        now: Mono,
        replica: ReplicaId,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) {
        if let Some(running) = self.running() {
            running.part_ends(replica, &mut Turn { now, actions, outcomes });
        }
    }

    /// The turn has taken what it may: what is to be written is. `is_all` says that every replica was taken.
    pub fn gathered(
        &mut self,
        now: Mono,
        is_all: bool,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) {
        if let Some(running) = self.running() {
            running.gathered(is_all, &mut Turn { now, actions, outcomes });
        }
    }

    /// Whether the disk holds everything in a checkpoint: nothing waits, and the next start replays nothing.
    /// For SIGTERM: flush, checkpoint what is not covered, and ask again after each outcome.
    pub fn is_clean(&self) -> bool {
        matches!(&self.state, State::Running(running)
            if running.journal.is_idle()
                && running.checkpointer.is_idle()
                && running.meta.is_idle()
                && running.removals.is_idle())
            && self.is_covered()
    }

    /// Whether the checkpoint in force leaves nothing that another one could put away.
    pub fn is_covered(&self) -> bool {
        matches!(&self.state, State::Running(running)
            if running.journal.is_covered(running.covered)
                && running.behind.is_clean()
                && running.replaced.is_empty())
    }
}

impl Running {
    /// Begins a checkpoint of all replicas that are here.
    pub(super) fn begin_checkpoint(&mut self, turn: &mut Turn<'_>) {
        for local in self.locals.values_mut() {
            let start = local.log.log_start();
            self.doomed.extend(local.log.advance_start(start));
        }
        if is_planted(self.mutant, Mutant::RemovedEarly) {
            let doomed = std::mem::take(&mut self.doomed);
            self.remove(&doomed, turn);
        }
        let (needed, mark) = (self.journal.mark(), self.journal.bytes_written());
        let unfinished = self.removals.unfinished().collect();
        let replicas = self.locals.keys().copied();
        let given_up = self.doomed.iter().chain(&self.replaced).copied().collect();
        self.checkpointer.begin((needed, mark), given_up, unfinished, replicas);
        self.state.round_begins(self.config.gathered_bytes / 2);
        self.is_holding = true;
    }

    /// Takes a part as it is now.
    pub(super) fn take_part(&mut self, part: Part, turn: &mut Turn<'_>) {
        let from = self.journal.end_here();
        let replica = part.replica;
        let local = self.locals.get(&replica).expect("a part is of a replica that is here");
        self.checkpointer.take(part, local, from);
        self.write_log(replica, turn);
    }

    /// All pages of the part that is being taken were.
    pub(super) fn part_ends(&mut self, replica: ReplicaId, turn: &mut Turn<'_>) {
        if let Some(local) = self.locals.get(&replica) {
            self.checkpointer.part_ends(local);
            self.write_log(replica, turn);
        }
    }

    /// The turn has taken as many parts and pages as it may, or all.
    pub(super) fn gathered(&mut self, is_all: bool, turn: &mut Turn<'_>) {
        self.checkpointer.wrote(self.state.write(&mut turn.disk(&mut self.tickets)));
        if is_all {
            self.checkpointer.gathered();
        }
        self.advance_checkpoint(turn);
    }
}
