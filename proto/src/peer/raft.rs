//! A Raft message between two members of one partition, as it stands on the wire. Our own schema: raft-rs's
//! protobuf 2 recurses without a bound, so it never decodes a byte from the network.
//!
//! Owns the shape and its bounds only. What a message may say is judged by the core's `replica/`, which
//! refuses what raft-rs would panic on.
//!
//! Two things cannot be said at all: entries are contiguous by construction (an entry carries no index, the
//! first is the one after `index`), and there is no snapshot (a replica that is behind fetches, and restores
//! locally).
//!
//! Invariant: payload bytes of a decoded message are slices of the buffer it was decoded from, not copies.
//! Invariant: memory taken by `decode` <= bytes of the message + 64 bytes * `ENTRIES_MAX`.
//!
//! Not here: packing the messages of many partitions into one, the hello, lanes (`peer`).
//! Sources: Raft paper figure 2 and section 3.10 of the thesis (leadership transfer); raft-rs's eraftpb.

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

/// Entries one message may hold. Source: an append of 1 MiB cannot hold as many; an empty entry takes two
/// bytes on the wire and 64 in memory, so the wire's length alone bounds nothing.
/// At the edge: the message is malformed.
pub const ENTRIES_MAX: usize = 1 << 17;

/// What a message asks or answers. Raft's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum RaftKind {
    /// None of the below: a newer version's, refused.
    Unknown = 0,
    /// Entries after (`index`, `log_term`), and the leader's commit.
    Append = 1,
    /// The follower's log agrees up to `index`, or (`reject`) does not; then try at `reject_hint`.
    AppendResponse = 2,
    /// A candidate with the log end (`index`, `log_term`) asks for the vote of `term`.
    Vote = 3,
    /// The vote, granted or not.
    VoteResponse = 4,
    /// Would you vote for me in `term`?
    PreVote = 5,
    /// I would, or not.
    PreVoteResponse = 6,
    /// The leader lives; `commit` is no higher than what the follower has acknowledged.
    Heartbeat = 7,
    /// The follower lives, and hears this leader.
    HeartbeatResponse = 8,
    /// The leader asks a voter to stand for election at once: leadership transfer.
    TimeoutNow = 9,
    /// A voter asks its leader for the leadership.
    TransferWanted = 10,
}

/// One message from one member of a partition to another. Ids are the members' `ReplicaId`s.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RaftMessage {
    /// A [`RaftKind`].
    #[prost(enumeration = "RaftKind", tag = "1")]
    pub kind: i32,
    /// Whom it is for.
    #[prost(uint64, tag = "2")]
    pub to: u64,
    /// Who says it.
    #[prost(uint64, tag = "3")]
    pub from: u64,
    /// The sender's term; in a pre-vote the one it would campaign for.
    #[prost(uint64, tag = "4")]
    pub term: u64,
    /// Term of the entry at `index`; in a rejected append, of the one at `reject_hint`.
    #[prost(uint64, tag = "5")]
    pub log_term: u64,
    /// The entry before the first of `entries`; the log's end in a vote; what is agreed in an answer.
    #[prost(uint64, tag = "6")]
    pub index: u64,
    /// The sender's commit index.
    #[prost(uint64, tag = "7")]
    pub commit: u64,
    /// Term of the entry at `commit`, in votes and their answers.
    #[prost(uint64, tag = "8")]
    pub commit_term: u64,
    /// The answer is no.
    #[prost(bool, tag = "9")]
    pub reject: bool,
    /// Where a leader should try next, with `reject`.
    #[prost(uint64, tag = "10")]
    pub reject_hint: u64,
    /// Which linearizable read a heartbeat confirms, carried back by its answer.
    #[prost(uint64, optional, tag = "11")]
    pub read: Option<u64>,
    /// A vote that was asked for by `TimeoutNow`: it may break the old leader's lease.
    #[prost(bool, tag = "12")]
    pub transfer: bool,
    /// The entries at `index + 1`, `index + 2` and so on.
    #[prost(message, repeated, tag = "13")]
    pub entries: Vec<RaftEntry>,
}

/// One entry of a Raft log; its index is its place in the message.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct RaftEntry {
    /// The term it was proposed in.
    #[prost(uint64, tag = "1")]
    pub term: u64,
    /// What the payload is; the core's `EntryKind`.
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    /// The proposing leader's wall clock, milliseconds since 1970.
    #[prost(sint64, tag = "3")]
    pub wall: i64,
    /// One record batch, or the commands of one decision.
    #[prost(bytes = "bytes", tag = "4")]
    pub payload: Bytes,
}

/// Bytes that are no Raft message of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not the schema.
    #[error("not a raft message: {0}")]
    Schema(prost::DecodeError),
    /// More than [`ENTRIES_MAX`] entries.
    #[error("a raft message of {0} entries")]
    Entries(usize),
}

impl RaftMessage {
    /// The message that `bytes` are, all of them. Payloads share `bytes`' memory.
    pub fn parse(bytes: Bytes) -> Result<RaftMessage, Malformed> {
        let entries = count_entries(&bytes).map_err(Malformed::Schema)?;
        if entries > ENTRIES_MAX {
            return Err(Malformed::Entries(entries));
        }
        RaftMessage::decode(bytes).map_err(Malformed::Schema)
    }
}

/// Walks the top level of the message without building anything.
fn count_entries(mut bytes: &[u8]) -> Result<usize, prost::DecodeError> {
    const ENTRIES_TAG: u32 = 13;
    let mut entries = 0;
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes)?;
        skip_field(wire_type, tag, &mut bytes, DecodeContext::default())?;
        entries += usize::from(tag == ENTRIES_TAG);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop};
    use proptest::{prop_assert_eq, proptest};

    fn append(payloads: &[&'static [u8]]) -> RaftMessage {
        let entries = payloads
            .iter()
            .map(|payload| RaftEntry { term: 7, kind: 1, wall: -5, payload: Bytes::from_static(payload) })
            .collect();
        RaftMessage { to: 1, from: 2, term: 7, index: 9, entries, ..RaftMessage::default() }
    }

    #[test]
    fn a_payload_shares_the_received_buffer() {
        let bytes = Bytes::from(append(&[b"first batch", b"second batch"]).encode_to_vec());
        let memory = bytes.as_ptr_range();
        let message = RaftMessage::parse(bytes.clone()).expect("it was encoded just now");
        for entry in &message.entries {
            assert!(memory.contains(&entry.payload.as_ptr()), "the payload was copied");
        }
    }

    #[test]
    fn more_entries_than_the_bound_are_malformed_before_they_take_memory() {
        let bytes = [(13 << 3) | 2, 0].repeat(ENTRIES_MAX + 1);
        assert_eq!(RaftMessage::parse(Bytes::from(bytes)), Err(Malformed::Entries(ENTRIES_MAX + 1)));
    }

    #[test]
    fn a_cut_message_is_malformed() {
        let whole = append(&[b"batch"]).encode_to_vec();
        for length in 1..whole.len() {
            // A cut between two fields is a shorter message; the outer framing knows the true length.
            let cut = RaftMessage::parse(Bytes::copy_from_slice(&whole[..length]));
            assert_ne!(cut, Ok(append(&[b"batch"])));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_are_malformed(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = RaftMessage::parse(Bytes::from(bytes));
        }

        #[test]
        fn what_is_encoded_is_decoded(
            numbers in any::<[u64; 8]>(),
            kind in 0..10_i32,
            flags in any::<(bool, bool)>(),
            read in any::<Option<u64>>(),
            payloads in prop::collection::vec((any::<u64>(), any::<u32>(), any::<i64>(), any::<Vec<u8>>()), 0..4),
        ) {
            let [to, from, term, log_term, index, commit, commit_term, reject_hint] = numbers;
            let (reject, transfer) = flags;
            let entries = payloads
                .into_iter()
                .map(|(term, kind, wall, payload)| RaftEntry { term, kind, wall, payload: payload.into() })
                .collect();
            let message = RaftMessage {
                kind, to, from, term, log_term, index, commit, commit_term, reject, reject_hint, read, transfer,
                entries,
            };
            prop_assert_eq!(RaftMessage::parse(message.encode_to_vec().into()), Ok(message));
        }
    }
}
