//! What the simulator may see of a node, and nothing that the node itself uses: a read-only summary per replica.
//! Compiled only with the feature `simulation`, which the shipped binary never has.

use super::Broker;
use crate::connection::{PURPOSES, Purpose};
use crate::entry::Entry;
use crate::ids::{DiskId, Index, NodeId, Offset, ReplicaId, Term, TopicPartition};
use crate::metadata::partition_of;
use crate::now::Mono;
use crate::partition::{Partition, Weight};
use crate::replica::Replica;
use crate::resident::Resident;
use crate::storage::RecoveredReplica;
use std::collections::BTreeMap;

/// One replica of a node as it stands between two turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Which.
    pub replica: ReplicaId,
    /// Of which partition.
    pub of: TopicPartition,
    /// Whether it leads.
    pub is_leader: bool,
    /// Its term.
    pub term: Term,
    /// For whom it voted in it.
    pub vote: ReplicaId,
    /// Whom it follows.
    pub leader: ReplicaId,
    /// The newest entry.
    pub last: Index,
    /// The newest entry that it takes for durable.
    pub durable: Index,
    /// What it knows committed.
    pub commit: Index,
    /// What the machine or the partition has applied.
    pub applied: Index,
    /// The first offset; 0 for a machine.
    pub log_start: Offset,
    /// The high watermark; 0 for a machine.
    pub high_watermark: Offset,
    /// Where storage says that the log begins, and where the first batch does that it keeps; 0 for a machine.
    pub kept: (Offset, Offset),
    /// Bytes that wait for the disk.
    pub unsynced_bytes: usize,
    /// Whether it is a machine's; its tip is looked at by [`Broker::observe_tip`].
    pub is_machine: bool,
    /// Whether a partition's tip adds nothing to its log.
    pub is_overlay_empty: bool,
    /// Whether the floor above knows whether it leads; it learns that with a ready, which waits for room in a frame.
    pub is_role_told: bool,
}

/// What a replica remembers, whether it runs or its disk alone knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// Which.
    pub replica: ReplicaId,
    /// Of which partition.
    pub of: TopicPartition,
    /// Its term.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: ReplicaId,
    /// The last entry that it takes for durable.
    pub durable: Index,
    /// The newest commit that it knows.
    pub commit: Index,
    /// Whether it leads, so that it may have written since it started.
    pub leads: bool,
}

impl Observation {
    /// What of it a start would have to bring back.
    pub fn remembered(&self) -> Remembered {
        Remembered {
            replica: self.replica,
            of: self.of,
            term: self.term,
            vote: self.vote,
            durable: self.durable,
            commit: self.commit,
            leads: self.is_leader,
        }
    }
}

/// What clients make a node hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Their connections.
    pub connections: usize,
    /// Their requests that wait for something.
    pub waiting: usize,
    /// Bytes charged to the budget, by what for.
    pub charged: [(Purpose, u64); PURPOSES.len()],
    /// What the budget has.
    pub budget_bytes: u64,
    /// Bytes of entries and producers in memory, as they are kept up to date.
    pub weighed: (u64, usize),
    /// The same, counted anew.
    pub weighed_anew: (u64, usize),
}

/// What a replica holds because its data needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// What it has applied.
    pub applied: Index,
    /// A hash over its replicated state.
    pub state: u64,
    /// The first entry in memory.
    pub entries_from: Index,
    /// The first that some follower lacks, of who leads.
    pub lacked_from: Option<Index>,
    /// Producers that it remembers.
    pub producers: usize,
}

impl Holdings {
    /// Bytes charged for that.
    pub fn charged_for(&self, purpose: Purpose) -> u64 {
        self.charged[purpose as usize].1
    }
}

impl Broker {
    /// Every replica of this node.
    pub fn observe(&self) -> Vec<Observation> {
        let seen = |(id, resident): (ReplicaId, &Resident)| {
            let kept = resident.records().and_then(|_| self.node.storage().kept(id));
            let (log_start, high_watermark) = resident.extent();
            Observation {
                applied: resident.applied().index,
                log_start,
                high_watermark,
                kept: kept.unwrap_or_default(),
                is_machine: resident.records().is_none(),
                is_overlay_empty: resident.records().is_none_or(Partition::is_overlay_empty),
                ..of_replica(resident.replica(), resident.of())
            }
        };
        self.node.residents().iter().map(seen).collect()
    }

    /// What the last turn has done for clients, bytes that were looked at.
    pub fn observe_work(&self) -> usize {
        self.desk.work_done()
    }

    /// The partitions, the metadata's included, of which the image places a replica here, with that replica.
    pub fn observe_placed(&self) -> BTreeMap<TopicPartition, ReplicaId> {
        let here = self.node.config().node;
        let topics = self.node.image().into_iter().flat_map(|image| image.topics());
        let placed = topics.flat_map(|(id, topic)| {
            let assigned = topic.partitions.iter().enumerate();
            assigned.filter_map(move |(number, assignment)| {
                Some((partition_of(id, number), assignment.on(here)?))
            })
        });
        let machines = self.node.residents().iter().filter(|(_, resident)| resident.records().is_none());
        placed.chain(machines.map(|(id, resident)| (resident.of(), id))).collect()
    }

    /// Index and term of the entries that a replica has in memory.
    pub fn observe_log(&self, replica: ReplicaId) -> Vec<(Index, Term)> {
        let Some(replica) = self.node.residents().replica(replica) else { return Vec::new() };
        let entries = replica.entries(replica.first_index(), replica.last_index().next());
        entries.iter().map(|entry| (entry.index, entry.term)).collect()
    }

    /// A hash over the replicated state of one replica.
    pub fn observe_state(&self, of: TopicPartition) -> Option<u64> {
        self.node.residents().of(of).map(Resident::state_hash)
    }

    /// A hash over the replicated state of each replica, with what it has applied: replicas that have applied
    /// the same have the same.
    pub fn observe_states(&self) -> Vec<(TopicPartition, Index, u64)> {
        let state =
            |resident: &Resident| (resident.of(), resident.applied().index, Resident::state_hash(resident));
        self.node.residents().iter().map(|(_, resident)| state(resident)).collect()
    }

    /// Whether the two copies of each machine that leads here are equal, where nothing is between them.
    pub fn observe_tip(&self) -> Option<bool> {
        let machines = self.node.residents().iter();
        machines.filter_map(|(_, resident)| resident.is_tip_committed()).reduce(|one, other| one && other)
    }

    /// What the disk remembers of replicas that the image does not know yet, with index and term of their entries.
    pub fn observe_unclaimed(&self) -> Vec<(Remembered, Vec<(Index, Term)>)> {
        self.node.unclaimed().map(|known| (of_recovered(known), terms(&known.entries))).collect()
    }

    /// By which id its disk goes, once that is known.
    pub fn observe_disk(&self) -> Option<DiskId> {
        self.node.disk()
    }

    /// Whether a checkpoint is being made.
    pub fn observe_checkpointing(&self) -> bool {
        self.node.storage().is_checkpointing()
    }

    /// Replicas whose disk has lost what it had promised: they never run again.
    pub fn observe_dead(&self) -> Vec<ReplicaId> {
        self.node.dead().collect()
    }

    /// What clients make this node hold.
    pub fn observe_holdings(&self) -> Holdings {
        Holdings {
            connections: self.node.connections().len(),
            waiting: self.desk.waiting_count(),
            charged: PURPOSES.map(|purpose| (purpose, self.node.budget().used(purpose))),
            budget_bytes: self.node.budget().capacity_bytes(),
            weighed: weights(self.node.residents().held()),
            weighed_anew: weights(self.node.residents().weighed_anew()),
        }
    }

    /// What the node's parts have begun and not done, by name: at rest, nothing.
    pub fn observe_begun(&self) -> Vec<(&'static str, usize)> {
        self.node.held()
    }

    /// What each replica holds of its own.
    pub fn observe_needs(&self) -> BTreeMap<TopicPartition, Needs> {
        let needs = |(_, resident): (ReplicaId, &Resident)| {
            let replica = resident.replica();
            let matched = replica.progress().map(|(_, matched)| matched).filter(|_| replica.is_leader());
            let needs = Needs {
                applied: resident.applied().index,
                state: resident.state_hash(),
                entries_from: replica.first_index(),
                lacked_from: matched.min().map(Index::next),
                producers: resident.weight().producers,
            };
            (resident.of(), needs)
        };
        self.node.residents().iter().map(needs).collect()
    }

    /// Fetches that were to be answered by now and wait for nothing but that.
    pub fn observe_overdue(&self, now: Mono) -> usize {
        self.desk.overdue_fetches(now)
    }

    /// Fetches that wait for any record although there is one for them.
    pub fn observe_unwoken(&self) -> usize {
        self.desk.unwoken_fetches(&self.node)
    }

    /// Whether clients are not told of a node, as nobody has heard it for long.
    pub fn observe_gone(&self, node: NodeId) -> bool {
        self.node.is_gone(node)
    }

    /// The rooms' deadlines, for whoever asks why a node does not rest.
    pub fn observe_deadlines(&self) -> Vec<(&'static str, Option<Mono>)> {
        vec![
            ("storage", self.node.storage().next_deadline()),
            ("connections", self.node.connections().next_deadline(self.node.budget())),
            ("peers", self.node.peers_deadline()),
            ("node", self.node.next_deadline()),
            ("desk", self.desk.next_deadline()),
        ]
    }
}

fn weights(held: Weight) -> (u64, usize) {
    (held.entries_bytes, held.producers)
}

fn of_replica(replica: &Replica, of: TopicPartition) -> Observation {
    Observation {
        replica: replica.id(),
        of,
        is_leader: replica.is_leader(),
        term: replica.term(),
        vote: replica.hard_state().vote,
        leader: replica.leader(),
        last: replica.last_index(),
        durable: replica.durable_index(),
        commit: replica.commit(),
        applied: Index(0),
        log_start: Offset(0),
        high_watermark: Offset(0),
        kept: (Offset(0), Offset(0)),
        unsynced_bytes: replica.unsynced_bytes(),
        is_machine: false,
        is_role_told: replica.is_role_told(),
        is_overlay_empty: true,
    }
}

fn of_recovered(known: &RecoveredReplica) -> Remembered {
    Remembered {
        replica: known.replica,
        of: known.of,
        term: known.hard_state.term,
        vote: known.hard_state.vote,
        durable: known.entries.last().map_or(known.applied, |entry| entry.index),
        commit: known.hard_state.commit,
        leads: false,
    }
}

fn terms(entries: &[Entry]) -> Vec<(Index, Term)> {
    entries.iter().map(|entry| (entry.index, entry.term)).collect()
}
