//! What the coordinator is asked and answers, after `api` has looked at what can be judged without it. It never leaves its
//! node: whoever is asked and is no coordinator says so, and the client finds the one that is.

use super::command::Commit;
use super::sharing::{Assignor, Partitions};
use super::state::Committed;
use crate::ids::TopicId;
use rust_mq_proto::kafka::ErrorCode;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Be a member of the next generation.
    Join(Box<Join>),
    /// Hear, or say, who gets what.
    Sync(Box<Sync>),
    /// I am here still.
    Heartbeat(Who),
    /// A member of a consumer group is here, or comes, or goes.
    Beat(Box<Beat>),
    /// All about a consumer group.
    DescribeConsumers {
        /// Which.
        group: String,
    },
    /// These are members no more.
    Leave {
        /// Of which group.
        group: String,
        /// Who.
        members: Vec<Leaving>,
    },
    /// Commit offsets.
    Commit {
        /// Who.
        who: Who,
        /// Whether the asker knows GROUP_ID_NOT_FOUND (OffsetCommit 9).
        knows_groups: bool,
        /// What: no more than one for a partition.
        commits: Vec<Commit>,
    },
    /// What was committed.
    Fetch {
        /// By which group.
        group: String,
        /// As which member, at which epoch, if as any.
        member: Option<(String, i32)>,
        /// For which partitions: all, or these.
        partitions: Option<Vec<(TopicId, i32)>>,
    },
    /// Forget what was committed.
    DeleteOffsets {
        /// By which group.
        group: String,
        /// For which partitions, each with its topic's name.
        partitions: Vec<(String, TopicId, i32)>,
    },
    /// Delete a group that nobody is in.
    Delete {
        /// Which.
        group: String,
    },
    /// All about a group.
    Describe {
        /// Which.
        group: String,
    },
    /// All groups here.
    List,
}

impl Request {
    /// Which group it is about, if about one.
    pub fn group(&self) -> Option<&str> {
        Some(match self {
            Request::Join(join) => &join.group,
            Request::Sync(sync) => &sync.who.group,
            Request::Beat(beat) => &beat.group,
            Request::Heartbeat(who) | Request::Commit { who, .. } => &who.group,
            Request::DescribeConsumers { group }
            | Request::Leave { group, .. }
            | Request::Fetch { group, .. }
            | Request::DeleteOffsets { group, .. }
            | Request::Delete { group }
            | Request::Describe { group } => group,
            Request::List => return None,
        })
    }
}

/// A member, as it says who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// Of which group.
    pub group: String,
    /// In which generation it thinks the group is; -1 is none.
    pub generation: i32,
    /// Its id; empty if it has none.
    pub member: String,
    /// What it is called by whoever runs it, if it is a static member.
    pub instance: Option<String>,
}

/// A member that wants to join.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// Which group, as who.
    pub group: String,
    /// Its id; empty if it has none.
    pub member: String,
    /// All about it.
    pub about: super::generation::Member,
    /// Which kind of client it is.
    pub protocol_type: String,
    /// Whether it is given an id first, and is to come again with it (JoinGroup 4).
    pub comes_twice: bool,
    /// Whether it can be told that nothing is to be assigned (JoinGroup 9, KIP-814).
    pub may_skip_assignment: bool,
}

/// A member that wants to know, or says, who gets what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sync {
    /// Who.
    pub who: Who,
    /// Which kind of client it thinks all are, if it says so (SyncGroup 5).
    pub protocol_type: Option<String>,
    /// How it thinks they choose, if it says so.
    pub protocol: Option<String>,
    /// By member, from the one that chooses.
    pub assignments: Vec<(String, Vec<u8>)>,
}

/// What a member of a consumer group says. What is not said is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Of which group.
    pub group: String,
    /// Its id.
    pub member: String,
    /// Its epoch; 0 joins, -1 leaves, -2 leaves and will be back.
    pub epoch: i32,
    /// What it is called by whoever runs it, if it is a static member.
    pub instance: Option<String>,
    /// Where it stands.
    pub rack: Option<String>,
    /// How long it may take to let go of something.
    pub rebalance_timeout_ms: Option<i32>,
    /// Topics that it subscribes to.
    pub names: Option<Vec<String>>,
    /// A regular expression for others.
    pub pattern: Option<String>,
    /// The assignor that it would like.
    pub assignor: Option<String>,
    /// What it has.
    pub owned: Option<Partitions>,
    /// Whether it says all there is to say.
    pub is_full: bool,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
}

/// A member that is to be one no more, by its id or, if that is empty, its instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Its id.
    pub member: String,
    /// What it is called by whoever runs it.
    pub instance: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a join.
    Joined(Result<Box<Joined>, Refused>),
    /// To a sync.
    Synced(Result<Box<Synced>, ErrorCode>),
    /// To a heartbeat, a commit or a deletion.
    Done(ErrorCode),
    /// To a member of a consumer group.
    Beaten(Result<Box<Beaten>, Refusal>),
    /// To a description of a consumer group.
    ConsumersDescribed(Option<Box<ConsumerDescription>>),
    /// To members that leave: as a whole, or each.
    Left(Result<Vec<ErrorCode>, ErrorCode>),
    /// To a fetch: what there is.
    Offsets(Result<Vec<(TopicId, i32, Committed)>, ErrorCode>),
    /// To a deletion of offsets: as a whole, or each.
    OffsetsDeleted(Result<Vec<ErrorCode>, ErrorCode>),
    /// To a description.
    Described(Option<Box<Description>>),
    /// To a listing.
    Listed(Vec<Listed>),
    /// This is no coordinator, or was not when it could have said.
    NotCoordinator,
}

/// A member of a new generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// Its id.
    pub member: String,
    /// Which generation.
    pub generation: i32,
    /// Which kind of client all are.
    pub protocol_type: String,
    /// How they choose who gets what.
    pub protocol: String,
    /// Who chooses.
    pub leader: String,
    /// Whether nothing is to be chosen.
    pub skip_assignment: bool,
    /// To who chooses: all members, with their instance and what they subscribe to.
    pub members: Vec<(String, Option<String>, Vec<u8>)>,
}

/// What a member of a consumer group is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beaten {
    /// Its id.
    pub member: String,
    /// Its epoch.
    pub epoch: i32,
    /// When it is to be heard again.
    pub heartbeat_ms: i32,
    /// What it may read, if that is another than before.
    pub assigned: Option<Partitions>,
}

/// Why a member of a consumer group is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Kafka's code.
    pub code: ErrorCode,
    /// In words.
    pub why: String,
}

/// All about a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerDescription {
    /// What it is doing, as Kafka calls it.
    pub state: &'static str,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch that its targets are for.
    pub assignment_epoch: i32,
    /// Who says who gets what.
    pub assignor: Assignor,
    /// Its members, by id.
    pub members: Vec<(String, super::sharing::Member)>,
}

/// Why somebody may not join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Kafka's code.
    pub code: ErrorCode,
    /// The id to come again with, or the one that it came with.
    pub member: String,
}

/// What a member gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// Which kind of client all are.
    pub protocol_type: String,
    /// How they chose.
    pub protocol: String,
    /// What it gets.
    pub assignment: Vec<u8>,
}

/// What a group is doing (Kafka's names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nobody is in it.
    Empty,
    /// Members join.
    PreparingRebalance,
    /// The members' leader is to say who gets what.
    CompletingRebalance,
    /// Everybody knows what he gets.
    Stable,
}

impl Phase {
    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Empty => "Empty",
            Phase::PreparingRebalance => "PreparingRebalance",
            Phase::CompletingRebalance => "CompletingRebalance",
            Phase::Stable => "Stable",
        }
    }
}

/// A group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub group: String,
    /// Which kind of client its members are; empty if nobody has ever joined.
    pub protocol_type: String,
    /// What it is doing, as Kafka calls it.
    pub state: &'static str,
    /// Whether it is a consumer group.
    pub is_of_consumers: bool,
}

/// All about a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is doing.
    pub phase: Phase,
    /// Which kind of client its members are; empty if nobody has ever joined.
    pub protocol_type: String,
    /// How its members choose, where that is settled.
    pub protocol: String,
    /// Its members.
    pub members: Vec<Described>,
}

/// All about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub member: String,
    /// What it is called by whoever runs it, if it is a static member.
    pub instance: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it is.
    pub client_host: String,
    /// What it subscribes to, where it is settled how they choose.
    pub metadata: Vec<u8>,
    /// What it was assigned, where that is settled.
    pub assignment: Vec<u8>,
}
