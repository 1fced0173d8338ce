//! Places in a segment: which batch stands at one, and what does not belong there.
//!
//! Invariant: a batch that is found begins at the offset where the one before it ended, and lies within its segment.

use crate::ids::Offset;
use crate::storage::segments::segment::Segment;
use bytes::Bytes;
use rust_mq_proto::records::{Batch, Batches, HEADER_BYTES};

/// Where a walk is: a byte of the segment, and the offset of the batch that must begin there.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub at: u64,
    pub expected: Offset,
}

/// What stands at a place.
pub enum Found {
    /// A whole batch of so many bytes, and where the next one belongs.
    Whole { len: usize, next: Offset, max_timestamp: i64 },
    /// The beginning of one that has so many.
    Short(usize),
    /// No batch of this segment.
    Broken,
}

/// The batch that `left` starts with, if it is the one that belongs at `place`.
pub fn next_batch(left: &Bytes, place: Place, segment: &Segment) -> Found {
    let Some(prefix) = left.get(8..12) else { return Found::Short(HEADER_BYTES) };
    let counted = i32::from_be_bytes(prefix.try_into().expect("8..12 are four bytes"));
    let Ok(len) = usize::try_from(counted).map(|counted| counted + 12) else { return Found::Broken };
    if len as u64 > segment.bytes - place.at {
        return Found::Broken;
    }
    let Some(bytes) = left.get(..len) else { return Found::Short(len) };
    let Ok(batch) = Batch::parse(bytes) else { return Found::Broken };
    let next = Offset(batch.last_offset().saturating_add(1));
    if batch.base_offset() != place.expected.0 || next <= place.expected || next > segment.next {
        return Found::Broken;
    }
    Found::Whole { len, next, max_timestamp: batch.max_timestamp() }
}

/// Whether a batch carries the CRC of what it holds.
pub fn is_sound(batch: &[u8]) -> bool {
    Batch::parse(batch).is_ok_and(|batch| batch.check_crc().is_ok())
}

/// Where `bytes` end, if they are whole, sound batches, one after the other from `from` on.
pub fn run_end(bytes: &[u8], from: Offset) -> Option<Offset> {
    let mut expected = from.0;
    let is_run = Batches::new(bytes).all(|batch| {
        let Ok(batch) = batch else { return false };
        let follows = batch.base_offset() == expected && batch.check_crc().is_ok();
        expected = batch.last_offset().saturating_add(1);
        follows
    });
    (is_run && expected > from.0).then_some(Offset(expected))
}
