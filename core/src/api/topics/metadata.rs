//! Metadata: who leads what, and where; always from the local image and the leader table. Topics that are not
//! there are made on the way, if the client and the configuration allow it.
//!
//! Invariant: an answer describes each topic once, however often the request names it: by its name, its id or both.
//! (Kafka reads the names of a request into a set.)

use crate::api::Then;
use crate::api::Waiting;
use crate::api::desk::Desk;
use crate::api::leaders;
use crate::api::origin::Origin;
use crate::api::{addresses, operations};
use crate::ids::{NodeId, TopicId, TopicPartition};
use crate::limits::{AUTO_CREATIONS_MAX, DECISION_AWAITED_MAX, METADATA_TOPICS_MAX};
use crate::metadata::{NewTopic, Reply, Request, Topic, is_of_machine, partition_of, topic_name_fault};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use std::collections::{BTreeMap, BTreeSet};

/// A request that waits for the topics it made.
pub(in crate::api) struct Pending {
    origin: Origin,
    wanted: Vec<MetadataRequestTopic>,
    allowed: Allowed,
    /// How many topics are made for it.
    made: usize,
    /// Why a topic could not be made.
    refused: BTreeMap<String, ErrorCode>,
}

/// What was asked about what the client may do.
#[derive(Clone, Copy)]
struct Allowed {
    on_cluster: bool,
    on_topics: bool,
}

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: MetadataRequest,
) -> Result<(), String> {
    let allowed = Allowed {
        on_cluster: request.include_cluster_authorized_operations,
        on_topics: request.include_topic_authorized_operations,
    };
    let is_for_all = wants_all(&request, origin.format.version);
    let Some(mut wanted) = request.topics.filter(|_| !is_for_all) else {
        let topics = node.image().map_or_else(Vec::new, |image| image.topics().map(|(id, _)| id).collect());
        let topics =
            topics.into_iter().filter_map(|id| Some(describe(node, id, node.image()?.topic(id)?))).collect();
        answer_with(desk, node, origin, allowed, topics);
        return Ok(());
    };
    keep_first(&mut wanted);
    if wanted.len() > METADATA_TOPICS_MAX {
        return Err(format!("Metadata names {} topics; the limit is {METADATA_TOPICS_MAX}", wanted.len()));
    }
    for name in wanted.iter().filter_map(|topic| topic.name.as_ref()) {
        node.topic_wanted(name);
    }
    let mut missing = if request.allow_auto_topic_creation { missing(node, &wanted) } else { Vec::new() };
    // Not now: the client asks again, as it would for a topic that has no leader yet.
    let later = missing.split_off(missing.len().min(AUTO_CREATIONS_MAX - desk.auto_creations));
    let refused = later.into_iter().map(|topic| (topic.name, ErrorCode::LeaderNotAvailable)).collect();
    let pending = Pending { origin, wanted, allowed, made: missing.len(), refused };
    if missing.is_empty() {
        answer(desk, node, &pending);
    } else {
        let waiter = desk.waiter();
        desk.auto_creations += pending.made;
        desk.wait(now, waiter, now.mono + DECISION_AWAITED_MAX, Waiting::AutoCreate(pending));
        node.ask(now, waiter, Request::CreateTopics { topics: missing, validate_only: false });
    }
    Ok(())
}

/// Whether a request asks for all topics there are.
pub(in crate::api) fn wants_all(request: &MetadataRequest, version: i16) -> bool {
    // Version 0 has no null: empty is all there.
    request.topics.as_ref().is_none_or(|topics| version == 0 && topics.is_empty())
}

/// What is named again is dropped.
fn keep_first(wanted: &mut Vec<MetadataRequestTopic>) {
    if wanted.len() > 1 {
        let mut names = BTreeSet::new();
        let mut ids = BTreeSet::new();
        wanted.retain(|topic| match &topic.name {
            Some(name) => names.insert(name.clone()),
            None => ids.insert(topic.topic_id),
        });
    }
}

fn missing(node: &Node, wanted: &[MetadataRequestTopic]) -> Vec<NewTopic> {
    let Some(image) = node.image() else { return Vec::new() };
    let named = wanted.iter().filter_map(|topic| topic.name.as_ref());
    let unknown = named.filter(|name| image.topic_id(name).is_none() && topic_name_fault(name).is_none());
    let unknown: Vec<&String> = unknown.collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    let defaults = node.topic_defaults();
    let new = |name: &&String| NewTopic {
        name: (*name).clone(),
        partitions: defaults.partitions,
        replication_factor: defaults.replication_factor,
        assignments: Vec::new(),
        configs: Vec::new(),
    };
    if defaults.auto_create { unknown.iter().map(new).collect() } else { Vec::new() }
}

/// The topics are made, or not; the image shows what is.
pub(in crate::api) fn replied(desk: &mut Desk, now: Now, mut pending: Pending, reply: Reply) {
    desk.auto_creations -= pending.made;
    let mut topics = Vec::new();
    if let Reply::Refused(refusal) = reply {
        let names = pending.wanted.iter().filter_map(|topic| topic.name.clone());
        pending.refused = names.map(|name| (name, refusal.code)).collect();
    } else if let Reply::CreateTopics(results) = reply {
        for (name, result) in results {
            match result {
                Ok(created) => topics.push(created.id),
                // Another client was faster.
                Err(refusal) if refusal.code == ErrorCode::TopicAlreadyExists => {}
                Err(refusal) => {
                    pending.refused.insert(name, refusal.code);
                }
            }
        }
    } else {
        pending.nobody_decided();
    }
    leaders::wait(desk, now, topics, Then::Metadata(pending));
}

/// Nobody knows whether the topics will be made.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, mut pending: Pending) {
    desk.auto_creations -= pending.made;
    pending.nobody_decided();
    answer(desk, node, &pending);
}

impl Pending {
    /// The topics may still come, so the client shall ask again.
    fn nobody_decided(&mut self) {
        let names = self.wanted.iter().filter_map(|topic| topic.name.clone());
        self.refused = names.map(|name| (name, ErrorCode::LeaderNotAvailable)).collect();
    }
}

pub(in crate::api) fn answer(desk: &mut Desk, node: &mut Node, pending: &Pending) {
    let mut described = BTreeSet::new();
    let mut topics = Vec::with_capacity(pending.wanted.len());
    for wanted in &pending.wanted {
        match find(node, wanted) {
            Some((id, topic)) if described.insert(id) => topics.push(describe(node, id, topic)),
            Some(_) => {}
            None => topics.push(not_found(node, wanted, &pending.refused)),
        }
    }
    answer_with(desk, node, pending.origin, pending.allowed, topics);
}

fn find<'a>(node: &'a Node, wanted: &MetadataRequestTopic) -> Option<(TopicId, &'a Topic)> {
    let image = node.image()?;
    let id = match &wanted.name {
        Some(name) => image.topic_id(name)?,
        None => TopicId(wanted.topic_id),
    };
    Some((id, image.topic(id)?))
}

fn not_found(
    node: &Node,
    wanted: &MetadataRequestTopic,
    refused: &BTreeMap<String, ErrorCode>,
) -> MetadataResponseTopic {
    let error = match &wanted.name {
        None => node.denial(ErrorCode::UnknownTopicId),
        // One of our own is made when it is needed, and not by its name.
        Some(name) if topic_name_fault(name).is_some() => ErrorCode::InvalidTopicException,
        Some(name) => {
            let is_refused = refused.get(name).copied();
            is_refused.unwrap_or_else(|| node.denial(ErrorCode::UnknownTopicOrPartition))
        }
    };
    MetadataResponseTopic {
        error_code: error.code(),
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        ..Default::default()
    }
}

fn describe(node: &Node, id: TopicId, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().enumerate().map(|(number, assignment)| {
        let nodes: Vec<NodeId> = assignment.target().iter().map(|placed| placed.node).collect();
        describe_partition(node, partition_of(id, number), &nodes)
    });
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: id.0,
        is_internal: is_of_machine(id),
        partitions: partitions.collect(),
        ..Default::default()
    }
}

/// Who leads a partition, and which of its replicas are in sync and there.
pub(super) fn describe_partition(
    node: &Node,
    of: TopicPartition,
    nodes: &[NodeId],
) -> MetadataResponsePartition {
    let leader = node.leader_of(of);
    let in_sync = node.in_sync_nodes(of);
    let ids =
        |keep: &dyn Fn(&NodeId) -> bool| nodes.iter().filter(|node| keep(node)).map(|node| node.0).collect();
    let error = if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable };
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index: of.partition.0,
        leader_id: leader.map_or(-1, |(_, node)| node.0),
        leader_epoch: leader.map_or(-1, |(term, _)| term.epoch()),
        replica_nodes: ids(&|_| true),
        isr_nodes: match in_sync {
            Some(in_sync) => ids(&|node| in_sync.contains(node)),
            None => ids(&|other| node.may_be_in_sync(of, *other)),
        },
        offline_replicas: ids(&|other| !node.is_alive(*other)),
    }
}

fn answer_with(
    desk: &mut Desk,
    node: &mut Node,
    origin: Origin,
    allowed: Allowed,
    mut topics: Vec<MetadataResponseTopic>,
) {
    for topic in topics.iter_mut().filter(|topic| topic.error_code == 0) {
        topic.topic_authorized_operations = operations::of_topic(allowed.on_topics);
    }
    let brokers: Vec<MetadataResponseBroker> = addresses::advertised(node, origin.caller.link)
        .into_iter()
        .map(|(id, address)| MetadataResponseBroker {
            node_id: id.0,
            host: address.host,
            port: i32::from(address.port),
            rack: None,
        })
        .collect();
    let response = MetadataResponse {
        brokers,
        // Never null: Spring asks again and again for a cluster id that is.
        cluster_id: Some(node.cluster().map(|cluster| cluster.to_string()).unwrap_or_default()),
        controller_id: addresses::controller(node).0,
        topics,
        cluster_authorized_operations: operations::of_cluster(allowed.on_cluster),
        ..Default::default()
    };
    desk.answer(node, origin, &response);
}
