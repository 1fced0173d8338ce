//! Tests of the room: stories of one replica, each trap of raft-rs by its name, the guard against anything,
//! and seeded clusters under loss, duplication, delay, crash and slow disks, judged by the laws of Raft.

mod cluster;
mod guard;
mod judge;
mod late_acceptance;
mod laws;
mod single;
mod traps;

use super::{Ready, Recovered, Replica, Settings};
use crate::entry::{Entry, EntryKind, HardState, Members, Stamp};
use crate::ids::{Index, NodeId, ReplicaId, Term};
use crate::now::Wall;
use bytes::Bytes;
use rust_mq_proto::peer::raft::{RaftEntry, RaftKind, RaftMessage};

/// Room for any ready.
const ROOM: usize = 16 << 20;

/// Short timeouts: heartbeats every second tick, elections within 10 to 20.
fn settings(node: u64, seed: u64) -> Settings {
    let node = NodeId(i32::try_from(node).expect("tests have few nodes"));
    let base = Settings::new(node, seed, 7);
    Settings { heartbeat_ticks: 2, election_ticks_min: 10, election_ticks_max: 20, ..base }
}

fn voters(count: u64) -> Members {
    Members { voters: (1..=count).map(ReplicaId).collect(), learners: Vec::new() }
}

/// A replica `id` of `count` voters that has nothing yet.
fn fresh(id: u64, count: u64) -> Replica {
    let recovered = Recovered { members: voters(count), ..Recovered::default() };
    Replica::start(settings(id, 1), ReplicaId(id), recovered).expect("nothing to contradict")
}

/// A replica `id` of `count` voters whose log is one batch for each of `terms`, all durable, none applied.
fn with_log(id: u64, count: u64, terms: &[u64], commit: u64) -> Replica {
    let entries: Vec<Entry> =
        terms.iter().zip(1..).map(|(term, index)| entry(index, *term, "batch")).collect();
    let term = Term(terms.last().copied().unwrap_or(0));
    let hard_state = HardState { term, vote: ReplicaId::NOBODY, commit: Index(commit) };
    let recovered = Recovered { hard_state, members: voters(count), applied: Stamp::default(), entries };
    Replica::start(settings(id, 1), ReplicaId(id), recovered).expect("the log is sound")
}

/// A leader of one voter, its no-op applied.
fn lone_leader() -> Replica {
    let mut replica = fresh(1, 1);
    assert!(replica.campaign(), "the only voter wins at once");
    settle(&mut replica);
    replica
}

fn entry(index: u64, term: u64, payload: &'static str) -> Entry {
    Entry {
        index: Index(index),
        term: Term(term),
        kind: EntryKind::Batch,
        wall: Wall(0),
        payload: Bytes::from_static(payload.as_bytes()),
    }
}

/// Takes readies, makes them durable and applies them until there are none; returns what was said, in order.
fn settle(replica: &mut Replica) -> Vec<RaftMessage> {
    let mut said = Vec::new();
    while let Some(ready) = replica.take_ready(ROOM) {
        said.extend(finish(replica, ready));
    }
    said
}

/// Makes a ready durable and applies it; returns what was said.
fn finish(replica: &mut Replica, ready: Ready) -> Vec<RaftMessage> {
    let mut said = ready.messages;
    if ready.must_persist {
        said.extend(replica.persisted(ready.number));
    }
    if let Some(last) = ready.committed.last() {
        replica.applied(last.index);
    }
    said
}

fn message(kind: RaftKind, from: u64, to: u64, term: u64) -> RaftMessage {
    RaftMessage { kind: kind as i32, from, to, term, ..RaftMessage::default() }
}

/// An append of `from` in `term` of one batch for each of `terms`, after (`index`, `log_term`).
fn append(from: u64, to: u64, term: u64, (index, log_term): (u64, u64), terms: &[u64]) -> RaftMessage {
    let batch = |term: &u64| RaftEntry {
        term: *term,
        kind: EntryKind::Batch as u32,
        wall: 0,
        payload: Bytes::from_static(b"batch"),
    };
    let entries = terms.iter().map(batch).collect();
    RaftMessage { index, log_term, entries, ..message(RaftKind::Append, from, to, term) }
}

fn kinds(messages: &[RaftMessage]) -> Vec<RaftKind> {
    messages.iter().map(RaftMessage::kind).collect()
}

/// Replica 1 of three, elected in term 1 by replica 2, its no-op durable here and not yet committed.
fn leader_of_three() -> Replica {
    let mut leader = fresh(1, 3);
    assert!(leader.campaign(), "nothing is unsynced");
    settle(&mut leader);
    for kind in [RaftKind::PreVoteResponse, RaftKind::VoteResponse] {
        leader.step(message(kind, 2, 1, 1)).expect("a vote for us");
        settle(&mut leader);
    }
    assert!(leader.is_leader(), "two of three votes");
    leader
}
