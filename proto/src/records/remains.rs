//! What compaction leaves of a batch: the records that stay, byte for byte as they lay, in a batch of the same offsets.
//!
//! ```text
//! stays as it is    base offset, last offset delta, leader epoch, base timestamp, producer and sequence, all attributes
//! is written anew   length, record count, CRC; the max timestamp, where it is that of a record
//! ```
//! A record counts its offset and its time from the batch's first ones, and these stay: so it is copied and not written
//! anew, headers and unused attributes with it. Gaps between the offsets are legal in Kafka's format, at both ends too.
//!
//! - Invariant: of two prunings one after the other remains what remains of one that takes what both take. So it does
//!   not matter how often, and in which steps, a replica has compacted.
//! - Invariant: the offsets of the records rise, and lie within those of the batch.
//!
//! Compressed records are compressed again with the same codec, so that whoever could read the batch still can. Two
//! builds may give other bytes for the same records: what replicas have in common is the records, not their compression
//! (decision 0022).
//!
//! Not here: which records stay (`core/src/compaction`); what stands in the place of batches of which nothing is left
//! ([`super::BatchBuilder::hollow`]). Source: Kafka's `MemoryRecords.filterTo`, which also moves the base timestamp where
//! it notes a delete horizon (KIP-534); ours is in the log's state.

use super::batch::{Batch, HEADER_BYTES, TimestampType, UNCOUNTED_BYTES, at, checksum};
use super::codec::Decompressor;
use super::error::{BatchError, RecordFault};
use super::record::Record;
use bytes::BytesMut;

/// What is left of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// All of it, byte for byte.
    All,
    /// Some of its records, in this batch.
    Some(BytesMut),
    /// None of its records.
    Nothing,
}

/// What is left of a batch of which the records go that `stays` denies. They are shown to it in the order of their
/// offsets, with their keys, each once. Decompressed they are at most `bytes_max`.
///
/// # Errors
/// A batch that cannot be read to its end, or whose offsets do not rise within its own.
pub fn remains(
    batch: &Batch<'_>,
    decompressor: &mut Decompressor,
    bytes_max: usize,
    mut stays: impl FnMut(&Record<'_>) -> bool,
) -> Result<Remains, BatchError> {
    let codec = batch.codec()?;
    let mut records = batch.records(decompressor, bytes_max)?;
    let plain = records.rest();
    let mut kept = Kept::default();
    let mut last = None;
    for index in 0..batch.count().max(0) {
        let from = plain.len() - records.rest().len();
        let Some(record) = records.next().transpose()? else { break };
        let is_in_order = last.is_none_or(|last| last < record.offset);
        if !is_in_order || record.offset < batch.base_offset() || record.offset > batch.last_offset() {
            return Err(BatchError::Record { index, fault: RecordFault::OffsetDelta });
        }
        last = Some(record.offset);
        let until = plain.len() - records.rest().len();
        kept.judged(stays(&record), record.timestamp, (from, until), plain);
    }
    if !records.rest().is_empty() {
        return Err(BatchError::Unread { bytes: records.rest().len() });
    }
    let Some(left) = kept.left else { return Ok(Remains::All) };
    if kept.count == 0 {
        return Ok(Remains::Nothing);
    }
    let max_timestamp = match batch.timestamp_type() {
        TimestampType::CreateTime => kept.max_timestamp,
        TimestampType::LogAppendTime => batch.max_timestamp(),
    };
    seal(batch, &codec.compress(&left), kept.count, max_timestamp).map(Remains::Some)
}

/// The records that stay, while they are looked through.
struct Kept {
    count: i32,
    max_timestamp: i64,
    /// Their bytes, from the first record on that goes; until then they are all there are.
    left: Option<Vec<u8>>,
}

impl Default for Kept {
    fn default() -> Kept {
        Kept { count: 0, max_timestamp: i64::MIN, left: None }
    }
}

impl Kept {
    /// The next record, which lies from one byte to the other of `plain`, stays or goes.
    fn judged(&mut self, stays: bool, timestamp: i64, (from, until): (usize, usize), plain: &[u8]) {
        if !stays {
            self.left.get_or_insert_with(|| plain[..from].to_vec());
            return;
        }
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(timestamp);
        if let Some(left) = &mut self.left {
            left.extend_from_slice(&plain[from..until]);
        }
    }
}

/// `batch` with other records.
fn seal(batch: &Batch<'_>, payload: &[u8], count: i32, max_timestamp: i64) -> Result<BytesMut, BatchError> {
    let whole = HEADER_BYTES + payload.len();
    let length = i32::try_from(whole - UNCOUNTED_BYTES);
    let length = length.map_err(|_| BatchError::TooLarge { bytes: whole, max: i32::MAX as usize })?;
    let mut left = BytesMut::with_capacity(whole);
    left.extend_from_slice(&batch.bytes()[..HEADER_BYTES]);
    left.extend_from_slice(payload);
    let mut put = |at: usize, field: &[u8]| left[at..at + field.len()].copy_from_slice(field);
    put(at::LENGTH, &length.to_be_bytes());
    put(at::MAX_TIMESTAMP, &max_timestamp.to_be_bytes());
    put(at::COUNT, &count.to_be_bytes());
    let crc = checksum(&left);
    left[at::CRC..at::CRC + 4].copy_from_slice(&crc.to_be_bytes());
    Ok(left)
}
