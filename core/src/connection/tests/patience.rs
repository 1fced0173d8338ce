//! How long slow clients are waited for: long where there is room, and not where others need what they hold.

use super::{LINK, World};
use crate::connection::Purpose;
use crate::ids::LinkId;
use crate::limits::{
    CONNECTION_CLOSING_MAX, CONNECTION_CREDIT_BYTES, CONNECTION_IDLE_MAX, CONNECTION_UNREAD_BYTES_MAX,
    CONNECTION_UNREAD_MAX, REQUEST_ARRIVAL_MAX,
};
use std::time::Duration;

/// A client that reads nothing of many answers; how many of its requests were taken up.
fn never_reads(world: &mut World) -> usize {
    let answer = vec![1; 100_000];
    (0..500).for_each(|_| world.ask(LINK, 20));
    let mut taken = 0;
    for _ in 0..500 {
        let mut requests = Vec::new();
        if let Some(request) = world.connections.next_request(LINK, world.now, &mut world.budget) {
            requests.push(request);
        } else {
            requests.extend(world.deliver(LINK, 24));
            requests.extend(world.take_ready().into_iter().map(|(_, request)| request));
        }
        for request in requests {
            taken += 1;
            world.answer(LINK, request.slot, &answer);
        }
        world.turn();
    }
    let bound = CONNECTION_UNREAD_BYTES_MAX + answer.len() + 4;
    assert!(world.wire(LINK).unread <= bound as u64, "{} unread", world.wire(LINK).unread);
    assert_eq!(world.budget.used(Purpose::Answers), world.wire(LINK).unread);
    taken
}

#[test]
fn a_client_that_never_reads_costs_a_bounded_buffer_and_where_others_need_that_its_link() {
    let mut world = World::new(2 * CONNECTION_UNREAD_BYTES_MAX as u64);
    world.open(LINK);
    let taken = never_reads(&mut world);
    assert!(taken < 20 && world.wire(LINK).credit < CONNECTION_CREDIT_BYTES);
    let other = LinkId(4);
    world.open(other);
    world.ask(other, 20);
    assert!(world.deliver(other, usize::MAX).is_empty(), "there is no room for its answer");
    world.pass(CONNECTION_UNREAD_MAX - Duration::from_secs(1));
    assert!(!world.wire(LINK).is_aborted);
    world.connections.sent(LINK, 1000, world.now, &mut world.budget);
    world.wire(LINK).unread -= 1000;
    world.pass(CONNECTION_UNREAD_MAX - Duration::from_secs(1));
    assert!(!world.wire(LINK).is_aborted, "some progress is enough");
    world.pass(Duration::from_secs(1));
    assert!(world.wire(LINK).is_aborted && world.connections.len() == 1);
    assert_eq!(world.take_ready().len(), 1, "the other one is served");
}

#[test]
fn a_client_that_reads_slowly_is_waited_for_where_there_is_room() {
    let mut world = World::with_link(LINK);
    never_reads(&mut world);
    for _ in 0..5 {
        world.pass(CONNECTION_IDLE_MAX / 2);
        world.connections.sent(LINK, 1, world.now, &mut world.budget);
        assert!(!world.wire(LINK).is_aborted);
    }
    world.pass(CONNECTION_IDLE_MAX);
    assert!(world.wire(LINK).is_aborted, "nothing moves");
    assert_eq!((world.budget.used_bytes(), world.connections.next_deadline(&world.budget)), (0, None));
}

#[test]
fn half_a_request_ends_the_link_after_its_time_where_others_need_room() {
    let mut world = World::new(200);
    world.open(LINK);
    world.ask(LINK, 100);
    world.deliver(LINK, 60);
    let other = LinkId(4);
    world.open(other);
    world.ask(other, 100);
    world.pass(Duration::from_secs(2));
    world.deliver(other, 60);
    world.pass(REQUEST_ARRIVAL_MAX - Duration::from_secs(3));
    world.deliver(LINK, 1);
    world.pass(Duration::from_millis(999));
    assert!(!world.wire(LINK).is_closed);
    world.pass(Duration::from_millis(1));
    assert!(world.wire(LINK).is_closed, "a trickle is no excuse");
    world.pass(Duration::from_secs(2));
    assert!(!world.wire(other).is_closed, "now there is room");
    world.pass(CONNECTION_CLOSING_MAX);
    assert!(world.wire(LINK).is_aborted, "nor is a driver that cannot close it");
}

#[test]
fn half_a_request_is_waited_for_where_there_is_room() {
    let mut world = World::with_link(LINK);
    world.ask(LINK, 100);
    for _ in 0..10 {
        world.deliver(LINK, 5);
        world.pass(CONNECTION_IDLE_MAX - REQUEST_ARRIVAL_MAX);
        assert!(!world.wire(LINK).is_closed);
    }
    world.pass(CONNECTION_IDLE_MAX);
    assert!(world.wire(LINK).is_closed, "nothing comes");
}

#[test]
fn whole_requests_in_time_keep_the_link() {
    let mut world = World::with_link(LINK);
    // Always half a request here, never the same for long.
    world.ask(LINK, 100);
    for _ in 0..100 {
        world.ask(LINK, 100);
        let requests = world.deliver(LINK, 104);
        world.pass(REQUEST_ARRIVAL_MAX / 2);
        requests.iter().for_each(|request| world.answer(LINK, request.slot, b"ok"));
        world.read(LINK);
        world.read(LINK);
        assert!(!world.wire(LINK).is_closed);
    }
}

#[test]
fn an_idle_link_ends_but_not_one_whose_request_is_parked() {
    let mut world = World::with_link(LINK);
    world.ask(LINK, 10);
    let parked = world.deliver(LINK, usize::MAX);
    world.pass(CONNECTION_IDLE_MAX * 2);
    assert!(!world.wire(LINK).is_closed);
    world.answer(LINK, parked[0].slot, b"ok");
    world.turn();
    world.read(LINK);
    world.pass(CONNECTION_IDLE_MAX - Duration::from_millis(1));
    assert!(!world.wire(LINK).is_closed);
    world.pass(Duration::from_millis(1));
    assert!(world.wire(LINK).is_closed);
    world.connections.closed(LINK, &mut world.budget);
    assert_eq!(world.connections.next_deadline(&world.budget), None);
}
