//! Messages in raft-rs's form and on the wire (`rust_mq_proto::peer::raft`).
//!
//! Inwards only what the guard has admitted comes here. Outwards, appends of one turn to one follower that
//! follow each other become one message: raft-rs makes one per proposal, and each would cost the follower an
//! answer. (Its own `batch_append` joins without a bound.)
//!
//! Invariant: a joined append's entries weigh at most `append_bytes_max`, and number at most `ENTRIES_MAX`.

use super::log_entry;
use super::window::Window;
use crate::entry::EntryKind;
use crate::ids::{Index, Term};
use crate::now::Wall;
use bytes::Bytes;
use raft::eraftpb::{self, MessageType};
use rust_mq_proto::peer::raft::{ENTRIES_MAX, RaftEntry, RaftKind, RaftMessage};

/// raft-rs's form of a message that the guard has admitted.
pub(super) fn to_raft(message: RaftMessage) -> eraftpb::Message {
    let context = match message.read {
        Some(read) => Bytes::copy_from_slice(&read.to_le_bytes()),
        None if message.transfer => Bytes::from_static(raft::CAMPAIGN_TRANSFER),
        None => Bytes::new(),
    };
    let mut raft = eraftpb::Message {
        msg_type: to_raft_type(message.kind()),
        to: message.to,
        from: message.from,
        term: message.term,
        log_term: message.log_term,
        index: message.index,
        commit: message.commit,
        commit_term: message.commit_term,
        reject: message.reject,
        reject_hint: message.reject_hint,
        context,
        ..eraftpb::Message::default()
    };
    let entries = message.entries.into_iter().zip(message.index + 1..);
    raft.set_entries(entries.map(|(entry, index)| entry_to_raft(entry, index)).collect::<Vec<_>>().into());
    raft
}

/// The wire's form of what raft-rs wants to say, with appends joined.
pub(super) fn from_raft(
    messages: Vec<eraftpb::Message>,
    window: &Window,
    append_bytes_max: usize,
) -> Vec<RaftMessage> {
    let mut joined = Vec::with_capacity(messages.len());
    // The weight of each of `joined`: summed anew at every step, a thousand proposals would cost a million.
    let mut weights: Vec<usize> = Vec::with_capacity(messages.len());
    for message in messages {
        let message = message_from_raft(message, window);
        let weight = weight(&message);
        let earlier = joined.iter().rposition(|earlier| is_append(earlier) && earlier.to == message.to);
        match earlier {
            Some(at) if weights[at] + weight <= append_bytes_max && follows(&joined[at], &message) => {
                joined[at].commit = message.commit;
                joined[at].entries.extend(message.entries);
                weights[at] += weight;
            }
            _ => {
                joined.push(message);
                weights.push(weight);
            }
        }
    }
    joined
}

/// What the entries of an append weigh, as every bound of this room counts it.
pub(super) fn weight(message: &RaftMessage) -> usize {
    message.entries.iter().map(|entry| log_entry::weight(&entry.payload)).sum()
}

fn message_from_raft(mut raft: eraftpb::Message, window: &Window) -> RaftMessage {
    let read = raft.context.as_ref().try_into().ok().map(u64::from_le_bytes);
    RaftMessage {
        kind: from_raft_type(raft.get_msg_type()) as i32,
        to: raft.to,
        from: raft.from,
        term: raft.term,
        log_term: raft.log_term,
        index: raft.index,
        commit: raft.commit,
        commit_term: raft.commit_term,
        reject: raft.reject,
        reject_hint: raft.reject_hint,
        read,
        transfer: raft.context == raft::CAMPAIGN_TRANSFER,
        entries: raft.take_entries().into_iter().map(|entry| entry_from_raft(entry, window)).collect(),
    }
}

fn is_append(message: &RaftMessage) -> bool {
    message.kind() == RaftKind::Append
}

/// Whether `next` is an append that begins where `earlier` ends.
fn follows(earlier: &RaftMessage, next: &RaftMessage) -> bool {
    is_append(next)
        && next.term == earlier.term
        && next.index == earlier.index + earlier.entries.len() as u64
        && next.commit >= earlier.commit
        && earlier.entries.last().is_none_or(|last| last.term == next.log_term)
        && earlier.entries.len() + next.entries.len() <= ENTRIES_MAX
}

fn entry_to_raft(entry: RaftEntry, index: u64) -> eraftpb::Entry {
    let kind = u8::try_from(entry.kind).ok().and_then(EntryKind::parse);
    let kind = kind.expect("the guard admits known kinds only");
    let context = log_entry::context(kind, Wall(entry.wall));
    log_entry::to_raft(Index(index), Term(entry.term), context, entry.payload)
}

fn entry_from_raft(mut raft: eraftpb::Entry, window: &Window) -> RaftEntry {
    // raft-rs's own entry has no context yet if it leaves in the ready that it was made in; the window has
    // taken that ready in. It is gone from there only if this leader was deposed within the turn.
    let (kind, wall) = log_entry::parse_context(&raft.context).unwrap_or_else(|| {
        let wall = window.wall(Index(raft.index)).unwrap_or(window.last().wall);
        (EntryKind::NoOp, wall)
    });
    RaftEntry { term: raft.term, kind: u32::from(kind as u8), wall: wall.0, payload: raft.take_data() }
}

fn to_raft_type(kind: RaftKind) -> MessageType {
    match kind {
        RaftKind::Append => MessageType::MsgAppend,
        RaftKind::AppendResponse => MessageType::MsgAppendResponse,
        RaftKind::Vote => MessageType::MsgRequestVote,
        RaftKind::VoteResponse => MessageType::MsgRequestVoteResponse,
        RaftKind::PreVote => MessageType::MsgRequestPreVote,
        RaftKind::PreVoteResponse => MessageType::MsgRequestPreVoteResponse,
        RaftKind::Heartbeat => MessageType::MsgHeartbeat,
        RaftKind::HeartbeatResponse => MessageType::MsgHeartbeatResponse,
        RaftKind::TimeoutNow => MessageType::MsgTimeoutNow,
        RaftKind::TransferWanted => MessageType::MsgTransferLeader,
        RaftKind::Unknown => panic!("the guard admits known kinds only"),
    }
}

fn from_raft_type(kind: MessageType) -> RaftKind {
    match kind {
        MessageType::MsgAppend => RaftKind::Append,
        MessageType::MsgAppendResponse => RaftKind::AppendResponse,
        MessageType::MsgRequestVote => RaftKind::Vote,
        MessageType::MsgRequestVoteResponse => RaftKind::VoteResponse,
        MessageType::MsgRequestPreVote => RaftKind::PreVote,
        MessageType::MsgRequestPreVoteResponse => RaftKind::PreVoteResponse,
        MessageType::MsgHeartbeat => RaftKind::Heartbeat,
        MessageType::MsgHeartbeatResponse => RaftKind::HeartbeatResponse,
        MessageType::MsgTimeoutNow => RaftKind::TimeoutNow,
        MessageType::MsgTransferLeader => RaftKind::TransferWanted,
        other => panic!("raft-rs sends no {other:?}: no snapshots, no forwarded proposals or reads"),
    }
}
