//! DescribeGroups: a classic group, its members and what they have. KIP-430 (authorized operations, 3), KIP-345
//! (instances, 4), KIP-1043 (GROUP_ID_NOT_FOUND, 6).

use crate::kafka::grammar::api;
use bytes::Bytes;

api! {
    DescribeGroups = 15, DescribeGroupsRequest -> DescribeGroupsResponse;
    versions 0-6, flexible 5+;

    /// The groups asked about.
    struct DescribeGroupsRequest {
        groups: Vec<String>, 0+;
        include_authorized_operations: bool, 3+;
    }

    /// The groups.
    struct DescribeGroupsResponse {
        throttle_time_ms: i32, 1+;
        groups: Vec<DescribedGroup>, 0+;
    }

    /// A group.
    struct DescribedGroup {
        error_code: i16, 0+;
        error_message: Option<String>, 6+, default None;
        group_id: String, 0+;
        group_state: String, 0+;
        protocol_type: String, 0+;
        /// The protocol chosen; empty but in a stable group.
        protocol_data: String, 0+;
        members: Vec<DescribedGroupMember>, 0+;
        /// A bit set; the default says that it was not asked for.
        authorized_operations: i32, 3+, default i32::MIN;
    }

    /// A member.
    struct DescribedGroupMember {
        member_id: String, 0+;
        group_instance_id: Option<String>, 4+, default None;
        client_id: String, 0+;
        client_host: String, 0+;
        /// Empty but in a stable group.
        member_metadata: Bytes, 0+;
        /// Empty but in a stable group.
        member_assignment: Bytes, 0+;
    }
}
