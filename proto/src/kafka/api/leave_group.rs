//! LeaveGroup: members of a classic group leave. KIP-345 (many at once, by instance, 3), KIP-800 (reasons, 5).

use crate::kafka::grammar::api;

api! {
    LeaveGroup = 13, LeaveGroupRequest -> LeaveGroupResponse;
    versions 0-5, flexible 4+;

    /// Who leaves.
    struct LeaveGroupRequest {
        group_id: String, 0+;
        member_id: String, 0-2;
        members: Vec<MemberIdentity>, 3+;
    }

    /// One of those that leave.
    struct MemberIdentity {
        /// Empty if the instance is named alone.
        member_id: String, 3+;
        group_instance_id: Option<String>, 3+, default None;
        reason: Option<String>, 5+, default None;
    }

    /// What became of it.
    struct LeaveGroupResponse {
        throttle_time_ms: i32, 1+;
        error_code: i16, 0+;
        members: Vec<MemberResponse>, 3+;
    }

    /// What became of one of them.
    struct MemberResponse {
        member_id: String, 3+;
        group_instance_id: Option<String>, 3+;
        error_code: i16, 3+;
    }
}
