//! How far groups have come, in gRPC's words and in Kafka's.

use super::by_topic::by_topic;
use super::call::Call;
use super::groups::{if_refused, if_said, send_to_coordinator};
use super::refusal::{self, Asked};
use rust_mq_proto::grpc::{
    CommitOffsetRequest, CommitOffsetResponse, CommittedOffset, CommittedPartition, DeleteOffsetRequest,
    DeleteOffsetResponse, FetchOffsetRequest, FetchOffsetResponse, ForgottenOffset,
};
use rust_mq_proto::kafka::api::{offset_commit, offset_delete, offset_fetch};
use std::sync::Arc;
use tonic::Status;

const OFFSET_COMMIT: i16 = 9;
const OFFSET_FETCH: i16 = 9;
const OFFSET_DELETE: i16 = 0;
/// The generation of who is no member.
const NO_MEMBER: i32 = -1;

/// Keeps offsets.
pub(super) async fn commit(
    call: Arc<Call>,
    request: CommitOffsetRequest,
) -> Result<CommitOffsetResponse, Status> {
    let group = request.group_id.clone();
    let asked = to_commit(request)?;
    let answer = call.ask(OFFSET_COMMIT, &asked).await?;
    let mut partitions = Vec::new();
    // All of them have the same coordinator.
    let mut coordinator = None;
    for topic in answer.topics {
        for part in topic.partitions {
            let mut error = refusal::error(Asked::Change, part.error_code, None);
            if coordinator.is_none() {
                send_to_coordinator(&call, &group, &mut error).await;
                coordinator = error.as_ref().and_then(|error| error.leader.clone());
            } else if let Some(error) = &mut error {
                error.leader.clone_from(&coordinator);
            }
            partitions.push(CommittedPartition {
                topic: topic.name.clone(),
                partition: part.partition_index,
                error,
            });
        }
    }
    refusal::if_alone(partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(CommitOffsetResponse { partitions })
}

fn to_commit(request: CommitOffsetRequest) -> Result<offset_commit::OffsetCommitRequest, Status> {
    if request.offsets.is_empty() {
        return Err(Status::invalid_argument("no offset to commit"));
    }
    let offsets = request.offsets.into_iter().map(|offset| {
        let committed = offset_commit::OffsetCommitRequestPartition {
            partition_index: offset.partition,
            committed_offset: offset.offset,
            committed_leader_epoch: offset.leader_epoch.unwrap_or(-1),
            committed_metadata: Some(offset.metadata),
        };
        (offset.topic, committed)
    });
    let topics = by_topic(offsets.collect()).into_iter();
    Ok(offset_commit::OffsetCommitRequest {
        group_id: request.group_id,
        generation_id_or_member_epoch: request.generation_id.unwrap_or(NO_MEMBER),
        member_id: request.member_id,
        group_instance_id: if_said(request.group_instance_id),
        topics: topics
            .map(|(name, partitions)| offset_commit::OffsetCommitRequestTopic {
                name,
                partitions,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    })
}

/// Tells offsets.
pub(super) async fn fetch(
    call: Arc<Call>,
    request: FetchOffsetRequest,
) -> Result<FetchOffsetResponse, Status> {
    let is_all = request.partitions.is_empty();
    let partitions = request.partitions.into_iter().map(|part| (part.topic, part.partition));
    let topics = by_topic(partitions.collect()).into_iter();
    let topics = topics.map(|(name, partition_indexes)| offset_fetch::OffsetFetchRequestTopics {
        name,
        partition_indexes,
        ..Default::default()
    });
    let topics = topics.collect();
    let group = offset_fetch::OffsetFetchRequestGroup {
        group_id: request.group_id.clone(),
        topics: (!is_all).then_some(topics),
        ..Default::default()
    };
    let asked = offset_fetch::OffsetFetchRequest {
        groups: vec![group],
        require_stable: request.require_stable,
        ..Default::default()
    };
    let answer = call.ask(OFFSET_FETCH, &asked).await?;
    let mut offsets = Vec::new();
    for group in answer.groups {
        let mut error = refusal::error(Asked::Read, group.error_code, None);
        send_to_coordinator(&call, &request.group_id, &mut error).await;
        if let Some(error) = error {
            return Err(refusal::status(&error));
        }
        for topic in group.topics {
            offsets.extend(topic.partitions.into_iter().map(|part| CommittedOffset {
                topic: topic.name.clone(),
                partition: part.partition_index,
                offset: part.committed_offset,
                leader_epoch: part.committed_leader_epoch,
                metadata: part.metadata.unwrap_or_default(),
                error: refusal::error(Asked::Read, part.error_code, None),
            }));
        }
    }
    if !is_all {
        refusal::if_alone(offsets.iter().map(|offset| offset.error.as_ref()))?;
    }
    Ok(FetchOffsetResponse { offsets })
}

/// Forgets offsets.
pub(super) async fn forget(
    call: Arc<Call>,
    request: DeleteOffsetRequest,
) -> Result<DeleteOffsetResponse, Status> {
    if request.partitions.is_empty() {
        return Err(Status::invalid_argument("no offset to forget"));
    }
    let partitions = request.partitions.into_iter().map(|part| {
        let forgotten = offset_delete::OffsetDeleteRequestPartition { partition_index: part.partition };
        (part.topic, forgotten)
    });
    let topics = by_topic(partitions.collect()).into_iter();
    let topics =
        topics.map(|(name, partitions)| offset_delete::OffsetDeleteRequestTopic { name, partitions });
    let group = request.group_id;
    let asked = offset_delete::OffsetDeleteRequest { group_id: group.clone(), topics: topics.collect() };
    let answer = call.ask(OFFSET_DELETE, &asked).await?;
    if_refused(&call, &group, answer.error_code, None).await?;
    let mut partitions = Vec::new();
    for topic in answer.topics {
        partitions.extend(topic.partitions.into_iter().map(|part| ForgottenOffset {
            topic: topic.name.clone(),
            partition: part.partition_index,
            error: refusal::error(Asked::Change, part.error_code, None),
        }));
    }
    refusal::if_alone(partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(DeleteOffsetResponse { partitions })
}
