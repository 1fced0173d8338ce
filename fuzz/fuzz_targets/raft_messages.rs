//! A Raft message from a peer, before anyone asks whether it may be stepped.
//!
//! Laws: no more entries than the bound, and no more payload than there were bytes.

#![cfg_attr(fuzzing, no_main)]

use bytes::Bytes;
use rust_mq_proto::peer::raft::{ENTRIES_MAX, RaftMessage};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Reads one message.
pub fn run(bytes: &[u8]) {
    let Ok(message) = RaftMessage::parse(Bytes::copy_from_slice(bytes)) else { return };
    assert!(message.entries.len() <= ENTRIES_MAX, "{} entries were let in", message.entries.len());
    let payload: usize = message.entries.iter().map(|entry| entry.payload.len()).sum();
    assert!(payload <= bytes.len(), "{payload} bytes of payload out of {}", bytes.len());
}
