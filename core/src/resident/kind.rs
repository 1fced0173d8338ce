//! What a resident is, what it is given at its start, and why it cannot start.

use crate::ids::{NodeId, TopicId};
use crate::level::Level;
use crate::machine::{Room, Undecodable};
use crate::metadata::{Metadata, Topic};
use crate::replica::StartFault;
use crate::settings::TopicConfig;

/// What a resident is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// User data, with its topic's settings.
    Records(TopicConfig),
    /// The metadata machine.
    Metadata,
    /// Consumer groups.
    Group,
}

/// What a machine is given at its start.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// The node's seed, from which it has its own stream of chance.
    pub seed: u64,
    /// What it may make of requests.
    pub room: Room,
    /// The newest feature level that this node reads.
    pub reads: Level,
    /// The cluster's feature level.
    pub level: Level,
}

impl Kind {
    /// What the partitions of a topic are on a node. A machine's topic is known by its id, one of those that are reserved.
    pub fn of_topic(image: &Metadata, id: TopicId, topic: &Topic, node: NodeId) -> Kind {
        match id {
            TopicId::CONSUMER_OFFSETS => Kind::Group,
            _ => Kind::Records(image.topic_config(topic, node)),
        }
    }
}

/// Why a resident cannot start from what the disk has of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstartable {
    /// Its state cannot be read.
    #[error(transparent)]
    State(#[from] Undecodable),
    /// What is there of its log contradicts itself.
    #[error(transparent)]
    Replica(#[from] StartFault),
}
