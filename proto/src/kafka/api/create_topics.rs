//! CreateTopics. KIP-464 (defaults for partitions and replicas, 4), KIP-525 (configs returned, 5).

use crate::kafka::grammar::api;

api! {
    CreateTopics = 19, CreateTopicsRequest -> CreateTopicsResponse;
    versions 2-7, flexible 5+;

    /// The topics to create.
    struct CreateTopicsRequest {
        topics: Vec<CreatableTopic>, 2+;
        timeout_ms: i32, 2+, default 60_000;
        /// Check only.
        validate_only: bool, 2+;
    }

    /// A topic to create.
    struct CreatableTopic {
        name: String, 2+;
        /// -1 is the default, or as many as `assignments` says.
        num_partitions: i32, 2+;
        /// -1 is the default, or as many as `assignments` says.
        replication_factor: i16, 2+;
        /// Where the partitions go; empty lets the broker choose.
        assignments: Vec<CreatableReplicaAssignment>, 2+;
        configs: Vec<CreatableTopicConfig>, 2+;
    }

    /// Where one partition goes.
    struct CreatableReplicaAssignment {
        partition_index: i32, 2+;
        broker_ids: Vec<i32>, 2+;
    }

    /// A config to set.
    struct CreatableTopicConfig {
        name: String, 2+;
        value: Option<String>, 2+;
    }

    /// What became of the topics.
    struct CreateTopicsResponse {
        throttle_time_ms: i32, 2+;
        topics: Vec<CreatableTopicResult>, 2+;
    }

    /// What became of one topic.
    struct CreatableTopicResult {
        name: String, 2+;
        topic_id: [u8; 16], 7+;
        error_code: i16, 2+;
        error_message: Option<String>, 2+;
        /// Why `configs` is not there.
        topic_config_error_code: i16, 5+, tag 0;
        num_partitions: i32, 5+, default -1;
        replication_factor: i16, 5+, default -1;
        configs: Option<Vec<CreatableTopicConfigs>>, 5+;
    }

    /// A config as it is.
    struct CreatableTopicConfigs {
        name: String, 5+;
        value: Option<String>, 5+;
        read_only: bool, 5+;
        config_source: i8, 5+, default -1;
        is_sensitive: bool, 5+;
    }
}
