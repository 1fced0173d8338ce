//! CreatePartitions, DeleteRecords, DescribeTopicPartitions, DescribeLogDirs, DescribeProducers: what an administrator does
//! to a topic besides making it, and what he is shown of it.

use kafka_protocol::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use kafka_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use kafka_protocol::messages::describe_log_dirs_request::DescribeLogDirsRequest;
use kafka_protocol::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use kafka_protocol::messages::describe_topic_partitions_request::{
    self, Cursor, DescribeTopicPartitionsRequest,
};
use kafka_protocol::messages::{BrokerId, TopicName};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE};
use tests::cluster::Cluster;
use tests::dialogue::{create_topic, create_topics, fetch, name, produce, producer_id, topic_with};
use tests::folder::Folder;
use tests::node::Node;

const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_REPLICA_ASSIGNMENT: i16 = 39;
const INVALID_REQUEST: i16 = 42;

fn wider(topic: &str, count: i32, on: Option<&[i32]>) -> CreatePartitionsTopic {
    let nodes = |ids: &[i32]| ids.iter().map(|id| BrokerId(*id)).collect();
    let assignment = |ids| vec![CreatePartitionsAssignment::default().with_broker_ids(nodes(ids))];
    CreatePartitionsTopic::default()
        .with_name(name(topic))
        .with_count(count)
        .with_assignments(on.map(assignment))
}

fn widen(client: &mut Client, topics: Vec<CreatePartitionsTopic>, validate_only: bool) -> Vec<(String, i16)> {
    let request = CreatePartitionsRequest::default()
        .with_topics(topics)
        .with_timeout_ms(10_000)
        .with_validate_only(validate_only);
    let answer = client.ask(3, &request);
    answer.results.iter().map(|result| (result.name.0.to_string(), result.error_code)).collect()
}

/// Deletes below an offset; the code, and where the log begins.
fn delete(client: &mut Client, topic: &str, partition: i32, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition]);
    let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
    let answer = client.ask(2, &request);
    let partition = &answer.topics[0].partitions[0];
    (partition.error_code, partition.low_watermark)
}

/// Bytes of a topic's first partition, as the node says.
fn said_bytes(client: &mut Client, topic: &str) -> i64 {
    let answer = client.ask(4, &DescribeLogDirsRequest::default().with_topics(None));
    assert_eq!((answer.error_code, answer.results.len()), (0, 1), "there is one directory");
    let topics = answer.results[0].topics.iter();
    let of = topics.filter(|one| one.name == name(topic)).flat_map(|one| &one.partitions);
    of.map(|partition| partition.partition_size).sum()
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.path() {
        path if path.is_dir() => bytes_below(&path),
        path => fs::metadata(path).map_or(0, |data| data.len()),
    };
    entries.map(size).sum()
}

#[test]
fn g30_create_partitions_answers_once_a_topic_and_what_is_made_takes_records_at_once() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "t", 2), 0);
    let asked = vec![wider("t", 4, None), wider("gone", 4, None)];
    let expected = vec![("t".into(), 0), ("gone".into(), UNKNOWN_TOPIC_OR_PARTITION)];
    assert_eq!(widen(&mut client, asked, false), expected);
    let cases = [
        (wider("t", 4, None), INVALID_PARTITIONS),
        (wider("t", 3, None), INVALID_PARTITIONS),
        (wider("t", 0, None), INVALID_PARTITIONS),
        (wider("t", 6, Some(&[1])), INVALID_REPLICA_ASSIGNMENT),
        (wider("t", 5, Some(&[9])), INVALID_REPLICA_ASSIGNMENT),
        (wider("t", 5, Some(&[])), INVALID_REPLICA_ASSIGNMENT),
    ];
    for (topic, code) in cases {
        let words = format!("{topic:?}");
        assert_eq!(widen(&mut client, vec![topic], false), [("t".into(), code)], "{words}");
    }
    let twice = vec![wider("t", 5, None), wider("t", 6, None)];
    assert_eq!(widen(&mut client, twice, false), [("t".into(), INVALID_REQUEST)], "named twice");
    assert_eq!(widen(&mut client, vec![wider("t", 9, None)], true), [("t".into(), 0)], "only looked at");
    assert_eq!(delete(&mut client, "t", 3, 0), (0, 0), "the fourth has a leader");
    assert_eq!(delete(&mut client, "t", 4, 0).0, UNKNOWN_TOPIC_OR_PARTITION, "there is no fifth");
    assert_eq!(widen(&mut client, vec![wider("t", 5, Some(&[1]))], false), [("t".into(), 0)]);
}

#[test]
fn g30_more_partitions_survive_kill_9() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let mut client = node.connect();
    create_topic(&mut client, "t", 1);
    produce(&mut client, "t", Batch::of(&[b"x"]).bytes());
    assert_eq!(widen(&mut client, vec![wider("t", 3, None)], false), [("t".into(), 0)]);
    node.kill();
    node.restart();
    let mut client = node.connect();
    assert_eq!(delete(&mut client, "t", 2, -1), (0, 0));
    assert_eq!(fetch(&mut client, "t", 0).high_watermark, 1, "what was there is there");
}

#[test]
fn g30_deleted_records_stay_away_and_their_space_comes_back() {
    let folder = Folder::new();
    let data = folder.join("data");
    let mut node = Node::on_disk(&data);
    let mut client = node.connect();
    let topic = topic_with("t", &[("segment.bytes", "1048576")]);
    assert_eq!(create_topics(&mut client, vec![topic])[0].error_code, 0);
    let value = vec![7; 900_000];
    for _ in 0..20 {
        assert_eq!(produce(&mut client, "t", Batch::of(&[&value]).bytes()).error, 0);
    }
    assert!(said_bytes(&mut client, "t") > 17_000_000);
    for (offset, expected) in [(21, OFFSET_OUT_OF_RANGE), (-2, OFFSET_OUT_OF_RANGE)] {
        assert_eq!(delete(&mut client, "t", 0, offset), (expected, -1), "{offset}");
    }
    assert_eq!(delete(&mut client, "t", 0, 15), (0, 15));
    assert_eq!(delete(&mut client, "t", 0, 3), (0, 15), "it begins later already");
    assert_eq!(fetch(&mut client, "t", 3).error, OFFSET_OUT_OF_RANGE);
    node.kill();
    node.restart();
    let mut client = node.connect();
    assert_eq!(fetch(&mut client, "t", 14).error, OFFSET_OUT_OF_RANGE, "as before kill -9");
    assert_eq!(fetch(&mut client, "t", 15).error, 0);
    assert_eq!(delete(&mut client, "t", 0, -1), (0, 20), "-1 is the high watermark");
    // The journal stays as large as it is; what is left of the segments goes with a checkpoint, and what only waits to be
    // written to one is written first.
    let segments = Path::new(&data).join("data");
    let until = Instant::now() + PATIENCE * 4;
    while bytes_below(&segments) > 1_000_000 || said_bytes(&mut client, "t") > 0 {
        assert!(Instant::now() < until, "{} bytes of segments are left", bytes_below(&segments));
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(produce(&mut client, "t", Batch::of(&[b"x"]).bytes()).base_offset, 20, "it goes on");
}

#[test]
fn g30_deletion_is_every_replicas() {
    let mut cluster = Cluster::start();
    let mut client = cluster.node(0).connect();
    let topic = topic_with("t", &[]).with_replication_factor(3);
    assert_eq!(create_topics(&mut client, vec![topic])[0].error_code, 0);
    let leader = cluster.leader("t");
    let mut client = cluster.node(leader).connect();
    for _ in 0..4 {
        assert_eq!(produce(&mut client, "t", Batch::of(&[b"x"]).bytes()).error, 0);
    }
    assert_eq!(delete(&mut client, "t", 0, 3), (0, 3));
    cluster.kill(leader);
    let next = cluster.leader("t");
    let fetched = fetch(&mut cluster.node(next).connect(), "t", 0);
    assert_eq!(fetched.error, OFFSET_OUT_OF_RANGE, "the next leader does not give them back");
}

#[test]
fn g31_topics_are_described_page_by_page() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "a", 2);
    create_topic(&mut client, "b", 3);
    let mut cursor: Option<(TopicName, i32)> = None;
    let mut seen = Vec::new();
    loop {
        let begins = cursor.take().map(|(topic, partition)| {
            Cursor::default().with_topic_name(topic).with_partition_index(partition)
        });
        let request = DescribeTopicPartitionsRequest::default()
            .with_topics(Vec::new())
            .with_response_partition_limit(2)
            .with_cursor(begins);
        let answer = client.ask(0, &request);
        for topic in &answer.topics {
            assert_eq!(topic.error_code, 0);
            let name = topic.name.as_ref().expect("it has a name").0.to_string();
            seen.extend(
                topic.partitions.iter().map(|one| (name.clone(), one.partition_index, one.leader_id.0)),
            );
        }
        match answer.next_cursor {
            Some(next) => cursor = Some((next.topic_name, next.partition_index)),
            None => break,
        }
    }
    let expected = [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("b", 2)];
    assert_eq!(seen, expected.map(|(topic, partition)| (topic.to_owned(), partition, 1)));
    let unknown = describe_topic_partitions_request::TopicRequest::default().with_name(name("gone"));
    let answer = client.ask(0, &DescribeTopicPartitionsRequest::default().with_topics(vec![unknown]));
    assert_eq!(answer.topics[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn g30_producers_are_described_by_the_leader() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "t", 1);
    let (id, epoch) = producer_id(&mut client);
    let batch = Batch::of(&[b"x", b"y"]).from_producer(id, epoch, 0);
    assert_eq!(produce(&mut client, "t", batch.bytes()).error, 0);
    let topic = TopicRequest::default().with_name(name("t")).with_partition_indexes(vec![0, 7]);
    let answer = client.ask(0, &DescribeProducersRequest::default().with_topics(vec![topic]));
    let partitions = &answer.topics[0].partitions;
    let known = &partitions[0].active_producers[0];
    assert_eq!((partitions[0].error_code, known.producer_id.0, known.last_sequence), (0, id, 1));
    assert_eq!((known.producer_epoch, known.current_txn_start_offset), (0, -1));
    assert_eq!(partitions[1].error_code, UNKNOWN_TOPIC_OR_PARTITION);
}
