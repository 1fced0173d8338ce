//! DeleteGroups: groups that nobody is in are gone, with all that they have committed.

use super::{Several, ask_parts, done};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use std::collections::BTreeSet;

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: DeleteGroupsRequest,
) {
    let mut seen = BTreeSet::new();
    let groups: Vec<String> =
        request.groups_names.into_iter().filter(|group| seen.insert(group.clone())).collect();
    let parts = groups.iter().map(|group| {
        let at = node.coordinates(group).map_err(Reply::Done)?;
        Ok((at, Request::Delete { group: group.clone() }))
    });
    let parts = parts.collect();
    ask_parts(desk, node, now, origin, Several::Delete(groups), parts);
}

pub(super) fn answer(
    desk: &mut Desk,
    node: &mut Node,
    origin: Origin,
    groups: Vec<String>,
    replies: &[Reply],
) {
    let results = groups.into_iter().zip(replies).map(|(group_id, reply)| {
        let code = done(reply);
        let words = match code {
            ErrorCode::NonEmptyGroup => Some("the group has members".to_owned()),
            ErrorCode::GroupIdNotFound => Some("there is no such group".to_owned()),
            _ => None,
        };
        DeletableGroupResult { group_id, error_code: code.code(), error_message: words }
    });
    desk.answer(node, origin, &DeleteGroupsResponse { results: results.collect(), ..Default::default() });
}
