//! CreatePartitions: a topic becomes wider. KIP-195, KIP-599 (quotas, 3).

use crate::kafka::grammar::api;

api! {
    CreatePartitions = 37, CreatePartitionsRequest -> CreatePartitionsResponse;
    versions 0-3, flexible 2+;

    /// Which topics.
    struct CreatePartitionsRequest {
        topics: Vec<CreatePartitionsTopic>, 0+;
        timeout_ms: i32, 0+;
        /// Check only.
        validate_only: bool, 0+;
    }

    /// How wide a topic is to be.
    struct CreatePartitionsTopic {
        name: String, 0+;
        /// With those that it has.
        count: i32, 0+;
        /// Where the new ones go; null lets the broker choose.
        assignments: Option<Vec<CreatePartitionsAssignment>>, 0+;
    }

    /// Where one of them goes.
    struct CreatePartitionsAssignment {
        broker_ids: Vec<i32>, 0+;
    }

    /// What became of it.
    struct CreatePartitionsResponse {
        throttle_time_ms: i32, 0+;
        results: Vec<CreatePartitionsTopicResult>, 0+;
    }

    /// What became of one topic.
    struct CreatePartitionsTopicResult {
        name: String, 0+;
        error_code: i16, 0+;
        error_message: Option<String>, 0+, default None;
    }
}
