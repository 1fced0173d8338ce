//! gzip (RFC 1952): one member or several, nothing behind the last.

use super::output::{Fault, Output};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// Steps in which a cold buffer grows.
const STEP_BYTES: usize = 32 * 1024;

pub(super) fn decompress(input: &[u8], output: &mut Output) -> Result<(), Fault> {
    let mut decoder = MultiGzDecoder::new(input);
    loop {
        let wanted = output.warm().max(STEP_BYTES);
        // Never empty: a full output still has its one byte beyond the cap.
        let count = decoder.read(output.room(wanted)).map_err(|_| Fault::Undecodable)?;
        if count == 0 {
            return Ok(());
        }
        output.advance(count)?;
    }
}

pub(super) fn compress(plain: &[u8]) -> Vec<u8> {
    // The header's time is 0 unless set, so that equal records give equal bytes.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}
