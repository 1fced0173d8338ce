//! How a resident begins, what of it goes into a checkpoint and a snapshot, and what remains of it on the disk.
//!
//! Invariant: what starts, starts from what the disk knows of it, at the index that its state is as of.

use super::kind::{Kind, Means, Unstartable};
use super::unfolding::Unfolding;
use super::{METADATA, Resident};
use crate::entry::{HardState, Members, Stamp};
use crate::group::Groups;
use crate::host::Host;
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use crate::metadata::Metadata;
use crate::now::Wall;
use crate::paged::Folded;
use crate::partition::{LogState, Partition};
use crate::peer::{Snapshot, SnapshotWanted};
use crate::replica::{Recovered, Replica, Settings, StartFault};
use crate::rng::Rng;
use crate::settings::TopicConfig;
use crate::storage::{Part, PartState, RecoveredReplica};
use bytes::Bytes;

/// The stamp that a cluster's founding has in the metadata log.
const FOUNDED: Stamp = Stamp { index: Index(1), term: Term(1), wall: Wall(0) };

/// What is known of a replica that the disk has never held.
pub fn unborn(replica: ReplicaId, of: TopicPartition, members: Members) -> RecoveredReplica {
    RecoveredReplica {
        replica,
        of,
        hard_state: HardState::default(),
        members,
        applied: Index(0),
        applied_term: Term(0),
        log_start: Offset(0),
        log_end_of_segments: Offset(0),
        state: Folded::default(),
        entries: Vec::new(),
    }
}

impl Resident {
    /// A resident as the disk has it, all at once.
    ///
    /// # Errors
    /// What is there cannot be read, or contradicts itself.
    pub fn start(
        kind: Kind,
        means: Means,
        settings: Settings,
        known: RecoveredReplica,
    ) -> Result<Resident, Unstartable> {
        let mut unfolding = Unfolding::begin(kind, means, known)?;
        while unfolding.take_page()? {}
        unfolding.finish(settings)
    }

    /// User data with this state.
    pub(super) fn of_records(
        config: TopicConfig,
        means: Means,
        settings: Settings,
        known: RecoveredReplica,
        log: LogState,
    ) -> Result<Resident, Unstartable> {
        let (of, applied) = (known.of, stamp(&known, log.wall));
        let replica = start_replica(settings, known, applied)?;
        let mut partition = Partition::new(of, config, replica, log, applied);
        partition.level_raised(means.level);
        Ok(Resident::Records(partition))
    }

    /// The metadata machine with this state, as of that time in its log.
    pub(super) fn of_machine(
        means: Means,
        settings: Settings,
        known: RecoveredReplica,
        (wall, state): (Wall, Metadata),
    ) -> Result<Resident, Unstartable> {
        let applied = stamp(&known, wall);
        let replica = start_replica(settings, known, applied)?;
        let rng = Rng::stream(means.seed, "metadata");
        let mut host = Host::new(replica, state, applied, rng, means.room);
        host.read_up_to(means.reads);
        Ok(Resident::Metadata(host))
    }

    /// Groups with this state, as of that time in their log.
    pub(super) fn of_groups(
        means: Means,
        settings: Settings,
        known: RecoveredReplica,
        (wall, state): (Wall, Groups),
    ) -> Result<Resident, Unstartable> {
        let (number, applied) = (known.of.partition, stamp(&known, wall));
        let replica = start_replica(settings, known, applied)?;
        let rng = Rng::stream(means.seed, &format!("groups {}", number.0));
        let mut host = Host::new(replica, state, applied, rng, means.room);
        host.read_up_to(means.reads);
        Ok(Resident::Group(number, host))
    }

    /// Its part of a checkpoint, as of what it has applied, with the state as it is there.
    pub fn part(&self, state: PartState) -> Part {
        let (replica, applied) = (self.replica(), self.applied());
        Part {
            replica: replica.id(),
            members: replica.members().clone(),
            applied: applied.index,
            applied_term: applied.term,
            state,
            entries: replica.entries(applied.index.next(), replica.last_index().next()),
        }
    }

    /// What it has applied, for a member that is behind; `log_start` is where its records begin that are kept.
    pub fn snapshot(&self, wanted: &SnapshotWanted, log_start: Offset) -> Snapshot {
        let applied = self.applied();
        Snapshot {
            id: wanted.id,
            error: 0,
            replica: wanted.replica,
            index: applied.index,
            term: applied.term,
            wall: applied.wall,
            members: self.replica().members().clone(),
            log_start,
            segment_end: self.extent().1,
            state: self.encode(),
        }
    }

    /// What the disk has of it when it runs no more.
    pub fn remains(&self) -> RecoveredReplica {
        let state = Folded::Whole(self.encode());
        let Part { replica, members, applied, applied_term, entries, .. } =
            self.part(PartState::Whole(Bytes::new()));
        let (log_start, log_end_of_segments) = self.extent();
        RecoveredReplica {
            replica,
            of: self.of(),
            hard_state: self.replica().hard_state(),
            members,
            applied,
            applied_term,
            log_start,
            log_end_of_segments,
            state,
            entries,
        }
    }
}

/// What each member of a new cluster begins with: as if the founding, the log's first entry, had been committed by all.
pub fn founded(replica: ReplicaId, members: Members, state: &Metadata) -> RecoveredReplica {
    let hard_state = HardState { term: FOUNDED.term, vote: ReplicaId::NOBODY, commit: FOUNDED.index };
    RecoveredReplica {
        hard_state,
        applied: FOUNDED.index,
        applied_term: FOUNDED.term,
        state: Folded::Whole(Host::encode_state(FOUNDED.wall, state).freeze()),
        ..unborn(replica, METADATA, members)
    }
}

/// The metadata's among the replicas that the disk knows, and all others.
pub fn sort_out(known: Vec<RecoveredReplica>) -> (Vec<RecoveredReplica>, Vec<RecoveredReplica>) {
    known.into_iter().partition(|known| known.of == METADATA)
}

/// The metadata's among replicas that never run again.
pub fn metadata_among(replicas: &[(ReplicaId, TopicPartition)]) -> Option<(ReplicaId, TopicPartition)> {
    replicas.iter().find(|(_, of)| *of == METADATA).copied()
}

fn stamp(known: &RecoveredReplica, wall: Wall) -> Stamp {
    Stamp { index: known.applied, term: known.applied_term, wall }
}

fn start_replica(settings: Settings, known: RecoveredReplica, applied: Stamp) -> Result<Replica, StartFault> {
    let recovered =
        Recovered { hard_state: known.hard_state, members: known.members, applied, entries: known.entries };
    Replica::start(settings, known.replica, recovered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GroupSettings;
    use crate::ids::{NodeId, PartitionId, TopicId};
    use crate::level::Levels;
    use crate::machine::Room;
    use crate::metadata::{Assignment, Placed};
    use crate::settings::{Layers, NOTHING};
    use rust_mq_proto::peer::raft::RaftKind;
    use std::collections::BTreeSet;

    /// Whom a replica that the disk never held asks for votes, and whether it leads, after a long time alone.
    fn alone(assignment: &Assignment, replica: u64) -> (BTreeSet<u64>, bool) {
        let of = TopicPartition { topic: TopicId([3; 16]), partition: PartitionId(0) };
        let known = unborn(ReplicaId(replica), of, assignment.members_at_start(ReplicaId(replica)));
        let config = TopicConfig::read(&Layers::own(&NOTHING));
        let settings = Settings::new(NodeId(1), 1, 7);
        let room = Room {
            node: NodeId(1),
            commands_bytes_max: 1 << 20,
            partitions_max: 10,
            state_bytes_max: 1 << 20,
            groups: GroupSettings::DEFAULT,
        };
        let means = Means { seed: 1, room, reads: Levels::BUILD.newest, level: Levels::BUILD.newest };
        let mut resident =
            Resident::start(Kind::Records(config), means, settings, known).expect("nothing contradicts it");
        let mut asked = BTreeSet::new();
        resident.replica_mut().campaign();
        for _ in 0..2 * settings.election_ticks_max {
            resident.replica_mut().tick();
            while let Some(ready) = resident.replica_mut().take_ready(1 << 20) {
                let mut said = ready.messages;
                if ready.must_persist {
                    said.extend(resident.replica_mut().persisted(ready.number));
                }
                let is_vote = |kind| matches!(kind, RaftKind::Vote | RaftKind::PreVote);
                asked.extend(said.iter().filter(|said| is_vote(said.kind())).map(|said| said.to));
            }
        }
        (asked, resident.replica().is_leader())
    }

    #[test]
    fn who_was_added_later_elects_nobody() {
        let placed = |(replica, node)| Placed { replica: ReplicaId(replica), node: NodeId(node) };
        let born = Assignment::born(&[(7, 1), (8, 2), (9, 3)].map(placed)).expect("numbered in a row");
        // With the target for its members, 20 would be elected by 21, and neither knows anything of the log.
        let moved = born.moved([(7, 1), (20, 4), (21, 5)].map(placed).to_vec());
        assert_eq!(alone(&moved, 20), (BTreeSet::new(), false));
        assert_eq!(
            alone(&moved, 7),
            (BTreeSet::from([8, 9]), false),
            "who was born with it knows who else was"
        );
        // Nor does one that is to be alone.
        let last = born.moved([(20, 4)].map(placed).to_vec());
        assert_eq!(alone(&last, 20), (BTreeSet::new(), false));
    }
}
