//! DescribeGroups: all about groups, as their coordinator sees them, confirmed by a majority.

use super::{Several, ask_parts};
use crate::api::desk::Desk;
use crate::api::operations;
use crate::api::origin::Origin;
use crate::group::{Described, Description, Reply, Request};
use crate::node::Node;
use crate::now::Now;
use bytes::Bytes;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

/// What Kafka calls a group that is not there.
const DEAD: &str = "Dead";

/// What is wanted.
pub(in crate::api) struct Wanted {
    groups: Vec<String>,
    with_operations: bool,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: DescribeGroupsRequest,
) {
    let parts = request.groups.iter().map(|group| {
        let at = node.coordinates(group).map_err(Reply::Done)?;
        Ok((at, Request::Describe { group: group.clone() }))
    });
    let parts = parts.collect();
    let wanted = Wanted { groups: request.groups, with_operations: request.include_authorized_operations };
    ask_parts(desk, node, now, origin, Several::Describe(wanted), parts);
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, wanted: Wanted, replies: Vec<Reply>) {
    let authorized_operations = operations::of_group(wanted.with_operations);
    let groups = wanted.groups.into_iter().zip(replies).map(|(group_id, reply)| match reply {
        Reply::Described(Some(description)) => {
            DescribedGroup { authorized_operations, ..described(group_id, *description) }
        }
        Reply::Described(None) if origin.format.version >= 6 => DescribedGroup {
            error_code: ErrorCode::GroupIdNotFound.code(),
            error_message: Some(format!("there is no group {group_id}")),
            group_state: DEAD.into(),
            group_id,
            ..Default::default()
        },
        // Older clients take it so.
        Reply::Described(None) => DescribedGroup { group_state: DEAD.into(), group_id, ..Default::default() },
        Reply::Done(code) => DescribedGroup { error_code: code.code(), group_id, ..Default::default() },
        _ => {
            let error_code = ErrorCode::NotCoordinator.code();
            DescribedGroup { error_code, group_id, ..Default::default() }
        }
    });
    desk.answer(node, origin, &DescribeGroupsResponse { groups: groups.collect(), ..Default::default() });
}

fn described(group_id: String, description: Description) -> DescribedGroup {
    let member = |member: Described| DescribedGroupMember {
        member_id: member.member,
        group_instance_id: member.instance,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: Bytes::from(member.metadata),
        member_assignment: Bytes::from(member.assignment),
    };
    DescribedGroup {
        group_id,
        group_state: description.phase.name().into(),
        protocol_type: description.protocol_type,
        protocol_data: description.protocol,
        members: description.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}
