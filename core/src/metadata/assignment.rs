//! Where a partition's replicas are: the members that it was born with, and those that it is to have.
//!
//! They are not the same once a replica has moved. A log begins with its birth members: only they may start by
//! themselves, count for a majority and elect. Whoever is added later starts with no members and learns them from the
//! log: if it took the target for them, those who came later could elect among themselves, beside the old ones.
//!
//! Invariant: birth members are numbered one after the other, as their one decision numbered them, and never change.

use crate::entry::Members;
use crate::ids::{NodeId, ReplicaId};

/// A replica and the node it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Placed {
    /// Which replica.
    pub replica: ReplicaId,
    /// Where.
    pub node: NodeId,
}

/// A partition's replicas.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Assignment {
    birth: Birth,
    target: Vec<Placed>,
}

/// The members that a partition was born with: so many, numbered from the first on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
struct Birth {
    first: ReplicaId,
    count: u32,
}

impl Assignment {
    /// A partition that is born: where it is, is where it is to be. `None` if its replicas are not numbered one after
    /// the other, or there are none.
    pub fn born(placed: &[Placed]) -> Option<Assignment> {
        let first = placed.first()?.replica;
        let is_next = |(at, placed): (u64, &Placed)| first.0.checked_add(at) == Some(placed.replica.0);
        let are_numbered = (0..).zip(placed).all(is_next);
        let birth = Birth { first, count: u32::try_from(placed.len()).ok()? };
        are_numbered.then(|| Assignment { birth, target: placed.to_vec() })
    }

    /// Where its replicas are to be; the first is the preferred leader.
    pub fn target(&self) -> &[Placed] {
        &self.target
    }

    /// The replica that a node is to have.
    pub fn on(&self, node: NodeId) -> Option<ReplicaId> {
        self.target.iter().find(|placed| placed.node == node).map(|placed| placed.replica)
    }

    /// The node that a replica is to be on.
    pub fn node_of(&self, replica: ReplicaId) -> Option<NodeId> {
        self.target.iter().find(|placed| placed.replica == replica).map(|placed| placed.node)
    }

    /// The members that a replica starts with of which the disk knows nothing: all that were born together, if it is
    /// one of them, and otherwise none.
    pub fn members_at_start(&self, replica: ReplicaId) -> Members {
        let Birth { first, count } = self.birth;
        let born = first.0..first.0.saturating_add(u64::from(count));
        let voters = if born.contains(&replica.0) { born.map(ReplicaId).collect() } else { Vec::new() };
        Members { voters, learners: Vec::new() }
    }

    /// The first number that no replica of the partition has had.
    pub(super) fn next_replica(&self) -> u64 {
        let highest = self.target.iter().map(|placed| placed.replica.0).max().unwrap_or(0);
        highest.max(self.birth.first.0.saturating_add(u64::from(self.birth.count)).saturating_sub(1)) + 1
    }

    /// Whether it can be: somebody was born, and no number is out of bounds.
    pub(super) fn is_sound(&self) -> bool {
        let Birth { first, count } = self.birth;
        first != ReplicaId::NOBODY && first <= ReplicaId::MAX && count > 0 && !self.target.is_empty()
    }

    /// The same partition, to be elsewhere.
    #[cfg(test)]
    pub fn moved(&self, target: Vec<Placed>) -> Assignment {
        Assignment { target, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(replica: u64, node: i32) -> Placed {
        Placed { replica: ReplicaId(replica), node: NodeId(node) }
    }

    #[test]
    fn only_who_was_born_with_a_partition_starts_with_members() {
        let born = Assignment::born(&[placed(7, 1), placed(8, 2), placed(9, 3)]).expect("numbered in a row");
        let all = [ReplicaId(7), ReplicaId(8), ReplicaId(9)];
        let moved = born.moved(vec![placed(7, 1), placed(20, 4), placed(21, 5)]);
        for assignment in [&born, &moved] {
            assert_eq!(assignment.members_at_start(ReplicaId(7)).voters, all);
            assert_eq!(assignment.members_at_start(ReplicaId(9)).voters, all, "though it is to go");
            for later in [20, 21, 6, 10] {
                assert_eq!(assignment.members_at_start(ReplicaId(later)), Members::default());
            }
        }
        // They would be two of the three that are to be: a majority that knows nothing of the log.
        assert_eq!(moved.on(NodeId(4)), Some(ReplicaId(20)));
        assert_eq!((born.next_replica(), moved.next_replica()), (10, 22));
    }

    #[test]
    fn what_was_not_numbered_in_one_go_was_not_born_together() {
        assert_eq!(Assignment::born(&[]), None);
        assert_eq!(Assignment::born(&[placed(7, 1), placed(9, 2)]), None);
        assert_eq!(Assignment::born(&[placed(8, 1), placed(7, 2)]), None);
        assert_eq!(Assignment::born(&[placed(u64::MAX, 1), placed(0, 2)]), None);
    }
}
