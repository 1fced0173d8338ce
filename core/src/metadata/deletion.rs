//! Deciding a DeleteTopics request (KIP-516: by name or by id).
//!
//! Which topic is meant must be said once: a name, or an id, that comes twice is refused and deletes nothing, and so
//! is a name whose id is given too; each is answered once. That is Kafka's answer (its `ControllerApis`). Deletions that
//! the room of one decision does not hold are refused.

use super::request::{Deletion, TopicRef};
use super::topic_name::is_of_machine;
use super::{Command, Metadata, room};
use crate::ids::TopicId;
use crate::machine::Room;
use rust_mq_proto::kafka::ErrorCode;
use std::collections::{BTreeMap, BTreeSet};

/// The commands, and what to answer for each topic in the order asked.
pub fn decide(metadata: &Metadata, topics: Vec<TopicRef>, room: Room) -> (Vec<Command>, Vec<Deletion>) {
    let mut times: BTreeMap<&TopicRef, u32> = BTreeMap::new();
    topics.iter().for_each(|topic| *times.entry(topic).or_default() += 1);
    let is_named_by_id = |id: TopicId| times.contains_key(&TopicRef::Id(id));
    let mut results = Vec::with_capacity(topics.len());
    let mut answered: BTreeSet<&TopicRef> = BTreeSet::new();
    for reference in topics.iter().filter(|reference| answered.insert(reference)) {
        let is_doubled = times[reference] > 1;
        match reference {
            TopicRef::Name(name) => {
                let id = metadata.topic_id(name);
                let code = match id {
                    _ if is_doubled => ErrorCode::InvalidRequest,
                    Some(id) if is_named_by_id(id) => ErrorCode::InvalidRequest,
                    Some(id) if is_of_machine(id) => ErrorCode::InvalidTopicException,
                    Some(_) => ErrorCode::None,
                    None => ErrorCode::UnknownTopicOrPartition,
                };
                let id = id.filter(|_| !is_doubled).unwrap_or(TopicId::ZERO);
                results.push(Deletion { name: Some(name.clone()), id, code });
            }
            TopicRef::Id(id) => {
                let name = metadata.topic(*id).map(|topic| topic.name.clone());
                let by_name = name.clone().map(TopicRef::Name);
                if !is_doubled && by_name.is_some_and(|name| times.contains_key(&name)) {
                    continue;
                }
                let code = match name {
                    _ if is_doubled || *id == TopicId::ZERO => ErrorCode::InvalidRequest,
                    Some(_) if is_of_machine(*id) => ErrorCode::InvalidTopicException,
                    Some(_) => ErrorCode::None,
                    None => ErrorCode::UnknownTopicId,
                };
                results.push(Deletion { name: name.filter(|_| code == ErrorCode::None), id: *id, code });
            }
        }
    }
    let good = results.iter_mut().filter(|deletion| deletion.code == ErrorCode::None);
    good.skip(room::deletions_max(room)).for_each(|deletion| deletion.code = ErrorCode::PolicyViolation);
    let deleted = results.iter().filter(|deletion| deletion.code == ErrorCode::None);
    (deleted.map(|deletion| Command::TopicDeleted { id: deletion.id }).collect(), results)
}
