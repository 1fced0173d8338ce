//! An entry of the log in raft-rs's form and in ours.
//!
//! raft-rs knows an opaque payload (`data`) and an opaque `context`. Ours holds the entry's kind and its wall
//! time: one byte and eight, little endian. Both are `Bytes`: nothing here copies a payload.
//!
//! The one entry that raft-rs writes itself, a new leader's first, has no context. It becomes a `NoOp` with
//! the wall time of the entry before it when the window takes it in, so that the time in the log never falls.
//!
//! Invariant: an entry in the window has a context of nine bytes that parses.

use crate::entry::{Entry, EntryKind, Stamp};
use crate::ids::{Index, Term};
use crate::limits;
use crate::now::Wall;
use bytes::Bytes;
use raft::eraftpb;

/// The context of an entry of ours.
pub(super) fn context(kind: EntryKind, wall: Wall) -> Bytes {
    let mut bytes = [0; 9];
    bytes[0] = kind as u8;
    bytes[1..].copy_from_slice(&wall.0.to_le_bytes());
    Bytes::copy_from_slice(&bytes)
}

/// What a context says; `None` for raft-rs's own entry, which has none.
pub(super) fn parse_context(context: &[u8]) -> Option<(EntryKind, Wall)> {
    let (kind, wall) = context.split_first()?;
    let wall = wall.try_into().expect("contexts are written by `context` alone: nine bytes");
    let kind = EntryKind::parse(*kind).expect("contexts are written by `context` alone: a known kind");
    Some((kind, Wall(i64::from_le_bytes(wall))))
}

/// An entry in raft-rs's form; on a proposal raft-rs gives it its index and term.
pub(super) fn to_raft(index: Index, term: Term, context: Bytes, payload: Bytes) -> eraftpb::Entry {
    eraftpb::Entry { index: index.0, term: term.0, context, data: payload, ..eraftpb::Entry::default() }
}

/// An entry of the window in our form; the payload is shared.
pub(super) fn from_raft(raft: &eraftpb::Entry) -> Entry {
    let (kind, wall) = parse_context(&raft.context).expect("the window gave every entry a context");
    Entry { index: Index(raft.index), term: Term(raft.term), kind, wall, payload: raft.data.clone() }
}

/// The payload of an entry, if it is a record batch.
pub(super) fn batch(raft: &eraftpb::Entry) -> Option<&[u8]> {
    let (kind, _) = parse_context(&raft.context)?;
    (kind == EntryKind::Batch).then_some(&raft.data[..])
}

/// Where and when an entry of the window stands.
pub(super) fn stamp(raft: &eraftpb::Entry) -> Stamp {
    let (_, wall) = parse_context(&raft.context).expect("the window gave every entry a context");
    Stamp { index: Index(raft.index), term: Term(raft.term), wall }
}

/// What an entry weighs in memory and in a journal frame, as all bounds of this room count it.
pub(super) fn weight(payload: &Bytes) -> usize {
    payload.len() + limits::ENTRY_ITEM_BYTES
}
