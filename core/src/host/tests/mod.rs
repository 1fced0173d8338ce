//! What the host owes to those who wait and to the state, whatever becomes of its replica: stories of a few hosts of a
//! toy machine, and seeded clusters of them under loss, cuts and crashes, held to the laws.

mod cluster;
mod toy;

use super::Host;
use crate::ids::Index;
use crate::level::Levels;
use crate::machine::Machine;
use cluster::{Cluster, Weather};
use toy::{Reply, Request, Toy};

#[test]
fn a_deposed_leader_with_nothing_in_flight_does_not_answer() {
    let mut cluster = Cluster::new(1, 3);
    cluster.elect(0);
    cluster.ask(0, Request::Add { key: 1, amount: 5 });
    cluster.calm();
    cluster.cut(0);
    cluster.elect(1);
    let added = cluster.ask(1, Request::Add { key: 1, amount: 2 });
    cluster.calm();
    assert_eq!(cluster.answer(added), Some(Reply::Value(7)));
    assert!(cluster.host(0).is_leading(), "it has not heard of it");
    let read = cluster.ask(0, Request::Read { key: 1 });
    let peeked = cluster.ask(0, Request::Peek { key: 1 });
    cluster.calm();
    assert_eq!(cluster.answer(read), None, "nobody says that it leads still");
    assert_eq!(cluster.answer(peeked), Some(Reply::Value(5)), "this one did not ask to be sure");
    cluster.heal();
    cluster.rounds(4);
    assert_eq!(cluster.answer(read), Some(Reply::NotLeader));
}

#[test]
fn reads_that_come_while_one_is_asked_share_the_next_question() {
    let mut cluster = Cluster::new(2, 3);
    cluster.elect(0);
    cluster.calm();
    let before = cluster.questions();
    let reads: Vec<_> = (0..50).map(|_| cluster.ask(0, Request::Read { key: 1 })).collect();
    cluster.calm();
    assert!(reads.iter().all(|read| cluster.answer(*read) == Some(Reply::Value(0))));
    assert_eq!(cluster.questions() - before, 2, "the first asks alone, all others together");
}

#[test]
fn one_decision_answers_all_who_waited_for_it() {
    let mut cluster = Cluster::new(3, 3);
    cluster.elect(0);
    cluster.calm();
    let waiting: Vec<_> =
        (1..=3).map(|at_least| cluster.ask(0, Request::Await { key: 1, at_least })).collect();
    cluster.calm();
    assert!(waiting.iter().all(|waiter| cluster.answer(*waiter).is_none()));
    cluster.ask(0, Request::Add { key: 1, amount: 2 });
    cluster.calm();
    let answers: Vec<_> = waiting.iter().map(|waiter| cluster.answer(*waiter)).collect();
    assert_eq!(answers, [Some(Reply::Value(2)), Some(Reply::Value(2)), None]);
    assert_eq!(cluster.host(0).next_deadline(), Some(toy::PATIENCE), "the last one is waited for so long");
    cluster.sleep(toy::PATIENCE);
    cluster.calm();
    assert_eq!(cluster.answer(waiting[2]), Some(Reply::Late));
    assert_eq!(cluster.host(0).next_deadline(), None);
}

#[test]
fn nothing_is_decided_before_soft_state_is_whole_and_it_is_built_in_steps() {
    let mut cluster = Cluster::new(4, 1);
    cluster.elect(0);
    for key in 0..10 {
        cluster.ask(0, Request::Add { key, amount: 1 });
    }
    cluster.calm();
    cluster.crash(0);
    cluster.stand(0);
    cluster.calm();
    let mut steps = 0;
    while !cluster.host(0).is_leading() {
        let early = cluster.ask(0, Request::Peek { key: 1 });
        assert_eq!(cluster.answer(early), Some(Reply::NotLeader));
        assert!(cluster.host(0).next_deadline().is_some(), "it wants to go on at once");
        cluster.wake(0);
        steps += 1;
    }
    assert_eq!(steps, 10usize.div_ceil(toy::STEP) - 1, "the first step is made at the election");
    let first = cluster.ask(0, Request::Count);
    cluster.calm();
    assert_eq!(cluster.answer(first), Some(Reply::Value(10)));
}

#[test]
fn a_machine_sees_the_image_of_the_node_that_decides() {
    let mut cluster = Cluster::new(5, 1);
    cluster.elect(0);
    cluster.image.most = 3;
    let (within, above) = (Request::Add { key: 1, amount: 3 }, Request::Add { key: 1, amount: 4 });
    let (within, above) = (cluster.ask(0, within), cluster.ask(0, above));
    cluster.calm();
    assert_eq!(cluster.answer(within), Some(Reply::Value(3)));
    assert_eq!(cluster.answer(above), Some(Reply::TooMuch));
}

#[test]
fn a_snapshot_answers_whoever_waited_for_a_commit() {
    let mut cluster = Cluster::new(6, 3);
    cluster.elect(0);
    cluster.calm();
    cluster.cut(0);
    let added = cluster.ask(0, Request::Add { key: 1, amount: 5 });
    let read = cluster.ask(0, Request::Read { key: 1 });
    cluster.calm();
    assert_eq!((cluster.answer(added), cluster.answer(read)), (None, None));
    cluster.install_on(0, Index(50));
    assert_eq!(cluster.answer(added), Some(Reply::NotLeader));
    assert_eq!(cluster.answer(read), Some(Reply::NotLeader));
}

/// The law of replay, that of reads, and that of answers, over all that may happen.
#[test]
fn whatever_happens_replay_makes_the_same_and_reads_are_of_the_present() {
    let weather = Weather { loss: 40, crash: 4, cut: 12, heal: 80, checkpoint: 20, upset: 15 };
    let (mut seen, mut questions) = (cluster::Seen::default(), 0);
    for seed in 0..200 {
        let mut cluster = Cluster::new(seed, 1 + 2 * (seed % 3));
        for _ in 0..120 {
            cluster.storm(weather);
        }
        cluster.heal();
        cluster.rounds(80);
        cluster.judge();
        seen = seen + cluster.seen;
        questions += cluster.questions() as u64;
    }
    let often = [seen.reads, seen.adds, seen.crashes, seen.refused, seen.late, questions];
    assert!(often.iter().all(|times| *times > 10), "too little happens for the laws to mean much: {seen:?}");
}

#[test]
fn a_state_is_read_back_as_it_was_written() {
    let mut cluster = Cluster::new(7, 1);
    cluster.elect(0);
    cluster.ask(0, Request::Add { key: 9, amount: 4 });
    cluster.calm();
    let host = cluster.host(0);
    let (wall, toy) =
        Host::<Toy>::decode_state(&host.encode(), Levels::BUILD.newest).expect("our own encoding");
    assert_eq!((wall, &toy), (host.applied().wall, host.committed()));
    assert!(
        Toy::decode(&[1], Levels::BUILD.newest).is_err()
            && Host::<Toy>::decode_state(&[], Levels::BUILD.newest).is_err()
    );
}
