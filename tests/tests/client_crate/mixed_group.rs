//! A group that our consumer shares with librdkafka's, kcat: each reads what the other shares out.

use crate::{block_on, client, create};
use rust_mq_client::{ConsumerSettings, Goal, ProducerSettings, Record};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;
use tests::node::Node;
use tests::programs::kcat;
use tokio::time::timeout;

#[test]
fn librdkafka_and_we_share_a_topic() {
    let node = Node::in_memory();
    block_on(async {
        let client = client(&node.bootstrap());
        create(&client, "t", 4, 1).await;
        let settings = ConsumerSettings {
            reset: Some(Goal::Earliest),
            heartbeat_interval: Duration::from_millis(200),
            ..ConsumerSettings::group("mixed")
        };
        let consumer = client.consumer(settings).expect("it starts");
        consumer.subscribe(&["t"]).expect("it has a group");
        let until = |count: usize| {
            let consumer = &consumer;
            async move {
                while consumer.assignment().len() != count {
                    let _ = timeout(Duration::from_millis(50), consumer.next()).await;
                }
            }
        };
        timeout(Duration::from_secs(30), until(4)).await.expect("it is alone");
        let mut command = kcat();
        let address = node.bootstrap();
        command.args(["-b", &address, "-X", "auto.offset.reset=earliest", "-u", "-q"]);
        command.args(["-f", "%p %s\n", "-G", "mixed", "t"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut kcat = command.spawn().expect("kcat starts");
        timeout(Duration::from_secs(60), until(2)).await.expect("they share");

        let producer = client.producer(ProducerSettings::default()).expect("it starts");
        for number in 0..400 {
            let record = Record::new("t", number.to_string()).partition(number % 4);
            producer.send(record).await.expect("there is room");
        }
        producer.close().await;
        let mut ours = Vec::new();
        while ours.len() < 200 {
            let message = consumer.next().await.expect("it can be read");
            ours.push(message.partition);
        }
        let lines = BufReader::new(kcat.stdout.take().expect("it is piped")).lines();
        let theirs: Vec<String> = lines.take(200).map(|line| line.expect("kcat writes text")).collect();
        let own = consumer.assignment();
        assert!(ours.iter().all(|partition| own.contains(&("t".to_owned(), *partition))));
        let is_ours = |line: &String| own.iter().any(|(_, number)| line.starts_with(&format!("{number} ")));
        assert!(
            !theirs.iter().any(is_ours),
            "each partition has one reader: {own:?} and {:?}",
            theirs.first()
        );
        kcat.kill().expect("our own child can be killed");
        let _ = kcat.wait();
        consumer.close(Duration::from_secs(10)).await;
    });
}
