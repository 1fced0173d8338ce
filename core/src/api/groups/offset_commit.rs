//! OffsetCommit: answered when the commit is on a majority's disks. What is not there, or says too much, is refused by
//! itself; the rest is one decision of the coordinator.

use super::{Pending as Waits, ask, patience};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Commit, Request, Who};
use crate::ids::TopicId;
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use std::collections::BTreeMap;

/// A request that waits.
pub(in crate::api) struct Pending {
    origin: Origin,
    /// The answer; a partition with no error is committed if all are.
    topics: Vec<OffsetCommitResponseTopic>,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: OffsetCommitRequest,
) {
    let at = node.coordinates(&request.group_id);
    let is_by_id = origin.format.version >= 10;
    let retention_ms = (request.retention_time_ms >= 0).then_some(request.retention_time_ms);
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut commits = BTreeMap::new();
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let of = match is_by_id {
                true => node.identified(TopicId(topic.topic_id), asked.partition_index),
                false => node.named(&topic.name, asked.partition_index),
            };
            let code = match (of, is_too_long(node, &asked)) {
                (Err(code), _) => code,
                (Ok(_), true) => ErrorCode::OffsetMetadataTooLarge,
                (Ok(of), false) => {
                    // Named twice, the last counts, as in Kafka.
                    commits.insert((of.topic, asked.partition_index), commit(of.topic, &asked, retention_ms));
                    ErrorCode::None
                }
            };
            let partition_index = asked.partition_index;
            partitions.push(OffsetCommitResponsePartition { partition_index, error_code: code.code() });
        }
        topics.push(OffsetCommitResponseTopic { name: topic.name, topic_id: topic.topic_id, partitions });
    }
    let pending = Pending { origin, topics };
    let at = match at {
        Ok(_) if commits.is_empty() => return answer(desk, node, pending, ErrorCode::None),
        Ok(at) => at,
        Err(code) => return answer(desk, node, pending, code),
    };
    let who = Who {
        group: request.group_id,
        generation: request.generation_id_or_member_epoch,
        member: request.member_id,
        instance: request.group_instance_id,
    };
    let commits = commits.into_values().collect();
    let knows_groups = origin.format.version >= 9;
    let commit = Request::Commit { who, knows_groups, commits };
    ask(desk, node, now, (at, patience(now)), commit, Waits::Commit(pending));
}

/// Kafka counts what Java calls the length of a string.
fn is_too_long(node: &Node, asked: &OffsetCommitRequestPartition) -> bool {
    let most = node.config().groups.offset_metadata_max;
    asked.committed_metadata.as_ref().is_some_and(|said| said.encode_utf16().count() > most)
}

fn commit(topic: TopicId, asked: &OffsetCommitRequestPartition, retention_ms: Option<i64>) -> Commit {
    Commit {
        topic,
        partition: asked.partition_index,
        offset: asked.committed_offset,
        epoch: asked.committed_leader_epoch,
        metadata: asked.committed_metadata.clone().unwrap_or_default(),
        retention_ms,
    }
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, mut pending: Pending, code: ErrorCode) {
    let partitions = pending.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| partition.error_code == 0) {
        partition.error_code = code.code();
    }
    let response = OffsetCommitResponse { topics: pending.topics, ..Default::default() };
    desk.answer(node, pending.origin, &response);
}
