//! SyncGroup: the leader of a classic group brings the assignment, and every member takes its own. KIP-345 (static
//! members, 3), KIP-559 (the protocol is told, 5).

use crate::kafka::grammar::api;
use bytes::Bytes;

api! {
    SyncGroup = 14, SyncGroupRequest -> SyncGroupResponse;
    versions 0-5, flexible 4+;

    /// Who asks, and the assignment if it leads.
    struct SyncGroupRequest {
        group_id: String, 0+;
        generation_id: i32, 0+;
        member_id: String, 0+;
        group_instance_id: Option<String>, 3+, default None;
        protocol_type: Option<String>, 5+, default None;
        protocol_name: Option<String>, 5+, default None;
        /// Empty but from the leader.
        assignments: Vec<SyncGroupRequestAssignment>, 0+;
    }

    /// What one member is to have.
    struct SyncGroupRequestAssignment {
        member_id: String, 0+;
        assignment: Bytes, 0+;
    }

    /// What the member has.
    struct SyncGroupResponse {
        throttle_time_ms: i32, 1+;
        error_code: i16, 0+;
        protocol_type: Option<String>, 5+, default None;
        protocol_name: Option<String>, 5+, default None;
        assignment: Bytes, 0+;
    }
}
