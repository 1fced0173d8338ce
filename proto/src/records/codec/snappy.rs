//! Snappy in both framings that Kafka's clients write and read: one raw block (librdkafka, Go), or the
//! stream of snappy-java, which Java, Python and JavaScript clients write:
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00 | version i32 | compatible version i32 | (length i32, raw block)*
//! ```
//!
//! A raw block says its length at its start. No raw block starts like the stream: 82 53 would be the
//! length 0x2982, and 'N' then an element that copies from before the beginning.

use super::output::{Fault, Output};
use snap::raw::{Decoder, Encoder, decompress_len};

const MAGIC: &[u8; 8] = b"\x82SNAPPY\0";
/// Both versions in the header: the only one there has been.
const VERSION: u32 = 1;
/// Plain bytes in a block that we write, as snappy-java does.
const BLOCK_BYTES: usize = 32 * 1024;
/// A copy of 64 bytes costs at least 3, so that no block grows more than this.
const RATIO_MAX: usize = 64;

pub(super) fn decompress(input: &[u8], output: &mut Output) -> Result<(), Fault> {
    match input.strip_prefix(MAGIC) {
        Some(stream) => decompress_stream(stream, output),
        None => decompress_block(input, output),
    }
}

pub(super) fn compress(plain: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    for block in plain.chunks(BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block).expect("a block of 32 KiB can be compressed");
        let length = u32::try_from(compressed.len()).expect("and is then not much longer");
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    out
}

fn decompress_stream(stream: &[u8], output: &mut Output) -> Result<(), Fault> {
    let (_version, rest) = stream.split_first_chunk::<4>().ok_or(Fault::Undecodable)?;
    let (compatible, mut rest) = rest.split_first_chunk::<4>().ok_or(Fault::Undecodable)?;
    // snappy-java refuses streams from before its first format, so a consumer would.
    if u32::from_be_bytes(*compatible) < VERSION {
        return Err(Fault::Undecodable);
    }
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<4>().ok_or(Fault::Undecodable)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Fault::Undecodable)?;
        let (block, behind) = behind.split_at_checked(length).ok_or(Fault::Undecodable)?;
        decompress_block(block, output)?;
        rest = behind;
    }
    Ok(())
}

fn decompress_block(block: &[u8], output: &mut Output) -> Result<(), Fault> {
    let length = decompress_len(block).map_err(|_| Fault::Undecodable)?;
    if length > block.len().saturating_mul(RATIO_MAX) {
        return Err(Fault::Undecodable);
    }
    if length > output.left() {
        return Err(Fault::Full);
    }
    let count = Decoder::new().decompress(block, output.room(length)).map_err(|_| Fault::Undecodable)?;
    output.advance(count)
}
