//! One deadline queue: what is due when. Whoever owns one arms it; the broker asks all of them for the
//! earliest and emits a single `WakeAt`.
//!
//! Cancelling is not here: an entry whose cause is gone is recognised and ignored when it comes up, because a
//! heap cannot forget cheaply.
//!
//! Invariant: `pop_due` gives deadlines in time order, equal times in the order they were armed.

use crate::now::Mono;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A queue of deadlines for things of type `T`.
#[derive(Clone, Debug)]
pub struct Deadlines<T: Ord> {
    heap: BinaryHeap<Reverse<(Mono, u64, T)>>,
    armed: u64,
}

impl<T: Ord> Default for Deadlines<T> {
    fn default() -> Self {
        Deadlines { heap: BinaryHeap::new(), armed: 0 }
    }
}

impl<T: Ord> Deadlines<T> {
    /// Adds a deadline.
    pub fn arm(&mut self, at: Mono, what: T) {
        self.armed += 1;
        self.heap.push(Reverse((at, self.armed, what)));
    }

    /// Takes the earliest deadline if it is not after `now`.
    pub fn pop_due(&mut self, now: Mono) -> Option<T> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, _, what))| what)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Mono> {
        self.heap.peek().map(|Reverse((at, _, _))| *at)
    }

    /// How many are armed, stale ones included.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is armed.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
