//! DeleteTopics: decided by the metadata leader, whichever node was asked.

use crate::api::Waiting;
use crate::api::desk::{Desk, Vain, decision_patience};
use crate::api::origin::Origin;
use crate::ids::TopicId;
use crate::metadata::{Deletion, Reply, Request, TopicRef};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};

/// A request that waits for the metadata leader.
pub(in crate::api) struct Pending {
    origin: Origin,
    topics: Vec<TopicRef>,
    /// Those that are named by both name and id, which is one too many.
    ambiguous: Vec<DeleteTopicState>,
}

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: DeleteTopicsRequest,
) {
    let by_either = |topic: DeleteTopicState| match topic.name {
        Some(name) => TopicRef::Name(name),
        None => TopicRef::Id(TopicId(topic.topic_id)),
    };
    let names = request.topic_names.into_iter().map(TopicRef::Name);
    let has_both = |topic: &DeleteTopicState| topic.name.is_some() && topic.topic_id != TopicId::ZERO.0;
    let (ambiguous, plain) = request.topics.into_iter().partition::<Vec<_>, _>(has_both);
    let topics: Vec<TopicRef> = names.chain(plain.into_iter().map(by_either)).collect();
    let waiter = desk.waiter();
    let until = now.mono + decision_patience(request.timeout_ms);
    let pending = Pending { origin, topics: topics.clone(), ambiguous };
    desk.wait(now, waiter, until, Waiting::DeleteTopics(pending));
    node.ask(now, waiter, Request::DeleteTopics { topics });
}

pub(in crate::api) fn replied(desk: &mut Desk, node: &mut Node, pending: Pending, reply: Reply) {
    match reply {
        Reply::DeleteTopics(deletions) => answer(desk, node, pending, deletions),
        Reply::Refused(refusal) => refuse(desk, node, pending, refusal.code),
        _ => refuse(desk, node, pending, ErrorCode::NotController),
    }
}

/// Nobody knows whether they will go.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, pending: Pending, vain: Vain) {
    refuse(desk, node, pending, vain.undecided());
}

fn refuse(desk: &mut Desk, node: &mut Node, mut pending: Pending, code: ErrorCode) {
    let topics = std::mem::take(&mut pending.topics).into_iter();
    answer(desk, node, pending, topics.map(|topic| undecided(topic, code)).collect());
}

fn answer(desk: &mut Desk, node: &mut Node, pending: Pending, deletions: Vec<Deletion>) {
    let ambiguous = pending.ambiguous.into_iter().map(|topic| Deletion {
        name: topic.name,
        id: TopicId(topic.topic_id),
        code: ErrorCode::InvalidRequest,
    });
    let responses = deletions.into_iter().chain(ambiguous).map(|deletion| DeletableTopicResult {
        name: deletion.name,
        topic_id: deletion.id.0,
        error_code: deletion.code.code(),
        error_message: words(deletion.code).map(Into::into),
    });
    desk.answer(
        node,
        pending.origin,
        &DeleteTopicsResponse { responses: responses.collect(), ..Default::default() },
    );
}

fn words(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::InvalidRequest => Some("each topic must be named once, by its name or by its id"),
        ErrorCode::PolicyViolation => Some("the request names more topics than one request may delete"),
        _ => None,
    }
}

fn undecided(topic: TopicRef, code: ErrorCode) -> Deletion {
    match topic {
        TopicRef::Name(name) => Deletion { name: Some(name), id: TopicId::ZERO, code },
        TopicRef::Id(id) => Deletion { name: None, id, code },
    }
}
