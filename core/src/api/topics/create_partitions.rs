//! CreatePartitions: decided by the metadata leader, whichever node was asked. The answer leaves once this node's image
//! shows the new partitions, and they have leaders or `limits::LEADERS_AWAITED_MAX` has passed.

use crate::api::desk::{Desk, Vain, decision_patience};
use crate::api::leaders;
use crate::api::origin::Origin;
use crate::api::{Then, Waiting};
use crate::ids::{NodeId, TopicId};
use crate::metadata::{Reply, Request, Wider};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};

/// A request that waits for the metadata leader.
pub(in crate::api) struct Pending {
    origin: Origin,
    names: Vec<String>,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: CreatePartitionsRequest,
) {
    let names = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.into_iter().map(wider).collect();
    let waiter = desk.waiter();
    let until = now.mono + decision_patience(request.timeout_ms);
    desk.wait(now, waiter, until, Waiting::CreatePartitions(Pending { origin, names }));
    node.ask(now, waiter, Request::CreatePartitions { topics, validate_only: request.validate_only });
}

fn wider(topic: CreatePartitionsTopic) -> Wider {
    let nodes = |ids: Vec<i32>| ids.into_iter().map(NodeId).collect();
    let assignments = topic.assignments;
    Wider {
        name: topic.name,
        count: topic.count,
        assignments: assignments.map(|all| all.into_iter().map(|one| nodes(one.broker_ids)).collect()),
    }
}

pub(in crate::api) fn replied(desk: &mut Desk, node: &mut Node, now: Now, pending: Pending, reply: Reply) {
    let id = |name: &String| node.image().and_then(|image| image.topic_id(name));
    let topics: Vec<TopicId> = match &reply {
        Reply::CreatePartitions(results) => {
            results.iter().filter(|(_, result)| result.is_ok()).filter_map(|(name, _)| id(name)).collect()
        }
        _ => Vec::new(),
    };
    leaders::wait(desk, now, topics, Then::Widened(pending, reply));
}

pub(in crate::api) fn answer(desk: &mut Desk, node: &mut Node, pending: Pending, reply: Reply) {
    let results = match reply {
        Reply::CreatePartitions(results) => results
            .into_iter()
            .map(|(name, result)| match result {
                Ok(()) => said(name, ErrorCode::None, None),
                Err(refusal) => said(name, refusal.code, Some(refusal.message)),
            })
            .collect(),
        // Said in words once: names may be many.
        Reply::Refused(refusal) => {
            let words = std::iter::once(refusal.message).map(Some).chain(std::iter::repeat(None));
            let names = pending.names.into_iter().zip(words);
            names.map(|(name, message)| said(name, refusal.code, message)).collect()
        }
        _ => return refuse(desk, node, pending, ErrorCode::NotController),
    };
    desk.answer(node, pending.origin, &CreatePartitionsResponse { results, ..Default::default() });
}

/// Nobody knows whether they will be made.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, pending: Pending, vain: Vain) {
    refuse(desk, node, pending, vain.undecided());
}

fn refuse(desk: &mut Desk, node: &mut Node, pending: Pending, code: ErrorCode) {
    let results = pending.names.into_iter().map(|name| said(name, code, None)).collect();
    desk.answer(node, pending.origin, &CreatePartitionsResponse { results, ..Default::default() });
}

fn said(name: String, code: ErrorCode, error_message: Option<String>) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult { name, error_code: code.code(), error_message }
}
