//! Replicas that the disk knows and that do not run: the image does not name them yet, or never will again, or their
//! disk has lost what they had promised. Checkpoints go on naming them as the disk had them.
//!
//! Invariant: a replica is here or among the residents, never both.

use crate::ids::{ReplicaId, TopicId};
use crate::paged::Folded;
use crate::resident::Frozen;
use crate::storage::{Part, RecoveredReplica};
use std::collections::BTreeMap;

/// The replicas.
#[derive(Default)]
pub(super) struct Unclaimed {
    known: BTreeMap<ReplicaId, RecoveredReplica>,
}

impl Unclaimed {
    /// The disk knows these.
    pub fn add(&mut self, known: impl IntoIterator<Item = RecoveredReplica>) {
        self.known.extend(known.into_iter().map(|known| (known.replica, known)));
    }

    /// One of them is to run.
    pub fn claim(&mut self, replica: ReplicaId) -> Option<RecoveredReplica> {
        self.known.remove(&replica)
    }

    /// One of them is to run once its state was read: one in pages stays here until it was, for that may take several
    /// turns, and a checkpoint names it meanwhile as the disk had it.
    pub fn read(&mut self, replica: ReplicaId) -> Option<RecoveredReplica> {
        match self.known.get(&replica)?.state {
            Folded::Pages { .. } => self.known.get(&replica).cloned(),
            Folded::Whole(_) => self.claim(replica),
        }
    }

    /// Their topic is gone.
    pub fn forget(&mut self, topic: TopicId) -> Vec<ReplicaId> {
        self.known.extract_if(.., |_, known| known.of.topic == topic).map(|(replica, _)| replica).collect()
    }

    /// The topics that they are of.
    pub fn topics(&self) -> impl Iterator<Item = TopicId> + '_ {
        self.known.values().map(|known| known.of.topic)
    }

    /// All of them, by id.
    pub fn ids(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.known.keys().copied()
    }

    /// Its part of a checkpoint, and its state, as the disk had them.
    pub fn part(&self, replica: ReplicaId) -> Option<(Part, Frozen)> {
        let known = self.known.get(&replica)?;
        let state = Frozen::Known(known.state.clone());
        let part = Part {
            replica,
            members: known.members.clone(),
            applied: known.applied,
            applied_term: known.applied_term,
            state: state.part(0),
            entries: known.entries.clone(),
        };
        Some((part, state))
    }

    /// All of them.
    #[cfg(feature = "simulation")]
    pub fn iter(&self) -> impl Iterator<Item = &RecoveredReplica> {
        self.known.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Members;
    use crate::ids::{PartitionId, TopicPartition};
    use crate::resident::unborn;

    fn replica(id: u64, topic: u8) -> RecoveredReplica {
        let of = TopicPartition { topic: TopicId([topic; 16]), partition: PartitionId(0) };
        unborn(ReplicaId(id), of, Members::default())
    }

    #[test]
    fn what_is_claimed_or_forgotten_is_in_no_checkpoint_any_more() {
        let mut unclaimed = Unclaimed::default();
        unclaimed.add([replica(1, 7), replica(2, 8), replica(3, 8), replica(4, 9)]);
        assert_eq!(unclaimed.claim(ReplicaId(1)).map(|known| known.replica), Some(ReplicaId(1)));
        assert_eq!(unclaimed.claim(ReplicaId(1)), None);
        assert_eq!(unclaimed.forget(TopicId([8; 16])), [ReplicaId(2), ReplicaId(3)]);
        assert_eq!(unclaimed.ids().collect::<Vec<_>>(), [ReplicaId(4)]);
        assert_eq!(unclaimed.topics().collect::<Vec<_>>(), [TopicId([9; 16])]);
    }
}
