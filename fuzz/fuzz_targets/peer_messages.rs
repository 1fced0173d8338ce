//! A message from a peer, before anyone asks what it means: any body, and the Raft messages within one.
//!
//! Laws: a message that was read, written in parts and read again is the same message; no more entries than
//! the bound. Memory is bounded by the counts that are taken first; the fuzzer's `-malloc_limit_mb` watches.

#![cfg_attr(fuzzing, no_main)]

use bytes::Bytes;
use rust_mq_proto::peer::codec::{parse, raft_parts};
use rust_mq_proto::peer::message::PeerBody;
use rust_mq_proto::peer::raft::{ENTRIES_MAX, RaftMessage};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Reads one message, and what we make of it once more.
pub fn run(bytes: &[u8]) {
    let Ok(body) = parse(Bytes::copy_from_slice(bytes)) else { return };
    assert_eq!(joined(body.clone().into_parts()).as_ref(), Some(&body), "a body changed on its way");
    let PeerBody::Raft(raft) = body else { return };
    let Ok(messages) = raft.parse() else { return };
    let entries: usize = messages.iter().map(|message| message.entries.len()).sum();
    assert!(entries <= ENTRIES_MAX, "{entries} entries were let in");
    assert_eq!(
        raft_messages(raft_parts(&messages)).as_ref(),
        Some(&messages),
        "Raft messages changed on their way"
    );
}

fn joined(parts: Vec<Bytes>) -> Option<PeerBody> {
    parse(parts.concat().into()).ok()
}

fn raft_messages(parts: Vec<Bytes>) -> Option<Vec<RaftMessage>> {
    match joined(parts)? {
        PeerBody::Raft(raft) => raft.parse().ok(),
        _ => None,
    }
}
