//! The consumer against the real binary.

use crate::{block_on, client, create};
use rust_mq_client::{
    Client, Compression, Consumer, ConsumerSettings, Error, Goal, Message, ProducerSettings, Rebalance,
    Record,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tests::cluster::Cluster;
use tests::node::Node;
use tokio::time::timeout;

/// Long enough to see that nothing comes.
const MOMENT: Duration = Duration::from_millis(800);

fn from_the_start(group: &str) -> ConsumerSettings {
    ConsumerSettings { reset: Some(Goal::Earliest), ..ConsumerSettings::group(group) }
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.value.as_deref().unwrap_or_default()).into_owned()
}

/// The numbers from `from` up to `to` as records of topic `t`.
async fn produce(client: &Client, from: u32, to: u32, compression: Compression) {
    let settings = ProducerSettings { compression, ..Default::default() };
    let producer = client.producer(settings).expect("it starts");
    let mut deliveries = Vec::new();
    for number in from..to {
        let record = Record::new("t", number.to_string()).key(number.to_string());
        deliveries.push(producer.send(record).await.expect("there is room"));
    }
    for delivery in deliveries {
        delivery.await.expect("it is delivered");
    }
    producer.close().await;
}

async fn take(consumer: &Consumer, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(text(&consumer.next().await.expect("it can be read")));
    }
    taken
}

#[test]
fn a_group_goes_on_where_it_has_come_and_keeps_headers_and_keys() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 2, 1).await;
        for (number, compression) in [Compression::None, Compression::Zstd].into_iter().enumerate() {
            let first = number as u32 * 1_000;
            produce(&client, first, first + 1_000, compression).await;
            let consumer = client.consumer(from_the_start("g")).expect("it starts");
            consumer.subscribe(&["t"]).expect("it has a group");
            let taken: BTreeSet<String> = take(&consumer, 1_000).await.into_iter().collect();
            assert_eq!(taken, (first..first + 1_000).map(|number| number.to_string()).collect());
            assert!(timeout(MOMENT, consumer.next()).await.is_err(), "there is no more");
            consumer.close(Duration::from_secs(10)).await;
        }
    });
}

#[test]
fn members_share_and_who_is_left_gets_all() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 4, 1).await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = told.clone();
        let on_rebalance = move |rebalance: &Rebalance| {
            hears.lock().unwrap_or_else(PoisonError::into_inner).push(rebalance.clone());
            Vec::new()
        };
        let settings =
            || ConsumerSettings { heartbeat_interval: Duration::from_millis(200), ..from_the_start("g") };
        let told_settings = ConsumerSettings { on_rebalance: Some(Arc::new(on_rebalance)), ..settings() };
        let one = client.consumer(told_settings).expect("it starts");
        one.subscribe(&["t"]).expect("it has a group");
        produce(&client, 0, 100, Compression::None).await;
        assert_eq!(take(&one, 100).await.len(), 100);
        let other = client.consumer(settings()).expect("it starts");
        other.subscribe(&["t"]).expect("it has a group");
        // Whoever waits is told; the one is woken by what comes later.
        let halves = async {
            while one.assignment().len() != 2 || other.assignment().len() != 2 {
                let _ = timeout(Duration::from_millis(50), one.next()).await;
                let _ = timeout(Duration::from_millis(50), other.next()).await;
            }
        };
        timeout(Duration::from_secs(30), halves).await.expect("they share");
        other.close(Duration::from_secs(10)).await;
        let all = async {
            while one.assignment().len() != 4 {
                let _ = timeout(Duration::from_millis(50), one.next()).await;
            }
        };
        timeout(Duration::from_secs(30), all).await.expect("it gets all of them");
        produce(&client, 100, 200, Compression::None).await;
        let taken: BTreeSet<String> = take(&one, 100).await.into_iter().collect();
        assert_eq!(taken, (100..200).map(|number| number.to_string()).collect());
        let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kinds: Vec<usize> = told
            .iter()
            .map(|rebalance| match rebalance {
                Rebalance::Assigned(places) => places.len(),
                Rebalance::Revoked(places) => 10 + places.len(),
                Rebalance::Lost(_) => 99,
            })
            .collect();
        assert_eq!(kinds, [4, 14, 2, 12, 4]);
    });
}

#[test]
fn without_a_group_it_reads_from_where_it_is_told() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 1, 1).await;
        let producer = client.producer(ProducerSettings::default()).expect("it starts");
        for number in 0..10 {
            let record =
                Record { timestamp_ms: Some(1_000 + number), ..Record::new("t", number.to_string()) };
            producer.send(record).await.expect("there is room");
        }
        producer.close().await;
        let consumer = client.consumer(ConsumerSettings::default()).expect("it starts");
        assert!(matches!(consumer.subscribe(&["t"]), Err(Error::Unusable { .. })));
        assert!(matches!(consumer.commit().await, Err(Error::Unusable { .. })));
        consumer.assign(&[("t", 0, Some(Goal::Offset(8)))]);
        assert_eq!(take(&consumer, 2).await, ["8", "9"]);
        consumer.seek("t", 0, Goal::Time(1_003));
        assert_eq!(take(&consumer, 1).await, ["3"]);
        consumer.pause(&[("t", 0)]);
        assert!(timeout(MOMENT, consumer.next()).await.is_err());
        consumer.resume(&[("t", 0)]);
        assert_eq!(take(&consumer, 1).await, ["4"]);
        consumer.seek("t", 0, Goal::Latest);
        assert!(timeout(MOMENT, consumer.next()).await.is_err());
        produce(&client, 10, 11, Compression::Lz4).await;
        assert_eq!(take(&consumer, 1).await, ["10"]);
        assert_eq!(consumer.position("t", 0), Some(11));
        let strict = ConsumerSettings { reset: None, ..ConsumerSettings::default() };
        let consumer = client.consumer(strict).expect("it starts");
        consumer.assign(&[("t", 0, Some(Goal::Offset(1_000)))]);
        let error = consumer.next().await.expect_err("there is no such offset");
        assert_eq!(error.name(), Some("OFFSET_OUT_OF_RANGE"));
    });
}

#[test]
fn a_node_that_is_killed_costs_its_readers_no_record() {
    let mut cluster = Cluster::start();
    block_on(async {
        let client = client(&cluster.bootstrap());
        create(&client, "t", 3, 3).await;
        let consumer = client.consumer(from_the_start("g")).expect("it starts");
        consumer.subscribe(&["t"]).expect("it has a group");
        let writer = client.clone();
        let produces = tokio::spawn(async move {
            for first in (0..1_000).step_by(50) {
                produce(&writer, first, first + 50, Compression::Snappy).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut taken: BTreeSet<String> = take(&consumer, 200).await.into_iter().collect();
        let leader = cluster.leader("t");
        cluster.kill(leader);
        while taken.len() < 1_000 {
            // At least once: a batch may come again where a commit was not kept.
            taken.insert(text(&consumer.next().await.expect("it can be read")));
        }
        assert_eq!(taken, (0..1_000).map(|number| number.to_string()).collect());
        produces.await.expect("all was delivered");
        consumer.commit().await.expect("the group keeps it");
        consumer.close(Duration::from_secs(10)).await;
    });
}
