//! What a cold read looks for, and what it does with each batch on its way.

use crate::ids::Offset;
use crate::limits::{SEGMENT_READ_BYTES_MAX, SEGMENT_READ_BYTES_MIN};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Batches from the one that holds `from`.
    Offset { from: Offset, below: Offset, max_bytes: u64 },
    /// The first batch from `from` on that reaches `timestamp`.
    Time { from: Offset, timestamp: i64 },
}

/// What to do with a batch.
pub enum Verdict {
    /// It lies before what is looked for.
    Skip,
    /// It is too old, if it is of the time that it says.
    TooOld,
    /// It is given.
    Take,
    /// It is all that is given.
    TakeLast,
    /// What was taken before it is given.
    Stop,
}

impl Want {
    /// How many bytes a first request asks for.
    pub fn wished(&self) -> u64 {
        match *self {
            Want::Offset { max_bytes, .. } => {
                max_bytes.saturating_add(SEGMENT_READ_BYTES_MIN).min(SEGMENT_READ_BYTES_MAX)
            }
            Want::Time { .. } => SEGMENT_READ_BYTES_MIN,
        }
    }

    /// What to do with a batch that ends at `next`, when `taken` bytes were taken before it.
    pub fn judge(&self, next: Offset, max_timestamp: i64, taken: usize, len: usize) -> Verdict {
        match *self {
            Want::Offset { from, .. } if next <= from => Verdict::Skip,
            Want::Offset { below, .. } if next > below => Verdict::Stop,
            Want::Offset { max_bytes, .. } if taken > 0 && (taken + len) as u64 > max_bytes => Verdict::Stop,
            Want::Offset { .. } => Verdict::Take,
            Want::Time { from, .. } if next <= from => Verdict::Skip,
            Want::Time { timestamp, .. } if max_timestamp < timestamp => Verdict::TooOld,
            Want::Time { .. } => Verdict::TakeLast,
        }
    }
}
