//! LeaveGroup: members are members no more, at once; others need not wait for their sessions to end. Before version 3 it
//! names one, whose error is the whole answer's.

use super::{Pending as Waits, ask, patience};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Leaving, Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

/// A request that waits.
pub(in crate::api) struct Pending {
    origin: Origin,
    members: Vec<Leaving>,
}

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: LeaveGroupRequest) {
    let members = match origin.format.version {
        ..3 => vec![Leaving { member: request.member_id, instance: None }],
        _ => {
            let named = request.members.into_iter();
            named.map(|one| Leaving { member: one.member_id, instance: one.group_instance_id }).collect()
        }
    };
    let pending = Pending { origin, members: members.clone() };
    match node.coordinates_members(&request.group_id) {
        Ok(at) => {
            let leave = Request::Leave { group: request.group_id, members };
            ask(desk, node, now, (at, patience(now)), leave, Waits::Leave(pending));
        }
        Err(code) => answer(desk, node, pending, Reply::Left(Err(code))),
    }
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, pending: Pending, reply: Reply) {
    let Pending { origin, members } = pending;
    let codes = match reply {
        Reply::Left(codes) => codes,
        _ => Err(ErrorCode::NotCoordinator),
    };
    let (code, codes) = match codes {
        Err(code) => (code, Vec::new()),
        Ok(codes) if origin.format.version < 3 => (codes.first().copied().unwrap_or_default(), Vec::new()),
        Ok(codes) => (ErrorCode::None, codes),
    };
    let members = members.into_iter().zip(codes).map(|(leaving, code)| MemberResponse {
        member_id: leaving.member,
        group_instance_id: leaving.instance,
        error_code: code.code(),
    });
    let (error_code, members) = (code.code(), members.collect());
    desk.answer(node, origin, &LeaveGroupResponse { error_code, members, ..Default::default() });
}
