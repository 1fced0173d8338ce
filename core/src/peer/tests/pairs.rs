//! Who meets whom, who is turned away, who is believed dead, and who leads.

use super::world::{World, config, identity, secrets};
use crate::action::{Action, Notice};
use crate::event::Nonce;
use crate::ids::{ClusterId, DiskId, LinkId, NodeId, PartitionId, Term, TopicId, TopicPartition};
use crate::level::Level;
use crate::limits::{PEER_HELLO_MAX, PEER_STRANGER_BYTES_MAX, PEER_STRANGERS_MAX, PEER_UNREAD_MAX};
use crate::link::LaneKind;
use crate::now::Mono;
use crate::peer::{Founder, Founding, Identity, Outcome, Peers};
use bytes::BytesMut;
use proptest::prelude::*;
use std::time::Duration;

fn partition(number: i32) -> TopicPartition {
    TopicPartition { topic: TopicId([1; 16]), partition: PartitionId(number) }
}

#[test]
fn all_pairs_come_up_in_any_order_of_starting() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let mut world = World::new(3);
        for node in order {
            world.start(node, identity(node, 1));
            world.run(700);
        }
        world.run(2000);
        assert!(world.is_settled(), "{order:?}");
        for node in world.nodes.values() {
            assert_eq!(node.ups_and_downs().len(), 2, "{order:?}: nobody flaps");
        }
    }
}

#[test]
fn idle_peers_stay_up_and_say_little() {
    let mut world = World::settled(2);
    world.run(60_000);
    assert_eq!((world.node(1).ups_and_downs(), world.node(2).ups_and_downs()), (vec![], vec![]));
    assert!(world.node(1).sends.len() <= 121, "one sign of life each heartbeat interval");
}

#[test]
fn a_broken_link_is_down_at_once_and_up_again() {
    let mut world = World::settled(2);
    world.break_links(1, 2, Some(LaneKind::Raft));
    world.run(2);
    for (node, other) in [(1, 2), (2, 1)] {
        assert_eq!(world.node(node).ups_and_downs(), [(other, None)]);
    }
    world.run(200);
    assert!(world.is_settled());
    assert_eq!(world.node(2).ups_and_downs(), [(1, None), (1, Some(1))]);
}

#[test]
fn a_broken_bulk_lane_alone_is_no_death() {
    let mut world = World::settled(2);
    world.break_links(1, 2, Some(LaneKind::Bulk));
    world.run(200);
    assert!(world.is_settled());
    for node in [1, 2] {
        assert_eq!(world.node(node).ups_and_downs(), []);
        assert!(world.node(node).outcomes.contains(&Outcome::BulkDown(NodeId(3 - node))));
    }
}

#[test]
fn a_silent_peer_is_down_after_the_shortest_election_timeout() {
    let mut world = World::settled(2);
    world.cut.push((1, 2));
    world.run(900);
    assert_eq!(world.node(1).ups_and_downs(), []);
    world.run(700);
    assert_eq!(world.node(1).ups_and_downs(), [(2, None)]);
    assert_eq!(world.node(2).ups_and_downs(), [(1, None)]);
    world.cut.clear();
    world.run(1200);
    assert!(world.is_settled());
}

#[test]
fn a_restart_is_down_and_up_with_another_boot() {
    for node in [1, 2] {
        let mut world = World::settled(2);
        // Its old links hang: the other side has not noticed.
        world.start(node, identity(node, 2));
        world.run(3000);
        assert!(world.is_settled());
        assert_eq!(world.node(3 - node).ups_and_downs(), [(node, None), (node, Some(2))]);
    }
}

#[test]
fn another_cluster_is_refused_with_one_line() {
    let mut world = World::new(2);
    world.start(1, identity(1, 1));
    let mut other = identity(2, 1);
    other.cluster = Some(ClusterId(8));
    world.start(2, other);
    world.run(10_000);
    let is_no_word = |said: &Outcome| matches!(said, Outcome::TurnedAway(NodeId(2), _));
    assert!(world.node(1).outcomes.iter().all(is_no_word) && world.node(2).outcomes.is_empty());
    let refused: Vec<_> = world.node(2).notices.clone();
    assert!(
        matches!(&refused[..], [Notice::PeerRefused { reason }] if reason.contains("cluster")),
        "{refused:?}"
    );
    let told: Vec<_> = world.node(1).notices.clone();
    assert!(matches!(&told[..], [Notice::TurnedAway { by: NodeId(2), .. }]), "{told:?}");
}

#[test]
fn an_unfounded_node_is_welcome_and_learns_of_the_founding() {
    let mut world = World::new(2);
    for node in [1, 2] {
        let mut unfounded = identity(node, 1);
        unfounded.cluster = None;
        world.start(node, unfounded);
    }
    world.run(200);
    let founder = |node: i32| Founder {
        replica: crate::ids::ReplicaId(u64::from(node.unsigned_abs())),
        node: NodeId(node),
        disk: DiskId(u128::try_from(node).expect("positive")),
    };
    let founding = Founding { cluster: ClusterId(7), level: Level(1), members: vec![founder(1), founder(2)] };
    let peers = &mut world.node(1).peers;
    peers.founded(founding.cluster);
    peers.send_found(NodeId(2), founding.clone());
    world.run(10);
    assert_eq!(world.node(2).outcomes.last(), Some(&Outcome::Found(NodeId(1), founding)));
    world.break_links(1, 2, None);
    world.run(500);
    assert!(world.is_settled(), "a founded and an unfounded one");
}

#[test]
fn a_wiped_disk_is_refused_by_those_who_know_the_old_one() {
    let mut world = World::settled(2);
    let now = world.now;
    world.node(1).peers.bind(NodeId(2), DiskId(2), now);
    let mut wiped = identity(2, 2);
    (wiped.disk, wiped.cluster) = (DiskId(99), None);
    world.start(2, wiped);
    world.run(10_000);
    assert_eq!(world.node(1).ups_and_downs(), [(2, None)]);
    assert_eq!(world.node(2).ups_and_downs(), [], "and never believes to be in");
    world.start(2, identity(2, 3));
    world.run(3000);
    assert!(world.is_settled());
}

#[test]
fn a_disk_that_is_bound_late_ends_the_lanes_of_another() {
    let mut world = World::settled(2);
    let now = world.now;
    world.node(1).peers.bind(NodeId(2), DiskId(50), now);
    world.run(1000);
    assert_eq!(world.node(1).ups_and_downs(), [(2, None)]);
    assert!(!world.node(1).peers.has_bulk(NodeId(2)));
}

#[test]
fn dials_are_repeated_with_a_bounded_wait() {
    let mut world = World::new(2);
    world.start(1, identity(1, 1));
    world.run(60_000);
    // Two lanes, each about every 0.5 to 1 s.
    assert!((120..=260).contains(&world.dials), "{} dials in a minute", world.dials);
}

#[test]
fn leader_tables_converge_over_any_path() {
    let mut world = World::settled(3);
    world.cut.push((1, 3));
    world.run(2000);
    world.node(1).peers.learn_leader(partition(0), Term(5), NodeId(1));
    world.node(3).peers.learn_leader(partition(0), Term(4), NodeId(3));
    world.node(3).peers.learn_leader(partition(1), Term(1), NodeId(3));
    world.run(10);
    for node in world.nodes.values() {
        assert_eq!(node.peers.leader_of(partition(0)), Some((Term(5), NodeId(1))));
        assert_eq!(node.peers.leader_of(partition(1)), Some((Term(1), NodeId(3))));
    }
    // A node that starts anew is told everything.
    world.start(2, identity(2, 2));
    world.run(3000);
    assert_eq!(world.node(2).peers.leader_of(partition(0)), Some((Term(5), NodeId(1))));
    assert_eq!(world.node(2).peers.leader_of(partition(1)), Some((Term(1), NodeId(3))));
}

#[test]
fn single_mode_costs_nothing() {
    let mut peers = Peers::new(&config(1, 1), 1);
    peers.started(identity(1, 1), Mono(1));
    peers.learn_leader(partition(0), Term(1), NodeId(1));
    let mut actions = Vec::new();
    peers.flush(Mono(2), &mut actions);
    assert_eq!((actions.len(), peers.next_deadline()), (0, None));
    assert_eq!(peers.leader_of(partition(0)), Some((Term(1), NodeId(1))));
}

#[test]
fn a_peer_that_reads_nothing_is_dialled_anew() {
    let mut world = World::settled(2);
    for wire in world.wires.iter_mut().filter(|wire| wire.lane == LaneKind::Raft) {
        wire.unread_by.push(2);
    }
    // Node 2 hears nothing and ends it first; a bulk lane that hangs is ended by the one who waits.
    world.run(3000);
    assert!(world.is_settled());
    for wire in world.wires.iter_mut().filter(|wire| wire.lane == LaneKind::Bulk) {
        wire.unread_by.push(2);
    }
    let now = world.now;
    assert!(world.node(1).peers.forward(NodeId(2), vec![0].into(), now).is_some());
    world.node(1).clear();
    world.run(u64::try_from(PEER_UNREAD_MAX.as_millis()).expect("small") + 500);
    assert!(world.is_settled());
    assert!(world.node(1).outcomes.contains(&Outcome::BulkDown(NodeId(2))));
    assert_eq!(world.node(1).ups_and_downs(), []);
}

/// What a node does with a message on a link that it has just accepted.
fn said_by_a_stranger(bytes: &[u8]) -> Vec<Action> {
    let mut peers = Peers::new(&config(2, 2), 1);
    peers.started(identity(2, 1), Mono(1));
    peers.opened(LinkId(2), LaneKind::Raft, Nonce([1; 32]), Mono(1));
    peers.received(LinkId(2), BytesMut::from(bytes), Mono(1));
    let mut actions = Vec::new();
    peers.flush(Mono(1), &mut actions);
    assert_eq!(peers.next_outcome(), None, "a stranger has no outcome");
    actions
}

proptest! {
    #[test]
    fn any_first_message_but_a_good_hello_ends_the_link(bytes in prop::collection::vec(any::<u8>(), 1..200)) {
        let abort = Action::Abort { link: LinkId(2) };
        prop_assert!(said_by_a_stranger(&bytes).contains(&abort));
    }

    #[test]
    fn any_bytes_of_a_peer_end_its_link_at_most(
        bytes in prop::collection::vec(any::<u8>(), 1..200),
        tag in 1u8..16,
        lane in prop_oneof![Just(LaneKind::Raft), Just(LaneKind::Bulk)],
    ) {
        let mut world = World::settled(2);
        let (_, link) = world.wires.iter().find(|wire| wire.lane == lane).expect("settled").ends[1];
        let mut message = vec![tag << 3 | 2];
        prost_length(bytes.len(), &mut message);
        message.extend(bytes);
        let now = world.now;
        world.node(2).peers.received(link, BytesMut::from(&message[..]), now);
        world.run(2000);
        prop_assert!(world.is_settled());
    }
}

/// A varint.
fn prost_length(mut length: usize, into: &mut Vec<u8>) {
    while length >= 0x80 {
        into.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    into.push(u8::try_from(length).expect("seven bits"));
}

#[test]
fn strangers_are_few_and_have_little_time() {
    let mut peers = Peers::new(&config(2, 2), 1);
    let link = |number: usize| LinkId(2 * (number as u64 + 1));
    let open =
        |peers: &mut Peers, number| peers.opened(link(number), LaneKind::Raft, Nonce([1; 32]), Mono(1));
    (0..=PEER_STRANGERS_MAX).for_each(|number| open(&mut peers, number));
    let mut actions = Vec::new();
    peers.flush(Mono(1), &mut actions);
    assert_eq!(actions, [Action::Abort { link: link(0) }], "the oldest goes; no credit before the start");
    assert_eq!(peers.next_deadline(), None);
    let start = Mono(1) + Duration::from_secs(60);
    peers.started(identity(2, 1), start);
    actions.clear();
    peers.woke(start + PEER_HELLO_MAX);
    peers.flush(start + PEER_HELLO_MAX, &mut actions);
    let aborted = actions.iter().filter(|action| matches!(action, Action::Abort { .. })).count();
    assert_eq!((aborted, peers.next_deadline()), (PEER_STRANGERS_MAX, None));
}

#[test]
fn two_refused_peers_are_told_of_once_each() {
    let mut world = World::new(3);
    for (node, cluster) in [(1, 7), (2, 8), (3, 9)] {
        world.start(node, Identity { cluster: Some(ClusterId(cluster)), ..identity(node, 1) });
    }
    world.run(30_000);
    let refusals = |notice: &&Notice| matches!(notice, Notice::PeerRefused { .. });
    let lines: Vec<usize> =
        [1, 2, 3].map(|node| world.node(node).notices.iter().filter(refusals).count()).to_vec();
    assert_eq!(lines, [0, 1, 2], "who accepts refuses first, each peer once");
}

#[test]
fn a_secret_lets_in_who_knows_it_and_nobody_else() {
    let cases = [
        (vec!["a"], vec!["a"], true),
        (vec!["a"], vec!["b"], false),
        (vec!["a"], vec![], false),
        (vec![], vec!["a"], false),
        (vec!["new", "old"], vec!["old"], true),
        (vec!["old"], vec!["new", "old"], true),
        (vec!["new", "old"], vec!["old", "new"], true),
    ];
    for (one, two, is_let_in) in cases {
        let mut world = World::new(2);
        world.secrets.insert(1, secrets(&one));
        world.secrets.insert(2, secrets(&two));
        (1..=2).for_each(|node| world.start(node, identity(node, 1)));
        world.run(3000);
        assert_eq!(world.is_settled(), is_let_in, "{one:?} and {two:?}");
        let any = |node: &super::world::Node| {
            !node.outcomes.iter().all(|said| matches!(said, Outcome::TurnedAway(..)))
        };
        assert!(is_let_in || !world.nodes.values().any(any), "{one:?} and {two:?}: somebody was believed");
    }
}

#[test]
fn a_stranger_who_does_not_prove_takes_nobodys_place() {
    let mut world = World::new(3);
    (1..=3).for_each(|node| {
        world.secrets.insert(node, secrets(&["a"]));
        world.start(node, identity(node, 1));
    });
    world.run(500);
    assert!(world.is_settled());
    world.node(3).clear();
    // Somebody else starts in node 1's name, dials the others, and knows no secret.
    let mut liar = Peers::new(&config(1, 3), 9);
    let now = world.now;
    liar.started(identity(1, 2), now);
    let hello = said_first(&mut liar, now);
    let nodes = &mut world.nodes;
    let peers = &mut nodes.get_mut(&3).expect("started").peers;
    peers.opened(LinkId(9000), LaneKind::Raft, Nonce([2; 32]), now);
    peers.received(LinkId(9000), BytesMut::from(&hello[..]), now);
    let nothing = rust_mq_proto::peer::message::PeerBody::Proof(Default::default()).into_parts(1).concat();
    peers.received(LinkId(9000), BytesMut::from(&nothing[..]), now);
    world.run(1000);
    assert_eq!(world.node(3).ups_and_downs(), [], "node 1 never went");
    assert!(world.is_settled());
}

/// What a node says first on its first link.
fn said_first(peers: &mut Peers, now: Mono) -> Vec<u8> {
    peers.opened(LinkId(1), LaneKind::Raft, Nonce([3; 32]), now);
    let mut actions = Vec::new();
    peers.flush(now, &mut actions);
    let said = actions.into_iter().find_map(|action| match action {
        Action::Send { parts, .. } => Some(parts.concat()),
        _ => None,
    });
    said.expect("it greets")
}

#[test]
fn a_stranger_may_bring_little_and_only_once() {
    let mut peers = Peers::new(&config(2, 2), 1);
    peers.started(identity(2, 1), Mono(1));
    peers.opened(LinkId(2), LaneKind::Raft, Nonce([1; 32]), Mono(1));
    peers.received(LinkId(2), BytesMut::zeroed(PEER_STRANGER_BYTES_MAX + 1), Mono(1));
    let mut actions = Vec::new();
    peers.flush(Mono(1), &mut actions);
    let allowed: Vec<_> = actions.iter().filter(|action| matches!(action, Action::Allow { .. })).collect();
    assert_eq!(allowed, [&Action::Allow { link: LinkId(2), bytes: PEER_STRANGER_BYTES_MAX as u64 }]);
    assert!(actions.contains(&Action::Abort { link: LinkId(2) }));
}

#[test]
fn who_dialled_in_is_looked_for_at_its_address() {
    let mut world = World::settled(2);
    let now = world.now;
    assert!(world.node(1).peers.is_vouched(NodeId(2)), "node 1 has dialled it");
    assert!(!world.node(2).peers.is_vouched(NodeId(1)));
    world.node(2).peers.ask_who(NodeId(1), now);
    world.run(10);
    assert_eq!(world.node(2).outcomes, [Outcome::Vouched(NodeId(1), Some(ClusterId(7)))]);
    assert!(world.node(2).peers.is_vouched(NodeId(1)) && world.is_settled());
    // Another start of it: what was confirmed of the last one says nothing.
    world.start(1, identity(1, 2));
    world.run(3000);
    assert!(world.is_settled() && !world.node(2).peers.is_vouched(NodeId(1)));
}

#[test]
fn who_is_not_at_its_address_is_ended() {
    let mut world = World::settled(3);
    // At node 1's address node 2 answers: as if a stranger had come in node 1's name.
    world.moved.insert(1, 2);
    let now = world.now;
    world.node(3).peers.ask_who(NodeId(1), now);
    world.run(10);
    assert!(!world.node(3).peers.is_vouched(NodeId(1)));
    assert_eq!(world.node(3).ups_and_downs(), [(1, None)]);
    let said = &world.node(3).notices;
    assert!(
        said.iter()
            .any(|notice| matches!(notice, Notice::PeerRefused { reason } if reason.contains("address")))
    );
}
