//! ConsumerGroupHeartbeat and ConsumerGroupDescribe (KIP-848).

use kafka_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
    FindCoordinatorRequest, GroupId,
};
use kafka_protocol::protocol::StrBytes;
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::dialogue::{create_topic, name};
use tests::node::Node;

const UNKNOWN_MEMBER_ID: i16 = 25;
const GROUP_ID_NOT_FOUND: i16 = 69;
const FENCED_MEMBER_EPOCH: i16 = 110;

fn group() -> GroupId {
    GroupId(StrBytes::from_static_str("g"))
}

/// A heartbeat of version 1, as soon as there is a coordinator.
fn beat(client: &mut Client, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![StrBytes::from_static_str("g")]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.ask(4, &find).coordinators[0].error_code != 0 {
        assert!(Instant::now() < deadline, "there is no coordinator");
        std::thread::sleep(Duration::from_millis(20));
    }
    client.ask(1, request)
}

fn joining(member: &'static str, topic: &'static str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(StrBytes::from_static_str(member))
        .with_rebalance_timeout_ms(60_000)
        .with_subscribed_topic_names(Some(vec![name(topic)]))
        .with_topic_partitions(Some(Vec::new()))
}

#[test]
fn g27_a_member_names_itself_and_is_told_when_to_come_again() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "t", 2);
    let answer = beat(&mut client, &joining("of-the-client", "t"));
    assert_eq!(answer.member_id.as_deref(), Some("of-the-client"));
    assert_eq!((answer.error_code, answer.member_epoch, answer.heartbeat_interval_ms), (0, 1, 5_000));
    let assigned = answer.assignment.expect("who joins is told what it has").topic_partitions;
    assert_eq!(assigned.len(), 1);
    assert_eq!(assigned[0].partitions, [0, 1]);
    assert!(!assigned[0].topic_id.is_nil(), "topics are told by their ids");

    let owned = TopicPartitions::default().with_topic_id(assigned[0].topic_id).with_partitions(vec![0, 1]);
    let next = ConsumerGroupHeartbeatRequest::default()
        .with_group_id(group())
        .with_member_id(StrBytes::from_static_str("of-the-client"))
        .with_member_epoch(1)
        .with_topic_partitions(Some(vec![owned]));
    let answer = beat(&mut client, &next);
    assert_eq!((answer.error_code, answer.assignment), (0, None), "nothing is told twice");
    let answer = beat(&mut client, &next.with_member_epoch(7));
    assert_eq!(answer.error_code, FENCED_MEMBER_EPOCH);
}

#[test]
fn g27_who_was_forgotten_is_not_told_that_its_group_is_unknown() {
    // GROUP_ID_NOT_FOUND ends librdkafka's and Java's consumers for good; with the other they join anew.
    let node = Node::in_memory();
    let mut client = node.connect();
    let answer = beat(&mut client, &joining("m", "t").with_member_epoch(5));
    assert_eq!(answer.error_code, UNKNOWN_MEMBER_ID);
    // Java's administrator takes a group to be classic when told so.
    let describe = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group()]);
    assert_eq!(client.ask(0, &describe).groups[0].error_code, GROUP_ID_NOT_FOUND);
}
