//! Waiting: long polls, deadlines, and callers that hang up.

use crate::wire::Wire;
use crate::{block_on, client, create, from, values};
use prost::Message;
use std::time::{Duration, Instant};
use tests::node::Node;
use tonic::Code;

#[test]
fn a_long_poll_is_answered_by_the_record_it_waits_for_and_holds_up_no_other_call() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut poll = from("t", 0);
        poll.max_wait_ms = 30_000;
        let (mut polling, started) = (client.clone(), Instant::now());
        let polls = async { polling.fetch(poll).await.expect("a record comes").into_inner() };
        let produces = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            client.produce(values("t", &["at last"])).await.expect("it is appended on the same connection");
        };
        let (found, ()) = tokio::join!(polls, produces);
        assert_eq!(found.partitions[0].records.len(), 1);
        assert!((0.3..5.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
    });
}

#[test]
fn a_long_poll_in_vain_ends_when_it_said() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut poll = from("t", 0);
        poll.max_wait_ms = 700;
        let started = Instant::now();
        let found = client.fetch(poll).await.expect("an empty answer is one").into_inner();
        assert_eq!(found.partitions[0].records, []);
        assert!((0.6..5.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
    });
}

#[test]
fn a_deadline_ends_a_call_and_nothing_else() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut poll = from("t", 0);
        (poll.max_wait_ms, poll.min_bytes) = (30_000, 1_000);
        // A usual client gives up by itself, and we would not see what the broker says.
        let mut wire = Wire::connect(node.address()).await;
        let started = Instant::now();
        let late = wire.call("Fetch", &[("grpc-timeout", "300m")], &poll.encode_to_vec()).await;
        assert_eq!(late.status, Some(Code::DeadlineExceeded));
        assert!((0.3..5.0).contains(&started.elapsed().as_secs_f64()), "{:?}", started.elapsed());
        let unreadable = wire.call("Fetch", &[("grpc-timeout", "soon")], &poll.encode_to_vec()).await;
        assert_eq!(unreadable.status, Some(Code::InvalidArgument));
        let (_, far) = (poll.max_wait_ms = 1, [("grpc-timeout", "99999999H")]);
        let there = wire.call("Fetch", &far, &poll.encode_to_vec()).await;
        assert_eq!(there.status, Some(Code::Ok), "the connection lives");
    });
}

#[test]
fn callers_that_hang_up_leave_nothing_behind() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        for round in 0..60 {
            let mut polls = Vec::new();
            for _ in 0..100 {
                let mut poll = from("t", 0);
                poll.max_wait_ms = 60_000;
                let mut polling = client.clone();
                polls.push(Box::pin(async move { polling.fetch(poll).await }));
            }
            for poll in &mut polls {
                // Sent, and never waited for.
                let _ = tokio::time::timeout(Duration::from_micros(100), poll).await;
            }
            drop(polls);
            client.produce(values("t", &[])).await.expect_err("no record to append");
            assert!(node.peak_memory_bytes() < 200 << 20, "round {round}");
        }
        client.produce(values("t", &["x"])).await.expect("6,000 calls are not under way any more");
    });
}

#[test]
fn who_waits_when_the_broker_stops_is_answered() {
    let mut node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut poll = from("t", 0);
        poll.max_wait_ms = 30_000;
        let polls: Vec<_> = (0..20)
            .map(|_| {
                let (mut polling, poll) = (client.clone(), poll.clone());
                tokio::spawn(async move { polling.fetch(poll).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(300)).await;
        node.ask_to_stop();
        for poll in polls {
            let answer = poll.await.expect("it does not panic").expect("an answer, and no broken connection");
            assert_eq!(answer.into_inner().partitions[0].records, []);
        }
    });
    assert!(node.end().success());
}
