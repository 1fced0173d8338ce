//! What committed metadata commands do to this node: replicas start and stop. Only what is applied has effects;
//! a leader's tip has none.
//!
//! Invariant: a replica starts from what the disk knows of it, if it knows it, and from nothing only if the disk
//! never held it: its first frame is a `ReplicaAdded` that precedes all it ever promised.

use super::Node;
use super::deleted_ahead::DeletedAhead;
use crate::action::{Action, HaltReason, Notice};
use crate::entry::Members;
use crate::ids::{ReplicaId, TopicId, TopicPartition};
use crate::limits::{
    COMMANDS_BYTES_MAX, ENTRY_ITEM_BYTES, PARTITION_BYTES, PARTITIONS_BESIDES_BYTES, PARTITIONS_MAX,
    PARTITIONS_SHARE, READY_ITEM_BYTES, STATE_BYTES_MAX, TICK,
};
use crate::machine::Room;
use crate::metadata::{Metadata, partition_of};
use crate::mutant::{Mutant, is_planted};
use crate::now::Now;
use crate::replica::Settings;
use crate::resident::{Effect, Kind, Resident, unborn};
use crate::rng;
use crate::storage::{RecoveredReplica, Roll};
use crate::topic_config::TopicConfig;
use std::collections::BTreeSet;
use std::time::Duration;

/// After how many ticks a replica that has just started stands for election, unless there is a leader. Source:
/// chosen; disks sync in milliseconds and seldom in a tenth of a second, nodes started together meet within half a
/// second. If all that takes longer, the timeouts decide.
const FIRST_ELECTIONS: [u32; 3] = [1, 4, 12];

impl Node {
    pub(super) fn carry_out(&mut self, now: Now, id: ReplicaId, effect: Effect, actions: &mut Vec<Action>) {
        match effect {
            Effect::Kept(batch) => self.keep(id, batch),
            Effect::LogStarts(start) => self.storage.advance_log_start(id, start),
            Effect::TopicCreated { id, name, partitions } => {
                self.start_topic(now, id, actions);
                actions.push(Action::Note(Notice::TopicCreated { name, partitions }));
            }
            Effect::TopicDeleted { id, name, replicas } => self.stop_topic(id, name, &replicas, actions),
            Effect::ImageAt(index) => {
                for topic in self.deleted_ahead.passed(index) {
                    self.start_topic(now, topic, actions);
                }
            }
            Effect::ImageReplaced(before) => self.image_replaced(now, &before, actions),
        }
    }

    /// Starts this node's replicas of a topic that the image shows.
    pub(super) fn start_topic(&mut self, now: Now, id: TopicId, actions: &mut Vec<Action>) {
        if self.deleted_ahead.holds(id) {
            return;
        }
        let Some(topic) = self.image().and_then(|image| image.topic(id)).cloned() else { return };
        let config = TopicConfig::read(&topic.configs);
        for (number, placed) in topic.partitions.iter().enumerate() {
            let of = partition_of(id, number);
            let Some(here) = placed.iter().find(|placed| placed.node == self.config.node) else { continue };
            if self.residents.replica_of(of).is_some() || self.is_dead(here.replica) {
                continue;
            }
            let id = here.replica;
            // The first that is there is to lead; the others' turns come after it, should it fail.
            let rank = placed
                .iter()
                .filter(|placed| self.is_alive(placed.node))
                .position(|placed| placed.replica == id);
            let voters = placed.iter().map(|placed| placed.replica).collect();
            let members = Members { voters, learners: Vec::new() };
            self.start_partition((of, id), members, config, actions);
            self.look_at_cuts(now, id);
            self.stand_first(now, id, rank.unwrap_or(0));
        }
    }

    fn start_partition(
        &mut self,
        (of, id): (TopicPartition, ReplicaId),
        members: Members,
        config: TopicConfig,
        actions: &mut Vec<Action>,
    ) {
        let known = match self.unclaimed.remove(&id) {
            // A replica that was only added, and has seen no checkpoint: its members are the image's.
            Some(known) if known.members.voters.is_empty() => RecoveredReplica { members, ..known },
            Some(known) => known,
            None => {
                self.storage.add_replica(id, of);
                unborn(id, of, members)
            }
        };
        let resident = match Resident::start(Kind::Records(config), self.settings(of), known) {
            Ok(resident) => resident,
            Err(fault) => {
                return self.halt(HaltReason::Undecodable { reason: format!("{of}: {fault}") }, actions);
            }
        };
        self.storage.set_roll(id, Roll { bytes: config.segment_bytes, age_ms: config.segment_ms });
        self.residents.insert(resident);
        self.arm_ticks();
    }

    /// A replica has started. It need not wait for a timeout: the first in rank stands for election at once, and
    /// each a little later once more, in its turn, unless there is a leader: the others may have started later.
    /// Pre-vote makes this harmless where somebody leads.
    pub(super) fn stand_first(&mut self, now: Now, id: ReplicaId, rank: usize) {
        if rank == 0 {
            self.campaign(id);
        }
        let turn = u32::try_from(rank).unwrap_or(0);
        for ticks in FIRST_ELECTIONS {
            self.elections.arm(now.mono + TICK * (ticks + turn), id);
        }
    }

    /// Stands for election now, if that is safe; otherwise the ticks will.
    pub(super) fn campaign(&mut self, id: ReplicaId) {
        if let Some(resident) = self.residents.get_mut(id) {
            resident.replica_mut().campaign();
            self.touch(id);
        }
    }

    /// A snapshot took the place of the image: no command says what has changed, so what runs here is compared
    /// with what is placed here.
    pub(super) fn image_replaced(&mut self, now: Now, before: &Metadata, actions: &mut Vec<Action>) {
        self.deleted_ahead = DeletedAhead::default();
        let Some(image) = self.image() else { return };
        let placed: BTreeSet<TopicId> = image.topics().map(|(id, _)| id).collect();
        let running = self.residents.partitions().map(|(_, partition)| partition.of().topic);
        let known: BTreeSet<TopicId> =
            running.chain(self.unclaimed.values().map(|known| known.of.topic)).collect();
        for topic in known.difference(&placed) {
            // The dead are not forgotten: no entry says after a crash that the topic is gone.
            self.stop_topic(*topic, before.name_of(*topic), &[], actions);
        }
        for topic in placed {
            self.start_topic(now, topic, actions);
        }
        self.release_image_waiters();
    }

    fn stop_topic(&mut self, id: TopicId, name: String, replicas: &[ReplicaId], actions: &mut Vec<Action>) {
        // Nothing names them any more: they are forgotten with the next thing to remember.
        for replica in replicas {
            self.dead.remove(replica);
        }
        let gone: Vec<ReplicaId> = self.residents.of_topic(id).collect();
        for replica in gone {
            if let Some(resident) = self.residents.remove(replica) {
                self.abandon(resident);
            }
            self.reads_lost(replica);
            self.touched.remove(&replica);
            self.storage.drop_replica(replica);
            self.catch_up_stopped(replica);
            self.mending_over(replica);
        }
        let left: Vec<ReplicaId> = self
            .unclaimed
            .iter()
            .filter(|(_, known)| known.of.topic == id)
            .map(|(replica, _)| *replica)
            .collect();
        for replica in left {
            self.unclaimed.remove(&replica);
            self.storage.drop_replica(replica);
        }
        self.peers.forget_leaders(id);
        actions.push(Action::Note(Notice::TopicDeleted { name, topic: id }));
    }

    /// What the metadata machine may make of requests: its commands fit one proposal and its state one frame, which is
    /// less than what a message between peers holds.
    pub(super) fn metadata_room(&self, of: TopicPartition) -> Room {
        let frame_bytes = usize::try_from(self.config.storage.frame_bytes_max).unwrap_or(usize::MAX);
        let proposal_bytes = self.settings(of).uncommitted_bytes_max - ENTRY_ITEM_BYTES;
        Room {
            commands_bytes_max: COMMANDS_BYTES_MAX.min(proposal_bytes),
            partitions_max: partitions_max(self.config.memory_limit),
            state_bytes_max: STATE_BYTES_MAX.min(frame_bytes.saturating_sub(2 * READY_ITEM_BYTES)),
        }
    }

    /// Fewest and most ticks without a leader before an election.
    pub(super) fn election_ticks(&self) -> (usize, usize) {
        let least = ticks(self.config.election_timeout_min).max(self.heartbeat_ticks() + 1);
        (least, ticks(self.config.election_timeout_max).max(least + 1))
    }

    fn heartbeat_ticks(&self) -> usize {
        ticks(self.config.heartbeat_interval).max(1)
    }

    /// How a replica of this partition behaves.
    pub(super) fn settings(&self, of: TopicPartition) -> Settings {
        let topic = u128::from_be_bytes(of.topic.0);
        let group =
            rng::hash(&[(topic >> 64) as u64, topic as u64, u64::from(of.partition.0.unsigned_abs())]);
        let (election_ticks_min, election_ticks_max) = self.election_ticks();
        let settings = Settings::new(self.config.node, self.seed, group);
        // A ready goes whole into one frame: where frames are small, less may wait (seed 27: a follower's ready
        // that no frame could hold kept its node turning for ever).
        let frame_bytes = usize::try_from(self.config.storage.frame_bytes_max).unwrap_or(usize::MAX);
        let is_blind = is_planted(self.config.mutant, Mutant::ReadyLargerThanFrame);
        let fits = if is_blind { usize::MAX } else { frame_bytes / 4 * 3 };
        let uncommitted_bytes_max = settings.uncommitted_bytes_max.min(fits);
        Settings {
            heartbeat_ticks: self.heartbeat_ticks(),
            election_ticks_min,
            election_ticks_max,
            uncommitted_bytes_max,
            append_bytes_max: settings.append_bytes_max.min(uncommitted_bytes_max / 2),
            mutant: self.config.mutant,
            ..settings
        }
    }
}

/// Partitions that a node with so much memory can have.
fn partitions_max(memory_limit: u64) -> usize {
    let bytes = memory_limit / PARTITIONS_SHARE + PARTITIONS_BESIDES_BYTES;
    usize::try_from(bytes / PARTITION_BYTES).unwrap_or(usize::MAX).min(PARTITIONS_MAX)
}

fn ticks(wait: Duration) -> usize {
    usize::try_from(wait.as_nanos() / TICK.as_nanos()).unwrap_or(usize::MAX)
}
