//! How many bytes of records one request may have this node look through. A few hundred bytes of zstd become 16 MiB,
//! and a request may carry thousands of such batches, or ask for a time in each of thousands of partitions; so what
//! is decompressed for it is bounded by what it carries, or asks, and by what it may have in any case.
//!
//! What is left over is refused with a code that clients retry; each time at least the first of it is done.
//!
//! Invariant: what is looked through for a request <= its allowance + one batch.

use crate::limits::{DECOMPRESSED_BYTES_MAX, LOOKED_THROUGH_BYTES, LOOKED_THROUGH_RATIO};

/// What is left for one request.
pub(super) struct Allowance {
    left: usize,
}

impl Allowance {
    /// For a request that carries, or asks to be read, so many bytes.
    pub fn of(bytes: usize) -> Allowance {
        Allowance { left: LOOKED_THROUGH_BYTES.saturating_add(bytes.saturating_mul(LOOKED_THROUGH_RATIO)) }
    }

    /// How much the next batch may be, decompressed. None at all once all is spent.
    pub fn batch_bytes_max(&self) -> usize {
        self.left.min(DECOMPRESSED_BYTES_MAX)
    }

    /// So many bytes were looked through.
    pub fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }
}
