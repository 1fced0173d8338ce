//! What the simulator may see of a node, and nothing that the node itself uses: a read-only summary per replica.
//! Compiled only with the feature `simulation`, which the shipped binary never has.

use super::Broker;
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use crate::node::METADATA;
use crate::now::Mono;
use crate::replica::Replica;
use crate::rng::hash;
use bytes::BytesMut;

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
    /// Bytes that wait for the disk.
    pub unsynced_bytes: usize,
}

impl Broker {
    /// Every replica of this node.
    pub fn observe(&self) -> Vec<Observation> {
        let mut seen = Vec::with_capacity(self.node.partitions.len() + 1);
        if let Some(host) = self.node.metadata() {
            let machine = of_replica(host.replica(), METADATA);
            seen.push(Observation { applied: host.applied().index, ..machine });
        }
        for (_, partition) in self.node.partitions.iter() {
            seen.push(Observation {
                applied: partition.applied().index,
                log_start: partition.log_start(),
                high_watermark: partition.high_watermark(),
                ..of_replica(partition.replica(), partition.of())
            });
        }
        seen
    }

    /// Index and term of the entries that a replica has in memory.
    pub fn observe_log(&self, replica: ReplicaId) -> Vec<(Index, Term)> {
        let host = self.node.metadata().map(crate::host::Host::replica);
        let partitions = self.node.partitions.iter().map(|(_, partition)| partition.replica());
        let Some(replica) = host.into_iter().chain(partitions).find(|other| other.id() == replica) else {
            return Vec::new();
        };
        let entries = replica.entries(replica.first_index(), replica.last_index().next());
        entries.iter().map(|entry| (entry.index, entry.term)).collect()
    }

    /// A hash over the replicated state of each replica, with what it has applied: replicas that have applied
    /// the same have the same.
    pub fn observe_states(&self) -> Vec<(TopicPartition, Index, u64)> {
        let mut states = Vec::new();
        if let Some(host) = self.node.metadata() {
            states.push((METADATA, host.applied().index, hash_bytes(&host.encode())));
        }
        for (_, partition) in self.node.partitions.iter() {
            let mut state = BytesMut::new();
            partition.log().encode(&mut state);
            states.push((partition.of(), partition.applied().index, hash_bytes(&state)));
        }
        states
    }

    /// Whether the metadata machine's two copies are equal, where nothing is between them.
    pub fn observe_tip(&self) -> Option<bool> {
        let host = self.node.metadata()?;
        let (tip, index) = host.tip().filter(|(_, index)| *index == host.applied().index)?;
        let _ = index;
        let committed = crate::host::Host::encode_state(host.applied().wall, host.committed());
        Some(crate::host::Host::encode_state(host.applied().wall, tip) == committed)
    }

    /// Fetches that were to be answered by now and wait for nothing but that.
    pub fn observe_overdue(&self, now: Mono) -> usize {
        self.desk.overdue_fetches(now)
    }

    /// The rooms' deadlines, for whoever asks why a node does not rest.
    pub fn observe_deadlines(&self) -> Vec<(&'static str, Option<Mono>)> {
        vec![
            ("storage", self.node.storage.next_deadline()),
            ("connections", self.node.connections.next_deadline()),
            ("peers", self.node.peers.next_deadline()),
            ("node", self.node.next_deadline()),
            ("desk", self.desk.next_deadline()),
        ]
    }
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
        unsynced_bytes: replica.unsynced_bytes(),
    }
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let tail = u64::from_le_bytes(last);
    words
        .iter()
        .fold(hash(&[bytes.len() as u64, tail]), |state, word| hash(&[state, u64::from_le_bytes(*word)]))
}
