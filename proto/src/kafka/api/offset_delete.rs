//! OffsetDelete: committed offsets of a group are forgotten. KIP-496.

use crate::kafka::grammar::api;

api! {
    OffsetDelete = 47, OffsetDeleteRequest -> OffsetDeleteResponse;
    versions 0-0;

    /// What to forget.
    struct OffsetDeleteRequest {
        group_id: String, 0+;
        topics: Vec<OffsetDeleteRequestTopic>, 0+;
    }

    /// What to forget of one topic.
    struct OffsetDeleteRequestTopic {
        name: String, 0+;
        partitions: Vec<OffsetDeleteRequestPartition>, 0+;
    }

    /// A partition to forget.
    struct OffsetDeleteRequestPartition {
        partition_index: i32, 0+;
    }

    /// What became of it.
    struct OffsetDeleteResponse {
        error_code: i16, 0+;
        throttle_time_ms: i32, 0+;
        topics: Vec<OffsetDeleteResponseTopic>, 0+;
    }

    /// What became of one topic.
    struct OffsetDeleteResponseTopic {
        name: String, 0+;
        partitions: Vec<OffsetDeleteResponsePartition>, 0+;
    }

    /// What became of one partition.
    struct OffsetDeleteResponsePartition {
        partition_index: i32, 0+;
        error_code: i16, 0+;
    }
}
