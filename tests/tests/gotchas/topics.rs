//! Metadata, CreateTopics, DeleteTopics and DescribeCluster.

use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest, MetadataRequest,
    MetadataResponse,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use tests::batch::Batch;
use tests::client::Client;
use tests::dialogue::{create_topic, name, produce};
use tests::folder::Folder;
use tests::node::Node;
use uuid::Uuid;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const INVALID_TOPIC: i16 = 17;
const INVALID_PARTITIONS: i16 = 37;
const INVALID_CONFIG: i16 = 40;
const INVALID_REQUEST: i16 = 42;
const UNKNOWN_TOPIC_ID: i16 = 100;
const MISMATCHED_ENDPOINT_TYPE: i16 = 114;
const UNSUPPORTED_ENDPOINT_TYPE: i16 = 115;

fn named(topics: &[&str]) -> MetadataRequest {
    let topic = |topic: &&str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
}

fn names(answer: &MetadataResponse) -> BTreeSet<String> {
    answer.topics.iter().filter_map(|topic| Some(topic.name.as_ref()?.0.to_string())).collect()
}

/// One topic, which exists.
#[track_caller]
fn described(client: &mut Client, topic: &str) -> MetadataResponseTopic {
    let answer = client.ask(13, &named(&[topic]));
    assert_eq!(answer.topics[0].error_code, 0, "{topic}");
    answer.topics.into_iter().next().expect("it was just looked at")
}

fn delete(client: &mut Client, topics: &[&str]) -> Vec<i16> {
    let names = topics.iter().map(|topic| name(topic)).collect();
    let request = DeleteTopicsRequest::default().with_topic_names(names).with_timeout_ms(5_000);
    client.ask(5, &request).responses.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn g10_the_cluster_id_is_stable_and_the_controller_is_a_broker_of_the_list() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let look = |node: &Node| {
        let mut client = node.connect();
        let answer = client.ask(9, &named(&[]));
        let brokers: Vec<BrokerId> = answer.brokers.iter().map(|broker| broker.node_id).collect();
        assert!(brokers.contains(&answer.controller_id), "{:?} of {brokers:?}", answer.controller_id);
        let cluster = client.ask(2, &DescribeClusterRequest::default().with_endpoint_type(1));
        let id = answer.cluster_id.expect("null makes Spring ask again at every operation");
        assert_eq!(cluster.cluster_id, id, "both APIs name one cluster");
        id
    };
    let before = look(&node);
    assert_eq!(before.len(), 22, "a UUID in base64, as Kafka's own tools expect: {before:?}");
    node.kill();
    node.restart();
    assert_eq!(look(&node), before);
}

#[test]
fn g11_leader_epochs_never_go_back_and_a_new_topic_of_the_name_has_a_new_id() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    assert_eq!(create_topic(&mut node.connect(), "epochs", 1), 0);
    let first = described(&mut node.connect(), "epochs");
    let mut epoch = first.partitions[0].leader_epoch;
    assert!(epoch >= 0, "Metadata from 9 on carries epochs");
    for _ in 0..3 {
        node.kill();
        node.restart();
        let now = described(&mut node.connect(), "epochs");
        assert_eq!(now.topic_id, first.topic_id);
        assert!(now.partitions[0].leader_epoch >= epoch, "{now:?} after {epoch}");
        epoch = now.partitions[0].leader_epoch;
    }
    let mut client = node.connect();
    assert_eq!(delete(&mut client, &["epochs"]), [0]);
    assert_eq!(create_topic(&mut client, "epochs", 1), 0);
    let again = described(&mut client, "epochs");
    assert_ne!(again.topic_id, first.topic_id);
    let gone = MetadataRequestTopic::default().with_topic_id(first.topic_id).with_name(None);
    let answer = client.ask(12, &MetadataRequest::default().with_topics(Some(vec![gone])));
    assert_eq!(answer.topics[0].error_code, UNKNOWN_TOPIC_ID, "the old one is gone");
}

#[test]
fn g12_topic_ids_are_there_from_metadata_10_on_and_find_their_topic_from_12_on() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "identified", 1), 0);
    let id = described(&mut client, "identified").topic_id;
    assert!(!id.is_nil(), "a zero id means: fall back");
    for version in 10..=13 {
        assert_eq!(client.ask(version, &named(&["identified"])).topics[0].topic_id, id, "version {version}");
    }
    for version in 12..=13 {
        let by_id = MetadataRequestTopic::default().with_topic_id(id).with_name(None);
        let answer = client.ask(version, &MetadataRequest::default().with_topics(Some(vec![by_id])));
        assert_eq!((answer.topics[0].error_code, answer.topics[0].topic_id), (0, id));
        assert_eq!(answer.topics[0].name.as_ref(), Some(&name("identified")));
    }
}

#[test]
fn g13_null_is_all_topics_and_empty_is_none_but_in_version_0() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "there", 1), 0);
    let all = client.ask(0, &MetadataRequest::default().with_topics(Some(Vec::new())));
    assert!(names(&all).contains("there"), "version 0: empty is all");
    for version in 1..=13 {
        let none = client.ask(version, &MetadataRequest::default().with_topics(Some(Vec::new())));
        assert_eq!(names(&none), BTreeSet::new(), "version {version}: empty is none");
        assert_eq!(none.brokers.len(), 1, "version {version}: the brokers are told all the same");
        let all = client.ask(version, &MetadataRequest::default().with_topics(None));
        assert_eq!(names(&all), BTreeSet::from(["there".to_owned()]), "version {version}: null is all");
    }
}

#[test]
fn g13_topics_are_made_on_the_way_if_the_client_allows_it() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(client.ask(4, &named(&["not"])).topics[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
    for version in 0..=13 {
        let topic = format!("made-{version}");
        let request = named(&[&topic]).with_allow_auto_topic_creation(true);
        // Below 4 there is no such word: it is always allowed. A connection may make ten a second.
        let answer = node.connect().ask(version, &request);
        assert_eq!(answer.topics[0].error_code, 0, "version {version}");
        assert_eq!(answer.topics[0].partitions[0].leader_id, answer.brokers[0].node_id, "version {version}");
    }
    let listed = names(&client.ask(9, &MetadataRequest::default().with_topics(None)));
    assert!(!listed.contains("not"), "asking did not make it: {listed:?}");
}

#[test]
fn g14_authorized_operations_are_told_to_whoever_asks() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "open", 1), 0);
    for version in 8..=10 {
        let silent = client.ask(version, &named(&["open"]));
        assert_eq!(silent.cluster_authorized_operations, i32::MIN, "nobody asked");
        assert_eq!(silent.topics[0].topic_authorized_operations, i32::MIN, "nobody asked");
        let request = named(&["open"])
            .with_include_cluster_authorized_operations(true)
            .with_include_topic_authorized_operations(true);
        let answer = client.ask(version, &request);
        // Without an authorizer everyone may do all there is; a bit per operation, numbered as in AclOperation.
        let bits = |operations: &[i32]| operations.iter().map(|bit| 1 << bit).sum::<i32>();
        assert_eq!(answer.cluster_authorized_operations, bits(&[5, 7, 8, 9, 10, 11, 12]));
        assert_eq!(answer.topics[0].topic_authorized_operations, bits(&[3, 4, 5, 6, 7, 8, 10, 11]));
    }
}

#[test]
fn g23_errors_are_for_each_topic_by_itself() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "good", 2), 0);
    let answer = client.ask(9, &named(&["good", "unknown", "bad name"]));
    let codes: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [0, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC]);
    assert_eq!(answer.topics[0].partitions.len(), 2);
    assert!(answer.topics[1].partitions.is_empty());
}

fn new(topic: &str, partitions: i32) -> CreatableTopic {
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(partitions)
        .with_replication_factor(1)
}

fn create(client: &mut Client, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    let request = CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(5_000);
    client.ask(7, &request).topics
}

#[test]
fn g30_create_topics_has_one_result_for_each_topic() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let config = |name: &'static str, value: &'static str| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_static_str(name))
            .with_value(Some(StrBytes::from_static_str(value)))
    };
    let results = create(
        &mut client,
        vec![
            new("fine", -1),
            new("bad name", 1),
            new("none", 0),
            new("configured", 1).with_configs(vec![config("retention.ms", "1000")]),
            new("misconfigured", 1).with_configs(vec![config("retention.ms", "soon")]),
            new("unknown-config", 1).with_configs(vec![config("no.such.config", "1")]),
        ],
    );
    let codes: Vec<(&str, i16)> =
        results.iter().map(|result| (result.name.0.as_str(), result.error_code)).collect();
    let expected = [
        ("fine", 0),
        ("bad name", INVALID_TOPIC),
        ("none", INVALID_PARTITIONS),
        ("configured", 0),
        ("misconfigured", INVALID_CONFIG),
        ("unknown-config", INVALID_CONFIG),
    ];
    assert_eq!(codes, expected);
    assert_eq!((results[0].num_partitions, results[0].replication_factor), (1, 1), "-1 is the default");
    let configs = results[3].configs.as_ref().expect("version 5 on tells all configs");
    let retention =
        configs.iter().find(|config| config.name.as_str() == "retention.ms").expect("it was given");
    assert_eq!(retention.value.as_deref(), Some("1000"));
    assert_eq!(retention.config_source, 1, "of the topic itself");
}

#[test]
fn g30_a_topic_named_twice_is_refused_and_not_made() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let results = create(&mut client, vec![new("twice", 1), new("once", 1), new("twice", 2)]);
    let codes: BTreeSet<(&str, i16)> =
        results.iter().map(|result| (result.name.0.as_str(), result.error_code)).collect();
    assert_eq!(codes, BTreeSet::from([("twice", INVALID_REQUEST), ("once", 0)]));
    assert_eq!(results.len(), 2, "one result for each name");
    assert_eq!(client.ask(9, &named(&["twice"])).topics[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn g30_validating_makes_nothing() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let request = CreateTopicsRequest::default()
        .with_topics(vec![new("only", 3)])
        .with_timeout_ms(5_000)
        .with_validate_only(true);
    let answer = client.ask(7, &request);
    assert_eq!((answer.topics[0].error_code, answer.topics[0].num_partitions), (0, 3));
    assert_eq!(client.ask(9, &named(&["only"])).topics[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn g30_assigned_partitions_go_where_they_are_told() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let broker = client.ask(9, &named(&[])).brokers[0].node_id;
    let to = |partition: i32, broker: BrokerId| {
        CreatableReplicaAssignment::default().with_partition_index(partition).with_broker_ids(vec![broker])
    };
    // With assignments both numbers are -1.
    let topic = |name: &str| new(name, -1).with_replication_factor(-1);
    let results = create(
        &mut client,
        vec![
            topic("placed").with_assignments(vec![to(0, broker), to(1, broker)]),
            topic("misplaced").with_assignments(vec![to(0, BrokerId(99))]),
        ],
    );
    assert_eq!((results[0].error_code, results[0].num_partitions), (0, 2));
    assert_eq!(results[1].error_code, 39, "INVALID_REPLICA_ASSIGNMENT");
}

#[test]
fn g30_delete_topics_has_one_result_for_each_topic_by_name_and_by_id() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for topic in ["one", "two"] {
        assert_eq!(create_topic(&mut client, topic, 1), 0);
        assert_eq!(produce(&mut client, topic, Batch::of(&[b"x"]).bytes()).error, 0);
    }
    assert_eq!(delete(&mut client, &["one", "unknown"]), [0, UNKNOWN_TOPIC_OR_PARTITION]);
    let id = described(&mut client, "two").topic_id;
    let by_id = |id| DeleteTopicState::default().with_name(None).with_topic_id(id);
    let unknown = Uuid::from_u128(7 << 64);
    let request =
        DeleteTopicsRequest::default().with_topics(vec![by_id(id), by_id(unknown)]).with_timeout_ms(5_000);
    let answer = client.ask(6, &request);
    let codes: Vec<i16> = answer.responses.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [0, UNKNOWN_TOPIC_ID]);
    assert_eq!(answer.responses[0].name.as_ref(), Some(&name("two")), "the name is told with the id");
    assert!(names(&client.ask(9, &MetadataRequest::default().with_topics(None))).is_empty());
    assert_eq!(produce(&mut client, "one", Batch::of(&[b"x"]).bytes()).error, UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn g31_describe_cluster_is_whole_in_every_version() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for version in 0..=2 {
        let answer = client.ask(version, &DescribeClusterRequest::default().with_endpoint_type(1));
        assert_eq!((answer.error_code, answer.brokers.len()), (0, 1), "version {version}");
        assert_eq!(answer.controller_id, answer.brokers[0].broker_id);
        assert_eq!(i32::from(node.address().port()), answer.brokers[0].port);
    }
    // This listener is a broker's, and says so.
    for version in 1..=2 {
        let controllers = client.ask(version, &DescribeClusterRequest::default().with_endpoint_type(2));
        assert_eq!(controllers.error_code, MISMATCHED_ENDPOINT_TYPE, "version {version}");
        let strangers = client.ask(version, &DescribeClusterRequest::default().with_endpoint_type(9));
        assert_eq!(strangers.error_code, UNSUPPORTED_ENDPOINT_TYPE, "version {version}");
    }
}
