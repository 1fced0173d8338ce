//! Who asks, and what becomes of it.

use super::{House, at};
use crate::ids::{Index, NodeId, ReplicaId};
use crate::level::Levels;
use crate::limits::{ASKED_BYTES_MAX, CONTROLLER_AWAITED_MAX};
use crate::machine::Waiter;
use crate::metadata::{self, TopicRef};
use crate::node::asking::Asking;
use crate::node::reading::Reading;
use crate::now::Mono;
use crate::peer::CallId;
use crate::resident::{Reply, Request};

fn request() -> Request {
    metadata::Request::DeleteTopics { topics: Vec::new() }.into()
}

#[test]
fn a_request_waits_a_bounded_time_for_a_leader() {
    let mut house = House::new(3);
    let (residents, ports) = (&mut house.residents, &mut house.ports);
    let mut asking = Asking::default();
    asking.ask(at(5), Waiter(1), request(), residents, ports);
    let until = Mono(5) + CONTROLLER_AWAITED_MAX;
    assert_eq!(asking.next_deadline(), Some(until));
    asking.ask_again(at(until.0 - 1), residents, ports);
    assert!(ports.news.replied.is_empty() && asking.next_deadline().is_some());
    asking.ask_again(at(until.0), residents, ports);
    assert_eq!(ports.news.replied, [(Waiter(1), Reply::Metadata(metadata::Reply::NotController))]);
    asking.ask_again(at(until.0), residents, ports);
    assert_eq!((ports.news.replied.len(), asking.next_deadline()), (1, None), "once");
}

#[test]
fn too_much_at_once_is_refused_wherever_the_leader_is() {
    let mut house = House::new(3);
    let topics = vec![TopicRef::Name("t".repeat(ASKED_BYTES_MAX))];
    let too_much = metadata::Request::DeleteTopics { topics }.into();
    Asking::default().ask(at(5), Waiter(1), too_much, &mut house.residents, &mut house.ports);
    let [(Waiter(1), Reply::Metadata(metadata::Reply::Refused(_)))] = &house.ports.news.replied[..] else {
        panic!("it is refused: {:?}", house.ports.news.replied);
    };
}

#[test]
fn an_answer_that_nobody_waits_for_and_a_question_that_cannot_be_read_change_nothing() {
    let mut house = House::new(3);
    let (residents, ports) = (&mut house.residents, &mut house.ports);
    let mut asking = Asking::default();
    asking.forwarded(CallId(7), Some((Index(0), &[0, 1, 2])), residents, ports);
    asking.asked_by(at(5), (NodeId(2), CallId(1)), &[255, 1], residents, ports);
    assert!(ports.news.is_empty() && ports.answered.is_empty() && ports.touched.take().is_empty());
}

#[test]
fn what_machines_are_asked_is_read_back_and_names_its_machine() {
    let (asked, told) = (request(), Reply::from(metadata::Reply::NotController));
    assert_eq!(Request::decode(&asked.encode(Levels::BUILD.newest).expect("it travels")), Ok(asked));
    assert_eq!(Reply::decode(&told.encode(Levels::BUILD.newest).expect("it travels")), Ok(told));
    assert!(Request::decode(&[]).is_err() && Reply::decode(&[9, 1]).is_err());
}

#[test]
fn a_read_is_confirmed_by_who_leads_and_by_nobody_else() {
    let mut house = House::new(1);
    let (id, _) = house.add_partition(7, 1);
    let mut reading = Reading::default();
    reading.ask(ReplicaId(8), Waiter(1), &mut house.residents, &mut house.ports);
    reading.ask(id, Waiter(2), &mut house.residents, &mut house.ports);
    assert_eq!(house.ports.news.confirmed, [(Waiter(1), false), (Waiter(2), false)], "nobody leads");
    house.ports.news.confirmed.clear();
    house.residents.replica_mut(id).expect("it was added").campaign();
    house.carry(id);
    reading.ask(id, Waiter(3), &mut house.residents, &mut house.ports);
    let reads = house.carry(id);
    let replica = house.residents.replica_mut(id).expect("it was added");
    reading.heard(id, &reads, replica, &mut house.ports.news);
    reading.applied(id, &house.residents, &mut house.ports.news);
    assert_eq!(house.ports.news.confirmed, [(Waiter(3), true)]);
    reading.lost(id, &mut house.ports.news);
    assert_eq!(house.ports.news.confirmed.len(), 1, "nobody hears twice");
}

#[test]
fn whoever_reads_hears_of_it_when_its_replica_is_gone() {
    let mut house = House::new(1);
    let (id, _) = house.add_partition(7, 1);
    house.residents.replica_mut(id).expect("it was added").campaign();
    house.carry(id);
    let mut reading = Reading::default();
    (1..=3).for_each(|waiter| reading.ask(id, Waiter(waiter), &mut house.residents, &mut house.ports));
    reading.lost(id, &mut house.ports.news);
    let told: Vec<_> = (1..=3).map(|waiter| (Waiter(waiter), false)).collect();
    assert_eq!(house.ports.news.confirmed, told);
}
