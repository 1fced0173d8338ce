//! Compaction: of a log that keeps the last record of each key, those go of which a later one has the key, and
//! tombstones (records without a value) in their time. It is a function of the log (decision 0022): that it is done, and
//! how far, is an entry; each replica carries it out on its own files, at its own pace.
//!
//! ```text
//!   done.up_to                 until              target.up_to
//!       v                        v                      v
//! [a1 b1 c1][a2 -- c2][d1 b2 a3][c3 ...][..............][.. open segment
//!  ^ clean   ^ dirty: the newest offset of each key is noted, until memory for keys is full
//!  every segment below `until` is written anew without what was overtaken, ascending; then the next pass
//! ```
//! [`Compacted`] is how far. [`Cleaner`] carries it out, as a machine that asks for batches and gives batches, a bounded
//! piece of work at a time; it knows the keys by a [`KeyMap`] of bounded size, so that a log takes as many passes as it
//! has keys for. Segments next to each other that together are small are written as one.
//!
//! - Invariant: a record stays if it is the last of its key, and its value is not null or it is not below
//!   `tombstones_before`. Whatever `up_to` says, nothing at or above it goes.
//! - Invariant: segments are written anew from the oldest on. So where a tombstone is gone, all that it overtook is gone
//!   too, whenever the work ends: what was deleted never comes back.
//! - Invariant: what is there after any step, and after beginning again at any step, leads to the same end.
//!
//! Not here: what is left of one batch (`proto`'s `records::remains`), files (`storage`), when a log is compacted.
//! Source: the passes over a bounded map are Kafka's (`LogCleaner`, `Cleaner.cleanInto`, `SkimpyOffsetMap`).

mod cleaner;
mod keys;
mod pruning;
#[cfg(test)]
mod tests;

pub use cleaner::{Cleaner, Closed, Next, Span, Unreadable};
pub use keys::{Full, KeyMap};

use crate::ids::Offset;

/// How far a log is compacted, or is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Below this offset no record is left of which a later one below it has the key, and none without a key.
    pub up_to: Offset,
    /// Below this one no tombstone is left; at most `up_to`.
    pub tombstones_before: Offset,
}

impl Compacted {
    /// Whether nothing is left to do for `other`.
    pub fn covers(self, other: Compacted) -> bool {
        self.up_to >= other.up_to && self.tombstones_before >= other.tombstones_before
    }
}
