//! What is replicated of a consumer group: its epochs, and of each member what it subscribes to, what it is to have and
//! what it has. One command tells what of that has changed.
//!
//! ```text
//! epoch              rises whenever somebody comes, goes, or subscribes to something else, and when a topic of theirs changes
//! assignment_epoch   the epoch that the members' targets are for: behind while they are being worked out
//! a member's epoch   the one whose target it has walked to (`reconcile`)
//! ```
//! - Invariant: assignment_epoch <= epoch, and neither falls.
//! - Invariant: a change carries a mark that none carried before: what a coordinator has worked out about a group stands
//!   as long as the group has that mark.

use super::partitions::Partitions;
use super::reconcile::Current;
use crate::entry::Stamp;
use crate::now::Wall;

/// A consumer group, besides its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Consumer {
    /// Counts what could change who is to have what.
    pub epoch: i32,
    /// For which epoch the targets are.
    pub assignment_epoch: i32,
    /// A hash of the topics that are subscribed to, with their ids and sizes, as of `epoch`.
    pub topics: u64,
    /// When there were new targets last, by the log's clock; zero if nobody was there since.
    pub assigned_at: Wall,
    /// How many members there are.
    pub members: u32,
    /// When that changed last: since when it is empty, if it is.
    pub since: Wall,
    /// Of the last change.
    pub mark: u64,
}

/// A member of a consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Member {
    /// What it says of itself.
    pub about: About,
    /// What it has.
    pub current: Current,
    /// What it is to have.
    pub target: Partitions,
}

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct About {
    /// What it is called by whoever runs it, if it is a static member.
    pub instance: Option<String>,
    /// Where it stands. Assignors pass over it.
    pub rack: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// How long it may take to let go of something.
    pub rebalance_timeout_ms: i32,
    /// Topics that it subscribes to by name, in order.
    pub names: Vec<String>,
    /// A regular expression for others; empty is none.
    pub pattern: String,
    /// The assignor that it would like.
    pub assignor: Option<String>,
    /// If it speaks the classic protocol, what it says in that.
    pub classic: Option<Spoken>,
}

/// What a member says in the classic protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Spoken {
    /// How long it may be silent.
    pub session_timeout_ms: i32,
    /// Ways to choose who gets what that it knows, its favourite first, with what it says of itself to each.
    pub protocols: Vec<(String, Vec<u8>)>,
}

/// What is changed of a consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Changed {
    /// Never carried before.
    pub mark: u64,
    /// How many replicas the metadata had ever placed, as its coordinator knew.
    pub seen: u64,
    /// The group's epoch from now on.
    pub epoch: i32,
    /// The targets' epoch from now on.
    pub assignment_epoch: i32,
    /// The hash of its topics.
    pub topics: u64,
    /// Members that come, or of which something changes.
    pub members: Vec<(String, MemberChanged)>,
    /// Members that go.
    pub left: Vec<String>,
}

/// What is changed of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct MemberChanged {
    /// What it says of itself.
    pub about: Option<About>,
    /// What it has.
    pub current: Option<Current>,
    /// What it is to have.
    pub target: Option<Partitions>,
}

impl Consumer {
    /// The group after a change that leaves it so many members.
    pub fn changed(&self, at: Stamp, change: &Changed, members: u32) -> Consumer {
        let is_assigned = change.assignment_epoch > self.assignment_epoch;
        Consumer {
            epoch: change.epoch,
            assignment_epoch: change.assignment_epoch,
            topics: change.topics,
            assigned_at: match members {
                0 => Wall(0),
                _ if is_assigned => at.wall,
                _ => self.assigned_at,
            },
            members,
            since: if members == self.members { self.since } else { at.wall },
            mark: change.mark,
        }
    }
}

impl Member {
    /// The member after a change.
    pub fn changed(&self, change: &MemberChanged) -> Member {
        let MemberChanged { about, current, target } = change;
        Member {
            about: about.as_ref().unwrap_or(&self.about).clone(),
            current: current.as_ref().unwrap_or(&self.current).clone(),
            target: target.as_ref().unwrap_or(&self.target).clone(),
        }
    }
}
