//! What ApiVersions says, in which bytes, and that it is true.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, UpdateFeaturesRequest};
use kafka_protocol::protocol::{Decodable, StrBytes};
use rust_mq_proto::kafka::api::OURS_FROM;
use std::collections::BTreeMap;
use tests::client::{Client, PATIENCE, Reply, encode};
use tests::node::Node;

const API_VERSIONS: i16 = 18;
const UNSUPPORTED_VERSION: i16 = 35;
const INVALID_REQUEST: i16 = 42;
const FEATURE_UPDATE_FAILED: i16 = 96;

fn request(name: &'static str, version: &'static str) -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str(name))
        .with_client_software_version(StrBytes::from_static_str(version))
}

/// The ranges by key, as a client learns them.
fn ranges(client: &mut Client) -> BTreeMap<i16, (i16, i16)> {
    let answer = client.ask(3, &request("tests", "1"));
    assert_eq!(answer.error_code, 0);
    answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect()
}

/// Sends a whole message; its answer without the length.
fn exchange(client: &mut Client, message: &[u8]) -> Bytes {
    client.send_message(message).expect("the connection is open");
    match client.receive(PATIENCE) {
        Reply::Message(answer) => answer,
        other => panic!("{other:?} instead of an answer"),
    }
}

/// A request header in version 1 and nothing after it.
fn bare(key: i16, version: i16) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_i16(key);
    bytes.put_i16(version);
    bytes.put_i32(77);
    bytes.put_i16(-1);
    bytes
}

#[test]
fn g01_api_versions_response_header_is_v0_in_every_version() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for version in 0..=4 {
        let mut answer = exchange(&mut client, &encode(version, 77, &request("tests", "1")));
        assert_eq!(answer.get_i32(), 77, "version {version}");
        // No list of tags between the correlation id and the body: the body decodes from here, to its end.
        let body = ApiVersionsResponse::decode(&mut answer, version).expect("the body follows at once");
        assert_eq!((body.error_code, answer.remaining()), (0, 0), "version {version}");
        assert!(body.api_keys.iter().any(|api| api.api_key == API_VERSIONS), "version {version}");
    }
}

#[test]
fn g02_an_unknown_api_versions_version_is_answered_in_v0_and_the_next_is_served() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for version in [6, 7, 127, i16::MAX] {
        // A body that no version has.
        let mut message = bare(API_VERSIONS, version);
        message.put_slice(&[0xff; 5]);
        let mut answer = exchange(&mut client, &message);
        assert_eq!(answer.get_i32(), 77);
        let body = ApiVersionsResponse::decode(&mut answer, 0).expect("the body is in version 0");
        assert_eq!((body.error_code, answer.remaining()), (UNSUPPORTED_VERSION, 0), "version {version}");
        let own = body.api_keys.iter().find(|api| api.api_key == API_VERSIONS).expect("key 18 is listed");
        assert!(own.max_version < version, "franz-go retries only with a lower one");
        assert!(body.api_keys.len() > 1, "the whole table, not one row");
    }
    assert!(ranges(&mut client).contains_key(&API_VERSIONS), "the connection lives");
}

#[test]
fn g03_client_software_names_follow_kafkas_rule() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for (name, version) in [("librdkafka", "2.0.2"), ("apache-kafka-java", "4.1.0"), ("a", "1")] {
        for version_asked in [3, 4] {
            assert_eq!(client.ask(version_asked, &request(name, version)).error_code, 0, "{name} {version}");
        }
    }
    for (name, version) in [("", "1"), ("-a", "1"), ("a", ".1"), ("a b", "1"), ("a", "1/2"), ("é", "1")] {
        for version_asked in [3, 4] {
            let answer = client.ask(version_asked, &request(name, version));
            assert_eq!(answer.error_code, INVALID_REQUEST, "{name:?} {version:?}");
        }
    }
    assert_eq!(
        client.ask(0, &ApiVersionsRequest::default()).error_code,
        0,
        "librdkafka then falls back to 0"
    );
}

#[test]
fn g04_features_of_minimum_zero_are_left_out_below_v4() {
    let node = Node::in_memory();
    let answer = node.connect().ask(3, &request("tests", "1"));
    let zero = answer.supported_features.iter().filter(|feature| feature.min_version == 0).count();
    assert_eq!(zero, 0, "older Java clients fail to decode them");
}

#[test]
fn g05_api_versions_may_come_first_and_unserved_security_keys_are_not_listed() {
    let node = Node::in_memory();
    let listed = ranges(&mut node.connect());
    for key in [17, 36] {
        assert!(!listed.contains_key(&key), "key {key} is listed, and SASL is not served");
        let mut client = node.connect();
        client.send_message(&bare(key, 0)).expect("a fresh connection takes a few bytes");
        assert_eq!(client.receive(PATIENCE), Reply::Closed, "key {key}");
    }
}

#[test]
fn no_key_is_answered_that_is_not_listed() {
    let node = Node::in_memory();
    let listed = ranges(&mut node.connect());
    for key in (0..100).filter(|key| !listed.contains_key(key)) {
        let mut client = node.connect();
        client.send_message(&bare(key, 0)).expect("a fresh connection takes a few bytes");
        assert_eq!(client.receive(PATIENCE), Reply::Closed, "key {key}");
    }
}

#[test]
fn g06_produce_is_advertised_from_0_and_served_from_3() {
    let node = Node::in_memory();
    assert_eq!(ranges(&mut node.connect())[&0].0, 0, "old librdkafka compresses only then");
    for version in 0..3 {
        let mut client = node.connect();
        client.send_message(&bare(0, version)).expect("a fresh connection takes a few bytes");
        assert_eq!(client.receive(PATIENCE), Reply::Closed, "Produce {version}");
    }
}

#[test]
fn g07_the_exact_versions_that_librdkafka_looks_for_are_in_range() {
    let node = Node::in_memory();
    let ranges = ranges(&mut node.connect());
    // Its feature map: MsgVer2, zstd, ApiVersion, idempotence, offsets by time.
    for (key, version) in [(0, 3), (1, 4), (0, 7), (1, 10), (18, 0), (22, 0), (2, 1), (0, 0)] {
        let (min, max) = ranges[&key];
        assert!((min..=max).contains(&version), "key {key} version {version} is not in {min} to {max}");
    }
}

/// Keys that the clients' producers, consumers by assignment and topic administration need.
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const LIST_OFFSETS: i16 = 2;
const METADATA: i16 = 3;
const CREATE_TOPICS: i16 = 19;
const INIT_PRODUCER_ID: i16 = 22;
const EPOCHS: i16 = 23;

#[test]
fn g08_every_clients_favourite_version_is_in_range() {
    let node = Node::in_memory();
    let ranges = ranges(&mut node.connect());
    // The highest version each sends, or the only one; some ignore our minimum or send theirs regardless.
    let favourites: [(&str, &[(i16, i16)]); 8] = [
        ("KafkaJS", &[(PRODUCE, 7), (FETCH, 11), (LIST_OFFSETS, 3), (METADATA, 6), (CREATE_TOPICS, 3)]),
        (
            "kafka-go",
            &[(PRODUCE, 7), (PRODUCE, 3), (FETCH, 5), (FETCH, 10), (LIST_OFFSETS, 1), (METADATA, 1)],
        ),
        ("rskafka", &[(PRODUCE, 3), (FETCH, 4), (LIST_OFFSETS, 3), (METADATA, 4), (CREATE_TOPICS, 5)]),
        ("aiokafka", &[(PRODUCE, 8), (FETCH, 11), (LIST_OFFSETS, 5), (METADATA, 5), (INIT_PRODUCER_ID, 0)]),
        ("platformatic", &[(PRODUCE, 7), (FETCH, 12), (LIST_OFFSETS, 5), (METADATA, 9), (CREATE_TOPICS, 7)]),
        ("Sarama", &[(PRODUCE, 10), (FETCH, 12), (LIST_OFFSETS, 6), (METADATA, 11), (INIT_PRODUCER_ID, 4)]),
        ("librdkafka", &[(PRODUCE, 10), (FETCH, 16), (LIST_OFFSETS, 7), (METADATA, 13), (EPOCHS, 2)]),
        ("Java", &[(PRODUCE, 13), (FETCH, 17), (LIST_OFFSETS, 10), (METADATA, 13), (INIT_PRODUCER_ID, 5)]),
    ];
    for (client, versions) in favourites {
        for (key, version) in versions {
            let (min, max) = ranges[key];
            assert!((min..=max).contains(version), "{client}: key {key} version {version} of {min} to {max}");
        }
    }
}

#[test]
fn g09_the_ranges_are_those_of_one_kafka_release() {
    let node = Node::in_memory();
    let mut ranges = ranges(&mut node.connect());
    // What is ours no client looks for.
    ranges.retain(|key, _| *key < OURS_FROM);
    // Kafka 4.4's, for the APIs that are served: clients guess a broker's age by which versions exist.
    let kafka_4_4 = [
        (0, (0, 13)),
        (1, (4, 18)),
        (2, (1, 11)),
        (3, (0, 13)),
        (8, (2, 10)),
        (9, (1, 10)),
        (10, (0, 6)),
        (11, (0, 9)),
        (12, (0, 4)),
        (13, (0, 5)),
        (14, (0, 5)),
        (15, (0, 6)),
        (16, (0, 5)),
        (18, (0, 5)),
        (19, (2, 7)),
        (20, (1, 6)),
        (21, (0, 2)),
        (22, (0, 5)),
        (23, (2, 4)),
        (32, (1, 4)),
        (33, (0, 2)),
        (35, (1, 5)),
        (37, (0, 3)),
        (42, (0, 3)),
        (44, (0, 1)),
        (47, (0, 0)),
        (57, (0, 2)),
        (60, (0, 2)),
        (61, (0, 0)),
        (68, (0, 1)),
        (69, (0, 1)),
        (74, (0, 1)),
        (75, (0, 0)),
    ];
    assert_eq!(ranges, BTreeMap::from(kafka_4_4));
}

#[test]
fn g31_what_is_not_served_is_not_listed_so_that_clients_fall_back() {
    let node = Node::in_memory();
    let listed = ranges(&mut node.connect());
    // SASL is 17, transactions begin with 24, telemetry with 71, share groups with 76.
    for key in [17, 24, 26, 34, 48, 71, 76] {
        assert!(!listed.contains_key(&key), "key {key}");
    }
}

#[test]
fn features_are_told_and_changed_by_name_in_every_version() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let known = client.ask(4, &request("tests", "1"));
    let level = StrBytes::from_static_str("rust-mq.level");
    let now = known.finalized_features.iter().find(|feature| feature.name == level).expect("it has a level");
    assert!(known.finalized_features_epoch >= 0, "-1 is unknown, and clients then use none");
    for version in 0..=2 {
        let mut raise = |to: i16| {
            let update = FeatureUpdateKey::default().with_feature(level.clone()).with_max_version_level(to);
            let update = if version > 0 { update.with_upgrade_type(1) } else { update };
            client.ask(version, &UpdateFeaturesRequest::default().with_feature_updates(vec![update]))
        };
        let same = raise(now.max_version_level);
        assert_eq!((same.error_code, same.results.len()), (0, usize::from(version < 2)), "version {version}");
        let unknown = raise(i16::MAX);
        assert_eq!(unknown.error_code, FEATURE_UPDATE_FAILED, "version {version}");
        assert!(unknown.error_message.is_some(), "a person reads it");
        assert!(unknown.results.iter().all(|one| one.error_code == FEATURE_UPDATE_FAILED));
    }
}
