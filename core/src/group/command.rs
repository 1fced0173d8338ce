//! What the coordinator replicates, and its shapes. All are of the second feature level.
//!
//! A generation is told by what it changes: of a large group that rebalances, who subscribes as before is not said again.
//!
//! Numbers 96 to 111 are of the classic protocol and of offsets, 112 to 127 of KIP-848.

use super::generation::{Generation, Member};
use super::sharing::Changed;
use crate::codec::{Broken, Kind, Reading, SECOND, Shape, Writing};
use crate::ids::TopicId;

/// A change of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Offsets are committed; a group that was not there is.
    OffsetsCommitted {
        /// By which group.
        group: String,
        /// How many replicas the metadata had ever placed, as its coordinator knew.
        seen: u64,
        /// What.
        commits: Vec<Commit>,
    },
    /// Committed offsets are gone: deleted, expired, or their topic is.
    OffsetsRemoved {
        /// Of which group.
        group: String,
        /// Of which partitions.
        partitions: Vec<(TopicId, i32)>,
    },
    /// A group is gone, with all that is its.
    GroupRemoved {
        /// Which.
        group: String,
    },
    /// A classic group has a new generation; a group that was not there is. Without members it is empty.
    GenerationBegan {
        /// Which group.
        group: String,
        /// What all of its members agree on.
        generation: Generation,
        /// Members that are new, or say something else than before.
        joined: Vec<(String, Member)>,
        /// Members that are no more.
        left: Vec<String>,
    },
    /// The members of a generation know who gets what.
    Assigned {
        /// Which group.
        group: String,
        /// Which generation of it.
        generation: i32,
        /// What each gets.
        assignments: Vec<(String, Vec<u8>)>,
    },
    /// Members are gone before the next generation.
    MembersLeft {
        /// Of which group.
        group: String,
        /// Who.
        members: Vec<String>,
    },
    /// A static member has come again, under another id (KIP-345).
    MemberReplaced {
        /// Of which group.
        group: String,
        /// By which id it went.
        old: String,
        /// By which it goes.
        new: String,
        /// All about it.
        member: Member,
    },
    /// A consumer group is another; a group that was not there is.
    ConsumerChanged {
        /// Which group.
        group: String,
        /// What is changed of it.
        changed: Changed,
    },
}

/// What is committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Commit {
    /// Its topic.
    pub topic: TopicId,
    /// Its number.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The leader epoch of the last record read; -1 where none was said.
    pub epoch: i32,
    /// What the client says besides.
    pub metadata: String,
    /// How long it is kept, if the client says so.
    pub retention_ms: Option<i64>,
}

const OFFSETS_COMMITTED: u8 = 96;
const OFFSETS_REMOVED: u8 = 97;
const GROUP_REMOVED: u8 = 98;
const GENERATION_BEGAN: u8 = 99;
const ASSIGNED: u8 = 100;
const MEMBERS_LEFT: u8 = 101;
const MEMBER_REPLACED: u8 = 102;
const CONSUMER_CHANGED: u8 = 112;

impl Shape for Command {
    const WHAT: &'static str = "groups' command";
    const KINDS: &'static [Kind] = &[
        Kind::new(OFFSETS_COMMITTED, "OffsetsCommitted", SECOND),
        Kind::new(OFFSETS_REMOVED, "OffsetsRemoved", SECOND),
        Kind::new(GROUP_REMOVED, "GroupRemoved", SECOND),
        Kind::new(GENERATION_BEGAN, "GenerationBegan", SECOND),
        Kind::new(ASSIGNED, "Assigned", SECOND),
        Kind::new(MEMBERS_LEFT, "MembersLeft", SECOND),
        Kind::new(MEMBER_REPLACED, "MemberReplaced", SECOND),
        Kind::new(CONSUMER_CHANGED, "ConsumerChanged", SECOND),
    ];

    fn kind(&self) -> u8 {
        match self {
            Command::OffsetsCommitted { .. } => OFFSETS_COMMITTED,
            Command::OffsetsRemoved { .. } => OFFSETS_REMOVED,
            Command::GroupRemoved { .. } => GROUP_REMOVED,
            Command::GenerationBegan { .. } => GENERATION_BEGAN,
            Command::Assigned { .. } => ASSIGNED,
            Command::MembersLeft { .. } => MEMBERS_LEFT,
            Command::MemberReplaced { .. } => MEMBER_REPLACED,
            Command::ConsumerChanged { .. } => CONSUMER_CHANGED,
        }
    }

    fn write(&self, _version: u8, to: &mut Writing<'_>) {
        match self {
            Command::OffsetsCommitted { group, seen, commits } => {
                to.put(group);
                to.put(seen);
                to.put(commits);
            }
            Command::OffsetsRemoved { group, partitions } => {
                to.put(group);
                to.put(partitions);
            }
            Command::GroupRemoved { group } => to.put(group),
            Command::GenerationBegan { group, generation, joined, left } => {
                to.put(group);
                to.put(generation);
                to.put(joined);
                to.put(left);
            }
            Command::Assigned { group, generation, assignments } => {
                to.put(group);
                to.put(generation);
                to.put(assignments);
            }
            Command::MembersLeft { group, members } => {
                to.put(group);
                to.put(members);
            }
            Command::MemberReplaced { group, old, new, member } => {
                to.put(group);
                to.put(old);
                to.put(new);
                to.put(member);
            }
            Command::ConsumerChanged { group, changed } => {
                to.put(group);
                to.put(changed);
            }
        }
    }

    fn read(kind: u8, _version: u8, from: &mut Reading<'_>) -> Result<Command, Broken> {
        let group = from.take()?;
        Ok(match kind {
            OFFSETS_COMMITTED => {
                Command::OffsetsCommitted { group, seen: from.take()?, commits: from.take()? }
            }
            OFFSETS_REMOVED => Command::OffsetsRemoved { group, partitions: from.take()? },
            GROUP_REMOVED => Command::GroupRemoved { group },
            GENERATION_BEGAN => Command::GenerationBegan {
                group,
                generation: from.take()?,
                joined: from.take()?,
                left: from.take()?,
            },
            ASSIGNED => Command::Assigned { group, generation: from.take()?, assignments: from.take()? },
            MEMBERS_LEFT => Command::MembersLeft { group, members: from.take()? },
            MEMBER_REPLACED => {
                Command::MemberReplaced { group, old: from.take()?, new: from.take()?, member: from.take()? }
            }
            CONSUMER_CHANGED => Command::ConsumerChanged { group, changed: from.take()? },
            _ => return Err(Broken::Unread),
        })
    }
}
