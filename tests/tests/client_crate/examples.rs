//! The client crate's examples, run as they are.

use crate::{block_on, client, create};
use rust_mq_client::{ProducerSettings, Record};
use std::time::Duration;
use tests::cluster::Cluster;
use tests::node::Node;

#[path = "../../../client/examples/greetings.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod greetings;

#[path = "../../../client/examples/totals.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod totals;

fn expected(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("hello {number}")).collect()
}

#[test]
fn greetings_are_read_back() {
    let node = Node::in_memory();
    let mut heard = block_on(greetings::run(&node.bootstrap(), 10)).expect("it runs");
    heard.sort();
    assert_eq!(heard, expected(10));
}

#[test]
fn greetings_are_read_back_although_their_leader_is_killed_meanwhile() {
    let mut cluster = Cluster::start();
    let bootstrap = cluster.bootstrap();
    let heard = block_on(async {
        create(&client(&bootstrap), "greetings", 1, 3).await;
        let program = tokio::spawn(async move { greetings::run(&bootstrap, 300).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        let leader = cluster.leader("greetings");
        cluster.kill(leader);
        program.await.expect("it does not panic").expect("it runs to its end")
    });
    assert_eq!(heard, expected(300));
}

#[test]
fn totals_are_the_sum_and_are_committed() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "amounts", 3, 1).await;
        let producer = client.producer(ProducerSettings::default()).expect("it starts");
        for number in 0..500 {
            producer.send(Record::new("amounts", number.to_string())).await.expect("there is room");
        }
        producer.close().await;
        let bootstrap = node.bootstrap();
        assert_eq!(totals::run(&bootstrap, "amounts", 500).await.expect("it runs"), 124_750);
        let producer = client.producer(ProducerSettings::default()).expect("it starts");
        producer.send(Record::new("amounts", "7")).await.expect("there is room").await.expect("it is there");
        assert_eq!(totals::run(&bootstrap, "amounts", 1).await.expect("it runs"), 7, "where it had come");
    });
}
