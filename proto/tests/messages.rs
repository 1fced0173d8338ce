//! The bytes of every kind of message between nodes, in every version, as they were when it was made: they stay, and
//! every later build reads them.
//!
//! `proto/tests/golden/messages.txt` has a line each: kind, version, name, bytes. `RECORD=1 cargo test -p rust-mq-proto
//! --test messages` adds the lines of what is new; it changes none.

#![allow(clippy::disallowed_methods, reason = "the bytes are a file")]

use bytes::Bytes;
use rust_mq_proto::peer::codec::{parse, raft_parts};
use rust_mq_proto::peer::message::{
    Alive, CatchUp, Fetch, Fetched, Forward, Forwarded, Found, FoundMember, GREETING_VERSION, Hello, IAm,
    Leader, PROTOCOL_NEWEST, PROTOCOL_OLDEST, PeerBody, Proof, Raft, Refused, Snapshot, SnapshotWanted,
    Turned, WhoAreYou,
};
use rust_mq_proto::peer::raft::{RaftEntry, RaftKind, RaftMessage};
use std::collections::BTreeMap;
use std::fmt::Write;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/messages.txt");
const COMMAND: &str = "RECORD=1 cargo test -p rust-mq-proto --test messages";

/// By kind and version: what it is called, and its bytes.
type Recorded = BTreeMap<(u32, u8), (String, Vec<u8>)>;

fn recorded() -> Recorded {
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let read = |line: &str| {
        let [kind, version, name, bytes] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{FILE}: `{line}` is not kind, version, name and bytes")
        };
        let bytes = (0..bytes.len() / 2).map(|at| u8::from_str_radix(&bytes[2 * at..][..2], 16));
        let bytes = bytes.collect::<Result<_, _>>().expect("hexadecimal digits");
        let key = (kind.parse().expect("a kind"), version.parse().expect("a version"));
        (key, (name.to_owned(), bytes))
    };
    text.lines().map(read).collect()
}

fn raft() -> RaftMessage {
    let payload = Bytes::from_static(b"payload");
    let entries = vec![RaftEntry { term: 3, kind: 2, wall: -1, payload }, RaftEntry::default()];
    RaftMessage {
        kind: RaftKind::Append as i32,
        to: 5,
        from: 6,
        term: 3,
        log_term: 2,
        index: 300,
        commit: 299,
        commit_term: 2,
        reject: true,
        reject_hint: 9,
        read: Some(1),
        transfer: true,
        entries,
    }
}

/// One of each kind, every field set.
fn samples() -> Vec<(u32, &'static str, PeerBody)> {
    let (id, topic, partition, replica) = (0x0102_0304_0506_0708, Bytes::from(vec![7; 16]), 300, 4_000);
    let (disk, cluster, nonce) =
        (Bytes::from(vec![1; 16]), Bytes::from(vec![2; 16]), Bytes::from(vec![3; 32]));
    let (error, log_end, high_watermark, log_start) = (-1, 70_000, 69_000, 5);
    let hello = Hello {
        protocol_newest: 3,
        level_newest: 1,
        cluster: cluster.clone(),
        node: 2,
        disk: disk.clone(),
        boot: 8,
        members_checksum: 9,
        nonce: nonce.clone(),
        proofs: vec![nonce.clone()],
        protocol_oldest: 3,
        level_oldest: 1,
    };
    let member = FoundMember { replica: 1, node: 1, disk: disk.clone() };
    let leader = Leader { topic: topic.clone(), partition, term: 9, node: 2, lagging: vec![3] };
    let alive = Alive { leaders: vec![leader], hears: vec![1, 3], metadata_end: 300, is_reluctant: true };
    let fetched =
        Fetched { id, error, log_end, high_watermark, chunks: vec![Bytes::from_static(b"records")] };
    let snapshot = Snapshot {
        id,
        error,
        replica,
        index: 300,
        term: 9,
        voters: vec![4_000, 4_001],
        learners: vec![4_002],
        log_start,
        segment_end: log_end,
        state: Bytes::from_static(b"state"),
        wall: -5,
    };
    let catch_up = CatchUp { replica, topic: topic.clone(), partition, term: 9, log_start, high_watermark };
    vec![
        (1, "Hello", PeerBody::Hello(hello)),
        (2, "Found", PeerBody::Found(Found { cluster: cluster.clone(), members: vec![member], level: 1 })),
        (3, "Raft", packed()),
        (4, "Alive", PeerBody::Alive(alive)),
        (5, "Forward", PeerBody::Forward(Forward { id, request: Bytes::from_static(b"request") })),
        (
            6,
            "Forwarded",
            PeerBody::Forwarded(Forwarded { id, index: 300, reply: Bytes::from_static(b"reply") }),
        ),
        (7, "Fetch", PeerBody::Fetch(Fetch { id, topic: topic.clone(), partition, from: 5, max_bytes: 300 })),
        (8, "Fetched", PeerBody::Fetched(fetched)),
        (
            9,
            "SnapshotWanted",
            PeerBody::SnapshotWanted(SnapshotWanted { id, replica, topic, partition, log_end }),
        ),
        (10, "Snapshot", PeerBody::Snapshot(snapshot)),
        (11, "CatchUp", PeerBody::CatchUp(catch_up)),
        (12, "Proof", PeerBody::Proof(Proof { proofs: vec![nonce.clone()] })),
        (13, "Refused", PeerBody::Refused(Refused { node: 2, why: Turned::Level as i32 })),
        (14, "WhoAreYou", PeerBody::WhoAreYou(WhoAreYou { nonce: nonce.clone() })),
        (15, "IAm", PeerBody::IAm(IAm { nonce, node: 2, disk, boot: 8, cluster })),
    ]
}

fn packed() -> PeerBody {
    parse(raft_parts(&[raft()], PROTOCOL_NEWEST).concat().into(), PROTOCOL_NEWEST).expect("our own")
}

#[test]
fn every_version_of_every_message_is_read_and_the_newest_is_written_as_it_was() {
    let mut recorded = recorded();
    let mut is_new = false;
    for (kind, name, body) in samples() {
        let written = body.clone().into_parts(PROTOCOL_NEWEST).concat();
        let newest = written[0];
        let oldest = if newest == GREETING_VERSION { GREETING_VERSION } else { PROTOCOL_OLDEST };
        for version in oldest..=newest {
            let key = (kind, version);
            let is_newest = version == newest;
            assert!(is_newest || recorded.contains_key(&key), "what is older is recorded: {name} {version}");
            is_new |= !recorded.contains_key(&key);
            let (_, known) = recorded.entry(key).or_insert_with(|| (name.into(), written.clone()));
            let read = parse(known.clone().into(), PROTOCOL_NEWEST).expect("every version is read");
            if is_newest {
                assert_eq!(read, body, "{name}");
                assert_eq!(
                    written, *known,
                    "{name} is written otherwise now: a field may be added with a number of its own, as an older \
                     build skips it; then the sample stays as it was. Anything else is a version more: {COMMAND}"
                );
            }
        }
    }
    let PeerBody::Raft(Raft { messages }) = packed() else { panic!("it is Raft's") };
    assert_eq!(Raft { messages }.parse(), Ok(vec![raft()]));
    if is_new {
        let is_recording = std::env::var("RECORD").is_ok_and(|value| value == "1");
        assert!(is_recording, "there are messages without recorded bytes: {COMMAND} adds them");
        let mut text = String::new();
        for ((kind, version), (name, bytes)) in &recorded {
            let mut hex = String::new();
            bytes.iter().for_each(|byte| write!(hex, "{byte:02x}").expect("a string grows"));
            writeln!(text, "{kind} {version} {name} {hex}").expect("a string grows");
        }
        std::fs::write(FILE, text).expect("the folder is in the repository");
    }
}
