//! What an applied entry asks of the node. Only what is applied has effects; a leader's tip has none.

use crate::ids::{Index, Offset, ReplicaId, TopicId};
use crate::level::Level;
use crate::metadata::{Command, Metadata};
use crate::settings::Holder;
use crate::storage::CommittedBatch;

/// What the node is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A batch is committed: it is to be kept.
    Kept(CommittedBatch),
    /// Records below that may go.
    LogStarts(Offset),
    /// A topic exists now.
    TopicCreated {
        /// Which.
        id: TopicId,
        /// Its name.
        name: String,
        /// How many partitions it has.
        partitions: i32,
    },
    /// A topic is gone.
    TopicDeleted {
        /// Which.
        id: TopicId,
        /// Its name; its id where it had none.
        name: String,
        /// All replicas it had, on any node.
        replicas: Vec<ReplicaId>,
    },
    /// A topic has more partitions.
    TopicWidened {
        /// Which.
        id: TopicId,
        /// Its name.
        name: String,
        /// How many it has now.
        partitions: i32,
    },
    /// Somebody has other settings.
    Configured(Holder),
    /// The cluster has this feature level now.
    LevelRaised(Level),
    /// The image shows everything up to there now.
    ImageAt(Index),
    /// Another image has taken the place of this one.
    ImageReplaced(Box<Metadata>),
}

impl Effect {
    /// What a committed command means. `before` is the state that the command found.
    pub(super) fn of(before: &Metadata, command: &Command) -> Option<Effect> {
        match command {
            Command::TopicCreated { .. } | Command::MachineTopicCreated { .. } if !before.takes(command) => {
                None
            }
            Command::TopicCreated { id, topic } | Command::MachineTopicCreated { id, topic } => {
                let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                Some(Effect::TopicCreated { id: *id, name: topic.name.clone(), partitions })
            }
            Command::TopicDeleted { .. } if !before.takes(command) => None,
            Command::TopicDeleted { id } => Some(Effect::deleted(before, *id)),
            Command::PartitionsAdded { .. } if !before.takes(command) => None,
            Command::PartitionsAdded { id, partitions } => {
                let had = before.topic(*id).map_or(0, |topic| topic.partitions.len());
                let partitions = i32::try_from(had + partitions.len()).unwrap_or(i32::MAX);
                Some(Effect::TopicWidened { id: *id, name: before.name_of(*id), partitions })
            }
            Command::Configured { .. } if !before.takes(command) => None,
            Command::Configured { of, .. } => Some(Effect::Configured(of.clone())),
            Command::LevelRaised { .. } if !before.takes(command) => None,
            Command::LevelRaised { to } => Some(Effect::LevelRaised(*to)),
            Command::ProducerIdsTaken { .. } | Command::NodeRegistered { .. } => None,
        }
    }

    /// A topic of the image `before` is gone.
    fn deleted(before: &Metadata, id: TopicId) -> Effect {
        let assignments = before.topic(id).into_iter().flat_map(|topic| &topic.partitions);
        let placed = assignments.flat_map(|assignment| assignment.target());
        let replicas = placed.map(|placed| placed.replica).collect();
        Effect::TopicDeleted { id, name: before.name_of(id), replicas }
    }
}
