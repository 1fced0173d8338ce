//! Our codec against `kafka-protocol`, for every API, version and direction, without a line per API.
//!
//! The law, for any well-formed body `b` (drawn by `kafka::sample`, null and tagged fields included):
//! both codecs read the same values under the same names out of `b`; both write the same bytes from what
//! they read; and each reads what the other wrote. Names and values are compared through `Debug`, since
//! equal bytes alone would not notice two fields that have changed places.
//!
//! Of an API of ours, which Kafka does not have (`ApiKey::is_ours`), there is no oracle: its golden bytes (`wire`) and
//! the laws of `hostile` are all that hold it. The same goes for the few versions that the oracle does not know yet
//! ([`NEWER_REQUESTS`], [`NEWER_RESPONSES`]); their golden bytes were once compared with Kafka's own classes
//! (`org.apache.kafka.common.message` of `kafka-clients` 4.4.0).

mod debugged;

use bytes::{Bytes, BytesMut};
use debugged::Value;
use kafka_protocol::messages::{ApiKey as TheirKey, RequestKind, ResponseKind};
use proptest::prelude::*;
use rust_mq_proto::kafka::api::{ApiKey, OURS_FROM, RequestBody, ResponseBody};
use rust_mq_proto::kafka::sample::{self, Chance};
use rust_mq_proto::kafka::schema::Schema;
use rust_mq_proto::kafka::{Reader, Writer};

const BUDGET_BYTES: usize = 1 << 20;
const CASES_PER_VERSION: u32 = 64;

/// Requests of Kafka 4.4 that the oracle does not know.
const NEWER_REQUESTS: [(ApiKey, i16); 6] = [
    (ApiKey::ListOffsets, 11),
    (ApiKey::OffsetCommit, 10),
    (ApiKey::OffsetFetch, 10),
    (ApiKey::ApiVersions, 5),
    (ApiKey::DescribeLogDirs, 5),
    (ApiKey::DeleteGroups, 3),
];

/// Responses of Kafka 4.4 that the oracle does not know.
const NEWER_RESPONSES: [(ApiKey, i16); 4] = [
    (ApiKey::ListOffsets, 11),
    (ApiKey::ApiVersions, 5),
    (ApiKey::DescribeLogDirs, 5),
    (ApiKey::DeleteGroups, 3),
];

/// The law for one body of one version, over our enum of bodies and the oracle's.
macro_rules! assert_agreement {
    ($ours:ident, $theirs:ident, $key:ident, $version:ident, $bytes:expr) => {{
        let bytes: Bytes = $bytes;
        let read = |bytes: &Bytes| {
            let ours = $ours::decode($key, $version, &mut reader(bytes)).expect("ours reads it");
            let theirs = $theirs::decode(their_key($key), &mut bytes.clone(), $version);
            (ours, theirs.expect("the oracle reads it"))
        };
        let (ours, theirs) = read(&bytes);
        assert_eq!(Value::parse(&shared(&ours)), Value::parse(&format!("{theirs:?}")));
        let our_bytes = written(|writer| ours.encode(writer, $version));
        let mut their_bytes = BytesMut::new();
        theirs.encode(&mut their_bytes, $version).expect("the oracle writes what it read");
        assert_eq!(our_bytes, their_bytes);
        assert_eq!(read(&our_bytes), (ours, theirs));
    }};
}

#[test]
fn requests_are_read_and_written_as_the_oracle_does() {
    for_every_version(&NEWER_REQUESTS, |key, version, chance| {
        let bytes = sampled(key, key.api().request, version, chance);
        assert_agreement!(RequestBody, RequestKind, key, version, bytes);
    });
}

#[test]
fn responses_are_read_and_written_as_the_oracle_does() {
    for_every_version(&NEWER_RESPONSES, |key, version, chance| {
        let bytes = sampled(key, key.api().response, version, chance);
        assert_agreement!(ResponseBody, ResponseKind, key, version, bytes);
    });
}

#[test]
fn headers_are_of_the_versions_that_the_oracle_says() {
    for key in kafkas() {
        for version in known(key) {
            let request = their_key(key).request_header_version(version);
            assert_eq!(key.api().request_header_version(version), request, "{key} {version}");
            let response = their_key(key).response_header_version(version);
            assert_eq!(key.api().response_header_version(version), response, "{key} {version}");
        }
    }
}

#[test]
fn every_api_has_a_default_equal_to_the_oracles() {
    use kafka_protocol::messages as theirs;
    use rust_mq_proto::kafka::api as ours;
    macro_rules! same_default {
        ($($module:ident::{$($body:ident),+};)+) => { $( $(
            assert_eq!(
                Value::parse(&shared(&ours::$module::$body::default())),
                Value::parse(&format!("{:?}", theirs::$body::default())),
            );
        )+ )+ };
    }
    same_default! {
        alter_configs::{AlterConfigsRequest, AlterConfigsResponse};
        api_versions::{ApiVersionsRequest, ApiVersionsResponse};
        consumer_group_describe::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};
        consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
        create_partitions::{CreatePartitionsRequest, CreatePartitionsResponse};
        create_topics::{CreateTopicsRequest, CreateTopicsResponse};
        delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
        delete_records::{DeleteRecordsRequest, DeleteRecordsResponse};
        delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
        describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
        describe_configs::{DescribeConfigsRequest, DescribeConfigsResponse};
        describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
        describe_log_dirs::{DescribeLogDirsRequest, DescribeLogDirsResponse};
        describe_producers::{DescribeProducersRequest, DescribeProducersResponse};
        describe_topic_partitions::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
        fetch::{FetchRequest, FetchResponse};
        find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
        heartbeat::{HeartbeatRequest, HeartbeatResponse};
        incremental_alter_configs::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
        init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
        join_group::{JoinGroupRequest, JoinGroupResponse};
        leave_group::{LeaveGroupRequest, LeaveGroupResponse};
        list_config_resources::{ListConfigResourcesRequest, ListConfigResourcesResponse};
        list_groups::{ListGroupsRequest, ListGroupsResponse};
        list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
        metadata::{MetadataRequest, MetadataResponse};
        offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
        offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
        offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
        offset_for_leader_epoch::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};
        produce::{ProduceRequest, ProduceResponse};
        sync_group::{SyncGroupRequest, SyncGroupResponse};
        update_features::{UpdateFeaturesRequest, UpdateFeaturesResponse};
    }
}

#[test]
fn what_the_oracle_does_not_know_is_named() {
    let all = || kafkas().flat_map(|key| key.versions().iter().map(move |version| (key, version)));
    let requests = all().filter(|(key, version)| {
        let bytes = sampled(*key, key.api().request, *version, &[]);
        RequestKind::decode(their_key(*key), &mut bytes.clone(), *version).is_err()
    });
    assert_eq!(requests.collect::<Vec<_>>(), NEWER_REQUESTS);
    let responses = all().filter(|(key, version)| {
        let bytes = sampled(*key, key.api().response, *version, &[]);
        ResponseKind::decode(their_key(*key), &mut bytes.clone(), *version).is_err()
    });
    assert_eq!(responses.collect::<Vec<_>>(), NEWER_RESPONSES);
}

/// The APIs that Kafka has, too.
fn kafkas() -> impl Iterator<Item = ApiKey> {
    ApiKey::ALL.iter().copied().filter(|key| !key.is_ours())
}

/// Fields of versions that the oracle does not know, as they are in all others.
const YOUNGER: [&str; 2] = [", is_cordoned: false", ", cluster_id: None, node_id: -1"];

/// A body without them.
fn shared(body: &impl std::fmt::Debug) -> String {
    YOUNGER.iter().fold(format!("{body:?}"), |text, field| text.replace(field, ""))
}

/// The versions of an API that the oracle knows too. It is behind Kafka by some: those are held by their golden bytes.
fn known(key: ApiKey) -> impl Iterator<Item = i16> {
    let newest = their_key(key).valid_versions().max;
    key.versions().iter().filter(move |version| *version <= newest)
}

#[test]
fn what_is_ours_is_not_kafkas() {
    for key in OURS_FROM..=i16::MAX {
        assert!(TheirKey::try_from(key).is_err(), "{key} is an API of Kafka; ours begin at {OURS_FROM}");
    }
}

fn for_every_version(but: &[(ApiKey, i16)], law: impl Fn(ApiKey, i16, &[u8])) {
    for key in kafkas() {
        for version in known(key).filter(|version| !but.contains(&(key, *version))) {
            let config =
                ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES_PER_VERSION) };
            let chance = proptest::collection::vec(any::<u8>(), 0..400);
            let result = proptest::test_runner::TestRunner::new(config).run(&chance, |chance| {
                law(key, version, &chance);
                Ok(())
            });
            if let Err(reason) = result {
                panic!("{key} version {version}: {reason}");
            }
        }
    }
}

fn sampled(key: ApiKey, schema: &Schema, version: i16, chance: &[u8]) -> Bytes {
    written(|writer| sample::body(schema, key.version(version), &mut Chance::new(chance), writer))
}

fn written(fill: impl FnOnce(&mut Writer)) -> Bytes {
    let mut writer = Writer::new();
    fill(&mut writer);
    writer.take().concat().into()
}

fn reader(bytes: &[u8]) -> Reader {
    Reader::new(BytesMut::from(bytes), BUDGET_BYTES)
}

fn their_key(key: ApiKey) -> TheirKey {
    TheirKey::try_from(key.number()).expect("the oracle knows every API of Kafka")
}
