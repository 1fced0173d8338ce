//! Space: whether the disk takes records now.
//!
//! Records are refused when a write met a full disk, or when less than the floor is free. What is kept back
//! that way, the rest of the journal's zeroed file and the floor itself, is the reserve of hard states, no-ops,
//! membership and log starts; reading and deleting go on. Every second something small is written, to learn
//! whether there is space again.
//!
//! Before that, below `free_bytes_short`, space is short: what retention gives up is removed at once.
//!
//! Invariant: `is_full` falls only after a write that worked and said that more than the floor is free.

use crate::action::{Action, Notice};
use crate::limits::SPACE_RETRY_AFTER;
use crate::now::Mono;

/// The disk's space, as far as known.
#[derive(Debug)]
pub struct Space {
    floor: u64,
    short: u64,
    is_full: bool,
    is_short: bool,
    /// What the last write left.
    free_bytes: Option<u64>,
    /// When a write last met a full disk.
    refused_at: Mono,
    retry_at: Option<Mono>,
}

impl Space {
    pub fn new(floor: u64, short: u64) -> Space {
        let refused_at = Mono::default();
        Space { floor, short, is_full: false, is_short: false, free_bytes: None, refused_at, retry_at: None }
    }

    pub fn is_short(&self) -> bool {
        self.is_short || self.is_full
    }

    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// What the last write left, if there was one.
    pub fn free_bytes(&self) -> Option<u64> {
        self.free_bytes
    }

    pub fn retry_at(&self) -> Option<Mono> {
        self.retry_at
    }

    /// A write worked and left so much.
    pub fn written(&mut self, now: Mono, free_bytes: u64, actions: &mut Vec<Action>) {
        self.free_bytes = Some(free_bytes);
        self.is_short = free_bytes < self.short;
        if free_bytes < self.floor {
            return self.met_full(now, actions);
        }
        // Where the large is refused the small may still find room: that is no space yet, and to believe it would
        // let the two follow each other as fast as the disk goes.
        if now < self.refused_at + SPACE_RETRY_AFTER / 2 {
            return;
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
    pub fn met_full(&mut self, now: Mono, actions: &mut Vec<Action>) {
        self.refused_at = now;
        self.try_later(now);
        if !std::mem::replace(&mut self.is_full, true) {
            actions.push(Action::Note(Notice::DiskFull));
        }
    }

    /// Something waits for space: it is tried again. To be said for as long as it waits: whether the disk counts as
    /// full may change between a write's refusal and the failure of the sync behind it.
    pub fn try_later(&mut self, now: Mono) {
        if self.retry_at.is_none() {
            self.retry_at = Some(now + SPACE_RETRY_AFTER);
        }
    }

    /// Whether it is time to try; the next time is set.
    pub fn woke(&mut self, now: Mono) -> bool {
        let is_due = self.retry_at.is_some_and(|at| at <= now);
        if is_due {
            self.retry_at = self.is_full.then(|| now + SPACE_RETRY_AFTER);
        }
        is_due
    }
}
