//! OffsetForLeaderEpoch: where an epoch ended. KIP-101, KIP-320 (fencing, 2).

use crate::kafka::grammar::api;

api! {
    OffsetForLeaderEpoch = 23, OffsetForLeaderEpochRequest -> OffsetForLeaderEpochResponse;
    versions 2-4, flexible 4+;

    /// What to look up.
    struct OffsetForLeaderEpochRequest {
        /// -1 from a client, -2 from one that may see beyond the high watermark.
        replica_id: i32, 3+, default -2;
        topics: Vec<OffsetForLeaderTopic>, 2+;
    }

    /// What to look up in one topic.
    struct OffsetForLeaderTopic {
        topic: String, 2+;
        partitions: Vec<OffsetForLeaderPartition>, 2+;
    }

    /// What to look up in one partition.
    struct OffsetForLeaderPartition {
        partition: i32, 2+;
        /// What the client thinks the leader epoch is; -1 is no thought.
        current_leader_epoch: i32, 2+, default -1;
        /// The epoch whose end is wanted.
        leader_epoch: i32, 2+;
    }

    /// What was found.
    struct OffsetForLeaderEpochResponse {
        throttle_time_ms: i32, 2+;
        topics: Vec<OffsetForLeaderTopicResult>, 2+;
    }

    /// What was found in one topic.
    struct OffsetForLeaderTopicResult {
        topic: String, 2+;
        partitions: Vec<EpochEndOffset>, 2+;
    }

    /// What was found in one partition.
    struct EpochEndOffset {
        error_code: i16, 2+;
        partition: i32, 2+;
        leader_epoch: i32, 2+, default -1;
        end_offset: i64, 2+, default -1;
    }
}
