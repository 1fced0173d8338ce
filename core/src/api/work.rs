//! How much a turn does for clients. Requests are as many and as large as clients like; what is done for them in one turn
//! is counted in bytes of records that are looked at or decompressed, and a part of a Produce, Fetch or ListOffsets, however
//! small, as some. What other requests cost has bounds of its own (`limits`), and is not counted here.
//!
//! When a turn has done its share no further request is taken up, one of many parts goes on in the next turn, and so do
//! fetches that were woken: each in the order in which they came, links in turn. What goes on takes half of a turn at most,
//! so that what is new has the rest. What began before is finished: a turn does at most its share and one step, and a step
//! is one batch or one request without its batches.
//!
//! Invariant: done <= share (`limits::TURN_WORK_BYTES`) + one step.

use crate::limits::PART_WORK_BYTES;

/// What was done in this turn.
#[derive(Debug)]
pub(super) struct Work {
    share: usize,
    /// How much of it may be used by now.
    lent: usize,
    done: usize,
}

impl Work {
    /// Turns that do so many bytes, and a step.
    pub fn new(share: usize) -> Work {
        Work { share, lent: share, done: 0 }
    }

    /// A turn begins, with what earlier ones have left: half of it is kept for others.
    pub fn begin(&mut self) {
        (self.lent, self.done) = (self.share.div_ceil(2), 0);
    }

    /// The rest of the turn is for everybody.
    pub fn lend_all(&mut self) {
        self.lent = self.share;
    }

    /// So many bytes were looked at, for one part.
    pub fn part(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(PART_WORK_BYTES).saturating_add(bytes);
    }

    /// How many bytes may still be looked at.
    pub fn left_bytes(&self) -> usize {
        self.lent.saturating_sub(self.done)
    }

    /// Whether more may be begun.
    pub fn is_left(&self) -> bool {
        self.done < self.lent
    }

    /// Bytes, for the simulator's bounds.
    #[cfg(feature = "simulation")]
    pub fn done(&self) -> usize {
        self.done
    }
}
