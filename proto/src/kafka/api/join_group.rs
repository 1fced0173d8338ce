//! JoinGroup: a member enters a rebalance of a classic group. KIP-62 (rebalance timeout, 1), KIP-394 (a member id is
//! given first, 4), KIP-345 (static members, 5), KIP-559 (the protocol is told, 7), KIP-800 (reasons, 8),
//! KIP-814 (a returning leader need not assign, 9).

use crate::kafka::grammar::api;
use bytes::Bytes;

api! {
    JoinGroup = 11, JoinGroupRequest -> JoinGroupResponse;
    versions 0-9, flexible 6+;

    /// Who joins, and what it can do.
    struct JoinGroupRequest {
        group_id: String, 0+;
        session_timeout_ms: i32, 0+;
        /// In version 0 the session timeout stands for it.
        rebalance_timeout_ms: i32, 1+, default -1;
        /// Empty for a new member.
        member_id: String, 0+;
        group_instance_id: Option<String>, 5+, default None;
        protocol_type: String, 0+;
        /// The best one first.
        protocols: Vec<JoinGroupRequestProtocol>, 0+;
        reason: Option<String>, 8+, default None;
    }

    /// One way of assigning, and what the member says for it.
    struct JoinGroupRequestProtocol {
        name: String, 0+;
        metadata: Bytes, 0+;
    }

    /// The generation that the member is in.
    struct JoinGroupResponse {
        throttle_time_ms: i32, 2+;
        error_code: i16, 0+;
        generation_id: i32, 0+, default -1;
        protocol_type: Option<String>, 7+, default None;
        protocol_name: Option<String>, 0+, nullable 7+;
        leader: String, 0+;
        /// The leader has come back to an assignment that stands.
        skip_assignment: bool, 9+;
        member_id: String, 0+;
        /// Empty but for the leader.
        members: Vec<JoinGroupResponseMember>, 0+;
    }

    /// What a member said for the protocol that was chosen.
    struct JoinGroupResponseMember {
        member_id: String, 0+;
        group_instance_id: Option<String>, 5+, default None;
        metadata: Bytes, 0+;
    }
}
