//! OffsetCommit: how far a group has come. KIP-211 (expiry is the broker's, 5), KIP-320 (leader epochs, 6), KIP-345
//! (static members, 7), KIP-848 (member epochs, 9; topic ids, 10).

use crate::kafka::grammar::api;

api! {
    OffsetCommit = 8, OffsetCommitRequest -> OffsetCommitResponse;
    versions 2-10, flexible 8+;

    /// Who commits what.
    struct OffsetCommitRequest {
        group_id: String, 2+;
        /// The generation of a classic member, the epoch of another; -1 from who is no member.
        generation_id_or_member_epoch: i32, 2+, default -1;
        /// Empty from who is no member.
        member_id: String, 2+;
        group_instance_id: Option<String>, 7+, default None;
        /// -1 leaves it to the broker.
        retention_time_ms: i64, 2-4, default -1;
        topics: Vec<OffsetCommitRequestTopic>, 2+;
    }

    /// What is committed of one topic.
    struct OffsetCommitRequestTopic {
        name: String, 2-9;
        topic_id: [u8; 16], 10+;
        partitions: Vec<OffsetCommitRequestPartition>, 2+;
    }

    /// What is committed of one partition.
    struct OffsetCommitRequestPartition {
        partition_index: i32, 2+;
        /// The next record to read.
        committed_offset: i64, 2+;
        committed_leader_epoch: i32, 6+, default -1;
        committed_metadata: Option<String>, 2+;
    }

    /// What became of it.
    struct OffsetCommitResponse {
        throttle_time_ms: i32, 3+;
        topics: Vec<OffsetCommitResponseTopic>, 2+;
    }

    /// What became of one topic.
    struct OffsetCommitResponseTopic {
        name: String, 2-9;
        topic_id: [u8; 16], 10+;
        partitions: Vec<OffsetCommitResponsePartition>, 2+;
    }

    /// What became of one partition.
    struct OffsetCommitResponsePartition {
        partition_index: i32, 2+;
        error_code: i16, 2+;
    }
}
