//! ListOffsets, OffsetForLeaderEpoch and InitProducerId.

use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use kafka_protocol::messages::{
    BrokerId, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest, OffsetForLeaderEpochRequest,
    ProducerId, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use tests::batch::Batch;
use tests::client::Client;
use tests::dialogue::{create_topic, create_topics, name, produce, producer_id, topic_with};
use tests::folder::Folder;
use tests::node::Node;

const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const FENCED_LEADER_EPOCH: i16 = 74;
const UNKNOWN_LEADER_EPOCH: i16 = 75;
const TOPIC: &str = "offsets";

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING: i64 = -6;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    error: i16,
    timestamp: i64,
    offset: i64,
}

fn list(client: &mut Client, version: i16, isolation: i8, timestamp: i64) -> Listed {
    let partition = ListOffsetsPartition::default()
        .with_partition_index(0)
        .with_current_leader_epoch(-1)
        .with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let request = ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(isolation)
        .with_topics(vec![topic]);
    let answer = client.ask(version, &request);
    let partition = &answer.topics[0].partitions[0];
    Listed { error: partition.error_code, timestamp: partition.timestamp, offset: partition.offset }
}

/// A broker whose topic holds batches of records with these timestamps.
fn filled(batches: &[&[i64]]) -> (Node, Client) {
    let node = Node::in_memory();
    let mut client = node.connect();
    // Their times are long ago, and they shall stay.
    let topic = topic_with(TOPIC, &[("retention.ms", "-1")]);
    assert_eq!(create_topics(&mut client, vec![topic])[0].error_code, 0);
    for timestamps in batches {
        assert_eq!(produce(&mut client, TOPIC, Batch::at(timestamps).bytes()).error, 0);
    }
    (node, client)
}

#[test]
fn g20_the_ends_of_the_log_in_every_version() {
    let (_node, mut client) = filled(&[&[1_000, 3_000, 2_000], &[4_000]]);
    let found = |timestamp: i64, offset: i64| Listed { error: 0, timestamp, offset };
    for version in 1..=10 {
        assert_eq!(list(&mut client, version, 0, LATEST), found(-1, 4), "version {version}");
        assert_eq!(list(&mut client, version, 0, EARLIEST), found(-1, 0), "version {version}");
        if version >= 2 {
            assert_eq!(list(&mut client, version, 1, LATEST), found(-1, 4), "read_committed, all is stable");
        }
    }
}

#[test]
fn g20_special_times_are_known_from_their_version_on() {
    let (_node, mut client) = filled(&[&[1_000, 3_000, 2_000]]);
    let unsupported = Listed { error: UNSUPPORTED_VERSION, timestamp: -1, offset: -1 };
    for version in 1..=10 {
        let newest = list(&mut client, version, 0, MAX_TIMESTAMP);
        let expected = Listed { error: 0, timestamp: 3_000, offset: 1 };
        assert_eq!(newest, if version >= 7 { expected } else { unsupported.clone() }, "version {version}");
        let local = list(&mut client, version, 0, EARLIEST_LOCAL);
        let expected = Listed { error: 0, timestamp: -1, offset: 0 };
        assert_eq!(local, if version >= 8 { expected } else { unsupported.clone() }, "version {version}");
        // Nothing is tiered, and the answer to "how far" is: nowhere.
        let tiered = list(&mut client, version, 0, LATEST_TIERED);
        let expected = Listed { error: 0, timestamp: -1, offset: -1 };
        assert_eq!(tiered, if version >= 9 { expected } else { unsupported.clone() }, "version {version}");
        for unknown in [EARLIEST_PENDING, -7, i64::MIN] {
            assert_eq!(list(&mut client, version, 0, unknown), unsupported, "version {version}");
        }
    }
}

#[test]
fn g20_a_time_finds_the_first_record_of_that_time_or_later() {
    let (_node, mut client) = filled(&[&[1_000, 3_000, 2_000], &[2_500], &[5_000, 4_000]]);
    let expected = [
        (0, 1_000, 0),
        (1_000, 1_000, 0),
        // Within a batch, not its first record.
        (1_001, 3_000, 1),
        (3_000, 3_000, 1),
        // Not in the second batch, whose newest is older.
        (3_001, 5_000, 4),
        (5_000, 5_000, 4),
        // Nothing: no error.
        (5_001, -1, -1),
        (i64::MAX, -1, -1),
    ];
    for version in [1, 4, 7, 10] {
        for (asked, timestamp, offset) in expected {
            let found = list(&mut client, version, 0, asked);
            assert_eq!(found, Listed { error: 0, timestamp, offset }, "time {asked} in version {version}");
        }
    }
}

#[test]
fn g20_an_empty_log_has_equal_ends_and_no_times() {
    let (_node, mut client) = filled(&[]);
    for (asked, offset) in [(LATEST, 0), (EARLIEST, 0), (MAX_TIMESTAMP, -1), (0, -1)] {
        let found = list(&mut client, 7, 0, asked);
        assert_eq!(found, Listed { error: 0, timestamp: -1, offset }, "time {asked}");
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Ended {
    error: i16,
    epoch: i32,
    offset: i64,
}

fn end_of(client: &mut Client, version: i16, current: i32, epoch: i32) -> Ended {
    let partition = OffsetForLeaderPartition::default()
        .with_partition(0)
        .with_current_leader_epoch(current)
        .with_leader_epoch(epoch);
    let topic = OffsetForLeaderTopic::default().with_topic(name(TOPIC)).with_partitions(vec![partition]);
    let request =
        OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
    let answer = client.ask(version, &request);
    let partition = &answer.topics[0].partitions[0];
    Ended { error: partition.error_code, epoch: partition.leader_epoch, offset: partition.end_offset }
}

fn leader_epoch(client: &mut Client) -> i32 {
    let topic = MetadataRequestTopic::default().with_name(Some(name(TOPIC)));
    let answer = client.ask(9, &MetadataRequest::default().with_topics(Some(vec![topic])));
    answer.topics[0].partitions[0].leader_epoch
}

#[test]
fn g11_an_epochs_end_is_known_after_it_has_passed() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    assert_eq!(create_topic(&mut node.connect(), TOPIC, 1), 0);
    let first = leader_epoch(&mut node.connect());
    assert_eq!(produce(&mut node.connect(), TOPIC, Batch::of(&[b"a", b"b"]).bytes()).error, 0);
    node.kill();
    node.restart();
    let mut client = node.connect();
    let second = leader_epoch(&mut client);
    assert!(second > first, "every start of its leader is a new epoch: {first}, {second}");
    assert_eq!(produce(&mut client, TOPIC, Batch::of(&[b"c"]).bytes()).error, 0);
    for version in 2..=4 {
        let ended = |epoch: i32, offset: i64| Ended { error: 0, epoch, offset };
        assert_eq!(end_of(&mut client, version, -1, first), ended(first, 2), "version {version}");
        assert_eq!(end_of(&mut client, version, second, second), ended(second, 3), "the current one's end");
        assert_eq!(end_of(&mut client, version, -1, second + 5), ended(-1, -1), "not there yet");
        let fenced = end_of(&mut client, version, second - 1, first);
        assert_eq!(fenced.error, FENCED_LEADER_EPOCH, "the client is behind");
        let unknown = end_of(&mut client, version, second + 1, first);
        assert_eq!(unknown.error, UNKNOWN_LEADER_EPOCH, "the client is ahead");
    }
}

#[test]
fn producer_ids_are_given_once_across_versions_clients_and_kills() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let mut given = BTreeSet::new();
    for _ in 0..3 {
        let mut clients = [node.connect(), node.connect()];
        for version in 0..=5 {
            for client in &mut clients {
                let request = InitProducerIdRequest::default().with_transactional_id(None);
                let answer = client.ask(version, &request);
                assert_eq!((answer.error_code, answer.producer_epoch), (0, 0), "version {version}");
                assert!(given.insert(answer.producer_id.0), "{} was given twice", answer.producer_id.0);
            }
        }
        node.kill();
        node.restart();
    }
}

#[test]
fn an_identity_to_go_on_from_is_an_id_and_an_epoch_or_neither() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for version in 3..=5 {
        let mut ask = |id: i64, epoch: i16| {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_producer_id(ProducerId(id))
                .with_producer_epoch(epoch);
            client.ask(version, &request).error_code
        };
        assert_eq!(ask(4_000, -1), INVALID_REQUEST, "version {version}");
        assert_eq!(ask(-1, 3), INVALID_REQUEST, "version {version}");
        assert_eq!(ask(4_000, 3), 0, "version {version}");
    }
}

#[test]
fn a_transactional_id_is_refused_with_a_clear_code() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for version in 0..=5 {
        let id = TransactionalId(StrBytes::from_static_str("mine"));
        let request = InitProducerIdRequest::default().with_transactional_id(Some(id));
        let answer = client.ask(version, &request);
        assert_eq!(answer.error_code, UNSUPPORTED_VERSION, "version {version}");
        assert_eq!((answer.producer_id.0, answer.producer_epoch), (-1, -1), "version {version}");
    }
}

/// A producer that outlived a broker in memory goes on with its id: who is new after the start must not be given it,
/// or the records of one would pass for those of the other.
#[test]
fn a_broker_started_anew_in_memory_gives_other_producer_ids() {
    let [first, second] = [(); 2].map(|()| producer_id(&mut Node::in_memory().connect()));
    assert_ne!(first, second);
}
