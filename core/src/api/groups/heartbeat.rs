//! Heartbeat: a member is there still, and hears whether there is a rebalance.

use super::{Pending, ask, patience};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Request, Who};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::heartbeat::{HeartbeatRequest, HeartbeatResponse};

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: HeartbeatRequest) {
    match node.coordinates_members(&request.group_id) {
        Ok(at) => {
            let who = Who {
                group: request.group_id,
                generation: request.generation_id,
                member: request.member_id,
                instance: request.group_instance_id,
            };
            ask(desk, node, now, (at, patience(now)), Request::Heartbeat(who), Pending::Heartbeat(origin));
        }
        // Whoever is about to coordinate gives each member a session that begins anew (as Kafka).
        Err(ErrorCode::CoordinatorLoadInProgress) => answer(desk, node, origin, ErrorCode::None),
        Err(code) => answer(desk, node, origin, code),
    }
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, code: ErrorCode) {
    desk.answer(node, origin, &HeartbeatResponse { error_code: code.code(), ..Default::default() });
}
