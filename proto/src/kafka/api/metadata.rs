//! Metadata: who leads what, and where. KIP-430 (authorized operations, 8), KIP-516 (topic ids, 10),
//! KIP-1102 (rebootstrap, 13).

use crate::kafka::grammar::api;

api! {
    Metadata = 3, MetadataRequest -> MetadataResponse;
    versions 0-13, flexible 9+;

    /// The topics asked about.
    struct MetadataRequest {
        /// Null is all; empty is none, but all in version 0.
        topics: Option<Vec<MetadataRequestTopic>>, 0+, nullable 1+;
        allow_auto_topic_creation: bool, 4+, default true;
        include_cluster_authorized_operations: bool, 8-10;
        include_topic_authorized_operations: bool, 8+;
    }

    /// A topic, by name or by id.
    struct MetadataRequestTopic {
        topic_id: [u8; 16], 10+;
        name: Option<String>, 0+, nullable 10+;
    }

    /// The cluster as this node sees it.
    struct MetadataResponse {
        throttle_time_ms: i32, 3+;
        brokers: Vec<MetadataResponseBroker>, 0+;
        cluster_id: Option<String>, 2+, default None;
        controller_id: i32, 1+, default -1;
        topics: Vec<MetadataResponseTopic>, 0+;
        /// A bit set; the default says that it was not asked for.
        cluster_authorized_operations: i32, 8-10, default i32::MIN;
        error_code: i16, 13+;
    }

    /// A node and its address.
    struct MetadataResponseBroker {
        node_id: i32, 0+;
        host: String, 0+;
        port: i32, 0+;
        rack: Option<String>, 1+, default None;
    }

    /// A topic, or why it is not known.
    struct MetadataResponseTopic {
        error_code: i16, 0+;
        /// Null if it was asked for by an id that is not known.
        name: Option<String>, 0+, nullable 12+;
        /// Zero if it was asked for by a name that is not known.
        topic_id: [u8; 16], 10+;
        is_internal: bool, 1+;
        partitions: Vec<MetadataResponsePartition>, 0+;
        /// A bit set; the default says that it was not asked for.
        topic_authorized_operations: i32, 8+, default i32::MIN;
    }

    /// A partition, its leader and its replicas.
    struct MetadataResponsePartition {
        error_code: i16, 0+;
        partition_index: i32, 0+;
        /// -1 if there is none.
        leader_id: i32, 0+;
        leader_epoch: i32, 7+, default -1;
        replica_nodes: Vec<i32>, 0+;
        isr_nodes: Vec<i32>, 0+;
        offline_replicas: Vec<i32>, 5+;
    }
}
