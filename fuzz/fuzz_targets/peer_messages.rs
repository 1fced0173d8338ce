//! What a peer says: as bytes, before anyone asks what they mean, and to a whole node that has accepted the peer.
//!
//! ```text
//! the bytes as one message     read, written in parts and read again: the same message
//! the bytes as a script        steps, a byte each and what follows it: any body with numbers from a small stock, so
//!                              that terms, replicas and offsets often fit; raw bytes; answers to what the node asks
//! ```
//!
//! Laws: no more entries than the bound; the process goes on and comes to rest, and no committed record is gone. Memory
//! is bounded by the counts that are taken first; the fuzzer's `-malloc_limit_mb` watches.
//!
//! One thing a leader can do, and is not counted: to say that it knows of entries here that are not here (`replica/guard`'s
//! lost tail) retires the replica, and without its metadata replica a node is none.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
#[path = "../stage/mod.rs"]
mod stage;

use crate::stage::company::{Company, PARTITION, RECORDS, TERM, TOPIC, batch, fetch};
use crate::stage::script::Script;
use bytes::{Bytes, BytesMut};
use rust_mq_core::ids::Offset;
use rust_mq_core::level::Levels;
use rust_mq_core::link::LaneKind;
use rust_mq_core::now::Wall;
use rust_mq_core::partition::LogState;
use rust_mq_proto::peer::codec::{parse, raft_parts};
use rust_mq_proto::peer::message::{
    Alive, CatchUp, Fetch, Fetched, Forward, Leader, PROTOCOL_NEWEST, PeerBody, Snapshot, SnapshotWanted,
};
use rust_mq_proto::peer::raft::{ENTRIES_MAX, RaftEntry, RaftMessage};
use std::time::Duration;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Steps of one script: longer ones find nothing that shorter ones do not, only later.
const STEPS_MAX: usize = 60;

/// Reads the bytes as a message, and plays them as a script.
pub fn run(bytes: &[u8]) {
    read(bytes);
    play(bytes);
}

/// Reads one message, and what we make of it once more.
fn read(bytes: &[u8]) {
    let Ok(body) = parse(Bytes::copy_from_slice(bytes), PROTOCOL_NEWEST) else { return };
    assert_eq!(
        joined(body.clone().into_parts(PROTOCOL_NEWEST)).as_ref(),
        Some(&body),
        "a body changed on its way"
    );
    let PeerBody::Raft(raft) = body else { return };
    let Ok(messages) = raft.parse() else { return };
    let entries: usize = messages.iter().map(|message| message.entries.len()).sum();
    assert!(entries <= ENTRIES_MAX, "{entries} entries were let in");
    assert_eq!(
        raft_messages(raft_parts(&messages, PROTOCOL_NEWEST)).as_ref(),
        Some(&messages),
        "Raft messages changed on their way"
    );
}

fn joined(parts: Vec<Bytes>) -> Option<PeerBody> {
    parse(parts.concat().into(), PROTOCOL_NEWEST).ok()
}

fn raft_messages(parts: Vec<Bytes>) -> Option<Vec<RaftMessage>> {
    match joined(parts)? {
        PeerBody::Raft(raft) => raft.parse().ok(),
        _ => None,
    }
}

fn play(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let mut company = Company::member();
    for _ in 0..STEPS_MAX {
        if script.is_over() || company.stage.is_halted() {
            break;
        }
        step(&mut company, &mut script);
    }
    assert!(company.settle(), "a node without input comes to rest");
    if !company.stage.is_replica_dead() {
        assert!(!company.stage.is_halted(), "a peer has ended the process");
        assert!(company.log_end() >= RECORDS, "a peer has taken committed records away");
    }
}

fn step(company: &mut Company, script: &mut Script<'_>) {
    let node = if script.byte().is_multiple_of(4) { 2 } else { 1 };
    let bulk = LaneKind::Bulk;
    match script.byte() % 10 {
        0 | 1 => company.say_raft(node, script.raft()),
        2 => {
            let lane = if script.byte().is_multiple_of(2) { LaneKind::Raft } else { bulk };
            let length = usize::from(script.byte());
            company.say_bytes(node, lane, script.take(length));
            company.settle();
        }
        3 => drop(company.say(node, bulk, PeerBody::CatchUp(script.catch_up()))),
        4 => answer(company, node, script),
        5 => {
            let said = Fetch { from: script.offset(), max_bytes: script.number() as u32, ..fetch() };
            company.say(node, bulk, PeerBody::Fetch(said));
        }
        6 => {
            let (replica, log_end) = (script.replica(), script.offset());
            let topic = Bytes::copy_from_slice(&TOPIC.0);
            let said = SnapshotWanted { id: 1, replica, topic, partition: 0, log_end };
            company.say(node, bulk, PeerBody::SnapshotWanted(said));
        }
        7 => {
            let length = usize::from(script.byte());
            let request = Bytes::copy_from_slice(script.take(length));
            company.say(node, bulk, PeerBody::Forward(Forward { id: 1, request }));
        }
        8 => {
            let topic = Bytes::copy_from_slice(&TOPIC.0);
            let leader = Leader {
                topic,
                partition: 0,
                term: script.term(),
                node: i32::from(script.byte() % 5),
                lagging: (0..script.byte() % 4).map(|_| i32::from(script.byte() % 5)).collect(),
            };
            let said = Alive {
                leaders: vec![leader],
                hears: (0..script.byte() % 4).map(|_| i32::from(script.byte() % 5)).collect(),
                metadata_end: script.number(),
                is_reluctant: script.byte().is_multiple_of(2),
            };
            company.say(node, LaneKind::Raft, PeerBody::Alive(said));
        }
        _ => company.pass(Duration::from_millis(u64::from(script.byte()) * 40)),
    }
}

/// Answers what the node has asked that peer.
fn answer(company: &mut Company, node: i32, script: &mut Script<'_>) {
    for body in company.heard(node, LaneKind::Bulk) {
        let said = match body {
            PeerBody::Fetch(asked) => {
                let chunks = (0..script.byte() % 3).map(|_| batch(script.offset())).collect();
                let (log_end, high_watermark) = (script.offset(), script.offset());
                PeerBody::Fetched(Fetched { id: asked.id, error: 0, log_end, high_watermark, chunks })
            }
            PeerBody::SnapshotWanted(asked) => PeerBody::Snapshot(script.snapshot(asked.id)),
            _ => continue,
        };
        company.say(node, LaneKind::Bulk, said);
    }
}

/// What a peer may say, drawn from the script.
impl Script<'_> {
    /// Mostly small, sometimes where numbers end.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => 1 << 62,
            253 => i64::MAX as u64,
            252 => u64::from(u32::MAX),
            251 => i32::MAX as u64,
            250 => 1 << 24,
            small => u64::from(small % 24),
        }
    }

    fn offset(&mut self) -> i64 {
        self.number() as i64
    }

    fn term(&mut self) -> u64 {
        if self.byte().is_multiple_of(2) { TERM } else { self.number() }
    }

    fn replica(&mut self) -> u64 {
        let base = if self.byte().is_multiple_of(3) { 0 } else { PARTITION };
        base + u64::from(self.byte() % 5)
    }

    fn payload(&mut self) -> Bytes {
        match self.byte() % 4 {
            0 => Bytes::new(),
            1 => {
                let length = usize::from(self.byte());
                Bytes::copy_from_slice(self.take(length))
            }
            _ => batch(self.offset()),
        }
    }

    fn raft(&mut self) -> RaftMessage {
        let entries = self.byte() % 4;
        RaftMessage {
            kind: i32::from(self.byte() % 12),
            to: self.replica(),
            from: self.replica(),
            term: self.term(),
            log_term: self.term(),
            index: self.number(),
            commit: self.number(),
            commit_term: self.number(),
            reject: self.byte().is_multiple_of(2),
            reject_hint: self.number(),
            read: (self.byte().is_multiple_of(2)).then_some(7),
            transfer: self.byte().is_multiple_of(2),
            entries: (0..entries)
                .map(|_| RaftEntry {
                    term: self.term(),
                    kind: u32::from(self.byte() % 5),
                    wall: self.offset(),
                    payload: self.payload(),
                })
                .collect(),
        }
    }

    fn catch_up(&mut self) -> CatchUp {
        CatchUp {
            replica: self.replica(),
            topic: Bytes::copy_from_slice(&TOPIC.0),
            partition: 0,
            term: self.term(),
            log_start: self.offset(),
            high_watermark: self.offset(),
        }
    }

    fn snapshot(&mut self, id: u64) -> Snapshot {
        let (log_start, segment_end) = (self.offset(), self.offset());
        let (start, end) = if self.byte().is_multiple_of(2) {
            (log_start, segment_end)
        } else {
            (self.offset(), self.offset())
        };
        let state = LogState { start: Offset(start), end: Offset(end), wall: Wall(0), ..LogState::default() };
        let mut bytes = BytesMut::new();
        state.encode(Levels::BUILD.newest, &mut bytes);
        Snapshot {
            id,
            error: i32::from(self.byte() % 8 == 7),
            replica: self.replica(),
            index: self.number(),
            term: self.term(),
            voters: (1..=3).map(|voter| PARTITION + voter).collect(),
            learners: Vec::new(),
            log_start,
            segment_end,
            state: bytes.freeze(),
            wall: self.offset(),
        }
    }
}
