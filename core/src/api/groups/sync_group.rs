//! SyncGroup: answered once the members' leader has said who gets what.

use super::{Pending, ask};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Reply, Request, Sync, Who};
use crate::limits::GROUP_JOIN_AWAITED_MAX;
use crate::node::Node;
use crate::now::Now;
use bytes::Bytes;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::sync_group::{SyncGroupRequest, SyncGroupResponse};

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: SyncGroupRequest) {
    let at = match node.coordinates_members(&request.group_id) {
        Ok(at) => at,
        // The assignment is lost with the coordinator: all are to join anew, as in Kafka.
        Err(ErrorCode::CoordinatorLoadInProgress) => {
            return refuse(desk, node, origin, ErrorCode::RebalanceInProgress);
        }
        Err(code) => return refuse(desk, node, origin, code),
    };
    // From version 5 on both are said (KIP-559).
    if origin.format.version >= 5 && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        return refuse(desk, node, origin, ErrorCode::InconsistentGroupProtocol);
    }
    let who = Who {
        group: request.group_id,
        generation: request.generation_id,
        member: request.member_id,
        instance: request.group_instance_id,
    };
    let assignments = request.assignments.into_iter().map(|one| (one.member_id, one.assignment.to_vec()));
    let sync = Sync {
        who,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: assignments.collect(),
    };
    let until = now.mono + GROUP_JOIN_AWAITED_MAX * 2;
    ask(desk, node, now, (at, until), Request::Sync(Box::new(sync)), Pending::Sync(origin));
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, reply: Reply) {
    let synced = match reply {
        Reply::Synced(Ok(synced)) => *synced,
        Reply::Synced(Err(code)) => return refuse(desk, node, origin, code),
        _ => return refuse(desk, node, origin, ErrorCode::NotCoordinator),
    };
    let response = SyncGroupResponse {
        protocol_type: Some(synced.protocol_type),
        protocol_name: Some(synced.protocol),
        assignment: Bytes::from(synced.assignment),
        ..Default::default()
    };
    desk.answer(node, origin, &response);
}

fn refuse(desk: &mut Desk, node: &mut Node, origin: Origin, code: ErrorCode) {
    desk.answer(node, origin, &SyncGroupResponse { error_code: code.code(), ..Default::default() });
}
