//! What an accepted peer may say: anything. The real core on a staged driver, its two peers played by hand; whatever
//! they say, the process goes on and no committed record is gone.
//!
//! Not here: strangers at the port for nodes (`hostile_peers`), any bytes at all (`fuzz/fuzz_targets/peer_messages.rs`).

#![allow(clippy::disallowed_macros, reason = "a failed test shows which lie it was")]

use bytes::{Bytes, BytesMut};
use rust_mq_core::codec;
use rust_mq_core::ids::{NodeId, Offset, ReplicaId, Term, TopicId};
use rust_mq_core::level::Levels;
use rust_mq_core::link::LaneKind;
use rust_mq_core::metadata::{Command, Placed, TopicBirth};
use rust_mq_core::now::Wall;
use rust_mq_core::partition::LogState;
use rust_mq_proto::peer::message::{CatchUp, PeerBody, Refused, Snapshot, Turned};
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use stage::company::{Company, ME, PARTITION, RECORDS, TERM, TOPIC, append, batch, entry};
use std::collections::BTreeMap;
use std::time::Duration;

#[path = "../../fuzz/stage/mod.rs"]
#[allow(dead_code, reason = "clients and disks are other targets' business")]
mod stage;

const REPLICA: u64 = PARTITION + 3;

/// The node runs, and has what it had.
#[track_caller]
fn is_unharmed(company: &mut Company) {
    assert!(!company.stage.is_halted(), "the process has ended");
    assert_eq!(company.log_end(), RECORDS, "records are gone, or came from nowhere");
}

/// And takes what its leader sends.
#[track_caller]
fn takes_records(company: &mut Company) {
    let next = append(PARTITION, RECORDS as u64, TERM, vec![entry(1, batch(RECORDS))]);
    company.say_raft(1, next);
    assert_eq!(company.log_end(), RECORDS + 1, "the node takes no more records");
}

fn notice(term: u64, log_start: i64, high_watermark: i64) -> CatchUp {
    let topic = Bytes::copy_from_slice(&TOPIC.0);
    CatchUp { replica: REPLICA, topic, partition: 0, term, log_start, high_watermark }
}

fn state(start: i64, end: i64) -> Bytes {
    let state = LogState {
        start: Offset(start),
        end: Offset(end),
        wall: Wall(1_700_000_000_000),
        ..LogState::default()
    };
    let mut bytes = BytesMut::new();
    state.encode(Levels::BUILD.newest, &mut bytes);
    bytes.freeze()
}

/// Answers every snapshot that node 1 was asked for.
fn give(company: &mut Company, snapshot: &Snapshot) -> bool {
    let wanted = company.heard(1, LaneKind::Bulk).into_iter().find_map(|body| match body {
        PeerBody::SnapshotWanted(wanted) => Some(wanted.id),
        _ => None,
    });
    let Some(id) = wanted else { return false };
    company.say(1, LaneKind::Bulk, PeerBody::Snapshot(Snapshot { id, ..snapshot.clone() }))
}

fn snapshot(index: u64, start: i64, segment_end: i64, state: Bytes) -> Snapshot {
    Snapshot {
        replica: REPLICA,
        index,
        term: TERM,
        voters: vec![PARTITION + 1, PARTITION + 2, PARTITION + 3],
        log_start: start,
        segment_end,
        state,
        wall: 1_700_000_000_000,
        ..Snapshot::default()
    }
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let end = RECORDS;
    let lies = [
        ("its state ends behind its segments", snapshot(9, 0, end, state(0, end + 5))),
        ("its state ends before its segments", snapshot(9, 0, end, state(0, end - 1))),
        ("its state starts behind its end", snapshot(9, 0, end, state(end + 1, end))),
        ("it takes records back", snapshot(9, 0, end - 1, state(0, end - 1))),
        ("it takes all records back", snapshot(9, 0, 0, state(0, 0))),
        ("its state is none", snapshot(9, 0, end, Bytes::from_static(b"\x01nonsense"))),
        ("it is empty", snapshot(9, 0, end, Bytes::new())),
        ("it is of the end of time", snapshot(u64::MAX, 0, end, state(0, end))),
        ("it ends at the end of numbers", snapshot(9, i64::MAX, i64::MAX, state(i64::MAX, i64::MAX))),
        (
            "its members are others",
            Snapshot { voters: vec![11, 13, 99], ..snapshot(9, 0, end, state(0, end)) },
        ),
    ];
    for (what, lie) in lies {
        let mut company = Company::member();
        company.say(1, LaneKind::Bulk, PeerBody::CatchUp(notice(TERM, 0, end)));
        give(&mut company, &lie);
        company.pass(Duration::from_secs(1));
        println!("{what}");
        is_unharmed(&mut company);
    }
}

#[test]
fn a_notice_to_catch_up_takes_nothing_away() {
    let told =
        [notice(TERM, 1000, 2000), notice(TERM + 1, 1000, 2000), notice(Term::MAX.0, i64::MAX, i64::MAX)];
    for notice in told {
        for node in [1, 2] {
            let mut company = Company::member();
            company.say(node, LaneKind::Bulk, PeerBody::CatchUp(notice.clone()));
            company.pass(Duration::from_secs(1));
            is_unharmed(&mut company);
            takes_records(&mut company);
        }
    }
}

#[test]
fn a_raft_message_is_the_word_of_the_replica_on_its_senders_node_alone() {
    let mut company = Company::member();
    let forged = append(PARTITION, RECORDS as u64, TERM, vec![entry(1, batch(RECORDS))]);
    company.say_raft(2, forged);
    is_unharmed(&mut company);
    // Another's vote, another's candidacy, another's heartbeat that knows of entries nobody has here.
    for (kind, from) in [(RaftKind::Vote, 1), (RaftKind::Heartbeat, 1), (RaftKind::Heartbeat, 99)] {
        for base in [0, PARTITION] {
            let to = base + u64::from(ME.unsigned_abs());
            let term = TERM + 5;
            let message =
                RaftMessage { kind: kind as i32, to, from: base + from, term, ..RaftMessage::default() };
            let message = if kind == RaftKind::Heartbeat {
                RaftMessage { commit: 1000, ..message }
            } else {
                RaftMessage { index: 1000, log_term: TERM, ..message }
            };
            company.say_raft(2, message);
        }
    }
    is_unharmed(&mut company);
    takes_records(&mut company);
}

#[test]
fn entries_that_could_not_be_applied_are_not_appended() {
    let mut company = Company::member();
    let next = RECORDS as u64;
    let mut torn = BytesMut::from(&batch(RECORDS)[..]);
    let last = torn.len() - 1;
    torn[last] ^= 1;
    let lies = [
        vec![entry(1, batch(RECORDS + 1))],
        vec![entry(1, batch(0))],
        vec![entry(1, batch(i64::MAX))],
        vec![entry(1, batch(RECORDS)), entry(1, batch(RECORDS))],
        vec![entry(1, Bytes::from_static(b"no batch"))],
        vec![entry(1, torn.freeze())],
        vec![entry(2, Bytes::from_static(b"no commands"))],
        vec![entry(2, Bytes::from_static(b"\x01\xff"))],
        vec![entry(2, Bytes::from_static(b"\x20\x09\x00"))],
    ];
    for lie in lies {
        company.say_raft(1, append(PARTITION, next, TERM, lie));
        is_unharmed(&mut company);
    }
    for lie in [b"no commands".as_slice(), b"\x01\xff", b"\x11\x09\x00"] {
        company.say_raft(1, append(0, 2, TERM, vec![entry(2, Bytes::copy_from_slice(lie))]));
        is_unharmed(&mut company);
    }
    takes_records(&mut company);
}

/// A topic of the given placements.
fn topic(name: &str, partitions: Vec<Vec<(u64, i32)>>) -> Command {
    let placed = |(replica, node): (u64, i32)| Placed { replica: ReplicaId(replica), node: NodeId(node) };
    let partitions =
        partitions.into_iter().map(|placements| placements.into_iter().map(placed).collect()).collect();
    let topic = TopicBirth { name: name.into(), partitions, configs: BTreeMap::new() };
    Command::TopicCreated { id: TopicId([8; 16]), topic }
}

#[test]
fn commands_that_nobody_decides_change_nothing() {
    let lies = [
        topic("same-replica-twice", vec![vec![(50, 1), (50, 3)]]),
        topic("replica-of-another", vec![vec![(PARTITION + 3, 3)]]),
        topic("replica-of-the-metadata", vec![vec![(3, 3)]]),
        topic("nobody", vec![vec![(0, 3)]]),
        topic("last-number", vec![vec![(u64::MAX, 3)]]),
        topic("same-node-twice", vec![vec![(50, 3), (51, 3)]]),
        topic("too-many", vec![(50..150).map(|replica| (replica, 3)).collect()]),
        topic("nowhere", vec![vec![]]),
        topic("../../etc", vec![vec![(50, 3)]]),
        Command::ProducerIdsTaken { next: i64::MAX },
    ];
    for lie in lies {
        let mut company = Company::member();
        let payload = codec::encode(&lie, Levels::BUILD.newest);
        company.say_raft(1, append(0, 2, TERM, vec![entry(2, payload)]));
        company.pass(Duration::from_secs(1));
        println!("{lie:?}");
        is_unharmed(&mut company);
        takes_records(&mut company);
    }
}

#[test]
fn no_single_message_ends_all_elections() {
    let mut company = Company::member();
    for base in [0, PARTITION] {
        let (to, from) = (base + 3, base + 2);
        for kind in [RaftKind::Vote, RaftKind::Append, RaftKind::Heartbeat] {
            let term = Term::MAX.0;
            company.say_raft(2, RaftMessage { kind: kind as i32, to, from, term, ..RaftMessage::default() });
        }
    }
    is_unharmed(&mut company);
    takes_records(&mut company);
}

#[test]
fn a_founding_is_taken_from_who_is_at_its_address_alone() {
    let mut company = Company::alone();
    // Another disk answers there than the one that came: a stranger in node 1's name.
    let real = std::mem::replace(&mut company.at_address, Bytes::from(vec![1; 16]));
    company.meet(1, LaneKind::Raft);
    company.found();
    company.pass(Duration::from_secs(20));
    let says_to_serve = |company: &mut Company| company.stage.is_serving();
    assert!(!says_to_serve(&mut company));
    // The real one comes: nothing of what the stranger told has stayed.
    company.at_address = real;
    company.meet(1, LaneKind::Raft);
    company.found();
    company.say_raft(1, append(0, 1, 1, vec![entry(0, Bytes::new())]));
    assert!(says_to_serve(&mut company), "the real founder is believed");
}

#[test]
fn a_node_that_is_turned_away_sends_clients_elsewhere() {
    let mut company = Company::alone();
    company.stage.open_client();
    company.settle();
    // Metadata version 1 of all topics, of client "".
    let request =
        [&22_u32.to_be_bytes()[..], &[0, 3, 0, 1, 0, 0, 0, 9, 0, 0], &(-1_i32).to_be_bytes()].concat();
    let request =
        [&u32::try_from(request.len() - 4).expect("short").to_be_bytes()[..], &request[4..]].concat();
    company.stage.receive(0, &request);
    company.settle();
    assert_eq!(company.stage.links(), 1, "before anyone says no, the client waits");
    company.meet(1, LaneKind::Raft);
    company.say(1, LaneKind::Raft, PeerBody::Refused(Refused { node: 1, why: Turned::Disk as i32 }));
    company.pass(Duration::from_millis(100));
    assert_eq!(company.stage.links(), 0, "it is sent elsewhere");
    company.stage.open_client();
    company.settle();
    company.stage.receive(0, &request);
    company.settle();
    assert_eq!(company.stage.links(), 0, "and so is the next");
}
