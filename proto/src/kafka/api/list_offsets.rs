//! ListOffsets: the offset of a time, or of an end of the log. KIP-98 (isolation, 2), KIP-320 (epochs, 4),
//! KIP-734 (largest timestamp, 7), KIP-405 and KIP-1005 (tiered storage, 8 and 9), KIP-1075 (10), KIP-1023 (what is not
//! tiered yet, 11).

use crate::kafka::grammar::api;

api! {
    ListOffsets = 2, ListOffsetsRequest -> ListOffsetsResponse;
    versions 1-11, flexible 6+;

    /// What to look up.
    struct ListOffsetsRequest {
        /// -1 from a client.
        replica_id: i32, 1+;
        /// 0 sees everything, 1 only what is committed.
        isolation_level: i8, 2+;
        topics: Vec<ListOffsetsTopic>, 1+;
        timeout_ms: i32, 10+;
    }

    /// What to look up in one topic.
    struct ListOffsetsTopic {
        name: String, 1+;
        partitions: Vec<ListOffsetsPartition>, 1+;
    }

    /// What to look up in one partition.
    struct ListOffsetsPartition {
        partition_index: i32, 1+;
        current_leader_epoch: i32, 4+, default -1;
        /// -1 latest, -2 earliest, -3 the record of the largest timestamp.
        timestamp: i64, 1+;
    }

    /// What was found.
    struct ListOffsetsResponse {
        throttle_time_ms: i32, 2+;
        topics: Vec<ListOffsetsTopicResponse>, 1+;
    }

    /// What was found in one topic.
    struct ListOffsetsTopicResponse {
        name: String, 1+;
        partitions: Vec<ListOffsetsPartitionResponse>, 1+;
    }

    /// What was found in one partition.
    struct ListOffsetsPartitionResponse {
        partition_index: i32, 1+;
        error_code: i16, 1+;
        timestamp: i64, 1+, default -1;
        offset: i64, 1+, default -1;
        leader_epoch: i32, 4+, default -1;
    }
}
