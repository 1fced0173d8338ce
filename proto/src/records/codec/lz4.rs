//! LZ4 frames, as Kafka understands them: independent blocks, no dictionary, correct checksums, one frame.
//!
//! ```text
//! 04 22 4D 18 | FLG | BD | [content size u64] | HC | (length u32, block, [xxh32])* | 0 u32 | [xxh32]
//! FLG  version 01, independent, block checksums, content size, content checksum, 0, dictionary
//! BD   0, block size 4 to 7 (64 KiB to 4 MiB), 0000
//! HC   second byte of xxh32 over FLG up to here
//! ```
//!
//! The frame is read here, and only its blocks by lz4_flex: its own frame reader takes up to 12 MiB for a
//! header that says so, reads linked blocks and the legacy format, which the Java client refuses (so that
//! they would be poison), and cannot write into our buffer.

use super::output::{Fault, Output};
use lz4_flex::block::{DecompressError, decompress_into};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use std::io::Write;
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// In a block's length: it lies there uncompressed.
const STORED: u32 = 1 << 31;
/// A length byte adds at most 255, so that no block grows more than this.
const RATIO_MAX: usize = 255;

/// What a frame's header says.
struct Descriptor {
    block_bytes_max: usize,
    has_block_checksums: bool,
    has_content_checksum: bool,
    content_bytes: Option<u64>,
}

pub(super) fn decompress(input: &[u8], output: &mut Output) -> Result<(), Fault> {
    let mut rest = input;
    let descriptor = read_descriptor(&mut rest)?;
    loop {
        let length = read_u32(&mut rest)?;
        if length == 0 {
            break;
        }
        let bytes = usize::try_from(length & !STORED).map_err(|_| Fault::Undecodable)?;
        if bytes > descriptor.block_bytes_max {
            return Err(Fault::Undecodable);
        }
        let block = take(&mut rest, bytes)?;
        if descriptor.has_block_checksums {
            check(read_u32(&mut rest)?, block)?;
        }
        let block_bytes_max = descriptor.block_bytes_max;
        if length & STORED == 0 {
            decompress_block(block, block_bytes_max, output)?
        } else {
            store(block, output)?
        }
    }
    if descriptor.has_content_checksum {
        check(read_u32(&mut rest)?, output.filled())?;
    }
    let content_bytes = output.filled().len() as u64;
    let is_whole = descriptor.content_bytes.is_none_or(|claimed| claimed == content_bytes);
    if is_whole && rest.is_empty() { Ok(()) } else { Err(Fault::Undecodable) }
}

pub(super) fn compress(plain: &[u8]) -> Vec<u8> {
    let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(plain).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

fn read_descriptor(rest: &mut &[u8]) -> Result<Descriptor, Fault> {
    if take(rest, MAGIC.len())? != MAGIC {
        return Err(Fault::Undecodable);
    }
    let start = *rest;
    let [flags, block_size] = *take(rest, 2)? else { return Err(Fault::Undecodable) };
    // Version 1, independent blocks, reserved bit clear, no dictionary.
    if flags & 0b1110_0011 != 0b0110_0000 || block_size & 0b1000_1111 != 0 {
        return Err(Fault::Undecodable);
    }
    let block_bytes_max = match block_size >> 4 {
        4 => 64 * 1024,
        5 => 256 * 1024,
        6 => 1024 * 1024,
        7 => 4 * 1024 * 1024,
        _ => return Err(Fault::Undecodable),
    };
    let content_bytes = if flags & 0b1000 == 0 {
        None
    } else {
        let (low, high) = (read_u32(rest)?, read_u32(rest)?);
        Some(u64::from(low) | (u64::from(high) << 32))
    };
    let descriptor = &start[..start.len() - rest.len()];
    let [checksum] = *take(rest, 1)? else { return Err(Fault::Undecodable) };
    if XxHash32::oneshot(0, descriptor).to_le_bytes()[1] != checksum {
        return Err(Fault::Undecodable);
    }
    Ok(Descriptor {
        block_bytes_max,
        has_block_checksums: flags & 0b1_0000 != 0,
        has_content_checksum: flags & 0b100 != 0,
        content_bytes,
    })
}

fn decompress_block(block: &[u8], block_bytes_max: usize, output: &mut Output) -> Result<(), Fault> {
    let wanted = block_bytes_max.min(block.len().saturating_mul(RATIO_MAX));
    let room = output.room(wanted);
    let is_clipped = room.len() < wanted;
    match decompress_into(block, room) {
        Ok(count) => output.advance(count),
        Err(DecompressError::OutputTooSmall { .. }) if is_clipped => Err(Fault::Full),
        Err(_) => Err(Fault::Undecodable),
    }
}

fn store(block: &[u8], output: &mut Output) -> Result<(), Fault> {
    if block.len() > output.left() {
        return Err(Fault::Full);
    }
    output.room(block.len()).copy_from_slice(block);
    output.advance(block.len())
}

fn check(claimed: u32, bytes: &[u8]) -> Result<(), Fault> {
    if XxHash32::oneshot(0, bytes) == claimed { Ok(()) } else { Err(Fault::Undecodable) }
}

fn read_u32(rest: &mut &[u8]) -> Result<u32, Fault> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(Fault::Undecodable)?;
    *rest = behind;
    Ok(u32::from_le_bytes(*bytes))
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], Fault> {
    let (bytes, behind) = rest.split_at_checked(count).ok_or(Fault::Undecodable)?;
    *rest = behind;
    Ok(bytes)
}
