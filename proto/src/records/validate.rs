//! The gate of a produce request: whatever passes can be read to its end by any consumer.
//!
//! The order of the questions is Kafka's where a client could tell: size before CRC, CRC before the fields
//! it covers, fields before decompression. Uncompressed records are walked where they lie, without
//! allocating; a walk costs about 12 ns a record, less than the CRC from 1 KiB a record on.
//!
//! Sources: `LogValidator.validateBatch`, `UnifiedLog.analyzeAndValidateRecords`, `DefaultRecord.readFrom`
//! in Kafka 4.x.

use super::NO_TIMESTAMP;
use super::batch::{Batch, Producer, TimestampType};
use super::codec::{Codec, Decompressor};
use super::cursor::Cursor;
use super::error::{BatchError, RecordFault};
use super::record::Body;

/// What a batch may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the batch as it came; `max.message.bytes`. Beyond it: MESSAGE_TOO_LARGE.
    pub batch_bytes_max: usize,
    /// Bytes of its records decompressed. Beyond it: MESSAGE_TOO_LARGE, found with no more held.
    pub decompressed_bytes_max: usize,
    /// Whether zstd is known to the version of the request: Produce from 7 on (KIP-110).
    pub is_zstd_known: bool,
    /// Whether a base offset other than 0 is let pass, as no producer sends one.
    pub is_base_offset_free: bool,
}

/// What is known of a batch that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many records; above 0.
    pub count: i32,
    /// How they are compressed.
    pub codec: Codec,
    /// Bytes of the records without compression.
    pub plain_bytes: usize,
    /// Its idempotent producer.
    pub producer: Option<Producer>,
    /// Whether it is part of a transaction: then the request must name a transactional id.
    pub is_transactional: bool,
    /// Whose clock it says its timestamps are. A client has no business to say the log's.
    pub timestamp_type: TimestampType,
    /// The oldest timestamp of a record that has one; [`NO_TIMESTAMP`] if none has.
    pub min_timestamp: i64,
    /// The newest timestamp of a record.
    pub max_timestamp: i64,
    /// Whether the header says the same. If not, `BatchMut::set_max_timestamp` mends it, as Kafka does.
    pub is_max_timestamp_true: bool,
    /// The first record without a key: where a compacted topic refuses.
    pub first_without_key: Option<i32>,
}

/// Checks all of `bytes`, which shall be exactly one batch from a client.
pub fn validate(
    bytes: &[u8],
    limits: &Limits,
    decompressor: &mut Decompressor,
) -> Result<Summary, BatchError> {
    check(&Batch::parse(bytes)?, limits, decompressor)
}

/// Checks all of a batch that was parsed.
pub fn check(
    batch: &Batch<'_>,
    limits: &Limits,
    decompressor: &mut Decompressor,
) -> Result<Summary, BatchError> {
    let bytes = batch.bytes().len();
    if bytes > limits.batch_bytes_max {
        return Err(BatchError::TooLarge { bytes, max: limits.batch_bytes_max });
    }
    batch.check_crc()?;
    let codec = batch.codec()?;
    if codec == Codec::Zstd && !limits.is_zstd_known {
        return Err(BatchError::ZstdTooEarly);
    }
    check_fields(batch, limits)?;
    let plain = decompressor.plain(batch.codec()?, batch.payload(), limits.decompressed_bytes_max)?;
    let walked = walk(batch, plain)?;
    Ok(Summary {
        count: batch.count(),
        codec,
        plain_bytes: plain.len(),
        producer: batch.producer(),
        is_transactional: batch.is_transactional(),
        timestamp_type: batch.timestamp_type(),
        min_timestamp: if walked.has_timestamp { walked.min_timestamp } else { NO_TIMESTAMP },
        max_timestamp: walked.max_timestamp,
        is_max_timestamp_true: walked.max_timestamp == batch.max_timestamp(),
        first_without_key: walked.first_without_key,
    })
}

fn check_fields(batch: &Batch<'_>, limits: &Limits) -> Result<(), BatchError> {
    let (base_offset, count) = (batch.base_offset(), batch.count());
    if base_offset != 0 && !limits.is_base_offset_free {
        return Err(BatchError::BaseOffset { base_offset });
    }
    if count <= 0 {
        return Err(BatchError::Count { count });
    }
    if batch.last_offset_delta() != count - 1 {
        return Err(BatchError::OffsetRange { last_offset_delta: batch.last_offset_delta(), count });
    }
    if batch.is_control() {
        return Err(BatchError::Control);
    }
    if batch.has_delete_horizon() {
        return Err(BatchError::DeleteHorizon);
    }
    match batch.producer() {
        Some(Producer { epoch, base_sequence, .. }) if epoch < 0 || base_sequence < 0 => {
            Err(BatchError::Sequence { base_sequence, epoch })
        }
        None if batch.is_transactional() => Err(BatchError::NoProducer),
        _ => Ok(()),
    }
}

struct Walked {
    has_timestamp: bool,
    min_timestamp: i64,
    max_timestamp: i64,
    first_without_key: Option<i32>,
}

/// `plain` are the records of `batch` without compression. Nothing is sized by what they claim.
fn walk(batch: &Batch<'_>, plain: &[u8]) -> Result<Walked, BatchError> {
    let base_timestamp = batch.base_timestamp();
    let mut cursor = Cursor::new(plain);
    let mut walked = Walked {
        has_timestamp: false,
        min_timestamp: i64::MAX,
        max_timestamp: i64::MIN,
        first_without_key: None,
    };
    for index in 0..batch.count() {
        let refuse = |fault| BatchError::Record { index, fault };
        let body = Body::read(&mut cursor).map_err(refuse)?;
        if body.offset_delta != index {
            return Err(refuse(RecordFault::OffsetDelta));
        }
        let timestamp = base_timestamp.checked_add(body.timestamp_delta);
        let timestamp = timestamp.ok_or(refuse(RecordFault::Timestamp))?;
        walked.max_timestamp = walked.max_timestamp.max(timestamp);
        if timestamp != NO_TIMESTAMP {
            walked.has_timestamp = true;
            walked.min_timestamp = walked.min_timestamp.min(timestamp);
        }
        if body.key.is_none() {
            walked.first_without_key = walked.first_without_key.or(Some(index));
        }
    }
    match cursor.rest().len() {
        0 => Ok(walked),
        bytes => Err(BatchError::Unread { bytes }),
    }
}
