//! Deciding a DeleteTopics request (KIP-516: by name or by id).

use super::request::{Deletion, TopicRef};
use super::{Command, Metadata};
use crate::error_code::ErrorCode;
use crate::ids::TopicId;

/// The commands, and what to answer for each topic in the order asked. A topic named twice is deleted once and
/// unknown the second time.
pub fn decide(metadata: &Metadata, topics: Vec<TopicRef>) -> (Vec<Command>, Vec<Deletion>) {
    let mut commands: Vec<Command> = Vec::new();
    let mut results = Vec::with_capacity(topics.len());
    for reference in topics {
        let (name, id) = match &reference {
            TopicRef::Name(name) => (Some(name.clone()), metadata.topic_id(name)),
            TopicRef::Id(id) => {
                let topic = metadata.topic(*id);
                (topic.map(|topic| topic.name.clone()), topic.map(|_| *id))
            }
        };
        let unknown = match reference {
            TopicRef::Name(_) => ErrorCode::UnknownTopicOrPartition,
            TopicRef::Id(_) => ErrorCode::UnknownTopicId,
        };
        let is_doomed = |id: &TopicId| {
            commands
                .iter()
                .any(|command| matches!(command, Command::TopicDeleted { id: other } if other == id))
        };
        match id.filter(|id| !is_doomed(id)) {
            Some(id) => {
                commands.push(Command::TopicDeleted { id });
                results.push(Deletion { name, id, code: ErrorCode::None });
            }
            None => {
                let id = if let TopicRef::Id(id) = reference { id } else { TopicId::ZERO };
                results.push(Deletion { name, id, code: unknown });
            }
        }
    }
    (commands, results)
}
