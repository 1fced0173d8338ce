//! Replicas that the disk knows and that do not run: the image does not name them yet, or never will again, or their
//! disk has lost what they had promised. Checkpoints go on naming them as the disk had them.
//!
//! Invariant: a replica is here or among the residents, never both.

use crate::ids::{ReplicaId, TopicId};
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

    /// Their topic is gone.
    pub fn forget(&mut self, topic: TopicId) -> Vec<ReplicaId> {
        self.known.extract_if(.., |_, known| known.of.topic == topic).map(|(replica, _)| replica).collect()
    }

    /// The topics that they are of.
    pub fn topics(&self) -> impl Iterator<Item = TopicId> + '_ {
        self.known.values().map(|known| known.of.topic)
    }

    /// Their parts of a checkpoint.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.known.values().map(|known| Part {
            replica: known.replica,
            members: known.members.clone(),
            applied: known.applied,
            applied_term: known.applied_term,
            state: known.state.clone(),
            entries: known.entries.clone(),
        })
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
        assert_eq!(unclaimed.parts().map(|part| part.replica).collect::<Vec<_>>(), [ReplicaId(4)]);
        assert_eq!(unclaimed.topics().collect::<Vec<_>>(), [TopicId([9; 16])]);
    }
}
