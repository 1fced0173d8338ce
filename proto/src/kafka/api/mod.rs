//! The API table: every API that is described, one file each, and the two enums over all of them.
//!
//! To serve another: the checklist at the head of `core/src/api/mod.rs`. Its description comes first, beside the others,
//! with its line in `table!` below; the oracle tests find it by themselves. Until it works whole its line ends in
//! `not served`: it can be read and written, no node advertises it, and whoever asks for it is told so as of any number
//! that is unknown.
//!
//! An API that Kafka does not have gets a number from [`OURS_FROM`] on, which Kafka will not give out soon: clients pass
//! over what they do not know, and what is compared with Kafka's own table passes over it, too.
//!
//! Invariant: `ApiKey::ALL` rises by key, and what of it is served is what ApiVersions advertises.

pub mod alter_configs;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sync_group;
pub mod update_features;

use super::message::{Request, Response, write_request, write_response};
use super::schema::{Api, Version, Versions};
use super::{Reader, WireError, Writer};
use std::fmt;

/// The lowest number of an API that is not Kafka's.
pub const OURS_FROM: i16 = 0x7000;

macro_rules! table {
    ($($name:ident: $module:ident, $request:ident -> $response:ident $(, not $served:ident)?;)+) => {
        /// An API that is described.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i16)]
        pub enum ApiKey {
            $(
                #[doc = concat!("See [`", stringify!($module), "`].")]
                $name = $module::KEY,
            )+
        }

        impl ApiKey {
            /// Every one, rising by key.
            pub const ALL: &'static [ApiKey] = &[$(ApiKey::$name),+];

            /// The API of that number, if it is described.
            #[inline]
            pub fn parse(key: i16) -> Option<ApiKey> {
                match key {
                    $( $module::KEY => Some(ApiKey::$name), )+
                    _ => None,
                }
            }

            /// Whether a node answers it. One that is not served is to its clients as one that nobody knows.
            #[inline]
            pub const fn is_served(self) -> bool {
                match self {
                    $( ApiKey::$name => is_served!($($served)?), )+
                }
            }

            /// Its row of the table.
            #[inline]
            pub const fn api(self) -> &'static Api {
                match self {
                    $( ApiKey::$name => &$module::API, )+
                }
            }
        }

        /// The body of any request.
        #[derive(Clone, Debug, PartialEq)]
        pub enum RequestBody {
            $(
                #[doc = concat!("See [`", stringify!($module), "`].")]
                $name($module::$request),
            )+
        }

        /// The body of any response.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ResponseBody {
            $(
                #[doc = concat!("See [`", stringify!($module), "`].")]
                $name($module::$response),
            )+
        }

        impl RequestBody {
            /// Reads a whole body of that API and version.
            pub fn decode(key: ApiKey, version: i16, reader: &mut Reader) -> Result<RequestBody, WireError> {
                match key {
                    $( ApiKey::$name => Request::decode(reader, version).map(RequestBody::$name), )+
                }
            }

            /// Writes the body in that version.
            pub fn encode(&self, writer: &mut Writer, version: i16) {
                match self {
                    $( RequestBody::$name(body) => body.encode(writer, version), )+
                }
            }

            /// Writes a whole request: length, header and body.
            pub fn write(
                &self,
                writer: &mut Writer,
                version: i16,
                correlation_id: i32,
                client_id: Option<&str>,
            ) {
                match self {
                    $( RequestBody::$name(body) => {
                        write_request(writer, version, correlation_id, client_id, body);
                    } )+
                }
            }

            /// Whose it is.
            pub fn key(&self) -> ApiKey {
                match self {
                    $( RequestBody::$name(_) => ApiKey::$name, )+
                }
            }
        }

        impl ResponseBody {
            /// Reads a whole body of that API and version.
            pub fn decode(key: ApiKey, version: i16, reader: &mut Reader) -> Result<ResponseBody, WireError> {
                match key {
                    $( ApiKey::$name => Response::decode(reader, version).map(ResponseBody::$name), )+
                }
            }

            /// Writes the body in that version.
            pub fn encode(&self, writer: &mut Writer, version: i16) {
                match self {
                    $( ResponseBody::$name(body) => body.encode(writer, version), )+
                }
            }

            /// Writes a whole response: length, header and body.
            pub fn write(&self, writer: &mut Writer, version: i16, correlation_id: i32) {
                match self {
                    $( ResponseBody::$name(body) => {
                        write_response(writer, version, correlation_id, body);
                    } )+
                }
            }

            /// Whose it is.
            pub fn key(&self) -> ApiKey {
                match self {
                    $( ResponseBody::$name(_) => ApiKey::$name, )+
                }
            }
        }
    };
}

/// Whether a row of the table does without its `not served`.
#[allow(unused_macro_rules, reason = "there are times in which all that is described is served")]
macro_rules! is_served {
    () => {
        true
    };
    (served) => {
        false
    };
}

table! {
    Produce: produce, ProduceRequest -> ProduceResponse;
    Fetch: fetch, FetchRequest -> FetchResponse;
    ListOffsets: list_offsets, ListOffsetsRequest -> ListOffsetsResponse;
    Metadata: metadata, MetadataRequest -> MetadataResponse;
    OffsetCommit: offset_commit, OffsetCommitRequest -> OffsetCommitResponse;
    OffsetFetch: offset_fetch, OffsetFetchRequest -> OffsetFetchResponse;
    FindCoordinator: find_coordinator,
        FindCoordinatorRequest -> FindCoordinatorResponse;
    JoinGroup: join_group, JoinGroupRequest -> JoinGroupResponse;
    Heartbeat: heartbeat, HeartbeatRequest -> HeartbeatResponse;
    LeaveGroup: leave_group, LeaveGroupRequest -> LeaveGroupResponse;
    SyncGroup: sync_group, SyncGroupRequest -> SyncGroupResponse;
    DescribeGroups: describe_groups, DescribeGroupsRequest -> DescribeGroupsResponse;
    ListGroups: list_groups, ListGroupsRequest -> ListGroupsResponse;
    ApiVersions: api_versions, ApiVersionsRequest -> ApiVersionsResponse;
    CreateTopics: create_topics, CreateTopicsRequest -> CreateTopicsResponse;
    DeleteTopics: delete_topics, DeleteTopicsRequest -> DeleteTopicsResponse;
    DeleteRecords: delete_records, DeleteRecordsRequest -> DeleteRecordsResponse;
    InitProducerId: init_producer_id, InitProducerIdRequest -> InitProducerIdResponse;
    OffsetForLeaderEpoch: offset_for_leader_epoch,
        OffsetForLeaderEpochRequest -> OffsetForLeaderEpochResponse;
    DescribeConfigs: describe_configs, DescribeConfigsRequest -> DescribeConfigsResponse;
    AlterConfigs: alter_configs, AlterConfigsRequest -> AlterConfigsResponse;
    DescribeLogDirs: describe_log_dirs, DescribeLogDirsRequest -> DescribeLogDirsResponse;
    CreatePartitions: create_partitions, CreatePartitionsRequest -> CreatePartitionsResponse;
    DeleteGroups: delete_groups, DeleteGroupsRequest -> DeleteGroupsResponse;
    IncrementalAlterConfigs: incremental_alter_configs,
        IncrementalAlterConfigsRequest -> IncrementalAlterConfigsResponse;
    OffsetDelete: offset_delete, OffsetDeleteRequest -> OffsetDeleteResponse;
    UpdateFeatures: update_features, UpdateFeaturesRequest -> UpdateFeaturesResponse;
    DescribeCluster: describe_cluster, DescribeClusterRequest -> DescribeClusterResponse;
    DescribeProducers: describe_producers, DescribeProducersRequest -> DescribeProducersResponse;
    ConsumerGroupHeartbeat: consumer_group_heartbeat,
        ConsumerGroupHeartbeatRequest -> ConsumerGroupHeartbeatResponse;
    ConsumerGroupDescribe: consumer_group_describe,
        ConsumerGroupDescribeRequest -> ConsumerGroupDescribeResponse;
    ListConfigResources: list_config_resources, ListConfigResourcesRequest -> ListConfigResourcesResponse;
    DescribeTopicPartitions: describe_topic_partitions,
        DescribeTopicPartitionsRequest -> DescribeTopicPartitionsResponse;
}

impl ApiKey {
    /// Those that are served, rising by key: what ApiVersions lists.
    pub fn served() -> impl Iterator<Item = ApiKey> {
        ApiKey::ALL.iter().copied().filter(|key| key.is_served())
    }

    /// Kafka's number.
    #[inline]
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// Whether it is an API of ours, which Kafka does not have.
    pub const fn is_ours(self) -> bool {
        self.number() >= OURS_FROM
    }

    /// The versions that are described, and answered if it is served.
    #[inline]
    pub const fn versions(self) -> Versions {
        self.api().versions
    }

    /// What ApiVersions says is served: for Produce from 0 on, or librdkafka before 2.11 turns compression
    /// off (KAFKA-18659).
    pub const fn advertised(self) -> Versions {
        Versions::between(self.api().advertised_from, self.api().versions.last)
    }

    /// That version with its spelling.
    #[inline]
    pub const fn version(self, number: i16) -> Version {
        self.api().version(number)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.api().name)
    }
}
