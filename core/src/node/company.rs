//! Who of a partition's replicas is there, and what their nodes say of themselves: looked up when it is asked for, from
//! the table, the peers and nothing else.

use super::ports::Ports;
use crate::ids::{Index, NodeId, ReplicaId, TopicPartition};
use crate::replica::Replica;
use crate::resident::Residents;

/// The nodes that are there, as far as this one knows.
#[derive(Clone, Copy)]
pub(super) struct Company<'a> {
    residents: &'a Residents,
    ports: &'a Ports,
}

impl<'a> Company<'a> {
    /// What is known now.
    pub fn of(residents: &'a Residents, ports: &'a Ports) -> Company<'a> {
        Company { residents, ports }
    }

    /// The members of a partition whose nodes are there, this node's included, by node.
    pub fn live_members(self, of: TopicPartition) -> Vec<ReplicaId> {
        self.residents.members(of).filter(|(node, _)| self.ports.is_alive(*node)).map(|(_, id)| id).collect()
    }

    /// A replica's place among the voters of its partition that are there: in this order they stand for election, a tick
    /// apart, so that the first usually wins.
    pub fn rank(self, id: ReplicaId) -> u32 {
        let Some(resident) = self.residents.get(id) else { return 0 };
        let live = self.live_members(resident.of());
        let mut voters = resident.replica().members().voters.iter().filter(|voter| live.contains(voter));
        u32::try_from(voters.position(|voter| *voter == id).unwrap_or(0)).unwrap_or(0)
    }

    /// The other voters that are there, with how far each is, as far as the leader here knows.
    pub fn other_voters(self, of: TopicPartition, replica: &'a Replica) -> Vec<(NodeId, ReplicaId, Index)> {
        let voters = &replica.members().voters;
        self.others(of, replica).filter(|(_, id, _)| voters.contains(id)).collect()
    }

    /// The other members that are there.
    pub fn others(
        self,
        of: TopicPartition,
        replica: &'a Replica,
    ) -> impl Iterator<Item = (NodeId, ReplicaId, Index)> {
        let others = replica.progress().filter(move |(id, _)| *id != replica.id());
        let known =
            others.filter_map(move |(id, matched)| Some((self.residents.node_of(of, id)?, id, matched)));
        known.filter(move |(node, ..)| self.ports.is_alive(*node))
    }

    /// Whether this node hears all voters, and none of the others wants to lead.
    pub fn are_all_reluctant(self, of: TopicPartition, replica: &'a Replica) -> bool {
        let others = self.other_voters(of, replica);
        let is_any_away = others.len() + 1 < replica.members().voters.len();
        !is_any_away && others.iter().all(|(node, ..)| self.is_reluctant(*node))
    }

    /// Whether another node has said that it would rather not lead.
    pub fn is_reluctant(self, node: NodeId) -> bool {
        self.ports.peers.sign_of(node).is_some_and(|sign| sign.is_reluctant)
    }

    /// How many voters of a partition a node hears, itself included if it is one: as many hear it (`peer::Sign`).
    pub fn voters_heard_by(self, of: TopicPartition, node: NodeId) -> usize {
        self.hearers(of, node).len()
    }

    /// The voters of a partition that hear a node, itself included if it is one. Of a node that is not heard here: those
    /// of whom that is known.
    fn hearers(self, of: TopicPartition, node: NodeId) -> Vec<NodeId> {
        let peers = &self.ports.peers;
        let says_to_hear =
            |other: &NodeId| peers.sign_of(*other).is_some_and(|sign| sign.hears.contains(&node));
        let mut hearers: Vec<NodeId> = if node == self.ports.node {
            peers.hears().collect()
        } else if self.ports.is_alive(node) {
            peers.sign_of(node).map_or(Vec::new(), |sign| sign.hears.clone())
        } else {
            peers.hears().filter(says_to_hear).collect()
        };
        hearers.push(node);
        hearers.retain(|hearer| self.residents.replica_on(of, *hearer).is_some());
        hearers
    }

    /// How well a node is heard: by how many voters of a partition, and by how many those are in their turn. Of two that
    /// are heard by as many, the one that leaves out who hears few reaches more than the one that leaves out who hears many
    /// (seed 91001800).
    fn standing(self, of: TopicPartition, node: NodeId) -> (usize, usize) {
        let hearers = self.hearers(of, node);
        let theirs = hearers.iter().map(|hearer| self.voters_heard_by(of, *hearer)).sum();
        (hearers.len(), theirs)
    }

    /// Whether the replica `candidate` is heard better than the leader of the partition of `id`. Without that, those
    /// that do not hear the one would be followed by those that do not hear the other, for as long as links are broken
    /// (decision 0012).
    pub fn is_heard_better(self, id: ReplicaId, candidate: ReplicaId) -> bool {
        let Some(resident) = self.residents.get(id) else { return false };
        let (of, leader) = (resident.of(), resident.replica().leader());
        let standing = |replica| {
            self.residents.node_of(of, replica).map(|node| self.standing(of, node)).unwrap_or_default()
        };
        standing(candidate) > standing(leader)
    }

    /// The nodes whose replicas are in sync, where this node leads the partition. One that is not there is not,
    /// however short its lag was when it went.
    pub fn in_sync(self, of: TopicPartition) -> Option<Vec<NodeId>> {
        let partition = self.residents.partition_at(of).filter(|partition| partition.is_leading())?;
        let nodes = partition.in_sync().filter_map(|replica| self.residents.node_of(of, replica));
        Some(nodes.filter(|node| self.ports.is_alive(*node)).collect())
    }

    /// The other nodes that hold a partition whose records this node has.
    pub fn other_holders(self, id: ReplicaId) -> Vec<NodeId> {
        let Some(of) = self.residents.partition(id).map(|partition| partition.of()) else {
            return Vec::new();
        };
        let nodes = self.residents.members(of).map(|(node, _)| node);
        nodes.filter(|node| *node != self.ports.node).collect()
    }
}
