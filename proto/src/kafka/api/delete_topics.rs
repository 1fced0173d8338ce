//! DeleteTopics. KIP-599 (error messages, 5), KIP-516 (topic ids, 6).

use crate::kafka::grammar::api;

api! {
    DeleteTopics = 20, DeleteTopicsRequest -> DeleteTopicsResponse;
    versions 1-6, flexible 4+;

    /// The topics to delete.
    struct DeleteTopicsRequest {
        topics: Vec<DeleteTopicState>, 6+;
        topic_names: Vec<String>, 1-5;
        timeout_ms: i32, 1+;
    }

    /// A topic, by name or by id.
    struct DeleteTopicState {
        name: Option<String>, 6+, default None;
        topic_id: [u8; 16], 6+;
    }

    /// What became of the topics.
    struct DeleteTopicsResponse {
        throttle_time_ms: i32, 1+;
        responses: Vec<DeletableTopicResult>, 1+;
    }

    /// What became of one topic.
    struct DeletableTopicResult {
        /// Null if it was asked for by an id that is not known.
        name: Option<String>, 1+, nullable 6+;
        topic_id: [u8; 16], 6+;
        error_code: i16, 1+;
        error_message: Option<String>, 5+, default None;
    }
}
