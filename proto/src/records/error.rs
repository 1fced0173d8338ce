//! Why a batch is refused, and Kafka's code for it. Every variant has one code.
//!
//! A code says what the client shall do: CORRUPT_MESSAGE is retriable (the bytes were hurt on the way),
//! the others are not (they would be as wrong the next time).

use thiserror::Error;

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchError {
    /// No bytes at all where one batch is due.
    #[error("there is no batch")]
    NoBatch,
    /// The bytes end before the batch does.
    #[error("{bytes} bytes are not a whole batch")]
    Cut {
        /// How many there are.
        bytes: usize,
    },
    /// The batch length is less than a header.
    #[error("batch length {length} is shorter than a header")]
    Length {
        /// As it stands there.
        length: i32,
    },
    /// Bytes behind the batch that are no batch.
    #[error("{bytes} bytes behind the batch")]
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// The CRC does not match the bytes.
    #[error("CRC is {claimed:08x}, the bytes give {computed:08x}")]
    Crc {
        /// As it stands there.
        claimed: u32,
        /// Of the bytes that came.
        computed: u32,
    },
    /// A second batch where one is due.
    #[error("more than one batch")]
    SecondBatch,
    /// A message format other than 2.
    #[error("magic {magic}, only 2 is spoken")]
    Magic {
        /// As it stands there.
        magic: u8,
    },
    /// The batch is longer than the topic allows.
    #[error("batch of {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Its records, decompressed, are longer than allowed.
    #[error("records decompress to more than the {max} bytes allowed")]
    Bomb {
        /// The limit.
        max: usize,
    },
    /// A codec number that stands for nothing.
    #[error("codec {number} is unknown")]
    UnknownCodec {
        /// As it stands there: 5 to 7.
        number: u8,
    },
    /// zstd in a request of a version that does not know it (KIP-110).
    #[error("zstd needs Produce version 7")]
    ZstdTooEarly,
    /// The records do not decompress.
    #[error("the records do not decompress")]
    Undecodable,
    /// A client's batch that does not start at 0.
    #[error("base offset {base_offset} where a producer writes 0")]
    BaseOffset {
        /// As it stands there.
        base_offset: i64,
    },
    /// No records, or a negative number of them.
    #[error("record count {count}")]
    Count {
        /// As it stands there.
        count: i32,
    },
    /// The offsets do not fit the number of records.
    #[error("last offset delta {last_offset_delta} with {count} records")]
    OffsetRange {
        /// As it stands there.
        last_offset_delta: i32,
        /// As it stands there.
        count: i32,
    },
    /// A control batch from a client.
    #[error("control batches are written by brokers only")]
    Control,
    /// A delete horizon from a client.
    #[error("delete horizons are written by brokers only")]
    DeleteHorizon,
    /// An idempotent producer without a sequence or epoch.
    #[error("producer id with sequence {base_sequence} and epoch {epoch}")]
    Sequence {
        /// As it stands there.
        base_sequence: i32,
        /// As it stands there.
        epoch: i16,
    },
    /// A transactional batch without a producer.
    #[error("a transactional batch without a producer id")]
    NoProducer,
    /// One record is wrong.
    #[error("record {index}: {fault}")]
    Record {
        /// Which, from 0: the batch index of Kafka's record errors.
        index: i32,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// Bytes behind the last record.
    #[error("{bytes} bytes behind the last record")]
    Unread {
        /// How many.
        bytes: usize,
    },
}

/// What is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RecordFault {
    /// The record's length is no number, negative, or goes beyond the batch.
    #[error("its length does not fit the batch")]
    Length,
    /// Attributes or a delta are missing, or longer than a number can be.
    #[error("its attributes or deltas are cut or overlong")]
    Delta,
    /// The key's length is below -1 or goes beyond the record.
    #[error("its key does not fit the record")]
    Key,
    /// The value's length is below -1 or goes beyond the record.
    #[error("its value does not fit the record")]
    Value,
    /// The number of headers is negative or more than the bytes left could hold.
    #[error("its header count does not fit the record")]
    HeaderCount,
    /// A header's key is null or goes beyond the record.
    #[error("a header key is null or does not fit the record")]
    HeaderKey,
    /// A header's value length is below -1 or goes beyond the record.
    #[error("a header value does not fit the record")]
    HeaderValue,
    /// The record is longer than what it holds.
    #[error("it is longer than its fields")]
    Unread,
    /// Its offset delta is not its position.
    #[error("its offset delta is not its position")]
    OffsetDelta,
    /// Base timestamp and delta are more than a timestamp can be.
    #[error("its timestamp overflows")]
    Timestamp,
}

impl BatchError {
    /// Kafka's error code, as a Produce answer carries it.
    pub fn code(&self) -> i16 {
        const CORRUPT_MESSAGE: i16 = 2;
        const MESSAGE_TOO_LARGE: i16 = 10;
        const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
        const INVALID_RECORD: i16 = 87;
        match self {
            BatchError::Cut { .. }
            | BatchError::Length { .. }
            | BatchError::Trailing { .. }
            | BatchError::Crc { .. } => CORRUPT_MESSAGE,
            BatchError::TooLarge { .. } | BatchError::Bomb { .. } => MESSAGE_TOO_LARGE,
            BatchError::UnknownCodec { .. } | BatchError::ZstdTooEarly => UNSUPPORTED_COMPRESSION_TYPE,
            BatchError::NoBatch
            | BatchError::SecondBatch
            | BatchError::Magic { .. }
            | BatchError::Undecodable
            | BatchError::BaseOffset { .. }
            | BatchError::Count { .. }
            | BatchError::OffsetRange { .. }
            | BatchError::Control
            | BatchError::DeleteHorizon
            | BatchError::Sequence { .. }
            | BatchError::NoProducer
            | BatchError::Record { .. }
            | BatchError::Unread { .. } => INVALID_RECORD,
        }
    }
}
