//! What the two lanes carry: packing, bounds, and that one never delays the other.

use super::world::World;
use crate::ids::{Index, NodeId, Offset, PartitionId, TopicId, TopicPartition};
use crate::limits::{FORWARD_WAIT_MAX, PEER_BULK_WINDOW_BYTES, PEER_MESSAGE_BYTES_MAX, PEER_QUEUE_BYTES_MAX};
use crate::link::LaneKind;
use crate::peer::{Bulk, BulkRefused, CallId, Fetch, Fetched, Outcome};
use bytes::Bytes;
use rust_mq_proto::peer::raft::{RaftEntry, RaftKind, RaftMessage};

fn vote(term: u64) -> RaftMessage {
    RaftMessage { kind: RaftKind::Vote as i32, to: 1, from: 2, term, ..RaftMessage::default() }
}

fn append(bytes: usize) -> RaftMessage {
    let entry = RaftEntry { payload: Bytes::from(vec![0; bytes]), ..RaftEntry::default() };
    RaftMessage { kind: RaftKind::Append as i32, entries: vec![entry], ..RaftMessage::default() }
}

fn fetched(bytes: usize) -> Bulk {
    Bulk::Fetched(Fetched {
        id: CallId(1),
        error: 0,
        chunks: vec![Bytes::from(vec![0; bytes])],
        log_end: Offset(1),
        high_watermark: Offset(1),
    })
}

/// Nothing that is sent on this lane is read by node 2 from now on.
fn block(world: &mut World, lane: LaneKind) {
    for wire in world.wires.iter_mut().filter(|wire| wire.lane == lane) {
        wire.unread_by.push(2);
    }
}

fn bytes_sent(world: &mut World, lane: LaneKind) -> usize {
    world.node(1).sends.iter().filter(|(kind, _)| *kind == lane).map(|(_, bytes)| bytes).sum()
}

#[test]
fn all_messages_of_a_turn_are_one() {
    let mut world = World::settled(2);
    (0..1000).for_each(|term| world.node(1).peers.send_raft(NodeId(2), vote(term)));
    world.run(1);
    assert_eq!(world.node(1).sends.len(), 1);
    world.run(1);
    let [Outcome::Raft(NodeId(1), messages)] = &world.node(2).outcomes[..] else { panic!("one outcome") };
    assert!(messages.iter().map(|message| message.term).eq(0..1000), "in order");
}

#[test]
fn what_is_too_large_for_one_message_takes_as_few_as_fit() {
    let mut world = World::settled(2);
    (0..10).for_each(|_| world.node(1).peers.send_raft(NodeId(2), append(6 << 20)));
    world.run(5);
    let sends = &world.node(1).sends;
    assert_eq!(sends.len(), 4);
    assert!(sends.iter().all(|(_, bytes)| *bytes <= PEER_MESSAGE_BYTES_MAX));
    assert_eq!(world.node(2).raft_kinds().len(), 10);
}

#[test]
fn a_blocked_bulk_lane_delays_no_vote() {
    let mut world = World::settled(2);
    block(&mut world, LaneKind::Bulk);
    let mut accepted = 0;
    while world.node(1).peers.send_bulk(NodeId(2), fetched(1 << 20)).is_ok() {
        accepted += 1 << 20;
        assert!(accepted <= PEER_QUEUE_BYTES_MAX);
    }
    assert_eq!(world.node(1).peers.send_bulk(NodeId(2), fetched(1 << 20)), Err(BulkRefused::Full));
    world.node(1).peers.send_raft(NodeId(2), vote(5));
    world.run(2);
    assert_eq!(world.node(2).raft_kinds(), [RaftKind::Vote as i32]);
    assert!(bytes_sent(&mut world, LaneKind::Bulk) <= PEER_BULK_WINDOW_BYTES + (1 << 20) + 100);
    // It runs again: everything that was accepted arrives.
    world.wires.iter_mut().for_each(|wire| wire.unread_by.clear());
    world.run(100);
    let came = world.node(2).outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Bulk(..))).count();
    assert_eq!(came, accepted >> 20);
}

#[test]
fn over_the_bound_appends_are_dropped_and_votes_are_not() {
    let mut world = World::settled(2);
    block(&mut world, LaneKind::Raft);
    for term in 0..30 {
        world.node(1).peers.send_raft(NodeId(2), append(4 << 20));
        world.node(1).peers.send_raft(NodeId(2), vote(term));
        world.run(1);
    }
    let sent = bytes_sent(&mut world, LaneKind::Raft);
    assert!(sent <= PEER_QUEUE_BYTES_MAX + 30 * 64, "{sent} bytes");
    world.wires.iter_mut().for_each(|wire| wire.unread_by.clear());
    world.run(10);
    let kinds = world.node(2).raft_kinds();
    assert_eq!(kinds.iter().filter(|kind| **kind == RaftKind::Vote as i32).count(), 30);
    assert_eq!(kinds.len(), 30 + PEER_QUEUE_BYTES_MAX / (4 << 20) - 1, "the last append has no room");
}

#[test]
fn bulk_is_refused_where_it_cannot_go() {
    let mut world = World::settled(2);
    let peers = &mut world.node(1).peers;
    assert_eq!(peers.send_bulk(NodeId(3), fetched(1)), Err(BulkRefused::Down));
    assert_eq!(peers.send_bulk(NodeId(2), fetched(PEER_MESSAGE_BYTES_MAX)), Err(BulkRefused::TooLarge));
    let partition = TopicPartition { topic: TopicId([5; 16]), partition: PartitionId(6) };
    let fetch = Bulk::Fetch(Fetch { id: CallId(7), partition, from: Offset(8), max_bytes: 9 });
    assert_eq!(peers.send_bulk(NodeId(2), fetch.clone()), Ok(()));
    world.run(2);
    assert_eq!(world.node(2).outcomes, [Outcome::Bulk(NodeId(1), fetch)]);
}

#[test]
fn a_forwarded_request_is_answered_once() {
    let mut world = World::settled(2);
    let now = world.now;
    let id = world.node(1).peers.forward(NodeId(2), "create".into(), now).expect("up");
    world.run(3);
    let request = Bytes::from("create");
    assert_eq!(world.node(2).outcomes, [Outcome::Forward { node: NodeId(1), id, request }]);
    for _ in 0..2 {
        world.node(2).peers.forwarded(NodeId(1), id, Index(4), "done".into());
        world.node(2).peers.forwarded(NodeId(1), CallId(id.0 + 1), Index(4), "never asked".into());
    }
    world.run(3);
    let reply = Bytes::from("done");
    assert_eq!(world.node(1).outcomes, [Outcome::Forwarded { id, index: Index(4), reply }]);
}

#[test]
fn a_forwarded_request_is_lost_with_its_lane_or_after_its_time() {
    let mut world = World::settled(2);
    let now = world.now;
    let first = world.node(1).peers.forward(NodeId(2), "a".into(), now).expect("up");
    world.break_links(1, 2, Some(LaneKind::Bulk));
    world.run(2);
    assert_eq!(world.node(1).outcomes, [Outcome::BulkDown(NodeId(2)), Outcome::ForwardLost(first)]);
    assert_eq!(world.node(1).peers.forward(NodeId(2), "b".into(), now), None);
    world.run(200);
    let now = world.now;
    let second = world.node(1).peers.forward(NodeId(2), "c".into(), now).expect("up again");
    world.node(1).clear();
    world.run(u64::try_from(FORWARD_WAIT_MAX.as_millis()).expect("small") - 1);
    assert_eq!(world.node(1).outcomes, []);
    world.run(2);
    assert_eq!(world.node(1).outcomes, [Outcome::ForwardLost(second)]);
    world.node(2).peers.forwarded(NodeId(1), second, Index(1), "late".into());
    world.run(3);
    assert_eq!(world.node(1).outcomes.len(), 1, "an answer that is late is no answer");
}
