//! The laws about links (5, 6, 8, 10), on real sockets, as the core meets them.

use bytes::Bytes;
use mio::{Events, Poll};
use rust_mq::clients::Clients;
use rust_mq::clock::Clock;
use rust_mq::grpc::Grpc;
use rust_mq::mailbox::{Room, Wake};
use rust_mq::questions::Questions;
use rust_mq_core::event::{CloseReason, Event, LinkKind};
use rust_mq_core::ids::LinkId;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Bench {
    poll: Poll,
    clients: Clients,
    address: SocketAddr,
}

impl Bench {
    fn new() -> Bench {
        Bench::of(100)
    }

    fn of(limit: usize) -> Bench {
        let poll = Poll::new().expect("an epoll set can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let registry = poll.registry().try_clone().expect("a registry can be cloned");
        let wake: Wake = Arc::new(|| {});
        let grpc = Grpc::new(Arc::clone(&wake), Arc::new(Questions::new(wake)), 1 << 30);
        let clients = Clients::new(vec![listener], registry, Clock::new(), limit, grpc)
            .expect("a listener can be registered");
        Bench { poll, clients, address }
    }

    /// What happens within a moment, or until `is_enough`.
    fn events(&mut self, is_enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut found = Vec::new();
        let until = Instant::now() + Duration::from_secs(10);
        while !is_enough(&found) {
            assert!(Instant::now() < until, "waited in vain, with {found:?}");
            self.turn(&mut found);
        }
        found
    }

    fn quiet_moment(&mut self) -> Vec<Event> {
        let mut found = Vec::new();
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {
            self.turn(&mut found);
        }
        found
    }

    fn turn(&mut self, found: &mut Vec<Event>) {
        let mut ready = Events::with_capacity(64);
        let wait = if self.clients.has_more() { Duration::ZERO } else { Duration::from_millis(10) };
        self.poll.poll(&mut ready, Some(wait)).expect("polling works");
        ready.iter().for_each(|event| self.clients.on_ready(event));
        self.clients.gather(found, &mut Room::of_a_turn());
    }

    fn open(&mut self) -> (TcpStream, LinkId) {
        let mut client = TcpStream::connect(self.address).expect("the listener accepts");
        client.write_all(b"0123").expect("four bytes fit");
        match &self.events(|events| !events.is_empty())[..] {
            [Event::Opened { link, kind: LinkKind::Kafka { listener: 0, local, remote } }] => {
                assert_eq!(local.to_string(), self.address.to_string());
                let own = client.local_addr().expect("a connected socket has an address");
                assert_eq!(remote.to_string(), own.to_string());
                assert_eq!(link.0 % 2, 0, "accepted links are even");
                (client, *link)
            }
            other => panic!("not one Opened: {other:?}"),
        }
    }
}

fn received(events: &[Event]) -> Vec<u8> {
    let bytes = events.iter().filter_map(|event| match event {
        Event::Received { bytes, .. } => Some(&bytes[..]),
        _ => None,
    });
    bytes.flatten().copied().collect()
}

fn closed(events: &[Event]) -> Vec<CloseReason> {
    let whys = events.iter().filter_map(|event| match event {
        Event::Closed { why, .. } => Some(*why),
        _ => None,
    });
    whys.collect()
}

#[test]
fn credit_is_never_exceeded_and_starts_at_zero() {
    let mut bench = Bench::new();
    let (mut client, link) = bench.open();
    client.write_all(&[b'x'; 1000]).expect("a thousand bytes fit");
    assert_eq!(bench.quiet_moment(), [], "no credit, no bytes");
    bench.clients.allow(link, 3);
    assert_eq!(received(&bench.quiet_moment()), b"012");
    bench.clients.allow(link, 11);
    assert_eq!(received(&bench.quiet_moment()), b"3xxxxxxxxxx");
    bench.clients.allow(link, 1 << 20);
    assert_eq!(received(&bench.events(|events| received(events).len() >= 990)).len(), 990);
}

#[test]
fn a_stream_arrives_in_order_whatever_its_cuts() {
    let mut bench = Bench::new();
    let (mut client, link) = bench.open();
    let sent: Vec<u8> = (0..5_000_000_u32).map(|number| (number / 7) as u8).collect();
    let copy = sent.clone();
    let writer = std::thread::spawn(move || client.write_all(&copy).map(|()| client));
    bench.clients.allow(link, 4 + sent.len() as u64);
    let found = received(&bench.events(|events| received(events).len() >= sent.len() + 4));
    assert!(found[4..] == sent[..], "the bytes that were sent");
    drop(writer.join().expect("the writer does not panic"));
    assert_eq!(closed(&bench.events(|events| !events.is_empty())), [CloseReason::Remote]);
}

#[test]
fn sends_leave_in_order_and_close_follows_them() {
    let mut bench = Bench::new();
    let (mut client, link) = bench.open();
    let part = Bytes::from(vec![7; 100_000]);
    for number in 0..100_u8 {
        bench.clients.send(link, vec![Bytes::from(vec![number]), part.clone(), Bytes::new()]);
    }
    bench.clients.close(link);
    bench.clients.flush();
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        // The broker leaves four bytes unread, so the end may be a reset.
        let end = client.read_to_end(&mut all);
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
        all
    });
    let events = bench.events(|events| !closed(events).is_empty());
    let sent = events.iter().map(|event| if let Event::Sent { bytes, .. } = event { *bytes } else { 0 });
    assert_eq!(sent.sum::<u64>(), 100 * 100_001, "every byte is reported");
    assert_eq!(closed(&events), [CloseReason::Asked]);
    let all = reader.join().expect("the reader does not panic");
    let firsts: Vec<u8> = all.chunks(100_001).map(|message| message[0]).collect();
    assert_eq!(firsts, (0..100).collect::<Vec<u8>>());
}

#[test]
fn an_aborted_link_is_closed_once_and_takes_nothing_more() {
    let mut bench = Bench::new();
    let (_client, link) = bench.open();
    bench.clients.abort(link);
    bench.clients.abort(link);
    bench.clients.send(link, vec![Bytes::from_static(b"late")]);
    bench.clients.allow(link, 5);
    bench.clients.close(link);
    assert_eq!(bench.quiet_moment(), [Event::Closed { link, why: CloseReason::Asked }]);
}

#[test]
fn a_client_that_leaves_is_noticed_without_credit() {
    let mut bench = Bench::new();
    let (mut client, link) = bench.open();
    bench.clients.allow(link, 4);
    bench.events(|events| received(events).len() == 4);
    client.shutdown(std::net::Shutdown::Write).expect("an open socket can be shut");
    assert_eq!(closed(&bench.events(|events| !events.is_empty())), [CloseReason::Remote]);
    assert_eq!(client.read(&mut [0]).expect("the broker closes too"), 0);
}

#[test]
fn other_protocols_are_turned_away_and_unknown_to_the_core() {
    let mut bench = Bench::new();
    for hello in [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0-x\r\n", b"\x16\x03\x01\x02\x00\x01"] {
        let mut client = TcpStream::connect(bench.address).expect("the listener accepts");
        client.write_all(hello).expect("a few bytes fit");
        assert_eq!(bench.quiet_moment(), []);
        let end = client.read(&mut [0]);
        let is_reset = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionReset;
        assert!(end.as_ref().is_ok_and(|count| *count == 0) || end.as_ref().is_err_and(is_reset), "{end:?}");
    }
}

#[test]
fn many_links_take_turns() {
    let mut bench = Bench::new();
    let mut links: Vec<_> = (0..20).map(|_| bench.open()).collect();
    for (client, link) in &mut links {
        bench.clients.allow(*link, 1 << 30);
        client.write_all(&[1; 60_000]).expect("the kernel takes 60,000 bytes");
    }
    let events = bench.events(|events| received(events).len() == 20 * 60_004);
    let order: Vec<LinkId> = events
        .iter()
        .filter_map(|event| if let Event::Received { link, .. } = event { Some(*link) } else { None })
        .take(20)
        .collect();
    let mut distinct = order.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 20, "each is read once before one is read twice: {order:?}");
}

#[test]
fn a_socket_that_speaks_grpc_keeps_its_place_until_it_ends_and_is_unknown_to_the_core() {
    let mut bench = Bench::of(1);
    let mut client = TcpStream::connect(bench.address).expect("the listener accepts");
    client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("a preface fits");
    client.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).expect("settings fit");
    assert_eq!(bench.quiet_moment(), []);
    let mut settings = [0; 9];
    client.read_exact(&mut settings).expect("HTTP/2 answers");
    assert_eq!(settings[3], 4, "a server begins with its settings");
    let mut other = TcpStream::connect(bench.address).expect("the kernel accepts");
    bench.quiet_moment();
    assert_eq!(other.read(&mut [0]).expect("it is closed"), 0, "the only place is taken");
    drop(client);
    bench.quiet_moment();
    bench.open();
}
