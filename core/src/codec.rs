//! How our own state becomes bytes: commands, machines' states, requests that travel between nodes.
//! bincode 2 behind a version byte and a size limit. Never on the client edge, which is Kafka's wire language.
//!
//! Invariant: decoding takes no more memory than [`BYTES_MAX`], whatever the bytes say.

use crate::machine::Undecodable;
use bincode::enc::write::SizeWriter;
use bytes::{BufMut, Bytes, BytesMut};

/// Largest thing this codec reads, bytes. A metadata state of 20,000 partitions takes about 2 MiB.
pub const BYTES_MAX: usize = 64 << 20;

/// The version this node writes. A reader refuses what it does not know; it never skips.
const VERSION: u8 = 1;

/// `value` with the version byte before it, appended to `into`.
pub fn encode_into<T: bincode::Encode>(value: &T, into: &mut BytesMut) {
    into.put_u8(VERSION);
    append(value, into);
}

/// `value` without the version byte, appended to `into`: a part of something that has one.
pub fn append<T: bincode::Encode>(value: &T, into: &mut BytesMut) {
    let mut writer = into.writer();
    bincode::encode_into_std_write(value, &mut writer, bincode::config::standard())
        .expect("writing into memory cannot fail and our own types have no unencodable value");
}

/// What `append` wrote at the beginning of `bytes`, and how many of them it took; `what` names the shape for the error.
pub fn take<T: bincode::Decode<()>>(bytes: &[u8], what: &'static str) -> Result<(T, usize), Undecodable> {
    let config = bincode::config::standard().with_limit::<BYTES_MAX>();
    bincode::decode_from_slice(bytes, config).map_err(|error| Undecodable { what, reason: error.to_string() })
}

/// `value` as bytes of its own.
pub fn encode<T: bincode::Encode>(value: &T) -> Bytes {
    let mut bytes = BytesMut::new();
    encode_into(value, &mut bytes);
    bytes.freeze()
}

/// How many bytes `value` takes, without the version byte.
pub fn encoded_bytes<T: bincode::Encode>(value: &T) -> usize {
    let mut writer = SizeWriter::default();
    bincode::encode_into_writer(value, &mut writer, bincode::config::standard())
        .expect("counting cannot fail and our own types have no unencodable value");
    writer.bytes_written
}

/// What `encode` wrote; `what` names the shape for the error. Trailing bytes are refused.
pub fn decode<T: bincode::Decode<()>>(bytes: &[u8], what: &'static str) -> Result<T, Undecodable> {
    let fail = |reason: String| Undecodable { what, reason };
    match bytes.split_first() {
        None => Err(fail("it is empty".into())),
        Some((&VERSION, body)) => {
            let config = bincode::config::standard().with_limit::<BYTES_MAX>();
            let (value, taken) =
                bincode::decode_from_slice(body, config).map_err(|error| fail(error.to_string()))?;
            if taken != body.len() {
                return Err(fail(format!("{} bytes follow its end", body.len() - taken)));
            }
            Ok(value)
        }
        Some((version, _)) => Err(fail(format!("version {version} is newer than this node"))),
    }
}
