//! The compressions a batch's records may have, and decompression that cannot be made to take memory.
//!
//! One [`Decompressor`] has one buffer, which grows to the largest block it met and never beyond the cap
//! it is given: it is to be shared by everyone on a thread. Each codec's file says what of its format is
//! accepted; the rule is that whatever passes here can be read by the Java client and by librdkafka.
//!
//! Invariant: filled <= cap + 1 at any time; the one byte more tells a full buffer from an overfull one.

mod gzip;
mod lz4;
mod output;
mod snappy;
mod zstd;

use super::error::BatchError;
use output::{Fault, Output};
use std::borrow::Cow;

/// How the records of a batch are compressed. The numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Not at all.
    None,
    /// Members as in RFC 1952.
    Gzip,
    /// Raw blocks, or the stream format of snappy-java.
    Snappy,
    /// LZ4 frames of independent blocks.
    Lz4,
    /// Zstandard frames (RFC 8878), no dictionary.
    Zstd,
}

impl Codec {
    /// All of them, in the order of their numbers.
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    /// The codec of that number.
    pub fn parse(number: u8) -> Option<Codec> {
        Codec::ALL.get(usize::from(number)).copied()
    }

    /// Its number in the attributes.
    pub fn number(self) -> u8 {
        match self {
            Codec::None => 0,
            Codec::Gzip => 1,
            Codec::Snappy => 2,
            Codec::Lz4 => 3,
            Codec::Zstd => 4,
        }
    }

    /// `plain`, compressed the way the Java client does. Same input, same bytes.
    pub(super) fn compress(self, plain: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Codec::None => Cow::Borrowed(plain),
            Codec::Gzip => Cow::Owned(gzip::compress(plain)),
            Codec::Snappy => Cow::Owned(snappy::compress(plain)),
            Codec::Lz4 => Cow::Owned(lz4::compress(plain)),
            Codec::Zstd => Cow::Owned(zstd::compress(plain)),
        }
    }
}

/// Decompresses one block after the other into one buffer of its own.
#[derive(Default)]
pub struct Decompressor {
    output: Output,
    zstd: zstd::Context,
    plain_bytes: u64,
}

impl Decompressor {
    /// With an empty buffer: nothing is taken before the first compressed block.
    pub fn new() -> Decompressor {
        Decompressor::default()
    }

    /// Bytes of records without compression that it has given out, or begun to: what work that was.
    pub fn plain_bytes(&self) -> u64 {
        self.plain_bytes
    }

    /// Records without compression: where they lie, or in the buffer, at most `bytes_max`.
    pub(super) fn plain<'b>(
        &'b mut self,
        codec: Codec,
        input: &'b [u8],
        bytes_max: usize,
    ) -> Result<&'b [u8], BatchError> {
        self.output.start(bytes_max);
        let done = match codec {
            Codec::None => {
                self.plain_bytes += input.len() as u64;
                return Ok(input);
            }
            Codec::Gzip => gzip::decompress(input, &mut self.output),
            Codec::Snappy => snappy::decompress(input, &mut self.output),
            Codec::Lz4 => lz4::decompress(input, &mut self.output),
            Codec::Zstd => self.zstd.decompress(input, &mut self.output),
        };
        self.plain_bytes += self.output.filled().len() as u64;
        match done {
            Ok(()) => Ok(self.output.filled()),
            Err(Fault::Undecodable) => Err(BatchError::Undecodable),
            Err(Fault::Full) => Err(BatchError::Bomb { max: bytes_max }),
        }
    }
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Decompressor").finish_non_exhaustive()
    }
}
