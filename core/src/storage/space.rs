//! Space: whether the disk takes records now.
//!
//! Records are refused when a write met a full disk, or when less than the floor is free. What is kept back
//! that way, the rest of the journal's zeroed file and the floor itself, is the reserve of hard states, no-ops,
//! membership and log starts; reading and deleting go on. Every second something small is written, to learn
//! whether there is space again.
//!
//! Invariant: `is_full` falls only after a write that worked and said that more than the floor is free.

use crate::action::{Action, Notice};
use crate::limits::SPACE_RETRY_AFTER;
use crate::now::Mono;

/// The disk's space, as far as known.
#[derive(Debug)]
pub(super) struct Space {
    floor: u64,
    is_full: bool,
    retry_at: Option<Mono>,
}

impl Space {
    pub(super) fn new(floor: u64) -> Space {
        Space { floor, is_full: false, retry_at: None }
    }

    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(super) fn retry_at(&self) -> Option<Mono> {
        self.retry_at
    }

    /// A write worked and left so much.
    pub(super) fn written(&mut self, now: Mono, free_bytes: u64, actions: &mut Vec<Action>) {
        if free_bytes < self.floor {
            return self.met_full(now, actions);
        }
        // Half as much again before records are let in, so that the edge is not crossed with each of them.
        if !self.is_full || free_bytes < self.floor.saturating_add(self.floor / 2) {
            return;
        }
        // What was refused a moment ago is tried once more at once: nothing else would wake it.
        (self.is_full, self.retry_at) = (false, Some(now));
        actions.push(Action::Note(Notice::SpaceAgain));
    }

    /// There is no space.
    pub(super) fn met_full(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.retry_at.is_none() {
            self.retry_at = Some(now + SPACE_RETRY_AFTER);
        }
        if !std::mem::replace(&mut self.is_full, true) {
            actions.push(Action::Note(Notice::DiskFull));
        }
    }

    /// Whether it is time to try; the next time is set.
    pub(super) fn woke(&mut self, now: Mono) -> bool {
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        if is_due {
            self.retry_at = self.is_full.then(|| now + SPACE_RETRY_AFTER);
        }
        is_due
    }
}
