//! The producer against the real binary.

use crate::{block_on, client, create};
use rust_mq_client::grpc::{FetchPartition, FetchRequest};
use rust_mq_client::{Acks, Client, Compression, Error, ProducerSettings, Record, To};
use std::time::Duration;
use tests::cluster::Cluster;
use tests::node::Node;

/// The values that a partition holds, all of them.
async fn values(client: &Client, topic: &str, partition: i32) -> Vec<String> {
    let (mut found, mut offset) = (Vec::new(), 0);
    loop {
        let part = FetchPartition { topic: topic.into(), partition, offset, ..Default::default() };
        let asked = FetchRequest { partitions: vec![part], ..Default::default() };
        let answer = client.ask(To::Leader(topic, partition), asked).await.expect("it can be read");
        let part = &answer.partitions[0];
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        found.extend(part.records.iter().map(|record| text(record.value.as_deref())));
        offset = part.next_offset;
        if offset >= part.high_watermark {
            return found;
        }
    }
}

#[test]
fn records_are_delivered_in_order_and_told_where() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 1, 1).await;
        for compression in [Compression::None, Compression::Zstd, Compression::Lz4] {
            let settings = ProducerSettings { compression, ..Default::default() };
            let producer = client.producer(settings).expect("it starts");
            let before = values(&client, "t", 0).await.len() as i64;
            let mut deliveries = Vec::new();
            for number in 0..5_000 {
                let record = Record::new("t", number.to_string()).header("h", "x");
                deliveries.push(producer.send(record).await.expect("there is room"));
            }
            for (number, delivery) in (0..).zip(deliveries) {
                let placed = delivery.await.expect("it is delivered");
                assert_eq!((placed.partition, placed.offset), (0, Some(before + number)));
            }
            producer.close().await;
            let found = values(&client, "t", 0).await.split_off(before as usize);
            assert!(found.iter().enumerate().all(|(number, value)| *value == number.to_string()));
        }
    });
}

#[test]
fn acks_none_and_a_topic_that_is_made_by_its_first_record() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        let settings = ProducerSettings { acks: Acks::None, ..Default::default() };
        let producer = client.producer(settings).expect("it starts");
        let delivery = producer.send(Record::new("made", "v").key("k")).await.expect("there is room");
        assert_eq!(delivery.await.expect("it left").offset, None);
        producer.close().await;
        let leader = client.producer(ProducerSettings { acks: Acks::Leader, ..Default::default() });
        let delivery = leader.expect("it starts").send(Record::new("made", "w").partition(0)).await;
        // The producer is dropped before it is closed: the delivery says so, and does not hang.
        assert!(matches!(delivery.expect("there is room").await, Err(Error::Closed { .. })));
    });
}

#[test]
fn what_is_refused_for_good_says_why_and_does_not_stop_the_rest() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 2, 1).await;
        let producer = client.producer(ProducerSettings::default()).expect("it starts");
        let bad = producer.send(Record::new("not a topic!", "v")).await.expect("there is room");
        let nowhere = producer.send(Record::new("t", "v").partition(7)).await.expect("there is room");
        let good = producer.send(Record::new("t", "v").partition(1)).await.expect("there is room");
        let large = Record::new("t", vec![0; 2 << 20]);
        assert!(matches!(producer.send(large).await, Err(Error::Unusable { .. })));
        let old = Record { timestamp_ms: Some(i64::MIN), ..Record::new("t", "v") };
        assert!(matches!(producer.send(old).await, Err(Error::Unusable { .. })));
        assert_eq!(bad.await.expect_err("no name").name(), Some("INVALID_TOPIC_EXCEPTION"));
        assert!(matches!(nowhere.await, Err(Error::Unusable { .. })));
        assert_eq!(good.await.expect("it is delivered").offset, Some(0));
        producer.close().await;
    });
}

#[test]
fn who_is_faster_than_the_broker_waits_for_room() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 3, 1).await;
        let settings = ProducerSettings {
            memory_bytes: 1 << 20,
            linger: Duration::from_secs(60),
            send_wait_max: Duration::from_secs(20),
            ..Default::default()
        };
        let producer = client.producer(settings).expect("it starts");
        // Thirty times what may be under way; the linger does not hold back what others need the room of.
        for number in 0..3_000 {
            let record = Record::new("t", vec![0; 10_000]).partition(number % 3);
            producer.send(record).await.expect("room comes");
        }
        producer.flush().await;
        assert_eq!(values(&client, "t", 0).await.len(), 1_000);
    });
}

#[test]
fn nobody_at_the_address_is_an_error_at_the_deadline_and_not_before() {
    block_on(async {
        let settings = ProducerSettings { delivery_timeout: Duration::from_secs(2), ..Default::default() };
        let producer = client("127.0.0.1:1").producer(settings).expect("it starts");
        let delivery = producer.send(Record::new("t", "v")).await.expect("there is room");
        let error = delivery.await.expect_err("nobody is there");
        assert!(!error.may_take_effect(), "{error}");
        assert!(error.to_string().contains("127.0.0.1:1 cannot be reached"), "{error}");
    });
}

#[test]
fn a_leader_that_is_killed_costs_no_record_and_doubles_none() {
    let mut cluster = Cluster::start();
    block_on(async {
        let client = client(&cluster.bootstrap());
        create(&client, "t", 1, 3).await;
        let producer = client.producer(ProducerSettings::default()).expect("it starts");
        let mut deliveries = Vec::new();
        for number in 0..300 {
            let record = Record::new("t", number.to_string()).partition(0);
            deliveries.push(producer.send(record).await.expect("there is room"));
            tokio::time::sleep(Duration::from_millis(2)).await;
            if number == 100 {
                let leader = cluster.leader("t");
                cluster.kill(leader);
            }
        }
        for delivery in deliveries {
            delivery.await.expect("it is delivered");
        }
        producer.close().await;
        let expected: Vec<String> = (0..300).map(|number| number.to_string()).collect();
        assert_eq!(values(&client, "t", 0).await, expected);
    });
}
