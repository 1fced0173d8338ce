//! Produce: record batches to append. KIP-98 (transactions, 3), KIP-467 (record errors, 8), KIP-951 (where
//! the leader is, 10), KIP-890 (12), KIP-516 (topic ids, 13).
//!
//! Advertised from version 0, which is refused: librdkafka before 2.11 compresses nothing otherwise.

use crate::kafka::grammar::api;
use bytes::BytesMut;

api! {
    Produce = 0, ProduceRequest -> ProduceResponse;
    versions 3-13, advertised from 0, flexible 9+;

    /// Batches to append.
    struct ProduceRequest {
        transactional_id: Option<String>, 3+, default None;
        /// How many acknowledgments to wait for: 0 none (and no response), 1 the leader's, -1 all.
        acks: i16, 3+;
        timeout_ms: i32, 3+;
        topic_data: Vec<TopicProduceData>, 3+;
    }

    /// Batches for one topic.
    struct TopicProduceData {
        name: String, 3-12;
        topic_id: [u8; 16], 13+;
        partition_data: Vec<PartitionProduceData>, 3+;
    }

    /// Batches for one partition.
    struct PartitionProduceData {
        index: i32, 3+;
        /// Split off the request: base offset and leader epoch are written into it in place.
        records: Option<BytesMut>, 3+;
    }

    /// What became of the batches.
    struct ProduceResponse {
        responses: Vec<TopicProduceResponse>, 3+;
        throttle_time_ms: i32, 3+;
        /// Where the leaders named by `current_leader` are.
        node_endpoints: Vec<NodeEndpoint>, 10+, tag 0;
    }

    /// What became of one topic's batches.
    struct TopicProduceResponse {
        name: String, 3-12;
        topic_id: [u8; 16], 13+;
        partition_responses: Vec<PartitionProduceResponse>, 3+;
    }

    /// What became of one partition's batches.
    struct PartitionProduceResponse {
        index: i32, 3+;
        error_code: i16, 3+;
        base_offset: i64, 3+;
        /// The broker's time if the topic is stamped with it, otherwise -1.
        log_append_time_ms: i64, 3+, default -1;
        log_start_offset: i64, 5+, default -1;
        /// Why the batch was refused, record by record.
        record_errors: Vec<BatchIndexAndErrorMessage>, 8+;
        error_message: Option<String>, 8+, default None;
        /// With NOT_LEADER_OR_FOLLOWER.
        current_leader: LeaderIdAndEpoch, 10+, tag 0;
    }

    /// A record that made its batch refused.
    struct BatchIndexAndErrorMessage {
        /// The record's place in its batch.
        batch_index: i32, 8+;
        batch_index_error_message: Option<String>, 8+, default None;
    }

    /// The leader of a partition.
    struct LeaderIdAndEpoch {
        leader_id: i32, 10+, default -1;
        leader_epoch: i32, 10+, default -1;
    }

    /// The address of a node.
    struct NodeEndpoint {
        node_id: i32, 10+;
        host: String, 10+;
        port: i32, 10+;
        rack: Option<String>, 10+, default None;
    }
}
