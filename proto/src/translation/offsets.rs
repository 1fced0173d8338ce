//! How far groups have come.

use super::by_topic::by_topic;
use super::error::{self, Asked};
use super::{Misuse, if_said};
use crate::grpc::{
    CommitOffsetRequest, CommitOffsetResponse, CommittedOffset, CommittedPartition, DeleteOffsetRequest,
    DeleteOffsetResponse, Error, FetchOffsetRequest, FetchOffsetResponse, ForgottenOffset,
};
use crate::kafka::api::{offset_commit, offset_delete, offset_fetch};

/// The version of OffsetCommit that is spoken.
pub const OFFSET_COMMIT: i16 = 9;
/// The version of OffsetFetch that is spoken.
pub const OFFSET_FETCH: i16 = 9;
/// The version of OffsetDelete that is spoken.
pub const OFFSET_DELETE: i16 = 0;

/// The generation of who is no member.
const NO_MEMBER: i32 = -1;

/// Keeps offsets.
///
/// # Errors
/// It names none.
pub fn to_commit(request: CommitOffsetRequest) -> Result<offset_commit::OffsetCommitRequest, Misuse> {
    if request.offsets.is_empty() {
        return Err(Misuse::Empty("offset to commit"));
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

/// Which were kept. All of them have the same coordinator.
pub fn committed(answer: offset_commit::OffsetCommitResponse) -> CommitOffsetResponse {
    let mut partitions = Vec::new();
    for topic in answer.topics {
        partitions.extend(topic.partitions.into_iter().map(|part| CommittedPartition {
            topic: topic.name.clone(),
            partition: part.partition_index,
            error: error::error(Asked::Change, part.error_code, None),
        }));
    }
    CommitOffsetResponse { partitions }
}

/// Asks for offsets: those, or all that the group has.
pub fn to_fetch(request: FetchOffsetRequest) -> offset_fetch::OffsetFetchRequest {
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
        group_id: request.group_id,
        topics: (!is_all).then_some(topics),
        ..Default::default()
    };
    offset_fetch::OffsetFetchRequest {
        groups: vec![group],
        require_stable: request.require_stable,
        ..Default::default()
    }
}

/// Which ones it has, as `asked`.
///
/// # Errors
/// It was refused, or the one partition was.
pub fn fetched(
    asked: &offset_fetch::OffsetFetchRequest,
    answer: offset_fetch::OffsetFetchResponse,
) -> Result<FetchOffsetResponse, Error> {
    let mut offsets = Vec::new();
    for group in answer.groups {
        error::if_any(Asked::Read, group.error_code, None)?;
        for topic in group.topics {
            offsets.extend(topic.partitions.into_iter().map(|part| CommittedOffset {
                topic: topic.name.clone(),
                partition: part.partition_index,
                offset: part.committed_offset,
                leader_epoch: part.committed_leader_epoch,
                metadata: part.metadata.unwrap_or_default(),
                error: error::error(Asked::Read, part.error_code, None),
            }));
        }
    }
    if asked.groups.iter().all(|group| group.topics.is_some()) {
        error::if_alone(offsets.iter().map(|offset| offset.error.as_ref()))?;
    }
    Ok(FetchOffsetResponse { offsets })
}

/// Forgets offsets.
///
/// # Errors
/// It names none.
pub fn to_forget(request: DeleteOffsetRequest) -> Result<offset_delete::OffsetDeleteRequest, Misuse> {
    if request.partitions.is_empty() {
        return Err(Misuse::Empty("offset to forget"));
    }
    let partitions = request.partitions.into_iter().map(|part| {
        let forgotten = offset_delete::OffsetDeleteRequestPartition { partition_index: part.partition };
        (part.topic, forgotten)
    });
    let topics = by_topic(partitions.collect()).into_iter();
    let topics =
        topics.map(|(name, partitions)| offset_delete::OffsetDeleteRequestTopic { name, partitions });
    Ok(offset_delete::OffsetDeleteRequest { group_id: request.group_id, topics: topics.collect() })
}

/// Which are forgotten.
///
/// # Errors
/// It was refused, or the one partition was.
pub fn forgotten(answer: offset_delete::OffsetDeleteResponse) -> Result<DeleteOffsetResponse, Error> {
    error::if_any(Asked::Change, answer.error_code, None)?;
    let mut partitions = Vec::new();
    for topic in answer.topics {
        partitions.extend(topic.partitions.into_iter().map(|part| ForgottenOffset {
            topic: topic.name.clone(),
            partition: part.partition_index,
            error: error::error(Asked::Change, part.error_code, None),
        }));
    }
    error::if_alone(partitions.iter().map(|part| part.error.as_ref()))?;
    Ok(DeleteOffsetResponse { partitions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::TopicPartition;

    fn refused() -> offset_fetch::OffsetFetchResponse {
        let part = offset_fetch::OffsetFetchResponsePartitions { error_code: 3, ..Default::default() };
        let topic = offset_fetch::OffsetFetchResponseTopics { partitions: vec![part], ..Default::default() };
        let group = offset_fetch::OffsetFetchResponseGroup { topics: vec![topic], ..Default::default() };
        offset_fetch::OffsetFetchResponse { groups: vec![group], ..Default::default() }
    }

    #[test]
    fn a_partition_that_was_named_alone_fails_the_call_and_one_of_all_does_not() {
        let partitions = vec![TopicPartition { topic: "t".into(), partition: 0 }];
        let named = to_fetch(FetchOffsetRequest { partitions, ..Default::default() });
        assert_eq!(fetched(&named, refused()).expect_err("it was alone").code, 3);
        let all = to_fetch(FetchOffsetRequest::default());
        assert_eq!(all.groups[0].topics, None);
        assert_eq!(fetched(&all, refused()).expect("all").offsets.len(), 1);
    }

    #[test]
    fn who_is_no_member_commits_without_a_generation() {
        assert_eq!(to_commit(CommitOffsetRequest::default()).err(), Some(Misuse::Empty("offset to commit")));
        let offsets = vec![crate::grpc::OffsetToCommit { topic: "t".into(), ..Default::default() }];
        let asked = to_commit(CommitOffsetRequest { offsets, ..Default::default() }).expect("one");
        assert_eq!(asked.generation_id_or_member_epoch, NO_MEMBER);
    }
}
