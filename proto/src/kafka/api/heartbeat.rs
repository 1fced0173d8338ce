//! Heartbeat: a member of a classic group is alive, and learns of a rebalance. KIP-345 (static members, 3).

use crate::kafka::grammar::api;

api! {
    Heartbeat = 12, HeartbeatRequest -> HeartbeatResponse;
    versions 0-4, flexible 4+;

    /// Who is alive.
    struct HeartbeatRequest {
        group_id: String, 0+;
        generation_id: i32, 0+;
        member_id: String, 0+;
        group_instance_id: Option<String>, 3+, default None;
    }

    /// Whether it is still a member.
    struct HeartbeatResponse {
        throttle_time_ms: i32, 1+;
        error_code: i16, 0+;
    }
}
