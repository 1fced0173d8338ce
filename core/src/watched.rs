//! What those who watch a node are told of it: numbers and states, as data. Names, units and text are made outside.
//!
//! A node counts as it goes, and is asked by `Question::Metrics` for so little at a time (`Wanted`) that an answer is a
//! step of a turn however many partitions and groups there are: a piece holds at most `limits::WATCHED_PIECE` of them, and
//! says where the next one begins. What changes between two pieces may be told twice or not at all; nobody is told wrong
//! numbers.
//!
//! - Invariant: what is counted only rises while a node runs, and begins at 0 with it.
//! - Invariant: a partition's and a group's numbers are told by the node that leads it, and no other: summed over all nodes
//!   each counts once. A replica says besides, wherever it is, what went through it and what it takes.
//!
//! Not here: when something is counted (the rooms that do it), who may ask (the driver).

use crate::ids::{ClusterId, NodeId, PartitionId, ReplicaId, Term, TopicId};
use crate::level::Level;
use crate::link::Address;
use serde::{Deserialize, Serialize};

/// Bounds that durations are counted by, the last of which is none.
pub const DURATION_BUCKETS: usize = 22;
/// The first bound is 2 to the power of this, nanoseconds: 16 us. Each is twice the one before; the last is 17 s.
const FIRST_BOUND_BITS: u32 = 14;

/// How long things took: how many of them up to each bound, and all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durations {
    counts: [u64; DURATION_BUCKETS],
    sum_ns: u64,
}

impl Durations {
    /// One more, of so many nanoseconds.
    pub fn add(&mut self, ns: u64) {
        let above = u64::BITS - (ns.saturating_sub(1) >> FIRST_BOUND_BITS).leading_zeros();
        self.counts[(above as usize).min(DURATION_BUCKETS - 1)] += 1;
        self.sum_ns = self.sum_ns.wrapping_add(ns);
    }

    /// Each bound, nanoseconds, and how many took longer than the one before it and no longer than it; the last has none.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        self.counts.iter().enumerate().map(|(place, count)| {
            let bound = (place + 1 < DURATION_BUCKETS).then(|| 1 << (FIRST_BOUND_BITS as usize + place));
            (bound, *count)
        })
    }

    /// All together, nanoseconds.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// The node as a whole.
    Node,
    /// The next replicas of user data here.
    Partitions {
        /// The last one of the piece before.
        after: Option<ReplicaId>,
    },
    /// The next consumer groups that this node coordinates.
    Groups {
        /// Where the piece before ended.
        after: Option<GroupPlace>,
    },
}

/// Where a piece about groups ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPlace {
    /// In which partition of the topic of groups.
    pub partition: PartitionId,
    /// With which group.
    pub group: String,
    /// With which of its commits; none if all of it was told.
    pub commit: Option<(TopicId, i32)>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Metrics {
    /// The node as a whole.
    Node(Box<NodeMetrics>),
    /// Some of its replicas.
    Partitions(Piece<PartitionMetrics, ReplicaId>),
    /// Some of its groups.
    Groups(Piece<GroupMetrics, GroupPlace>),
}

/// Some of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece<T, Place> {
    /// They, in order.
    pub told: Vec<T>,
    /// After what to go on; none at the end.
    pub next: Option<Place>,
}

/// A node as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeMetrics {
    /// Its cluster, once it has one.
    pub cluster: Option<ClusterId>,
    /// The cluster's feature level, once that is known.
    pub level: Option<Level>,
    /// Whether clients are served.
    pub is_serving: bool,
    /// Who leads the metadata, as far as it knows.
    pub controller: Option<NodeId>,
    /// All nodes of the cluster.
    pub members: Vec<MemberMetrics>,
    /// Topics of users.
    pub topics: u64,
    /// Their partitions.
    pub partitions: u64,
    /// Replicas of users' partitions that run here.
    pub replicas: u64,
    /// Those that are to run and do not yet.
    pub starting: u64,
    /// What clients do.
    pub clients: ClientMetrics,
    /// What that takes of the memory there is for it.
    pub budget: BudgetMetrics,
    /// How long requests took from the turn that took them up to the one that answered them, by Kafka's number of their
    /// API.
    pub requests: Vec<(i16, Durations)>,
    /// What the replicas here did.
    pub raft: RaftMetrics,
    /// What its disk does.
    pub disk: DiskMetrics,
}

/// One of the cluster's nodes, as another sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberMetrics {
    /// Which.
    pub node: NodeId,
    /// Where its clients find it.
    pub address: Address,
    /// Whether it is there.
    pub is_up: bool,
}

/// What clients do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetrics {
    /// Links that are open: connections of Kafka's protocol, and calls of others.
    pub links: u64,
    /// Requests that wait for something.
    pub waiting: u64,
    /// Links that were ended because of what came on them.
    pub rejected: u64,
    /// Bytes that have come.
    pub received_bytes: u64,
    /// Bytes of answers that were handed out.
    pub sent_bytes: u64,
}

/// Memory for what clients make a node do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetMetrics {
    /// What there is.
    pub capacity_bytes: u64,
    /// What is charged, by purpose, in the order of `connection::PURPOSES`.
    pub used_bytes: [u64; 7],
    /// Links that wait for room now.
    pub starved: u64,
    /// How often a link has had to wait for it.
    pub refused: u64,
}

/// What the replicas of a node did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaftMetrics {
    /// How often one learnt of another leader or term, or lost its leader.
    pub leader_changes: u64,
    /// How often one was elected.
    pub elections_won: u64,
}

/// What a node's disk does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskMetrics {
    /// What is free, as of the last write.
    pub free_bytes: Option<u64>,
    /// Whether it has space for records.
    pub takes_records: bool,
    /// Whether it is slow or full, so that others had better lead.
    pub is_troubled: bool,
    /// Bytes of frames that the journal has written.
    pub journal_bytes: u64,
    /// How long each took until it was durable.
    pub frames: Durations,
    /// Checkpoints that became durable.
    pub checkpoints: u64,
}

/// A replica of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionMetrics {
    /// Its topic's name.
    pub topic: String,
    /// Its number.
    pub partition: PartitionId,
    /// Who leads it, if somebody does that is there.
    pub leader: Option<NodeId>,
    /// In which term.
    pub term: Term,
    /// What only its leader tells.
    pub led: Option<LedMetrics>,
    /// Bytes of its segments and of what is to be written to them.
    pub bytes: u64,
    /// What went through it since it runs here.
    pub traffic: Traffic,
}

/// A partition, as its leader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedMetrics {
    /// How many partitions its topic has.
    pub siblings: u32,
    /// Its first offset.
    pub log_start: i64,
    /// The offset after its last committed record.
    pub high_watermark: i64,
    /// Its replicas.
    pub replicas: u32,
    /// Those in sync.
    pub in_sync: u32,
    /// Whether the leader is the first of them.
    pub is_preferred: bool,
}

/// What went through a replica while it led.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Records that were taken.
    pub produced_records: u64,
    /// Bytes of their batches.
    pub produced_bytes: u64,
    /// Records that were given to clients.
    pub fetched_records: u64,
    /// Bytes of their batches.
    pub fetched_bytes: u64,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMetrics {
    /// Its id.
    pub id: String,
    /// How many share it.
    pub members: u32,
    /// What it has committed; more of the same group may follow.
    pub commits: Vec<CommitMetrics>,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitMetrics {
    /// The topic's name.
    pub topic: String,
    /// Which of its partitions.
    pub partition: PartitionId,
    /// The offset.
    pub offset: i64,
    /// The partition's high watermark, where the coordinator has a replica of it.
    pub end: Option<i64>,
}

/// Why a node is not to be asked for anything, or not for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unready {
    /// It reads its disk.
    Recovering,
    /// Its cluster is not founded, or has not taken it in.
    NoMember,
    /// Members turn it away.
    TurnedAway,
    /// Nobody leads the metadata, as far as it knows.
    NoController,
    /// It has not served anybody since its start.
    NotServing,
    /// Replicas of it have not started.
    Starting {
        /// How many.
        replicas: u64,
    },
    /// Its disk has no space for records.
    DiskFull,
    /// Its disk is slow.
    DiskSlow,
    /// It was asked to stop.
    Stopping,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_below_the_least_bound_that_it_does_not_exceed() {
        let mut durations = Durations::default();
        for ns in [0, 1, 1 << 14, (1 << 14) + 1, 1 << 15, 1 << 34, (1 << 34) + 1, u64::MAX] {
            durations.add(ns);
        }
        let counted: Vec<(Option<u64>, u64)> = durations.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(Some(1 << 14), 3), (Some(1 << 15), 2), (Some(1 << 34), 1), (None, 2)]);
        assert_eq!(durations.count(), 8);
        let bounds: Vec<Option<u64>> = durations.buckets().map(|(bound, _)| bound).collect();
        assert!(
            bounds.len() == DURATION_BUCKETS && bounds.is_sorted_by_key(|bound| bound.unwrap_or(u64::MAX))
        );
    }
}
