//! ConsumerGroupHeartbeat: the one request of a member of a consumer group, by which it joins, stays, tells what it
//! owns, learns what it is to own, and leaves. KIP-848 (subscription by regular expression, 1), KIP-1082 (the client
//! makes its member id, 1).

use crate::kafka::grammar::api;

api! {
    ConsumerGroupHeartbeat = 68, ConsumerGroupHeartbeatRequest -> ConsumerGroupHeartbeatResponse;
    versions 0-1, flexible 0+;

    /// Who is alive. What is null or -1 is as it was.
    struct ConsumerGroupHeartbeatRequest {
        group_id: String, 0+;
        member_id: String, 0+;
        /// 0 joins, -1 leaves, -2 leaves and will be back.
        member_epoch: i32, 0+;
        instance_id: Option<String>, 0+, default None;
        rack_id: Option<String>, 0+, default None;
        rebalance_timeout_ms: i32, 0+, default -1;
        subscribed_topic_names: Option<Vec<String>>, 0+, default None;
        subscribed_topic_regex: Option<String>, 1+, default None;
        server_assignor: Option<String>, 0+, default None;
        /// What the member owns.
        topic_partitions: Option<Vec<TopicPartitions>>, 0+, default None;
    }

    /// What the member is now.
    struct ConsumerGroupHeartbeatResponse {
        throttle_time_ms: i32, 0+;
        error_code: i16, 0+;
        error_message: Option<String>, 0+, default None;
        member_id: Option<String>, 0+, default None;
        member_epoch: i32, 0+;
        heartbeat_interval_ms: i32, 0+;
        /// Null if it is as it was.
        assignment: Option<Assignment>, 0+, default None;
    }

    /// What the member is to own.
    struct Assignment {
        topic_partitions: Vec<TopicPartitions>, 0+;
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        topic_id: [u8; 16], 0+;
        partitions: Vec<i32>, 0+;
    }
}
