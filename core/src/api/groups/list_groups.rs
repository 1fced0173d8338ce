//! ListGroups: the groups that this node coordinates, confirmed by a majority. A client asks all nodes.

use super::{Several, ask_parts};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Listed, Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

/// Which are wanted: empty is any.
pub(in crate::api) struct Wanted {
    states: Vec<String>,
    types: Vec<String>,
}

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: ListGroupsRequest) {
    let wanted = Wanted { states: request.states_filter, types: request.types_filter };
    let coordinated = node.coordinated();
    let parts = match coordinated {
        Ok(partitions) => partitions.into_iter().map(|at| Ok((at, Request::List))).collect(),
        Err(code) => vec![Err(Reply::Done(code))],
    };
    ask_parts(desk, node, now, origin, Several::List(wanted), parts);
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, wanted: &Wanted, replies: Vec<Reply>) {
    let mut groups = Vec::new();
    let mut error_code = 0;
    for reply in replies {
        match reply {
            Reply::Listed(listed) => {
                groups.extend(listed.into_iter().filter(|one| wanted.includes(one)).map(told));
            }
            Reply::Done(code) => error_code = code.code(),
            _ => error_code = ErrorCode::NotCoordinator.code(),
        }
    }
    if error_code != 0 {
        // Some are better than none to nobody: the client asks again.
        groups.clear();
    }
    desk.answer(node, origin, &ListGroupsResponse { error_code, groups, ..Default::default() });
}

impl Wanted {
    fn includes(&self, listed: &Listed) -> bool {
        let names = |filter: &[String], name: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        names(&self.states, listed.state) && names(&self.types, kind(listed))
    }
}

/// Kafka's name for a kind of group.
fn kind(listed: &Listed) -> &'static str {
    if listed.is_of_consumers { "consumer" } else { "classic" }
}

fn told(listed: Listed) -> ListedGroup {
    ListedGroup {
        group_type: kind(&listed).into(),
        group_id: listed.group,
        protocol_type: listed.protocol_type,
        group_state: listed.state.into(),
    }
}
