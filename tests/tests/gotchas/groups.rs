//! FindCoordinator, JoinGroup, SyncGroup, Heartbeat, LeaveGroup; OffsetCommit, OffsetFetch, OffsetDelete; ListGroups,
//! DescribeGroups, DeleteGroups.

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_delete_request::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, HeartbeatRequest,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, ListGroupsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, SyncGroupRequest,
};
use kafka_protocol::protocol::StrBytes;
use tests::client::Client;
use tests::dialogue::{create_topic, name};
use tests::node::Node;

const GROUP: &str = "group";
const TOPIC: &str = "read";

const UNSUPPORTED_VERSION: i16 = 35;
const UNKNOWN_MEMBER_ID: i16 = 25;
const ILLEGAL_GENERATION: i16 = 22;
const REBALANCE_IN_PROGRESS: i16 = 27;
const NON_EMPTY_GROUP: i16 = 68;
const GROUP_ID_NOT_FOUND: i16 = 69;
const MEMBER_ID_REQUIRED: i16 = 79;
const GROUP_SUBSCRIBED_TO_TOPIC: i16 = 86;
const OFFSET_METADATA_TOO_LARGE: i16 = 12;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn group() -> GroupId {
    GroupId(text(GROUP))
}

/// A node with a topic, whose coordinator is known.
fn node() -> (Node, Client) {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, 2), 0);
    let find = FindCoordinatorRequest::default().with_key(text(GROUP));
    assert_eq!(client.ask(0, &find).error_code, 0);
    (node, client)
}

/// A subscription to the topic, as Kafka's consumers say it.
fn subscription() -> Bytes {
    let mut said = vec![0, 1, 0, 0, 0, 1, 0, u8::try_from(TOPIC.len()).expect("it is short")];
    said.extend_from_slice(TOPIC.as_bytes());
    said.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0]);
    said.into()
}

fn join(client: &mut Client, version: i16, member: &str) -> JoinGroupResponse {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(subscription());
    let request = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(10_000)
        .with_member_id(text(member))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    client.ask(version, &request)
}

/// A member in the first generation that has got its assignment, and its id.
fn member(client: &mut Client) -> String {
    let first = join(client, 5, "");
    assert_eq!(first.error_code, MEMBER_ID_REQUIRED);
    let joined = join(client, 5, &first.member_id);
    assert_eq!((joined.error_code, joined.generation_id), (0, 1));
    let given = SyncGroupRequestAssignment::default()
        .with_member_id(joined.member_id.clone())
        .with_assignment(Bytes::from_static(b"all of it"));
    let request = SyncGroupRequest::default()
        .with_group_id(group())
        .with_generation_id(1)
        .with_member_id(joined.member_id.clone())
        .with_assignments(vec![given]);
    let synced = client.ask(3, &request);
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all of it"[..]));
    joined.member_id.to_string()
}

fn commit(client: &mut Client, member: &str, generation: i32, offset: i64, said: Option<&str>) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset)
        .with_committed_leader_epoch(7)
        .with_committed_metadata(said.map(text));
    let topic = OffsetCommitRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default()
        .with_group_id(group())
        .with_member_id(text(member))
        .with_generation_id_or_member_epoch(generation)
        .with_topics(vec![topic]);
    client.ask(8, &request).topics[0].partitions[0].error_code
}

/// Offset, epoch, what was said, and the error of each of both partitions.
fn committed(client: &mut Client, version: i16) -> Vec<(i64, i32, String, i16)> {
    let old = OffsetFetchRequestTopic::default().with_name(name(TOPIC)).with_partition_indexes(vec![0, 1]);
    let new = OffsetFetchRequestTopics::default().with_name(name(TOPIC)).with_partition_indexes(vec![0, 1]);
    let of_group = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![new]));
    let request = match version {
        ..8 => OffsetFetchRequest::default().with_group_id(group()).with_topics(Some(vec![old])),
        _ => OffsetFetchRequest::default().with_groups(vec![of_group]),
    };
    let answer = client.ask(version, &request);
    let said = |metadata: &Option<StrBytes>| metadata.as_ref().expect("never null").to_string();
    if version < 8 {
        let parts = answer.topics.iter().flat_map(|topic| &topic.partitions);
        return parts
            .map(|one| {
                (one.committed_offset, one.committed_leader_epoch, said(&one.metadata), one.error_code)
            })
            .collect();
    }
    let parts = answer.groups.iter().flat_map(|group| &group.topics).flat_map(|topic| &topic.partitions);
    parts
        .map(|one| (one.committed_offset, one.committed_leader_epoch, said(&one.metadata), one.error_code))
        .collect()
}

#[test]
fn g21_no_commit_is_minus_one_and_what_was_said_comes_back() {
    let (_node, mut client) = node();
    let nothing = || (-1, -1, String::new(), 0);
    assert_eq!(committed(&mut client, 7), [nothing(), nothing()]);
    assert_eq!(commit(&mut client, "", -1, 5, Some("here")), 0);
    for version in [5, 6, 7, 8, 9] {
        assert_eq!(committed(&mut client, version), [(5, 7, "here".into(), 0), nothing()], "{version}");
    }
    assert_eq!(commit(&mut client, "", -1, 6, None), 0);
    assert_eq!(committed(&mut client, 9)[0], (6, 7, String::new(), 0), "null comes back empty");
    // The limit counts what Java calls the length of a string.
    assert_eq!(commit(&mut client, "", -1, 6, Some(&"ü".repeat(4_096))), 0);
    assert_eq!(commit(&mut client, "", -1, 6, Some(&"😀".repeat(2_049))), OFFSET_METADATA_TOO_LARGE);
}

#[test]
fn g24_a_first_join_is_told_an_id_from_version_4_on() {
    for version in 0..=9 {
        let (_node, mut client) = node();
        let first = join(&mut client, version, "");
        assert!(!first.member_id.is_empty(), "version {version}");
        let expected = if version >= 4 { MEMBER_ID_REQUIRED } else { 0 };
        assert_eq!(first.error_code, expected, "version {version}");
        if version >= 4 {
            let joined = join(&mut client, version, &first.member_id);
            assert_eq!((joined.error_code, joined.member_id == first.member_id), (0, true));
            assert_eq!(joined.members[0].metadata, subscription());
        }
    }
}

#[test]
fn g25_who_does_not_lead_gets_what_the_leader_gave() {
    let (node, mut one) = node();
    let first = member(&mut one);
    let mut other = node.connect();
    let id = join(&mut other, 5, "").member_id;
    let waits = std::thread::spawn(move || {
        let joined = join(&mut other, 5, &id);
        (other, joined)
    });
    let beat = |client: &mut Client, member: &str, generation: i32| {
        let request = HeartbeatRequest::default()
            .with_group_id(group())
            .with_generation_id(generation)
            .with_member_id(text(member));
        client.ask(4, &request).error_code
    };
    while beat(&mut one, &first, 1) != REBALANCE_IN_PROGRESS {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let led = join(&mut one, 5, &first);
    let (mut other, joined) = waits.join().expect("it joins");
    assert_eq!((led.generation_id, joined.generation_id, joined.members.len()), (2, 2, 0));
    let give = |id: &StrBytes, what: &'static [u8]| {
        SyncGroupRequestAssignment::default()
            .with_member_id(id.clone())
            .with_assignment(Bytes::from_static(what))
    };
    let sync = |member: &StrBytes, assignments| {
        SyncGroupRequest::default()
            .with_group_id(group())
            .with_generation_id(2)
            .with_member_id(member.clone())
            .with_protocol_type(Some(text("consumer")))
            .with_protocol_name(Some(text("range")))
            .with_assignments(assignments)
    };
    let all = vec![give(&led.member_id, b"its"), give(&joined.member_id, b"theirs")];
    assert_eq!(&one.ask(5, &sync(&led.member_id, all)).assignment[..], b"its");
    let got = other.ask(5, &sync(&joined.member_id, Vec::new()));
    assert_eq!((&got.assignment[..], got.protocol_name), (&b"theirs"[..], Some(text("range"))));
    assert_eq!(beat(&mut one, &first, 1), ILLEGAL_GENERATION);
}

#[test]
fn g26_what_a_coordinator_refuses_has_its_own_code() {
    let (_node, mut client) = node();
    let id = member(&mut client);
    assert_eq!(commit(&mut client, &id, 2, 1, None), ILLEGAL_GENERATION);
    assert_eq!(commit(&mut client, "nobody", 1, 1, None), UNKNOWN_MEMBER_ID);
    assert_eq!(commit(&mut client, "", -1, 1, None), UNKNOWN_MEMBER_ID, "a member would not know of it");
    assert_eq!(commit(&mut client, &id, 1, 1, None), 0);
    let delete = DeleteGroupsRequest::default().with_groups_names(vec![group()]);
    assert_eq!(client.ask(2, &delete).results[0].error_code, NON_EMPTY_GROUP);
    let partition = OffsetDeleteRequestPartition::default().with_partition_index(0);
    let topic = OffsetDeleteRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
    let forget = OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![topic]);
    let refused = client.ask(0, &forget).topics[0].partitions[0].error_code;
    assert_eq!(refused, GROUP_SUBSCRIBED_TO_TOPIC);
    let describe = DescribeGroupsRequest::default()
        .with_groups(vec![group(), GroupId(text("nobody's"))])
        .with_include_authorized_operations(true);
    let described = client.ask(5, &describe);
    let one = &described.groups[0];
    assert_eq!((one.group_state.as_str(), one.protocol_data.as_str()), ("Stable", "range"));
    assert_eq!(one.authorized_operations, 3_400);
    let told = &one.members[0];
    assert_eq!((told.client_id.as_str(), told.client_host.as_str()), ("tests", "/127.0.0.1"));
    assert_eq!((&told.member_metadata, &told.member_assignment[..]), (&subscription(), &b"all of it"[..]));
    assert_eq!((described.groups[1].group_state.as_str(), described.groups[1].error_code), ("Dead", 0));
    let listed = client.ask(4, &ListGroupsRequest::default().with_states_filter(vec![text("stable")]));
    assert_eq!(listed.groups[0].group_id, group());
    let member = MemberIdentity::default().with_member_id(text(&id));
    let leave = LeaveGroupRequest::default().with_group_id(group()).with_members(vec![member]);
    assert_eq!(client.ask(4, &leave).members[0].error_code, 0);
    assert_eq!(client.ask(0, &forget).topics[0].partitions[0].error_code, 0, "nobody reads it now");
    assert_eq!(client.ask(2, &delete).results[0].error_code, 0);
    assert_eq!(client.ask(2, &delete).results[0].error_code, GROUP_ID_NOT_FOUND);
}

#[test]
fn a_transaction_has_no_coordinator_here_and_the_groups_topic_is_internal() {
    let (_node, mut client) = node();
    let keys = vec![text("a"), text("b")];
    let find = FindCoordinatorRequest::default().with_coordinator_keys(keys.clone());
    let found = client.ask(4, &find);
    assert_eq!(found.coordinators.iter().map(|one| one.error_code).collect::<Vec<_>>(), [0, 0]);
    let of_transactions = find.with_key_type(1);
    assert_eq!(client.ask(6, &of_transactions).coordinators[0].error_code, UNSUPPORTED_VERSION);
    let asked = MetadataRequestTopic::default().with_name(Some(name("__consumer_offsets")));
    let told = client.ask(9, &MetadataRequest::default().with_topics(Some(vec![asked])));
    assert!(told.topics[0].is_internal && told.topics[0].partitions.len() == 16);
}
