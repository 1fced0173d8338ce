//! DescribeTopicPartitions (KIP-966): topics by rising name, partitions by number, page by page; a page says where the
//! next one begins. From the local image and the leader table, as Metadata.
//!
//! Invariant: a page has at most `limits::DESCRIBED_PARTITIONS_MAX` partitions, and at least one if there is one.

use super::metadata::describe_partition;
use crate::api::desk::Desk;
use crate::api::operations;
use crate::api::origin::Origin;
use crate::ids::{NodeId, TopicId};
use crate::limits::DESCRIBED_PARTITIONS_MAX;
use crate::metadata::{Topic, partition_of, topic_name_fault};
use crate::node::Node;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use std::collections::BTreeSet;

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    origin: Origin,
    request: DescribeTopicPartitionsRequest,
) {
    let is_for_all = request.topics.is_empty();
    let names: BTreeSet<String> = match is_for_all {
        true => node
            .image()
            .into_iter()
            .flat_map(|image| image.topics())
            .map(|(_, topic)| topic.name.clone())
            .collect(),
        false => request.topics.into_iter().map(|topic| topic.name).collect(),
    };
    let cursor = request.cursor;
    // A cursor that was never given: as Kafka says it, topic by topic.
    let is_lost =
        |cursor: &Cursor| cursor.partition_index < 0 || !is_for_all && !names.contains(&cursor.topic_name);
    if cursor.as_ref().is_some_and(is_lost) {
        let topics = names.into_iter().map(|name| refused(name, ErrorCode::InvalidRequest)).collect();
        return desk.answer(node, origin, &DescribeTopicPartitionsResponse { topics, ..Default::default() });
    }
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = limit.clamp(1, DESCRIBED_PARTITIONS_MAX);
    let (mut topics, mut next_cursor) = (Vec::new(), None);
    let begins = cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
    for name in names.iter().filter(|name| name.as_str() >= begins) {
        if left == 0 {
            next_cursor = Some(Cursor { topic_name: name.clone(), partition_index: 0 });
            break;
        }
        let Some((id, topic)) = find(node, name) else {
            topics.push(not_found(node, name));
            continue;
        };
        let first = cursor.as_ref().filter(|cursor| cursor.topic_name == *name);
        let first = first.map_or(0, |cursor| usize::try_from(cursor.partition_index).unwrap_or(0));
        let described = describe(node, id, topic, first, left);
        let after = first + described.partitions.len();
        left -= described.partitions.len();
        topics.push(described);
        if after < topic.partitions.len() {
            let partition_index = i32::try_from(after).unwrap_or(i32::MAX);
            next_cursor = Some(Cursor { topic_name: name.clone(), partition_index });
            break;
        }
    }
    let response = DescribeTopicPartitionsResponse { topics, next_cursor, ..Default::default() };
    desk.answer(node, origin, &response);
}

/// Whether a request asks for all topics there are.
pub(in crate::api) fn wants_all(request: &DescribeTopicPartitionsRequest) -> bool {
    request.topics.is_empty()
}

fn find<'a>(node: &'a Node, name: &str) -> Option<(TopicId, &'a Topic)> {
    let image = node.image()?;
    let id = image.topic_id(name)?;
    Some((id, image.topic(id)?))
}

fn describe(
    node: &Node,
    id: TopicId,
    topic: &Topic,
    first: usize,
    most: usize,
) -> DescribeTopicPartitionsResponseTopic {
    let partition = |(number, assignment): (usize, &crate::metadata::Assignment)| {
        let nodes: Vec<NodeId> = assignment.target().iter().map(|placed| placed.node).collect();
        let told = describe_partition(node, partition_of(id, number), &nodes);
        DescribeTopicPartitionsResponsePartition {
            error_code: told.error_code,
            partition_index: told.partition_index,
            leader_id: told.leader_id,
            leader_epoch: told.leader_epoch,
            replica_nodes: told.replica_nodes,
            isr_nodes: told.isr_nodes,
            // Here a majority elects: whoever is not in sync is not eligible, and nobody has to remember who was.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: told.offline_replicas,
        }
    };
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: id.0,
        partitions: topic.partitions.iter().enumerate().skip(first).take(most).map(partition).collect(),
        topic_authorized_operations: operations::of_topic(true),
        ..Default::default()
    }
}

fn not_found(node: &Node, name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match topic_name_fault(name) {
        Some(_) => ErrorCode::InvalidTopicException,
        None => node.denial(ErrorCode::UnknownTopicOrPartition),
    };
    refused(name.to_owned(), code)
}

fn refused(name: String, code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic { name: Some(name), error_code: code.code(), ..Default::default() }
}
