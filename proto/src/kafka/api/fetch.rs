//! Fetch: record batches from an offset on. KIP-227 (sessions, 7), KIP-392 (racks, 11), KIP-595 (diverging
//! epochs, 12), KIP-516 (topic ids, 13), KIP-903 (replica state, 15), KIP-951 (16), KIP-853 (17), KIP-1166 (18).

use crate::kafka::Chain;
use crate::kafka::grammar::api;

api! {
    Fetch = 1, FetchRequest -> FetchResponse;
    versions 4-18, flexible 12+;

    /// What to read, and how long to wait for it.
    struct FetchRequest {
        cluster_id: Option<String>, 12+, tag 0, default None;
        /// -1 from a client.
        replica_id: i32, 4-14, default -1;
        replica_state: ReplicaState, 15+, tag 1;
        max_wait_ms: i32, 4+;
        min_bytes: i32, 4+;
        max_bytes: i32, 4+, default 0x7fff_ffff;
        /// 0 reads everything, 1 only what is committed.
        isolation_level: i8, 4+;
        session_id: i32, 7+;
        session_epoch: i32, 7+, default -1;
        topics: Vec<FetchTopic>, 4+;
        /// What to drop from the session.
        forgotten_topics_data: Vec<ForgottenTopic>, 7+;
        rack_id: String, 11+;
    }

    /// Who the follower is.
    struct ReplicaState {
        /// -1 from a client.
        replica_id: i32, 15+, default -1;
        replica_epoch: i64, 15+, default -1;
    }

    /// What to read of one topic.
    struct FetchTopic {
        topic: String, 4-12;
        topic_id: [u8; 16], 13+;
        partitions: Vec<FetchPartition>, 4+;
    }

    /// What to read of one partition.
    struct FetchPartition {
        partition: i32, 4+;
        /// What the client thinks the leader epoch is; -1 is no thought.
        current_leader_epoch: i32, 9+, default -1;
        fetch_offset: i64, 4+;
        last_fetched_epoch: i32, 12+, default -1;
        /// From followers only.
        log_start_offset: i64, 5+, default -1;
        partition_max_bytes: i32, 4+;
        /// From followers only.
        replica_directory_id: [u8; 16], 17+, tag 0;
        /// What the follower knows of it; from followers only.
        high_watermark: i64, 18+, tag 1, default i64::MAX;
    }

    /// What to drop of one topic.
    struct ForgottenTopic {
        topic: String, 7-12;
        topic_id: [u8; 16], 13+;
        partitions: Vec<i32>, 7+;
    }

    /// What was read.
    struct FetchResponse {
        throttle_time_ms: i32, 4+;
        error_code: i16, 7+;
        /// 0 is no session.
        session_id: i32, 7+;
        responses: Vec<FetchableTopicResponse>, 4+;
        /// Where the leaders named by `current_leader` are.
        node_endpoints: Vec<NodeEndpoint>, 16+, tag 0;
    }

    /// What was read of one topic.
    struct FetchableTopicResponse {
        topic: String, 4-12;
        topic_id: [u8; 16], 13+;
        partitions: Vec<PartitionData>, 4+;
    }

    /// What was read of one partition.
    struct PartitionData {
        partition_index: i32, 4+;
        error_code: i16, 4+;
        high_watermark: i64, 4+;
        last_stable_offset: i64, 4+, default -1;
        log_start_offset: i64, 5+, default -1;
        /// Set if the follower's log left the leader's before `fetch_offset`.
        diverging_epoch: EpochEndOffset, 12+, tag 0;
        current_leader: LeaderIdAndEpoch, 12+, tag 1;
        snapshot_id: SnapshotId, 12+, tag 2;
        /// Null unless only committed records were asked for.
        aborted_transactions: Option<Vec<AbortedTransaction>>, 4+;
        /// -1 is none.
        preferred_read_replica: i32, 11+, default -1;
        /// Empty and not null where there is nothing: librdkafka refuses a null.
        records: Option<Chain>, 4+;
    }

    /// An epoch and where it ends.
    struct EpochEndOffset {
        epoch: i32, 12+, default -1;
        end_offset: i64, 12+, default -1;
    }

    /// The leader of a partition.
    struct LeaderIdAndEpoch {
        leader_id: i32, 12+, default -1;
        leader_epoch: i32, 12+, default -1;
    }

    /// The snapshot to fetch instead.
    struct SnapshotId {
        end_offset: i64, 12+, default -1;
        epoch: i32, 12+, default -1;
    }

    /// A transaction whose records are to be passed over.
    struct AbortedTransaction {
        producer_id: i64, 4+;
        first_offset: i64, 4+;
    }

    /// The address of a node.
    struct NodeEndpoint {
        node_id: i32, 16+;
        host: String, 16+;
        port: i32, 16+;
        rack: Option<String>, 16+, default None;
    }
}
