//! OffsetFetch: what groups have committed, confirmed by a majority: a coordinator that was deposed and does not know it
//! would tell a consumer to read again what others have long done with.
//!
//! A topic that is not there has nothing committed; from version 10 on, where topics are told by their ids, that is said
//! by name. Nothing here is ever unstable: there are no transactions, so that `require_stable` asks for what is so.

use super::{Several, ask_parts};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Committed, Reply, Request};
use crate::ids::TopicId;
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use std::collections::BTreeMap;

/// What is wanted, in the order asked.
pub(in crate::api) struct Wanted {
    groups: Vec<Of>,
}

/// Of one group.
struct Of {
    group: String,
    /// As which member, at which epoch.
    member: Option<(String, i32)>,
    /// All, or these.
    topics: Option<Vec<Topic>>,
}

struct Topic {
    name: String,
    id: Option<TopicId>,
    asked_id: [u8; 16],
    partitions: Vec<i32>,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: OffsetFetchRequest,
) {
    let named = |node: &Node, name: String, partitions| {
        let id = node.image().and_then(|image| image.topic_id(&name));
        Topic { name, id, asked_id: [0; 16], partitions }
    };
    let identified = |node: &Node, id: [u8; 16], partitions| {
        let known = node.image().and_then(|image| image.topic(TopicId(id)));
        Topic { name: String::new(), id: known.map(|_| TopicId(id)), asked_id: id, partitions }
    };
    let groups: Vec<Of> = if origin.format.version < 8 {
        let topics = request.topics.map(|topics| {
            topics.into_iter().map(|topic| named(node, topic.name, topic.partition_indexes)).collect()
        });
        vec![Of { group: request.group_id, member: None, topics }]
    } else {
        let of = |group: rust_mq_proto::kafka::api::offset_fetch::OffsetFetchRequestGroup| Of {
            group: group.group_id,
            member: match group.member_id {
                None if group.member_epoch < 0 => None,
                id => Some((id.unwrap_or_default(), group.member_epoch)),
            },
            topics: group.topics.map(|topics| {
                let topics = topics.into_iter().map(|topic| match origin.format.version {
                    10.. => identified(node, topic.topic_id, topic.partition_indexes),
                    _ => named(node, topic.name, topic.partition_indexes),
                });
                topics.collect()
            }),
        };
        request.groups.into_iter().map(of).collect()
    };
    let part = |of: &Of| {
        let partitions = of.topics.as_ref().map(|topics| {
            let known = topics.iter().filter_map(|topic| Some((topic.id?, &topic.partitions)));
            known.flat_map(|(id, partitions)| partitions.iter().map(move |number| (id, *number))).collect()
        });
        let at = node.coordinates(&of.group).map_err(|code| Reply::Offsets(Err(code)))?;
        Ok((at, Request::Fetch { group: of.group.clone(), member: of.member.clone(), partitions }))
    };
    let parts = groups.iter().map(part).collect();
    ask_parts(desk, node, now, origin, Several::Fetch(Wanted { groups }), parts);
}

type Found = BTreeMap<(TopicId, i32), Committed>;

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, wanted: Wanted, replies: Vec<Reply>) {
    let groups = wanted.groups.into_iter().zip(replies).map(|(of, reply)| {
        let found = match reply {
            Reply::Offsets(found) => found,
            Reply::Done(code) => Err(code),
            _ => Err(ErrorCode::NotCoordinator),
        };
        match found {
            Ok(found) => told(node, origin, of, found),
            Err(code) => refused(origin, of, code),
        }
    });
    let mut groups: Vec<OffsetFetchResponseGroup> = groups.collect();
    let response = match groups.pop() {
        Some(first) if origin.format.version < 8 => single(first),
        last => {
            groups.extend(last);
            OffsetFetchResponse { groups, ..Default::default() }
        }
    };
    desk.answer(node, origin, &response);
}

fn told(
    node: &Node,
    origin: Origin,
    of: Of,
    found: Vec<(TopicId, i32, Committed)>,
) -> OffsetFetchResponseGroup {
    let mut by_place: Found =
        found.into_iter().map(|(topic, number, committed)| ((topic, number), committed)).collect();
    let topics = match of.topics {
        None => all(node, origin, by_place),
        Some(topics) => {
            let topics = topics.into_iter().map(|topic| {
                let unknown =
                    if origin.format.version >= 10 { ErrorCode::UnknownTopicId } else { ErrorCode::None };
                let code = if topic.id.is_none() { unknown } else { ErrorCode::None };
                let mut partition = |number: i32| {
                    let committed = topic.id.and_then(|id| by_place.remove(&(id, number)));
                    partition(number, committed, code)
                };
                let partitions = topic.partitions.iter().map(|number| partition(*number)).collect();
                OffsetFetchResponseTopics { name: topic.name, topic_id: topic.asked_id, partitions }
            });
            topics.collect()
        }
    };
    OffsetFetchResponseGroup { group_id: of.group, topics, error_code: 0 }
}

/// All of a group's offsets, but for topics that are gone.
fn all(node: &Node, origin: Origin, found: Found) -> Vec<OffsetFetchResponseTopics> {
    let mut topics: Vec<OffsetFetchResponseTopics> = Vec::new();
    let mut last = None;
    for ((topic, number), committed) in found {
        let Some(known) = node.image().and_then(|image| image.topic(topic)) else { continue };
        if last != Some(topic) {
            let (name, topic_id) = match origin.format.version {
                10.. => (String::new(), topic.0),
                _ => (known.name.clone(), [0; 16]),
            };
            topics.push(OffsetFetchResponseTopics { name, topic_id, partitions: Vec::new() });
            last = Some(topic);
        }
        if let Some(told) = topics.last_mut() {
            told.partitions.push(partition(number, Some(committed), ErrorCode::None));
        }
    }
    topics
}

fn partition(number: i32, committed: Option<Committed>, code: ErrorCode) -> OffsetFetchResponsePartitions {
    let nothing = OffsetFetchResponsePartitions {
        partition_index: number,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code: code.code(),
    };
    match committed {
        None => nothing,
        Some(committed) => OffsetFetchResponsePartitions {
            committed_offset: committed.offset,
            committed_leader_epoch: committed.epoch,
            metadata: Some(committed.metadata.into()),
            ..nothing
        },
    }
}

fn refused(origin: Origin, of: Of, code: ErrorCode) -> OffsetFetchResponseGroup {
    // Before version 2 there is no place for it but at each partition.
    let topics = match origin.format.version {
        ..2 => {
            let topics = of.topics.into_iter().flatten().map(|topic| {
                let each = topic.partitions.iter().map(|number| partition(*number, None, code));
                OffsetFetchResponseTopics {
                    name: topic.name,
                    partitions: each.collect(),
                    ..Default::default()
                }
            });
            topics.collect()
        }
        _ => Vec::new(),
    };
    OffsetFetchResponseGroup { group_id: of.group, topics, error_code: code.code() }
}

/// As versions before 8 have it.
fn single(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|partition| OffsetFetchResponsePartition {
                partition_index: partition.partition_index,
                committed_offset: partition.committed_offset,
                committed_leader_epoch: partition.committed_leader_epoch,
                metadata: partition.metadata,
                error_code: partition.error_code,
            })
            .collect(),
    });
    OffsetFetchResponse { topics: topics.collect(), error_code: group.error_code, ..Default::default() }
}
