//! OffsetFetch: how far groups had come. KIP-88 (all of a group, 2), KIP-320 (leader epochs, 5), KIP-447 (only what no
//! transaction holds, 7), KIP-709 (many groups, 8), KIP-848 (member epochs, 9; topic ids, 10).

use crate::kafka::grammar::api;

api! {
    OffsetFetch = 9, OffsetFetchRequest -> OffsetFetchResponse;
    versions 1-10, flexible 6+;

    /// Whose offsets are wanted.
    struct OffsetFetchRequest {
        group_id: String, 1-7;
        /// Null is all.
        topics: Option<Vec<OffsetFetchRequestTopic>>, 1-7, nullable 2-7;
        groups: Vec<OffsetFetchRequestGroup>, 8+;
        /// Whether offsets that a transaction holds are refused.
        require_stable: bool, 7+;
    }

    /// What is wanted of one topic, of the one group.
    struct OffsetFetchRequestTopic {
        name: String, 1-7;
        partition_indexes: Vec<i32>, 1-7;
    }

    /// What is wanted of one group.
    struct OffsetFetchRequestGroup {
        group_id: String, 8+;
        /// Null from who is no member.
        member_id: Option<String>, 9+, default None;
        /// -1 from who is no member.
        member_epoch: i32, 9+, default -1;
        /// Null is all.
        topics: Option<Vec<OffsetFetchRequestTopics>>, 8+;
    }

    /// What is wanted of one topic, of one group.
    struct OffsetFetchRequestTopics {
        name: String, 8-9;
        topic_id: [u8; 16], 10+;
        partition_indexes: Vec<i32>, 8+;
    }

    /// How far they had come.
    struct OffsetFetchResponse {
        throttle_time_ms: i32, 3+;
        topics: Vec<OffsetFetchResponseTopic>, 1-7;
        error_code: i16, 2-7;
        groups: Vec<OffsetFetchResponseGroup>, 8+;
    }

    /// How far the one group had come in one topic.
    struct OffsetFetchResponseTopic {
        name: String, 1-7;
        partitions: Vec<OffsetFetchResponsePartition>, 1-7;
    }

    /// How far the one group had come in one partition.
    struct OffsetFetchResponsePartition {
        partition_index: i32, 1-7;
        /// -1 if nothing was committed.
        committed_offset: i64, 1-7;
        committed_leader_epoch: i32, 5-7, default -1;
        metadata: Option<String>, 1-7;
        error_code: i16, 1-7;
    }

    /// How far one group had come.
    struct OffsetFetchResponseGroup {
        group_id: String, 8+;
        topics: Vec<OffsetFetchResponseTopics>, 8+;
        error_code: i16, 8+;
    }

    /// How far one group had come in one topic.
    struct OffsetFetchResponseTopics {
        name: String, 8-9;
        topic_id: [u8; 16], 10+;
        partitions: Vec<OffsetFetchResponsePartitions>, 8+;
    }

    /// How far one group had come in one partition.
    struct OffsetFetchResponsePartitions {
        partition_index: i32, 8+;
        /// -1 if nothing was committed.
        committed_offset: i64, 8+;
        committed_leader_epoch: i32, 8+, default -1;
        metadata: Option<String>, 8+;
        error_code: i16, 8+;
    }
}
