//! Zstandard frames (RFC 8878) without dictionary.
//!
//! Decompressed in one call into the buffer and never as a stream: a stream's window is allocated as the
//! frame says, up to 128 MiB, while one call uses the output itself as its window. A frame need not say its
//! length (Java's do not); then the buffer grows in steps and the call is made again.

use super::output::{Fault, Output};
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{DCtx, get_frame_content_size};

/// What the length of a frame is taken for at least, if it does not say.
const GUESS_BYTES: usize = 64 * 1024;
/// A repeated byte makes a block of 128 KiB out of 4 bytes, so that no frame grows more than this.
const RATIO_MAX: usize = 128 * 1024 / 4;
/// What the Java client uses unless told otherwise.
const LEVEL: i32 = 3;
/// zstd returns its error numbers negated, as a size.
const OUTPUT_TOO_SMALL: usize = (ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall as usize).wrapping_neg();

/// zstd's own tables (160 KiB), made at the first use.
#[derive(Default)]
pub(super) struct Context(Option<DCtx<'static>>);

impl Context {
    pub(super) fn decompress(&mut self, input: &[u8], output: &mut Output) -> Result<(), Fault> {
        let context = self.0.get_or_insert_with(DCtx::create);
        let claimed = get_frame_content_size(input).map_err(|_| Fault::Undecodable)?;
        let claimed = usize::try_from(claimed.unwrap_or(0)).map_err(|_| Fault::Full)?;
        if claimed > input.len().saturating_mul(RATIO_MAX) {
            return Err(Fault::Undecodable);
        }
        if claimed > output.left() {
            return Err(Fault::Full);
        }
        let guess = if claimed > 0 { claimed } else { input.len().saturating_mul(4).max(GUESS_BYTES) };
        let mut wanted = guess.max(output.warm());
        loop {
            let left = output.left();
            let room = output.room(wanted);
            let is_all = room.len() > left;
            match context.decompress(room, input) {
                Ok(count) => return output.advance(count),
                Err(OUTPUT_TOO_SMALL) if is_all => return Err(Fault::Full),
                Err(OUTPUT_TOO_SMALL) => wanted = wanted.saturating_mul(4),
                Err(_) => return Err(Fault::Undecodable),
            }
        }
    }
}

pub(super) fn compress(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, LEVEL).expect("compressing in memory cannot fail")
}
