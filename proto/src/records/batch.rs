//! The view of one batch: fixed fields read where they lie, nothing copied.
//!
//! Invariant: `bytes.len() == 12 + batch length >= HEADER_BYTES`, and magic is 2. The CRC is a question of
//! its own ([`Batch::check_crc`]): whoever reads from a disk or a socket asks it once.

use super::codec::{Codec, Decompressor};
use super::error::BatchError;
use super::record::{Base, Records};

/// Bytes before the first record.
pub const HEADER_BYTES: usize = 61;

/// Bytes that the batch length does not count: base offset and the length itself.
pub(super) const UNCOUNTED_BYTES: usize = 12;
pub(super) const MAGIC: u8 = 2;

/// Where each field starts.
pub(super) mod at {
    pub const BASE_OFFSET: usize = 0;
    pub const LENGTH: usize = 8;
    pub const LEADER_EPOCH: usize = 12;
    pub const MAGIC: usize = 16;
    pub const CRC: usize = 17;
    pub const ATTRIBUTES: usize = 21;
    pub const LAST_OFFSET_DELTA: usize = 23;
    pub const BASE_TIMESTAMP: usize = 27;
    pub const MAX_TIMESTAMP: usize = 35;
    pub const PRODUCER_ID: usize = 43;
    pub const PRODUCER_EPOCH: usize = 51;
    pub const BASE_SEQUENCE: usize = 53;
    pub const COUNT: usize = 57;
}

/// The attribute bits beside the codec's three.
pub(super) mod bit {
    pub const CODEC: i16 = 0b111;
    pub const LOG_APPEND_TIME: i16 = 1 << 3;
    pub const TRANSACTIONAL: i16 = 1 << 4;
    pub const CONTROL: i16 = 1 << 5;
    pub const DELETE_HORIZON: i16 = 1 << 6;
}

/// One record batch, its structure checked, its records not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    header: &'a [u8; HEADER_BYTES],
    bytes: &'a [u8],
}

/// Whose clock a batch's timestamps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// Each record's own, given by its producer.
    CreateTime,
    /// One for all records, the max timestamp, given by the broker.
    LogAppendTime,
}

/// What a batch says about its idempotent producer (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Given out by InitProducerId; never negative.
    pub id: i64,
    /// Fences older instances of the same producer.
    pub epoch: i16,
    /// Sequence of the first record; -1 in a transaction marker.
    pub base_sequence: i32,
}

impl Producer {
    /// The sequence `count` records after `sequence`; past 2^31 - 1 it starts again at 0.
    pub fn sequence_after(sequence: i32, count: i32) -> i32 {
        let sum = (i64::from(sequence) + i64::from(count)).rem_euclid(1 << 31);
        i32::try_from(sum).expect("the remainder of 2^31 fits")
    }
}

impl<'a> Batch<'a> {
    /// The batch that `bytes` are, exactly: nothing missing, nothing behind.
    pub fn parse(bytes: &'a [u8]) -> Result<Batch<'a>, BatchError> {
        if bytes.is_empty() {
            return Err(BatchError::NoBatch);
        }
        let batch = Batch::first(bytes)?.ok_or(BatchError::Cut { bytes: bytes.len() })?;
        let behind = &bytes[batch.bytes.len()..];
        if behind.is_empty() {
            Ok(batch)
        } else if matches!(Batch::first(behind), Ok(Some(_))) {
            Err(BatchError::SecondBatch)
        } else {
            Err(BatchError::Trailing { bytes: behind.len() })
        }
    }

    /// The batch that `bytes` start with; `None` if they end before it does.
    pub(super) fn first(bytes: &'a [u8]) -> Result<Option<Batch<'a>>, BatchError> {
        let Some(start) = bytes.first_chunk::<{ at::MAGIC + 1 }>() else {
            return Ok(None);
        };
        // Before the length: a message set of magic 0 or 1 may be shorter than our header.
        if start[at::MAGIC] != MAGIC {
            return Err(BatchError::Magic { magic: start[at::MAGIC] });
        }
        let length = i32::from_be_bytes(field::<{ at::LENGTH }, 4>(start));
        let whole = usize::try_from(length).unwrap_or(0) + UNCOUNTED_BYTES;
        if whole < HEADER_BYTES {
            return Err(BatchError::Length { length });
        }
        let Some(bytes) = bytes.get(..whole) else {
            return Ok(None);
        };
        Ok(bytes.first_chunk().map(|header| Batch { header, bytes }))
    }

    /// All of it, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they lie: compressed if a codec is set.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Offset of the first record, also where compaction took that record out.
    pub fn base_offset(&self) -> i64 {
        i64::from_be_bytes(field::<{ at::BASE_OFFSET }, 8>(self.header))
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset().saturating_add(i64::from(self.last_offset_delta()))
    }

    /// The epoch of the leader that appended it; whatever the client wrote until then.
    pub fn leader_epoch(&self) -> i32 {
        i32::from_be_bytes(field::<{ at::LEADER_EPOCH }, 4>(self.header))
    }

    /// The checksum it carries.
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(field::<{ at::CRC }, 4>(self.header))
    }

    /// Refuses if a byte after the CRC field is not what it was when the CRC was written.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = checksum(self.bytes);
        if computed == self.crc() { Ok(()) } else { Err(BatchError::Crc { claimed: self.crc(), computed }) }
    }

    /// How the records are compressed; refuses a number that stands for nothing.
    pub fn codec(&self) -> Result<Codec, BatchError> {
        let number = (self.attributes() & bit::CODEC) as u8;
        Codec::parse(number).ok_or(BatchError::UnknownCodec { number })
    }

    /// Whose clock the timestamps are.
    pub fn timestamp_type(&self) -> TimestampType {
        if self.has(bit::LOG_APPEND_TIME) { TimestampType::LogAppendTime } else { TimestampType::CreateTime }
    }

    /// Whether it is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.has(bit::TRANSACTIONAL)
    }

    /// Whether it holds a marker for consumers' transactions and no user data.
    pub fn is_control(&self) -> bool {
        self.has(bit::CONTROL)
    }

    /// Whether the base timestamp is the time from which compaction may drop tombstones (KIP-534).
    pub fn has_delete_horizon(&self) -> bool {
        self.has(bit::DELETE_HORIZON)
    }

    /// Offset of the last record minus that of the first.
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(field::<{ at::LAST_OFFSET_DELTA }, 4>(self.header))
    }

    /// What the records' timestamp deltas count from, in milliseconds since 1970.
    pub fn base_timestamp(&self) -> i64 {
        i64::from_be_bytes(field::<{ at::BASE_TIMESTAMP }, 8>(self.header))
    }

    /// The newest timestamp, in milliseconds since 1970. Until it was appended, only the client's claim.
    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(field::<{ at::MAX_TIMESTAMP }, 8>(self.header))
    }

    /// The idempotent producer; `None` for a plain one.
    pub fn producer(&self) -> Option<Producer> {
        let id = i64::from_be_bytes(field::<{ at::PRODUCER_ID }, 8>(self.header));
        (id >= 0).then(|| Producer {
            id,
            epoch: i16::from_be_bytes(field::<{ at::PRODUCER_EPOCH }, 2>(self.header)),
            base_sequence: i32::from_be_bytes(field::<{ at::BASE_SEQUENCE }, 4>(self.header)),
        })
    }

    /// How many records it says it holds.
    pub fn count(&self) -> i32 {
        i32::from_be_bytes(field::<{ at::COUNT }, 4>(self.header))
    }

    /// Its records one by one, decompressed into `decompressor`'s buffer if need be, up to
    /// `bytes_max` of them.
    pub fn records<'b>(
        &self,
        decompressor: &'b mut Decompressor,
        bytes_max: usize,
    ) -> Result<Records<'b>, BatchError>
    where
        'a: 'b,
    {
        let plain = decompressor.plain(self.codec()?, self.payload(), bytes_max)?;
        let base = Base {
            offset: self.base_offset(),
            timestamp: self.base_timestamp(),
            append_time: match self.timestamp_type() {
                TimestampType::CreateTime => None,
                TimestampType::LogAppendTime => Some(self.max_timestamp()),
            },
        };
        Ok(Records::new(base, self.count(), plain))
    }

    fn attributes(&self) -> i16 {
        i16::from_be_bytes(field::<{ at::ATTRIBUTES }, 2>(self.header))
    }

    fn has(&self, bit: i16) -> bool {
        self.attributes() & bit != 0
    }
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Batch")
            .field("base_offset", &self.base_offset())
            .field("leader_epoch", &self.leader_epoch())
            .field("count", &self.count())
            .field("bytes", &self.bytes.len())
            .field("attributes", &self.attributes())
            .field("max_timestamp", &self.max_timestamp())
            .field("producer", &self.producer())
            .finish_non_exhaustive()
    }
}

/// CRC32C (Castagnoli; "iSCSI" in the catalogues) of what a batch's CRC covers.
///
/// `bytes` hold at least a header.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(&bytes[at::ATTRIBUTES..])
}

fn field<const AT: usize, const N: usize>(header: &[u8]) -> [u8; N] {
    *header[AT..].first_chunk().expect("every field of `at` lies within the header")
}
