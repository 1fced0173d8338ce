//! DeleteRecords: what lies below an offset goes. KIP-107.

use crate::kafka::grammar::api;

api! {
    DeleteRecords = 21, DeleteRecordsRequest -> DeleteRecordsResponse;
    versions 0-2, flexible 2+;

    /// What to delete.
    struct DeleteRecordsRequest {
        topics: Vec<DeleteRecordsTopic>, 0+;
        timeout_ms: i32, 0+;
    }

    /// What to delete of a topic.
    struct DeleteRecordsTopic {
        name: String, 0+;
        partitions: Vec<DeleteRecordsPartition>, 0+;
    }

    /// What to delete of a partition.
    struct DeleteRecordsPartition {
        partition_index: i32, 0+;
        /// Everything below; -1 is the high watermark.
        offset: i64, 0+;
    }

    /// What became of it.
    struct DeleteRecordsResponse {
        throttle_time_ms: i32, 0+;
        topics: Vec<DeleteRecordsTopicResult>, 0+;
    }

    /// What became of a topic.
    struct DeleteRecordsTopicResult {
        name: String, 0+;
        partitions: Vec<DeleteRecordsPartitionResult>, 0+;
    }

    /// Where a partition begins now.
    struct DeleteRecordsPartitionResult {
        partition_index: i32, 0+;
        low_watermark: i64, 0+;
        error_code: i16, 0+;
    }
}
