//! Requests that came too early: before this node is open, or, of those that ask for all topics, before it knows them.
//! Every other request has a word for "not yet"; a list has none, and what it lacks is taken for what there is not.
//!
//! - Invariant: requests of one kind are taken up in the order they came, no more of them in a turn than it may do, and
//!   none of a link whose last one is not finished, although the link may be gone by now (seed 91003361).
//! - Invariant: what comes later on a link does not overtake them.
//! - Invariant: a list waits for at most `limits::TOPICS_AWAITED_MAX`; then its connection is closed, and the client asks
//!   another node. Whatever else came too early waits as long as the node takes to open.
//!
//! Bounded by what connections may hold: their slots and their bytes stay taken.

use super::Waiting;
use super::cluster::list_config_resources;
use super::desk::{Desk, NEVER};
use super::origin::Origin;
use super::topics::{describe_topic_partitions, metadata};
use crate::ids::LinkId;
use crate::limits::TOPICS_AWAITED_MAX;
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::api::RequestBody;

/// One that waits.
pub(super) struct Held {
    origin: Origin,
    body: RequestBody,
    is_list: bool,
}

impl Held {
    /// The link whose next request waits behind this one.
    fn holds_up(&self) -> Option<LinkId> {
        (!self.is_list).then_some(self.origin.caller.link)
    }

    fn is_ripe(&self, desk: &Desk, node: &Node) -> bool {
        let is_next = !desk.holds(self.origin.caller.link);
        is_next && node.is_open() && (!self.is_list || node.knows_topics())
    }

    /// Its time is up, or the node stops.
    pub fn end(self, desk: &mut Desk, node: &mut Node, now: Now) {
        desk.early.left(self.holds_up());
        let reason = match self.is_list {
            true => "asks for all topics, and no leader has told yet which there are",
            false => "came too early, and the node stops",
        };
        desk.reject(node, now, self.origin, reason.into());
    }
}

/// Holds a request back, or gives it back if there is no need to.
pub(super) fn hold(
    desk: &mut Desk,
    node: &Node,
    now: Now,
    origin: Origin,
    body: RequestBody,
) -> Option<RequestBody> {
    let is_list = match &body {
        RequestBody::ApiVersions(_) => return Some(body),
        // Alone a node knows all there is once it is open.
        RequestBody::Metadata(request) if !node.config().is_single() => {
            metadata::wants_all(request, origin.format.version)
        }
        RequestBody::DescribeTopicPartitions(request) if !node.config().is_single() => {
            describe_topic_partitions::wants_all(request)
        }
        RequestBody::ListConfigResources(request) if !node.config().is_single() => {
            list_config_resources::wants_topics(request, origin.format.version)
        }
        _ => false,
    };
    let held = Held { origin, body, is_list };
    let is_first = !desk.early.holds_up(origin.caller.link);
    if is_first && held.is_ripe(desk, node) {
        return Some(held.body);
    }
    let waiter = desk.waiter();
    desk.early.push(waiter, held.holds_up());
    let until = if is_list { now.mono + TOPICS_AWAITED_MAX } else { NEVER };
    desk.wait(now, waiter, until, Waiting::Early(Box::new(held)));
    None
}

/// Takes up those that can be, in order; all of them are sent away where the node sends clients away.
pub(super) fn take(desk: &mut Desk, node: &mut Node, now: Now) {
    let sends_away = node.sends_clients_away();
    for waiter in desk.early.take() {
        let may_begin = desk.may_begin();
        match desk.waiting(waiter) {
            Some(Waiting::Early(held)) if !(sends_away || may_begin && held.is_ripe(desk, node)) => {
                desk.early.put_back(waiter);
            }
            _ => {
                let Some(Waiting::Early(held)) = desk.take_out(waiter) else { continue };
                desk.early.left(held.holds_up());
                if sends_away {
                    desk.leaves(node, held.origin);
                    node.send_away(now, held.origin.caller.link);
                } else {
                    desk.handle(node, now, held.origin, held.body);
                }
            }
        }
    }
}

/// Whether one can be taken up, or sent away.
pub(super) fn has_ripe(desk: &Desk, node: &Node) -> bool {
    let is_ripe =
        |waiter: &_| matches!(desk.waiting(*waiter), Some(Waiting::Early(held)) if held.is_ripe(desk, node));
    let mut waiters = desk.early.waiters();
    waiters.len() > 0 && (node.sends_clients_away() || waiters.any(is_ripe))
}
