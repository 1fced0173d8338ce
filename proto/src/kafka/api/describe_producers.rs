//! DescribeProducers: the idempotent producers that a partition remembers. KIP-664.

use crate::kafka::grammar::api;

api! {
    DescribeProducers = 61, DescribeProducersRequest -> DescribeProducersResponse;
    versions 0-0, flexible 0+;

    /// Of which partitions.
    struct DescribeProducersRequest {
        topics: Vec<TopicRequest>, 0+;
    }

    /// Partitions of a topic.
    struct TopicRequest {
        name: String, 0+;
        partition_indexes: Vec<i32>, 0+;
    }

    /// The producers.
    struct DescribeProducersResponse {
        throttle_time_ms: i32, 0+;
        topics: Vec<TopicResponse>, 0+;
    }

    /// Those of a topic.
    struct TopicResponse {
        name: String, 0+;
        partitions: Vec<PartitionResponse>, 0+;
    }

    /// Those of a partition.
    struct PartitionResponse {
        partition_index: i32, 0+;
        error_code: i16, 0+;
        error_message: Option<String>, 0+, default None;
        active_producers: Vec<ProducerState>, 0+;
    }

    /// A producer.
    struct ProducerState {
        producer_id: i64, 0+;
        producer_epoch: i32, 0+;
        last_sequence: i32, 0+, default -1;
        last_timestamp: i64, 0+, default -1;
        coordinator_epoch: i32, 0+;
        /// Where its open transaction begins; -1 is none.
        current_txn_start_offset: i64, 0+, default -1;
    }
}
