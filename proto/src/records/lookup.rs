//! Offsets by time, as ListOffsets asks within one batch. Which batch it is, the index knows.

use super::batch::{Batch, TimestampType};
use super::codec::Decompressor;
use super::error::BatchError;

/// Offset and timestamp of the first record at or after offset `from` whose timestamp is `target` or newer.
///
/// `from` is the log's start, which may lie within the batch (DeleteRecords). The batch's own newest
/// timestamp as `target` finds the record that has it. Refuses only what cannot be read.
pub fn find_timestamp(
    batch: &Batch<'_>,
    target: i64,
    from: i64,
    decompressor: &mut Decompressor,
    bytes_max: usize,
) -> Result<Option<(i64, i64)>, BatchError> {
    if batch.max_timestamp() < target || batch.last_offset() < from {
        return Ok(None);
    }
    if batch.timestamp_type() == TimestampType::LogAppendTime && batch.base_offset() >= from {
        // All records share the one timestamp: no need to look at them.
        return Ok(Some((batch.base_offset(), batch.max_timestamp())));
    }
    for record in batch.records(decompressor, bytes_max)? {
        let record = record?;
        if record.offset >= from && record.timestamp >= target {
            return Ok(Some((record.offset, record.timestamp)));
        }
    }
    Ok(None)
}
