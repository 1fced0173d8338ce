//! A chunk: what a read brings, out of memory or out of a segment.
//!
//! Invariant: whole batches, one after the other without a gap.

use crate::file::SegmentName;
use bytes::Bytes;

/// Runs of whole batches, one after the other, the first containing the offset asked for. Empty: nothing is
/// there yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The runs.
    pub batches: Vec<Bytes>,
    /// Where the one run lies, if it is out of a segment.
    pub place: Option<ChunkPlace>,
}

/// A place in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    pub(in crate::storage) name: SegmentName,
    pub(in crate::storage) at: u64,
}
