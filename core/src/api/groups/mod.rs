//! Consumer groups and their offsets. The coordinator of a group is asked here, where this node is it; who asks another
//! node is told so at once, and finds the right one with FindCoordinator.
//!
//! A request may ask several things of one coordinator, or of several that are here (ListGroups): each is a *part*, with a
//! waiter of its own, and the last one that is answered answers the request.

pub(super) mod consumer_group_describe;
pub(super) mod consumer_group_heartbeat;
pub(super) mod delete_groups;
pub(super) mod describe_groups;
pub(super) mod find_coordinator;
pub(super) mod heartbeat;
pub(super) mod join_group;
pub(super) mod leave_group;
pub(super) mod list_groups;
pub(super) mod offset_commit;
pub(super) mod offset_delete;
pub(super) mod offset_fetch;
pub(super) mod sync_group;

use super::Waiting;
use super::desk::{Desk, Vain};
use super::origin::Origin;
use crate::group::{Reply, Request};
use crate::ids::PartitionId;
use crate::limits::GROUP_AWAITED_MAX;
use crate::machine::Waiter;
use crate::node::Node;
use crate::now::{Mono, Now};
use crate::resident;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::RequestBody;

/// A request that waits for a coordinator here.
pub(super) enum Pending {
    Join(Origin, String),
    Sync(Origin),
    Heartbeat(Origin),
    Beat(Origin),
    Leave(leave_group::Pending),
    Commit(offset_commit::Pending),
    DeleteOffsets(offset_delete::Pending),
    Parts(Box<Parts>),
}

/// A request of which parts wait.
pub(super) struct Parts {
    origin: Origin,
    what: Several,
    /// What was answered, in the order of the parts.
    replies: Vec<Option<Reply>>,
    open: usize,
}

/// What asks several things.
pub(super) enum Several {
    Fetch(offset_fetch::Wanted),
    Delete(Vec<String>),
    Describe(describe_groups::Wanted),
    DescribeConsumers(consumer_group_describe::Wanted),
    List(list_groups::Wanted),
}

/// A part: of which request, and which.
#[derive(Clone, Copy)]
pub(super) struct Part {
    request: Waiter,
    at: usize,
}

/// Does what one of these requests asks.
pub(super) fn dispatch(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, body: RequestBody) {
    match body {
        RequestBody::FindCoordinator(request) => find_coordinator::handle(desk, node, now, origin, request),
        RequestBody::JoinGroup(request) => join_group::handle(desk, node, now, origin, request),
        RequestBody::SyncGroup(request) => sync_group::handle(desk, node, now, origin, request),
        RequestBody::Heartbeat(request) => heartbeat::handle(desk, node, now, origin, request),
        RequestBody::LeaveGroup(request) => leave_group::handle(desk, node, now, origin, request),
        RequestBody::OffsetCommit(request) => offset_commit::handle(desk, node, now, origin, request),
        RequestBody::OffsetFetch(request) => offset_fetch::handle(desk, node, now, origin, request),
        RequestBody::OffsetDelete(request) => offset_delete::handle(desk, node, now, origin, request),
        RequestBody::DeleteGroups(request) => delete_groups::handle(desk, node, now, origin, request),
        RequestBody::ListGroups(request) => list_groups::handle(desk, node, now, origin, request),
        RequestBody::DescribeGroups(request) => describe_groups::handle(desk, node, now, origin, request),
        RequestBody::ConsumerGroupHeartbeat(request) => {
            consumer_group_heartbeat::handle(desk, node, now, origin, request);
        }
        RequestBody::ConsumerGroupDescribe(request) => {
            consumer_group_describe::handle(desk, node, now, origin, request);
        }
        _ => unreachable!("the table of families sends only these here"),
    }
}

/// Asks the coordinator of a group; `pending` waits for it.
fn ask(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    (at, until): (PartitionId, Mono),
    request: Request,
    pending: Pending,
) {
    let waiter = desk.waiter();
    desk.wait(now, waiter, until, Waiting::Group(Box::new(pending)));
    node.ask(now, waiter, resident::Request::Group(at, request));
}

/// How long an answer of a coordinator is waited for that does not itself wait for members.
fn patience(now: Now) -> Mono {
    now.mono + GROUP_AWAITED_MAX
}

/// Asks for each part; one that no coordinator here can be asked for has its answer.
fn ask_parts(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    what: Several,
    parts: Vec<Result<(PartitionId, Request), Reply>>,
) {
    let request = desk.waiter();
    let mut replies = Vec::with_capacity(parts.len());
    let mut asked = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        match part {
            Ok(part) => {
                replies.push(None);
                asked.push((at, part));
            }
            Err(reply) => replies.push(Some(reply)),
        }
    }
    let pending = Parts { origin, what, replies, open: asked.len() };
    if asked.is_empty() {
        return pending.answer(desk, node);
    }
    desk.wait(now, request, patience(now), Waiting::Group(Box::new(Pending::Parts(Box::new(pending)))));
    for (at, (partition, part)) in asked {
        let waiter = desk.waiter();
        desk.wait(now, waiter, patience(now), Waiting::GroupPart(Part { request, at }));
        node.ask(now, waiter, resident::Request::Group(partition, part));
    }
}

/// A coordinator has answered.
pub(super) fn replied(desk: &mut Desk, node: &mut Node, waiter: Waiter, reply: Reply) {
    match desk.take_out(waiter) {
        Some(Waiting::Group(pending)) => pending.answer(desk, node, reply),
        Some(Waiting::GroupPart(part)) => part_replied(desk, node, part, reply),
        // It has been ended meanwhile.
        None => {}
        Some(_) => unreachable!("a coordinator replies to those who asked it"),
    }
}

fn part_replied(desk: &mut Desk, node: &mut Node, part: Part, reply: Reply) {
    let Some(Waiting::Group(pending)) = desk.waiting_mut(part.request) else { return };
    let Pending::Parts(parts) = &mut **pending else { return };
    parts.replies[part.at] = Some(reply);
    parts.open -= 1;
    if parts.open == 0
        && let Some(Waiting::Group(pending)) = desk.take_out(part.request)
        && let Pending::Parts(parts) = *pending
    {
        parts.answer(desk, node);
    }
}

impl Pending {
    fn answer(self, desk: &mut Desk, node: &mut Node, reply: Reply) {
        match self {
            Pending::Join(origin, member) => join_group::answer(desk, node, origin, member, reply),
            Pending::Sync(origin) => sync_group::answer(desk, node, origin, reply),
            Pending::Heartbeat(origin) => heartbeat::answer(desk, node, origin, done(&reply)),
            Pending::Beat(origin) => consumer_group_heartbeat::answer(desk, node, origin, reply),
            Pending::Leave(pending) => leave_group::answer(desk, node, pending, reply),
            Pending::Commit(pending) => offset_commit::answer(desk, node, pending, done(&reply)),
            Pending::DeleteOffsets(pending) => offset_delete::answer(desk, node, pending, reply),
            Pending::Parts(parts) => parts.answer(desk, node),
        }
    }

    /// Nothing has come of it.
    pub fn in_vain(self, desk: &mut Desk, node: &mut Node, vain: Vain) {
        let code = match (&self, vain) {
            (_, Vain::GivenUp) => ErrorCode::NotCoordinator,
            // Somebody else is waited for longer than this one waits: it comes again, and keeps its place.
            (Pending::Join(..) | Pending::Sync(_), Vain::TooLate) => ErrorCode::RebalanceInProgress,
            (_, Vain::TooLate) => ErrorCode::CoordinatorNotAvailable,
        };
        match self {
            Pending::Join(origin, member) => join_group::refuse(desk, node, origin, member, code),
            Pending::Sync(origin) => sync_group::answer(desk, node, origin, Reply::Synced(Err(code))),
            Pending::Heartbeat(origin) => heartbeat::answer(desk, node, origin, code),
            Pending::Beat(origin) => {
                consumer_group_heartbeat::answer(desk, node, origin, Reply::Done(code));
            }
            Pending::Leave(pending) => leave_group::answer(desk, node, pending, Reply::Left(Err(code))),
            Pending::Commit(pending) => offset_commit::answer(desk, node, pending, code),
            Pending::DeleteOffsets(pending) => {
                offset_delete::answer(desk, node, pending, Reply::OffsetsDeleted(Err(code)));
            }
            Pending::Parts(mut parts) => {
                for reply in parts.replies.iter_mut().filter(|reply| reply.is_none()) {
                    *reply = Some(Reply::Done(code));
                }
                parts.answer(desk, node);
            }
        }
    }
}

impl Parts {
    fn answer(self, desk: &mut Desk, node: &mut Node) {
        let replies = self.replies.into_iter().flatten().collect();
        match self.what {
            Several::Fetch(wanted) => offset_fetch::answer(desk, node, self.origin, wanted, replies),
            Several::Delete(groups) => delete_groups::answer(desk, node, self.origin, groups, &replies),
            Several::Describe(wanted) => describe_groups::answer(desk, node, self.origin, wanted, replies),
            Several::DescribeConsumers(wanted) => {
                consumer_group_describe::answer(desk, node, self.origin, wanted, replies);
            }
            Several::List(wanted) => list_groups::answer(desk, node, self.origin, &wanted, replies),
        }
    }
}

/// What a reply says that says no more than whether it was done.
fn done(reply: &Reply) -> ErrorCode {
    match reply {
        Reply::Done(code) => *code,
        _ => ErrorCode::NotCoordinator,
    }
}
