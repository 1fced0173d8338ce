//! What the metadata machine replicates, and its shapes. A new kind of command, or a new version of one, raises the
//! feature level; a node that meets one it does not know stops rather than skip it.

use super::Placed;
use super::registered::Registered;
use crate::codec::{Broken, Kind, Reading, SECOND, Shape, Writing};
use crate::ids::{NodeId, TopicId};
use crate::level::Level;
use crate::settings::{Holder, Settings};
use std::collections::BTreeMap;

/// A change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A topic exists, its replicas placed.
    TopicCreated {
        /// Its id, never used before.
        id: TopicId,
        /// All about it.
        topic: TopicBirth,
    },
    /// A topic is gone; its replicas stop and their files go.
    TopicDeleted {
        /// Which.
        id: TopicId,
    },
    /// Producer ids below `next` are handed out.
    ProducerIdsTaken {
        /// The first id that is still free.
        next: i64,
    },
    /// The topic of a machine exists, with the id that is reserved for it.
    MachineTopicCreated {
        /// Its id.
        id: TopicId,
        /// All about it.
        topic: TopicBirth,
    },
    /// From here on what is written from that feature level on may be proposed.
    LevelRaised {
        /// The level.
        to: Level,
    },
    /// Somebody has these settings now, and no others.
    Configured {
        /// Who.
        of: Holder,
        /// All of them.
        settings: Settings,
    },
    /// A topic has these partitions too, behind those that it had.
    PartitionsAdded {
        /// Which.
        id: TopicId,
        /// By number, from the first that is new on, the members that each is born with.
        partitions: Vec<Vec<Placed>>,
    },
    /// A node says of itself what is so now.
    NodeRegistered {
        /// Which.
        node: NodeId,
        /// All about it.
        registered: Registered,
    },
}

/// A topic as it is made.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct TopicBirth {
    /// Its name.
    pub name: String,
    /// By number, the members that each partition is born with; the first is the preferred leader.
    pub partitions: Vec<Vec<Placed>>,
    /// What its creator set, by Kafka's names; the rest is default.
    pub configs: BTreeMap<String, String>,
}

const TOPIC_CREATED: u8 = 16;
const TOPIC_DELETED: u8 = 17;
const PRODUCER_IDS_TAKEN: u8 = 18;
const LEVEL_RAISED: u8 = 19;
const NODE_REGISTERED: u8 = 20;
const MACHINE_TOPIC_CREATED: u8 = 21;
const CONFIGURED: u8 = 22;
const PARTITIONS_ADDED: u8 = 23;

impl Shape for Command {
    const WHAT: &'static str = "metadata command";
    const KINDS: &'static [Kind] = &[
        Kind::first(TOPIC_CREATED, "TopicCreated"),
        Kind::first(TOPIC_DELETED, "TopicDeleted"),
        Kind::first(PRODUCER_IDS_TAKEN, "ProducerIdsTaken"),
        Kind::first(LEVEL_RAISED, "LevelRaised"),
        Kind::first(NODE_REGISTERED, "NodeRegistered"),
        Kind::new(MACHINE_TOPIC_CREATED, "MachineTopicCreated", SECOND),
        Kind::new(CONFIGURED, "Configured", SECOND),
        Kind::new(PARTITIONS_ADDED, "PartitionsAdded", SECOND),
    ];

    fn kind(&self) -> u8 {
        match self {
            Command::TopicCreated { .. } => TOPIC_CREATED,
            Command::TopicDeleted { .. } => TOPIC_DELETED,
            Command::ProducerIdsTaken { .. } => PRODUCER_IDS_TAKEN,
            Command::LevelRaised { .. } => LEVEL_RAISED,
            Command::NodeRegistered { .. } => NODE_REGISTERED,
            Command::MachineTopicCreated { .. } => MACHINE_TOPIC_CREATED,
            Command::Configured { .. } => CONFIGURED,
            Command::PartitionsAdded { .. } => PARTITIONS_ADDED,
        }
    }

    fn write(&self, _version: u8, to: &mut Writing<'_>) {
        match self {
            Command::TopicCreated { id, topic } | Command::MachineTopicCreated { id, topic } => {
                to.put(id);
                to.put(topic);
            }
            Command::TopicDeleted { id } => to.put(id),
            Command::ProducerIdsTaken { next } => to.put(next),
            Command::LevelRaised { to: level } => to.put(level),
            Command::Configured { of, settings } => {
                to.put(of);
                to.put(settings);
            }
            Command::PartitionsAdded { id, partitions } => {
                to.put(id);
                to.put(partitions);
            }
            Command::NodeRegistered { node, registered } => {
                to.put(node);
                to.put(registered);
            }
        }
    }

    fn read(kind: u8, _version: u8, from: &mut Reading<'_>) -> Result<Command, Broken> {
        Ok(match kind {
            TOPIC_CREATED => Command::TopicCreated { id: from.take()?, topic: from.take()? },
            MACHINE_TOPIC_CREATED => Command::MachineTopicCreated { id: from.take()?, topic: from.take()? },
            TOPIC_DELETED => Command::TopicDeleted { id: from.take()? },
            PRODUCER_IDS_TAKEN => Command::ProducerIdsTaken { next: from.take()? },
            LEVEL_RAISED => Command::LevelRaised { to: from.take()? },
            PARTITIONS_ADDED => Command::PartitionsAdded { id: from.take()?, partitions: from.take()? },
            CONFIGURED => Command::Configured { of: from.take()?, settings: from.take()? },
            NODE_REGISTERED => Command::NodeRegistered { node: from.take()?, registered: from.take()? },
            _ => return Err(Broken::Unread),
        })
    }
}
