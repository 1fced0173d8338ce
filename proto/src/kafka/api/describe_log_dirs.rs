//! DescribeLogDirs: what partitions take on a node's disk. KIP-113, KIP-827 (the disk's size, 4), KIP-1066 (5).

use crate::kafka::grammar::api;

api! {
    DescribeLogDirs = 35, DescribeLogDirsRequest -> DescribeLogDirsResponse;
    versions 1-5, flexible 2+;

    /// Which partitions.
    struct DescribeLogDirsRequest {
        /// Null is all.
        topics: Option<Vec<DescribableLogDirTopic>>, 1+;
    }

    /// Partitions of a topic.
    struct DescribableLogDirTopic {
        topic: String, 1+;
        partitions: Vec<i32>, 1+;
    }

    /// The disks.
    struct DescribeLogDirsResponse {
        throttle_time_ms: i32, 1+;
        error_code: i16, 3+;
        results: Vec<DescribeLogDirsResult>, 1+;
    }

    /// A disk.
    struct DescribeLogDirsResult {
        error_code: i16, 1+;
        log_dir: String, 1+;
        topics: Vec<DescribeLogDirsTopic>, 1+;
        /// -1 is not known.
        total_bytes: i64, 4+, default -1;
        /// -1 is not known.
        usable_bytes: i64, 4+, default -1;
        /// Whether no replica is to be placed there.
        is_cordoned: bool, 5+;
    }

    /// What a topic takes.
    struct DescribeLogDirsTopic {
        name: String, 1+;
        partitions: Vec<DescribeLogDirsPartition>, 1+;
    }

    /// What a partition takes.
    struct DescribeLogDirsPartition {
        partition_index: i32, 1+;
        partition_size: i64, 1+;
        /// How far this replica's log is behind the high watermark.
        offset_lag: i64, 1+;
        /// Whether it is being moved here.
        is_future_key: bool, 1+;
    }
}
