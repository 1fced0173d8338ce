//! FindCoordinator: which node leads a group's partition of `__consumer_offsets`, from any node. The first one who asks in
//! a cluster has the topic made, and waits until it has leaders.
//!
//! Coordinators of transactions and of share groups are refused: neither is served.

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::api::{Then, Waiting, addresses, leaders};
use crate::group;
use crate::ids::TopicId;
use crate::limits::DECISION_AWAITED_MAX;
use crate::metadata::{Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use std::collections::BTreeMap;

const GROUP: i8 = 0;

/// A request that waits for the topic.
pub(in crate::api) struct Pending {
    origin: Origin,
    keys: Vec<String>,
    key_type: i8,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: FindCoordinatorRequest,
) {
    let keys = if origin.format.version >= 4 { request.coordinator_keys } else { vec![request.key] };
    let pending = Pending { origin, keys, key_type: request.key_type };
    let is_there = node.image().is_some_and(|image| image.topic(TopicId::CONSUMER_OFFSETS).is_some());
    if is_there || pending.key_type != GROUP || pending.keys.is_empty() || !node.may_deny() {
        return answer(desk, node, &pending);
    }
    let waiter = desk.waiter();
    desk.wait(now, waiter, now.mono + DECISION_AWAITED_MAX, Waiting::Coordinator(pending));
    let settings = node.config().groups;
    let make = Request::MakeMachineTopic {
        id: TopicId::CONSUMER_OFFSETS,
        partitions: settings.offsets_partitions,
        replication_factor: settings.offsets_replication_factor,
    };
    node.ask(now, waiter, make);
}

/// The topic is there, or not; the image shows it.
pub(in crate::api) fn replied(desk: &mut Desk, now: Now, pending: Pending, reply: &Reply) {
    let topics = match reply {
        Reply::MachineTopic(Ok(id)) => vec![*id],
        _ => Vec::new(),
    };
    leaders::wait(desk, now, topics, Then::Coordinator(pending));
}

pub(in crate::api) fn answer(desk: &mut Desk, node: &mut Node, pending: &Pending) {
    let Pending { origin, keys, key_type } = pending;
    let nodes: BTreeMap<_, _> = addresses::advertised(node, origin.caller.link).into_iter().collect();
    let count = node.partition_count(TopicId::CONSUMER_OFFSETS);
    let mut coordinators = Vec::with_capacity(keys.len());
    for key in keys {
        let refuse = |code: ErrorCode, words: &str| Coordinator {
            key: key.clone(),
            node_id: -1,
            port: -1,
            error_code: code.code(),
            error_message: Some(words.to_owned()),
            ..Default::default()
        };
        let of = group::partition_of(key, count);
        let leader = node.leader_of(of).filter(|_| count > 0);
        coordinators.push(match leader.and_then(|(_, id)| Some((id, nodes.get(&id)?))) {
            _ if *key_type != GROUP => {
                refuse(ErrorCode::UnsupportedVersion, "only groups have a coordinator here")
            }
            Some((id, address)) => Coordinator {
                key: key.clone(),
                node_id: id.0,
                host: address.host.clone(),
                port: i32::from(address.port),
                error_code: 0,
                error_message: None,
            },
            None => refuse(ErrorCode::CoordinatorNotAvailable, "no node leads the group's partition now"),
        });
    }
    let response = match coordinators.first() {
        Some(first) if origin.format.version < 4 => FindCoordinatorResponse {
            error_code: first.error_code,
            error_message: first.error_message.clone(),
            node_id: first.node_id,
            host: first.host.clone(),
            port: first.port,
            ..Default::default()
        },
        _ => FindCoordinatorResponse { coordinators, ..Default::default() },
    };
    desk.answer(node, *origin, &response);
}
