//! The room as its neighbours see it: a driver that obeys the laws of the door on one side, a broker that
//! answers on the other.

mod patience;

use super::{Budget, Client, Connections, Purpose, Request, Slot};
use crate::action::Action;
use crate::ids::LinkId;
use crate::limits::{
    CONNECTION_CREDIT_BYTES, CONNECTION_REQUEST_BYTES_MAX, CONNECTION_REQUESTS_MAX,
    CONNECTION_UNREAD_BYTES_MAX, FETCH_BYTES_MAX,
};
use crate::now::Mono;
use bytes::BytesMut;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const LINK: LinkId = LinkId(2);

/// A driver, a clock, and the clients' sides of all links.
struct World {
    connections: Connections,
    budget: Budget,
    now: Mono,
    clients: BTreeMap<LinkId, Wire>,
    sends: usize,
}

/// One client's side.
#[derive(Default)]
struct Wire {
    credit: usize,
    to_send: Vec<u8>,
    got: Vec<u8>,
    unread: u64,
    is_closed: bool,
    is_aborted: bool,
    allows: usize,
}

impl World {
    fn new(budget_bytes: u64) -> World {
        World {
            connections: Connections::default(),
            budget: Budget::new(budget_bytes),
            now: Mono(0),
            clients: BTreeMap::new(),
            sends: 0,
        }
    }

    fn with_link(link: LinkId) -> World {
        let mut world = World::new(1 << 30);
        world.open(link);
        world
    }

    fn open(&mut self, link: LinkId) {
        let client = Client {
            listener: 0,
            local: Default::default(),
            remote: Default::default(),
            name: String::new(),
        };
        self.connections.opened(link, client, self.now, &self.budget);
        self.clients.insert(link, Wire::default());
        self.turn();
    }

    fn wire(&mut self, link: LinkId) -> &mut Wire {
        self.clients.get_mut(&link).expect("opened")
    }

    /// The client writes a request; the driver holds it back until there is credit.
    fn ask(&mut self, link: LinkId, bytes: usize) {
        let wire = self.wire(link);
        wire.to_send.extend_from_slice(&i32::try_from(bytes).expect("fits").to_be_bytes());
        wire.to_send.resize(wire.to_send.len() + bytes, 7);
    }

    /// Delivers what credit allows, at most `max` bytes, and returns the requests that were taken up.
    fn deliver(&mut self, link: LinkId, max: usize) -> Vec<Request> {
        let wire = self.wire(link);
        let count = wire.to_send.len().min(wire.credit).min(max);
        if count > 0 {
            wire.credit -= count;
            let bytes: Vec<u8> = wire.to_send.drain(..count).collect();
            self.connections.received(link, BytesMut::from(&bytes[..]), self.now, &mut self.budget);
        }
        let requests = self.take(link);
        self.turn();
        requests
    }

    fn take(&mut self, link: LinkId) -> Vec<Request> {
        std::iter::from_fn(|| self.connections.next_request(link, self.now, &mut self.budget)).collect()
    }

    /// What the broker does first in a turn.
    fn take_ready(&mut self) -> Vec<(LinkId, Request)> {
        let mut requests = Vec::new();
        while let Some(link) = self.connections.next_ready(&self.budget) {
            requests.extend(self.take(link).into_iter().map(|request| (link, request)));
        }
        self.turn();
        requests
    }

    fn answer(&mut self, link: LinkId, slot: Slot, text: &[u8]) {
        self.connections.answer(link, slot, &mut self.budget, |out| out.message(|out| out.bytes(text)));
    }

    fn turn(&mut self) {
        let mut actions = Vec::new();
        self.connections.woke(self.now, &mut self.budget, &mut actions);
        self.connections.flush(self.now, &mut self.budget, &mut actions);
        for action in actions {
            match action {
                Action::Allow { link, bytes } => {
                    let wire = self.wire(link);
                    wire.credit += usize::try_from(bytes).expect("fits");
                    wire.allows += 1;
                    assert!(wire.credit <= CONNECTION_CREDIT_BYTES, "credit is bounded");
                }
                Action::Send { link, parts } => {
                    self.sends += 1;
                    let wire = self.wire(link);
                    let bytes = parts.concat();
                    wire.unread += bytes.len() as u64;
                    wire.got.extend(bytes);
                }
                Action::Close { link } => {
                    assert!(!self.wire(link).is_closed, "closed once");
                    self.wire(link).is_closed = true;
                }
                Action::Abort { link } => self.wire(link).is_aborted = true,
                Action::Note(_) => {}
                other => panic!("unexpected {other}"),
            }
        }
    }

    /// The client reads all that waits.
    fn read(&mut self, link: LinkId) {
        let bytes = std::mem::take(&mut self.wire(link).unread);
        if bytes > 0 {
            self.connections.sent(link, bytes, self.now, &mut self.budget);
        }
        self.turn();
    }

    /// Bytes of requests that are charged.
    fn requests_charged(&self) -> u64 {
        self.budget.used(Purpose::Requests)
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.turn();
    }
}

#[test]
fn one_send_a_link_and_turn_in_the_order_of_the_requests() {
    let mut world = World::with_link(LINK);
    (0..3).for_each(|_| world.ask(LINK, 10));
    let slots: Vec<Slot> = world.deliver(LINK, usize::MAX).iter().map(|request| request.slot).collect();
    world.answer(LINK, slots[2], b"c");
    world.answer(LINK, slots[0], b"a");
    world.turn();
    assert_eq!(world.wire(LINK).got, b"\0\0\0\x01a");
    world.connections.silence(LINK, slots[1], &mut world.budget);
    world.turn();
    assert_eq!(world.wire(LINK).got, b"\0\0\0\x01a\0\0\0\x01c");
    assert_eq!((world.sends, world.requests_charged()), (2, 0));
}

#[test]
fn at_most_the_stated_number_of_requests_is_unanswered() {
    let mut world = World::with_link(LINK);
    (0..200).for_each(|_| world.ask(LINK, 10));
    let first = world.deliver(LINK, usize::MAX);
    assert_eq!(first.len(), CONNECTION_REQUESTS_MAX);
    assert!(world.take_ready().is_empty(), "nothing more until an answer has left");
    world.answer(LINK, first[1].slot, b"x");
    world.turn();
    assert!(world.take_ready().is_empty(), "the answer waits for an earlier one");
    world.answer(LINK, first[0].slot, b"x");
    world.turn();
    assert_eq!(world.connections.next_deadline(&world.budget), Some(Mono(0)), "there is work at once");
    assert_eq!(world.take_ready().len(), 2);
}

#[test]
fn credit_is_given_again_in_chunks() {
    let mut world = World::with_link(LINK);
    for _ in 0..10_000 {
        world.ask(LINK, 96);
        let requests = world.deliver(LINK, usize::MAX);
        assert_eq!(requests.len(), 1);
        world.answer(LINK, requests[0].slot, b"ok");
        world.turn();
        world.read(LINK);
    }
    assert!(world.wire(LINK).allows <= 1 + 10_000 * 100 / (CONNECTION_CREDIT_BYTES / 2));
}

#[test]
fn one_whole_request_of_the_largest_size_is_let_in() {
    let mut world = World::new(32 << 20);
    world.open(LINK);
    world.ask(LINK, world.budget.request_bytes_max());
    world.ask(LINK, 10);
    let mut requests = Vec::new();
    for _ in 0..1000 {
        requests.extend(world.deliver(LINK, usize::MAX));
    }
    assert_eq!(requests.len(), 1, "the next one waits until the large one is answered");
    assert_eq!(world.wire(LINK).credit, 0);
    world.answer(LINK, requests[0].slot, b"ok");
    world.turn();
    assert_eq!(world.deliver(LINK, usize::MAX).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn unanswered_bytes_and_credit_are_bounded_and_everything_is_answered(
        sizes in prop::collection::vec(prop_oneof![8 => 0usize..400, 2 => 0usize..3_000_000], 1..60),
        cuts in prop::collection::vec(prop_oneof![1usize..500, 1usize..400_000], 1..20),
        patience in 1usize..30,
    ) {
        let mut world = World::with_link(LINK);
        sizes.iter().for_each(|size| world.ask(LINK, *size));
        let (mut open, mut got) = (Vec::new(), Vec::new());
        let (mut answered, mut turn) = (0, 0);
        while answered < sizes.len() {
            turn += 1;
            prop_assert!(turn < 200_000, "{answered} of {} answered", sizes.len());
            // However small the cuts, much comes in some tens of thousands of them.
            let cut = cuts[turn % cuts.len()].max(world.wire(LINK).to_send.len() >> 12);
            let mut taken = world.deliver(LINK, cut);
            taken.extend(world.take_ready().into_iter().map(|(_, request)| request));
            got.extend(taken.iter().map(|request| request.bytes.len()));
            open.extend(taken);
            let credit = world.wire(LINK).credit as u64;
            prop_assert!(world.requests_charged() + credit <= CONNECTION_REQUEST_BYTES_MAX as u64);
            let charged = credit.saturating_sub(world.budget.least_credit_bytes() as u64);
            prop_assert_eq!(world.budget.used(Purpose::Credit), charged);
            prop_assert!(world.budget.used(Purpose::Answers) >= world.wire(LINK).unread);
            prop_assert!(open.len() <= CONNECTION_REQUESTS_MAX);
            // Idle turns let requests pile up, then one of them is answered, not always the first.
            if turn % patience == 0 && !open.is_empty() {
                let request = open.remove(turn % open.len());
                world.answer(LINK, request.slot, b"ok");
                world.turn();
                world.read(LINK);
                answered += 1;
            }
        }
        prop_assert_eq!(got, sizes);
        prop_assert_eq!(world.requests_charged(), 0);
    }
}

#[test]
fn a_client_that_reads_again_is_served_again() {
    let mut world = World::with_link(LINK);
    world.ask(LINK, 20);
    let first = world.deliver(LINK, usize::MAX);
    assert_eq!(world.connections.answer_bytes_max(LINK, first[0].slot, &world.budget), FETCH_BYTES_MAX);
    world.answer(LINK, first[0].slot, &vec![1; 2 * CONNECTION_UNREAD_BYTES_MAX]);
    world.turn();
    world.ask(LINK, 20);
    assert!(world.deliver(LINK, usize::MAX).is_empty(), "not taken up");
    world.read(LINK);
    assert_eq!(world.take_ready().len(), 1);
}

#[test]
fn the_credit_of_idle_links_is_bounded_and_a_large_request_still_comes() {
    let mut world = World::new(16 << 20);
    let links: Vec<LinkId> = (1..=1_000).map(|number| LinkId(2 * number)).collect();
    links.iter().for_each(|link| world.open(*link));
    let credit: usize = links.iter().map(|link| world.wire(*link).credit).sum();
    assert!(credit < 4 << 20, "{credit} bytes may come unasked");
    let last = LinkId(2_000);
    world.ask(last, 1 << 20);
    let came = (0..20).any(|_| !world.deliver(last, usize::MAX).is_empty());
    assert!(came, "what its length says is let in");
}

#[test]
fn a_length_that_cannot_be_ends_the_link_after_earlier_answers() {
    let mut world = World::with_link(LINK);
    world.ask(LINK, 10);
    world.wire(LINK).to_send.extend_from_slice(&[0xff; 8]);
    world.ask(LINK, 10);
    let count = world.wire(LINK).to_send.len();
    let bytes: Vec<u8> = world.wire(LINK).to_send.drain(..count).collect();
    world.connections.received(LINK, BytesMut::from(&bytes[..]), world.now, &mut world.budget);
    let first = world.connections.next_request(LINK, world.now, &mut world.budget).expect("whole");
    world.answer(LINK, first.slot, b"a");
    assert!(world.take(LINK).is_empty());
    world.turn();
    assert_eq!(world.wire(LINK).got, b"\0\0\0\x01a");
    assert!(world.wire(LINK).is_closed);
    assert_eq!(world.requests_charged(), 0);
    // What was under way is ignored.
    world.connections.received(LINK, BytesMut::from(&[1][..]), world.now, &mut world.budget);
    world.answer(LINK, first.slot, b"late");
    world.connections.closed(LINK, &mut world.budget);
    world.connections.received(LINK, BytesMut::from(&[1][..]), world.now, &mut world.budget);
    world.answer(LINK, first.slot, b"late");
    world.turn();
    assert_eq!((world.wire(LINK).got.len(), world.requests_charged()), (5, 0));
}

#[test]
fn a_used_up_budget_stops_reading_and_resumes_in_turn() {
    let mut world = World::new(100_000);
    let links: Vec<LinkId> = (1..=20).map(|number| LinkId(2 * number)).collect();
    links.iter().for_each(|link| world.open(*link));
    for link in &links {
        (0..20).for_each(|_| world.ask(*link, 50_000));
    }
    let mut served = BTreeMap::<LinkId, usize>::new();
    let mut turns = 0;
    while served.values().sum::<usize>() < 400 {
        turns += 1;
        assert!(turns < 10_000, "served so far {served:?}");
        let mut open = Vec::new();
        for link in &links {
            open.extend(world.deliver(*link, usize::MAX).into_iter().map(|request| (*link, request)));
        }
        open.extend(world.take_ready());
        for (link, request) in open {
            *served.entry(link).or_default() += 1;
            world.answer(link, request.slot, b"ok");
        }
        links.iter().for_each(|link| world.read(*link));
        let (least, most) = (served.values().min().copied(), served.values().max().copied());
        if served.len() == links.len() && most < Some(20) {
            assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 12, "unfair: {served:?}");
        }
    }
    assert_eq!(world.requests_charged(), 0);
}

#[test]
fn half_requests_that_hold_the_whole_budget_become_whole_one_after_the_other() {
    let mut world = World::new(4_000_000);
    let links: Vec<LinkId> = (1..=10).map(|number| LinkId(2 * number)).collect();
    links.iter().for_each(|link| world.open(*link));
    links.iter().for_each(|link| world.ask(*link, 2_000_000));
    let mut served = 0;
    for _ in 0..1000 {
        for link in &links {
            world.read(*link);
            for request in world.deliver(*link, usize::MAX) {
                served += 1;
                world.answer(*link, request.slot, b"ok");
                world.turn();
            }
            // Credit that was out, and one request over the budget.
            let bound = 2_000_000 + links.len() * CONNECTION_CREDIT_BYTES + 2_000_004;
            assert!(world.requests_charged() <= bound as u64);
        }
        world.pass(Duration::from_millis(100));
    }
    assert_eq!((served, world.requests_charged()), (10, 0));
}

#[test]
fn a_link_that_dies_gives_back_what_it_held() {
    let mut world = World::with_link(LINK);
    world.ask(LINK, 10);
    world.ask(LINK, 100);
    world.deliver(LINK, 60);
    assert_eq!(world.requests_charged(), 60);
    world.connections.closed(LINK, &mut world.budget);
    assert_eq!((world.budget.used_bytes(), world.connections.len()), (0, 0));
}

#[test]
fn an_idle_connection_is_small() {
    let bytes = size_of::<super::link::Connection>();
    assert!(bytes <= 512, "{bytes} bytes");
}
