//! Record batches, Kafka's magic 2 (KIP-98): the bytes of user data, as they lie in a request, in the
//! journal, in a segment and in an answer. They are looked at, and never taken apart and put together again but by
//! compaction, of which [`remains`] is the half that knows the format.
//!
//! ```text
//!  0 base offset      i64  |  written by the leader;
//!  8 batch length     i32  |  counts what follows it, so the whole batch has 12 bytes more
//! 12 leader epoch     i32  |  written by the leader
//! 16 magic            i8   |  2
//! 17 crc              u32  |  CRC32C of everything after it: the four fields above lie outside
//! 21 attributes       i16  |  0-2 codec, 3 log append time, 4 transactional, 5 control, 6 delete horizon
//! 23 last offset delta i32 |  count - 1, unless compaction took records out
//! 27 base timestamp   i64  |  35 max timestamp i64
//! 43 producer id      i64  |  51 producer epoch i16  |  53 base sequence i32
//! 57 record count     i32  |  61 records, compressed as one block when a codec is set
//!
//! record: length, then attributes i8, timestamp delta, offset delta, key, value, header count, headers
//! ```
//!
//! [`Batch`] is a view of one batch; [`Batches`] cuts several that lie back to back. [`validate`] is the
//! gate of a produce request: it walks every record, because a batch that a consumer cannot read stops
//! that consumer at its offset for ever ("poison"). What it lets through can be read to the end.
//! [`BatchMut`] writes the few fields that are the broker's. [`BatchBuilder`] is for clients and tests. [`remains`] is
//! what compaction leaves of a batch.
//!
//! Invariants: a `Batch` is exactly 12 + batch length bytes and at least 61. A validated batch has
//! count = last offset delta + 1 > 0, offset deltas 0, 1, 2..., and nothing behind its last record.
//! Decompression never holds more than the cap it is given, and no length read from outside takes
//! memory before it was compared with the bytes that are there.
//!
//! Where we are stricter than Kafka: the delete horizon is the broker's to set, so a client's is refused;
//! a transactional batch needs a producer; key and value lengths below -1 are refused (clients differ in
//! what they make of them); nothing may follow the end of a compressed block. Where we are not: a wrong
//! max timestamp is mended, not refused, since Sarama before 1.45.1 never set it (IBM/sarama#3108) and
//! Kafka's `LogValidator` overwrites it too.
//!
//! Not here: sequences and fencing (`core/partition`), what time is acceptable, which topics need keys:
//! [`Summary`] carries what those decisions need.

mod batch;
mod batch_mut;
mod batches;
mod builder;
mod codec;
mod cursor;
mod error;
mod lookup;
mod marker;
mod record;
mod remains;
mod validate;

pub use batch::{Batch, HEADER_BYTES, Producer, TimestampType};
pub use batch_mut::BatchMut;
pub use batches::Batches;
pub use builder::BatchBuilder;
pub use codec::{Codec, Decompressor};
pub use error::{BatchError, RecordFault};
pub use lookup::find_timestamp;
pub use marker::{Marker, MarkerKind};
pub use record::{Header, Headers, Record, Records};
pub use remains::{Remains, remains};
pub use validate::{Limits, Summary, check, validate};

/// What a timestamp field holds where no time was given.
pub const NO_TIMESTAMP: i64 = -1;
