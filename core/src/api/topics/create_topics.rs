//! CreateTopics: decided by the metadata leader, whichever node was asked. The answer leaves once this node's
//! image shows the topics, and they have leaders or `limits::LEADERS_AWAITED_MAX` has passed.

use crate::api::Then;
use crate::api::Waiting;
use crate::api::desk::{Desk, Vain, decision_patience};
use crate::api::leaders;
use crate::api::origin::Origin;
use crate::ids::NodeId;
use crate::metadata::{CreatedTopic, NewTopic, Reply, Request};
use crate::node::Node;
use crate::now::Now;
use crate::settings::{Described, Settings, Table};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

/// A request that waits for the metadata leader.
pub(in crate::api) struct Pending {
    origin: Origin,
    names: Vec<String>,
}

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: CreateTopicsRequest,
) {
    let names = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let topics = request.topics.into_iter().map(|topic| new_topic(node, topic)).collect();
    let waiter = desk.waiter();
    let until = now.mono + decision_patience(request.timeout_ms);
    desk.wait(now, waiter, until, Waiting::CreateTopics(Pending { origin, names }));
    node.ask(now, waiter, Request::CreateTopics { topics, validate_only: request.validate_only });
}

/// -1 means this node's defaults, as in Kafka.
fn new_topic(node: &Node, topic: CreatableTopic) -> NewTopic {
    let defaults = node.topic_defaults();
    let or_default = |asked: i32, default: i32| if asked == -1 { default } else { asked };
    let factor = or_default(topic.replication_factor.into(), defaults.replication_factor.into());
    let assignments = topic
        .assignments
        .into_iter()
        .map(|assigned| (assigned.partition_index, assigned.broker_ids.into_iter().map(NodeId).collect()));
    NewTopic {
        name: topic.name,
        partitions: or_default(topic.num_partitions, defaults.partitions),
        replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
        assignments: assignments.collect(),
        configs: topic.configs.into_iter().map(|config| (config.name, config.value)).collect(),
    }
}

pub(in crate::api) fn replied(desk: &mut Desk, node: &mut Node, now: Now, pending: Pending, reply: Reply) {
    let created = match &reply {
        Reply::CreateTopics(results) => {
            results.iter().filter_map(|(_, result)| Some(result.as_ref().ok()?.id)).collect()
        }
        _ => Vec::new(),
    };
    // What was only validated is not in the image, and nobody waits for its leaders.
    let topics: Vec<_> = created
        .into_iter()
        .filter(|id| node.image().is_some_and(|image| image.topic(*id).is_some()))
        .collect();
    leaders::wait(desk, now, topics, Then::Created(pending, reply));
}

pub(in crate::api) fn answer(desk: &mut Desk, node: &mut Node, pending: Pending, reply: Reply) {
    let topics = match reply {
        Reply::CreateTopics(results) => results
            .into_iter()
            .map(|(name, result)| match result {
                Ok(created) => success(node, name, created),
                Err(refusal) => failure(name, refusal.code, Some(refusal.message)),
            })
            .collect(),
        // Said in words once: names may be many.
        Reply::Refused(refusal) => {
            let words = std::iter::once(refusal.message).map(Some).chain(std::iter::repeat(None));
            let names = pending.names.into_iter().zip(words);
            names.map(|(name, message)| failure(name, refusal.code, message)).collect()
        }
        _ => return refuse(desk, node, pending, ErrorCode::NotController),
    };
    desk.answer(node, pending.origin, &CreateTopicsResponse { topics, ..Default::default() });
}

/// Nobody knows whether they will be made.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, pending: Pending, vain: Vain) {
    refuse(desk, node, pending, vain.undecided());
}

fn refuse(desk: &mut Desk, node: &mut Node, pending: Pending, code: ErrorCode) {
    let topics = pending.names.into_iter().map(|name| failure(name, code, None)).collect();
    desk.answer(node, pending.origin, &CreateTopicsResponse { topics, ..Default::default() });
}

/// Its settings are told as this node has them in force: what the leader says of defaults are its own.
fn success(node: &Node, name: String, created: CreatedTopic) -> CreatableTopicResult {
    let config = |described: Described<'_>| CreatableTopicConfigs {
        name: described.name.into(),
        value: Some(described.value().into()),
        config_source: described.source() as i8,
        ..Default::default()
    };
    let set = created.settings.into_iter().filter(|setting| !setting.is_default);
    let own: Settings = set.map(|setting| (setting.name, setting.value)).collect();
    CreatableTopicResult {
        name,
        topic_id: created.id.0,
        num_partitions: created.partitions,
        replication_factor: created.replication_factor,
        configs: Some(node.layers(&own).describe(Table::Topic).map(config).collect()),
        error_message: None,
        ..Default::default()
    }
}

fn failure(name: String, code: ErrorCode, message: Option<String>) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: code.code(),
        error_message: message,
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
