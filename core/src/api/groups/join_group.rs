//! JoinGroup: answered once the next generation begins.

use super::{Pending, ask};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{ClassicMember, Join, Refused, Reply, Request};
use crate::limits::GROUP_JOIN_AWAITED_MAX;
use crate::node::Node;
use crate::now::Now;
use bytes::Bytes;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use std::time::Duration;

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: JoinGroupRequest) {
    let member = request.member_id.clone();
    let at = match node.coordinates_members(&request.group_id) {
        Ok(at) => at,
        Err(code) => return refuse(desk, node, origin, member, code),
    };
    let settings = node.config().groups;
    let sessions = settings.session_timeout_min_ms..=settings.session_timeout_max_ms;
    if !sessions.contains(&request.session_timeout_ms) {
        return refuse(desk, node, origin, member, ErrorCode::InvalidSessionTimeout);
    }
    let version = origin.format.version;
    // In the first version the session timeout stands for it.
    let rebalance_timeout_ms =
        if version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms };
    let client = node.client(origin.caller.link);
    let about = ClassicMember {
        instance: request.group_instance_id,
        client_id: client.map(|client| client.name.clone()).unwrap_or_default(),
        client_host: client.map(|client| format!("/{}", client.remote.host)).unwrap_or_default(),
        rebalance_timeout_ms,
        session_timeout_ms: request.session_timeout_ms,
        protocols: request.protocols.into_iter().map(|one| (one.name, one.metadata.to_vec())).collect(),
        assignment: Vec::new(),
    };
    let join = Join {
        group: request.group_id,
        member: request.member_id,
        about,
        protocol_type: request.protocol_type,
        comes_twice: version >= 4,
        may_skip_assignment: version >= 9,
    };
    // The coordinator ends it, unless others are waited for longer.
    let wait = Duration::from_millis(u64::try_from(rebalance_timeout_ms).unwrap_or(0));
    let until = now.mono + wait.max(GROUP_JOIN_AWAITED_MAX) * 2;
    ask(desk, node, now, (at, until), Request::Join(Box::new(join)), Pending::Join(origin, member));
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, member: String, reply: Reply) {
    let joined = match reply {
        Reply::Joined(Ok(joined)) => *joined,
        Reply::Joined(Err(Refused { code, member })) => return refuse(desk, node, origin, member, code),
        _ => return refuse(desk, node, origin, member, ErrorCode::NotCoordinator),
    };
    let members = joined.members.into_iter().map(|(member_id, group_instance_id, metadata)| {
        JoinGroupResponseMember { member_id, group_instance_id, metadata: Bytes::from(metadata) }
    });
    let response = JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: Some(joined.protocol_type),
        protocol_name: Some(joined.protocol),
        leader: joined.leader,
        skip_assignment: joined.skip_assignment,
        member_id: joined.member,
        members: members.collect(),
        ..Default::default()
    };
    desk.answer(node, origin, &response);
}

pub(super) fn refuse(desk: &mut Desk, node: &mut Node, origin: Origin, member: String, code: ErrorCode) {
    // Versions before null was known have an empty name.
    let protocol_name = (origin.format.version < 7).then(String::new);
    let response =
        JoinGroupResponse { error_code: code.code(), member_id: member, protocol_name, ..Default::default() };
    desk.answer(node, origin, &response);
}
