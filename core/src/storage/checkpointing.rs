//! What the floor above asks of checkpoints: whether one is due, that one is made, and whether all is in one.
//!
//! Not here: how one is made (`checkpoint`).

use super::checkpoint::checkpointer::Part;
use super::running::Turn;
use super::{Outcome, State, Storage};
use crate::action::Action;
use crate::now::Mono;

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

    /// Begins a checkpoint if none is being made: answered by [`Outcome::Checkpointed`], unless a reset or a
    /// full disk gives it up, after which one is due again. Whether it began.
    pub fn checkpoint(
        &mut self,
        now: Mono,
        parts: Vec<Part>,
        actions: &mut Vec<Action>,
        outcomes: &mut Vec<Outcome>,
    ) -> bool {
        let Some(running) = self.running().filter(|running| running.checkpointer.is_idle()) else {
            return false;
        };
        running.checkpoint(parts, &mut Turn { now, actions, outcomes });
        true
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
            if running.journal.is_covered(running.covered) && running.behind.is_clean())
    }
}
