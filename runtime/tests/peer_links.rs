//! The laws about links (2, 5, 6, 10) between two nodes, over real gRPC on the loopback.

use bytes::Bytes;
use rust_mq::mailbox::Room;
use rust_mq::peers::Peers;
use rust_mq_core::action::Action;
use rust_mq_core::event::{CloseReason, Event, LinkKind};
use rust_mq_core::ids::LinkId;
use rust_mq_core::limits::PEER_MESSAGE_BYTES_MAX;
use rust_mq_core::link::{Address, LaneKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Bench {
    peers: Peers,
    address: SocketAddr,
}

impl Bench {
    fn new() -> Bench {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let peers =
            Peers::start(listener, runtime.handle().clone(), Arc::new(|| ()), 16).expect("peers can start");
        // As in a node, it runs on a thread of its own until the process ends.
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        Bench { peers, address }
    }

    fn events(&self, is_enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut found = Vec::new();
        let until = Instant::now() + Duration::from_secs(20);
        while !is_enough(&found) {
            assert!(Instant::now() < until, "waited in vain, with {found:?}");
            self.peers.take(&mut found, &mut Room::of_a_turn());
            std::thread::sleep(Duration::from_millis(1));
        }
        found
    }

    fn quiet_moment(&self) -> Vec<Event> {
        std::thread::sleep(Duration::from_millis(100));
        let mut found = Vec::new();
        self.peers.take(&mut found, &mut Room::of_a_turn());
        found
    }

    fn opened(&self, lane: LaneKind) -> LinkId {
        match &self.events(|events| !events.is_empty())[..] {
            [Event::Opened { link, kind: LinkKind::Peer { lane: opened, .. } }] if *opened == lane => *link,
            other => panic!("not one Opened: {other:?}"),
        }
    }

    fn dial(&self, to: SocketAddr, link: u64, lane: LaneKind) {
        let address = Address { host: to.ip().to_string(), port: to.port() };
        self.peers.perform(Action::Dial { link: LinkId(link), address, lane });
    }

    fn allow(&self, link: LinkId, bytes: u64) {
        self.peers.perform(Action::Allow { link, bytes });
    }

    fn send(&self, link: LinkId, parts: &[&'static [u8]]) {
        let parts = parts.iter().map(|part| Bytes::from_static(part)).collect();
        self.peers.perform(Action::Send { link, parts });
    }
}

/// Two nodes, the dialler first, with one lane between them.
fn pair(lane: LaneKind) -> (Bench, LinkId, Bench, LinkId) {
    let (one, other) = (Bench::new(), Bench::new());
    one.dial(other.address, 1, lane);
    let (dialled, accepted) = (one.opened(lane), other.opened(lane));
    assert_eq!((dialled.0, accepted.0 % 4), (1, 2), "dialled as asked, accepted even and no client's");
    (one, dialled, other, accepted)
}

fn messages(events: &[Event]) -> Vec<Vec<u8>> {
    let bytes = events.iter().filter_map(|event| match event {
        Event::Received { bytes, .. } => Some(bytes.to_vec()),
        _ => None,
    });
    bytes.collect()
}

#[test]
fn messages_pass_whole_and_in_order_both_ways() {
    let (one, dialled, other, accepted) = pair(LaneKind::Raft);
    one.allow(dialled, 1 << 30);
    other.allow(accepted, 1 << 30);
    one.send(dialled, &[b"in ", b"two ", b"parts"]);
    other.send(accepted, &[b"back"]);
    assert_eq!(messages(&one.events(|events| !messages(events).is_empty())), [b"back"]);
    assert_eq!(messages(&other.events(|events| !messages(events).is_empty())), [b"in two parts"]);
    for number in 0..500_u32 {
        let parts = vec![Bytes::from(number.to_be_bytes().to_vec()), Bytes::from(vec![0; 5000])];
        one.peers.perform(Action::Send { link: dialled, parts });
    }
    let firsts: Vec<u32> = messages(&other.events(|events| messages(events).len() == 500))
        .iter()
        .map(|message| u32::from_be_bytes(message[..4].try_into().expect("four bytes")))
        .collect();
    assert_eq!(firsts, (0..500).collect::<Vec<u32>>());
    let sent = one.events(|events| {
        let sent = events.iter().map(|event| if let Event::Sent { bytes, .. } = event { *bytes } else { 0 });
        sent.sum::<u64>() >= 500 * 5004
    });
    assert!(sent.iter().all(|event| matches!(event, Event::Sent { .. })));
}

#[test]
fn a_message_waits_for_credit_and_may_overdraw_it() {
    let (one, dialled, other, accepted) = pair(LaneKind::Bulk);
    one.send(dialled, &[b"hello"]);
    one.send(dialled, &[b"again"]);
    assert_eq!(other.quiet_moment(), [], "no credit, no message");
    other.allow(accepted, 1);
    assert_eq!(messages(&other.events(|events| !events.is_empty())), [b"hello"]);
    other.allow(accepted, 4);
    assert_eq!(other.quiet_moment(), [], "the first overdrew it by four");
    other.allow(accepted, 1);
    assert_eq!(messages(&other.events(|events| !events.is_empty())), [b"again"]);
}

#[test]
fn a_blocked_bulk_lane_delays_no_vote() {
    let (one, bulk, other, _) = pair(LaneKind::Bulk);
    for _ in 0..8 {
        let parts = vec![Bytes::from(vec![0; PEER_MESSAGE_BYTES_MAX / 4])];
        one.peers.perform(Action::Send { link: bulk, parts });
    }
    one.dial(other.address, 3, LaneKind::Raft);
    let accepted = other.opened(LaneKind::Raft);
    other.allow(accepted, 1 << 20);
    one.events(|events| events.iter().any(|event| matches!(event, Event::Opened { .. })));
    one.send(LinkId(3), &[b"vote"]);
    assert_eq!(messages(&other.events(|events| !events.is_empty())), [b"vote"]);
}

#[test]
fn the_largest_message_passes_and_a_larger_one_ends_the_lane() {
    let (one, dialled, other, accepted) = pair(LaneKind::Bulk);
    other.allow(accepted, 1 << 30);
    let parts = vec![Bytes::from(vec![5; PEER_MESSAGE_BYTES_MAX])];
    one.peers.perform(Action::Send { link: dialled, parts });
    let found = messages(&other.events(|events| !events.is_empty()));
    assert_eq!(found[0].len(), PEER_MESSAGE_BYTES_MAX);
    let parts = vec![Bytes::from(vec![5; PEER_MESSAGE_BYTES_MAX + 1])];
    one.peers.perform(Action::Send { link: dialled, parts });
    let is_closed = |event: &Event| matches!(event, Event::Closed { .. });
    one.events(|events| events.iter().any(is_closed));
    other.events(|events| events.iter().any(is_closed));
}

#[test]
fn close_follows_what_was_sent_and_both_sides_learn_of_it_once() {
    let (one, dialled, other, accepted) = pair(LaneKind::Raft);
    other.allow(accepted, 1 << 20);
    one.send(dialled, &[b"last words"]);
    one.peers.perform(Action::Close { link: dialled });
    let events = other.events(|events| events.len() >= 2);
    assert_eq!(messages(&events), [b"last words"]);
    assert!(matches!(events[1], Event::Closed { .. }), "{events:?}");
    // What was sent is told in one piece or in two.
    let events = one.events(|events| events.iter().any(|event| matches!(event, Event::Closed { .. })));
    assert_eq!(events.last(), Some(&Event::Closed { link: dialled, why: CloseReason::Asked }));
    assert_eq!((one.quiet_moment(), other.quiet_moment()), (vec![], vec![]), "once");
}

#[test]
fn abort_ends_both_sides() {
    for is_by_dialler in [true, false] {
        let (one, dialled, other, accepted) = pair(LaneKind::Raft);
        let (aborter, own, witness) =
            if is_by_dialler { (&one, dialled, &other) } else { (&other, accepted, &one) };
        aborter.peers.perform(Action::Abort { link: own });
        assert_eq!(
            aborter.events(|events| !events.is_empty()),
            [Event::Closed { link: own, why: CloseReason::Asked }]
        );
        assert!(matches!(witness.events(|events| !events.is_empty())[..], [Event::Closed { .. }]));
    }
}

#[test]
fn a_dial_to_nobody_is_closed() {
    let one = Bench::new();
    let nobody =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free");
    one.dial(nobody, 7, LaneKind::Raft);
    let events = one.events(|events| !events.is_empty());
    assert_eq!(events, [Event::Closed { link: LinkId(7), why: CloseReason::Failed }]);
    one.dial(nobody, 9, LaneKind::Raft);
    one.peers.perform(Action::Abort { link: LinkId(9) });
    assert!(matches!(one.events(|events| !events.is_empty())[..], [Event::Closed { link: LinkId(9), .. }]));
}
