//! What will happen, in a total order: by time, among equals by a drawn key, among those by number.
//!
//! The key is drawn per happening from a stream of its own, so that ties are explored and reproducible.

use crate::clock::Moment;
use crate::dice::Dice;
use crate::wire::{Side, WireId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// A process enters its core.
    Turn {
        /// On which site.
        site: usize,
        /// In which life.
        boot: u32,
    },
    /// A process's deadline comes.
    Wake {
        /// On which site.
        site: usize,
        /// In which life.
        boot: u32,
        /// By which of its `WakeAt`s: only the last counts (law 7).
        armed: u64,
    },
    /// A work of a disk is over.
    Disk {
        /// On which site.
        site: usize,
        /// In which life.
        boot: u32,
        /// Which work.
        work: u64,
    },
    /// A dial comes to the accepter.
    Reach {
        /// Which.
        wire: WireId,
    },
    /// A dial's answer comes back.
    Answer {
        /// Which.
        wire: WireId,
    },
    /// A piece comes to an end of a wire.
    Arrive {
        /// Which wire.
        wire: WireId,
        /// Which end.
        side: Side,
    },
    /// An end gives up on a wire.
    Break {
        /// Which wire.
        wire: WireId,
        /// Which end.
        side: Side,
        /// Whatever the cuts are.
        is_forced: bool,
    },
    /// A client's timer.
    Client {
        /// Which client.
        client: usize,
        /// Which timer, in its own numbering.
        timer: u64,
    },
    /// A fault of the plan begins.
    Fault {
        /// Which.
        fault: usize,
    },
    /// It ends.
    Mended {
        /// Which.
        fault: usize,
    },
    /// A site's process starts, if it is down.
    Start {
        /// Which site.
        site: usize,
    },
    /// Faults freeze, the core is healed.
    Heal,
    /// The world looks whether it may end, and whether that took too long.
    Look,
}

/// The queue.
#[derive(Debug)]
pub struct Schedule {
    now: Moment,
    heap: BinaryHeap<Reverse<(Moment, u64, u64, Happening)>>,
    pushed: u64,
    dice: Dice,
}

impl Schedule {
    /// An empty queue at time zero.
    pub fn new(dice: Dice) -> Schedule {
        Schedule { now: Moment(0), heap: BinaryHeap::with_capacity(4096), pushed: 0, dice }
    }

    /// The time of what happened last.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// Lets it happen after a wait.
    pub fn after(&mut self, wait_ns: u64, what: Happening) {
        self.at(self.now.after(wait_ns), what);
    }

    /// Lets it happen then, or now if that is past.
    pub fn at(&mut self, at: Moment, what: Happening) {
        self.pushed += 1;
        let key = self.dice.word();
        self.heap.push(Reverse((at.max(self.now), key, self.pushed, what)));
    }

    /// Takes what happens next.
    pub fn pop(&mut self) -> Option<Happening> {
        let Reverse((at, _, _, what)) = self.heap.pop()?;
        assert!(at >= self.now, "time never falls");
        self.now = at;
        Some(what)
    }

    /// How much is to come.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is to come.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
