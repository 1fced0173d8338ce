//! DescribeTopicPartitions: topics page by page. KIP-966.

use crate::kafka::grammar::api;

api! {
    DescribeTopicPartitions = 75, DescribeTopicPartitionsRequest -> DescribeTopicPartitionsResponse;
    versions 0-0, flexible 0+;

    /// Which topics.
    struct DescribeTopicPartitionsRequest {
        topics: Vec<TopicRequest>, 0+;
        response_partition_limit: i32, 0+, default 2000;
        /// Where the page begins; null is the beginning.
        cursor: Option<Cursor>, 0+, default None;
    }

    /// A topic.
    struct TopicRequest {
        name: String, 0+;
    }

    /// A place in the list of all partitions.
    struct Cursor {
        topic_name: String, 0+;
        partition_index: i32, 0+;
    }

    /// A page.
    struct DescribeTopicPartitionsResponse {
        throttle_time_ms: i32, 0+;
        topics: Vec<DescribeTopicPartitionsResponseTopic>, 0+;
        /// Where the next page begins; null if there is none.
        next_cursor: Option<Cursor>, 0+, default None;
    }

    /// A topic, or a part of it.
    struct DescribeTopicPartitionsResponseTopic {
        error_code: i16, 0+;
        name: Option<String>, 0+;
        topic_id: [u8; 16], 0+;
        is_internal: bool, 0+;
        partitions: Vec<DescribeTopicPartitionsResponsePartition>, 0+;
        /// A bit set; the default says that it was not asked for.
        topic_authorized_operations: i32, 0+, default i32::MIN;
    }

    /// A partition.
    struct DescribeTopicPartitionsResponsePartition {
        error_code: i16, 0+;
        partition_index: i32, 0+;
        leader_id: i32, 0+;
        leader_epoch: i32, 0+, default -1;
        replica_nodes: Vec<i32>, 0+;
        isr_nodes: Vec<i32>, 0+;
        eligible_leader_replicas: Option<Vec<i32>>, 0+, default None;
        last_known_elr: Option<Vec<i32>>, 0+, default None;
        offline_replicas: Vec<i32>, 0+;
    }
}
