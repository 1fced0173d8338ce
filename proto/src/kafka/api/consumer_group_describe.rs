//! ConsumerGroupDescribe: a consumer group, its members, what they own and are to own. KIP-848, KIP-1099 (which
//! protocol a member speaks, 1).

use crate::kafka::grammar::api;

api! {
    ConsumerGroupDescribe = 69, ConsumerGroupDescribeRequest -> ConsumerGroupDescribeResponse;
    versions 0-1, flexible 0+;

    /// The groups asked about.
    struct ConsumerGroupDescribeRequest {
        group_ids: Vec<String>, 0+;
        include_authorized_operations: bool, 0+;
    }

    /// The groups.
    struct ConsumerGroupDescribeResponse {
        throttle_time_ms: i32, 0+;
        groups: Vec<DescribedGroup>, 0+;
    }

    /// A group.
    struct DescribedGroup {
        error_code: i16, 0+;
        error_message: Option<String>, 0+, default None;
        group_id: String, 0+;
        group_state: String, 0+;
        group_epoch: i32, 0+;
        assignment_epoch: i32, 0+;
        assignor_name: String, 0+;
        members: Vec<Member>, 0+;
        /// A bit set; the default says that it was not asked for.
        authorized_operations: i32, 0+, default i32::MIN;
    }

    /// A member.
    struct Member {
        member_id: String, 0+;
        instance_id: Option<String>, 0+, default None;
        rack_id: Option<String>, 0+, default None;
        member_epoch: i32, 0+;
        client_id: String, 0+;
        client_host: String, 0+;
        subscribed_topic_names: Vec<String>, 0+;
        subscribed_topic_regex: Option<String>, 0+, default None;
        assignment: Assignment, 0+;
        target_assignment: Assignment, 0+;
        /// 0 speaks the classic protocol, 1 KIP-848's; -1 is not known.
        member_type: i8, 1+, default -1;
    }

    /// Partitions of several topics.
    struct Assignment {
        topic_partitions: Vec<TopicPartitions>, 0+;
    }

    /// Partitions of one topic.
    struct TopicPartitions {
        topic_id: [u8; 16], 0+;
        topic_name: String, 0+;
        partitions: Vec<i32>, 0+;
    }
}
