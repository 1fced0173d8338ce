//! Which commands fit the state, and which states can be at all. Our own `decide` makes no others; but an entry comes
//! from another node, a state from another node or the disk, and what is taken in from there is run: its replicas are
//! started, its numbers counted on.
//!
//! Invariant: in a state that is sound every replica belongs to one place, `next_replica` is above all of them, and
//! counting on overflows nothing.

use super::{Assignment, Command, Metadata, Placed, Topic, TopicBirth, topic_name};
use crate::ids::{NodeId, ReplicaId, TopicId};
use crate::limits::{MEMBERS_MAX, PARTITIONS_MAX, PRODUCER_ID_BLOCK};
use crate::settings::Holder;
use std::collections::BTreeSet;

/// The highest `next_producer`, from which another block can be given.
const PRODUCER_ID_MAX: i64 = i64::MAX - PRODUCER_ID_BLOCK;

impl Metadata {
    /// Whether a command fits; one that does not changes nothing.
    pub fn takes(&self, command: &Command) -> bool {
        match command {
            Command::TopicCreated { id, topic } => {
                topic_name::of_machine(*id).is_none() && self.fits(*id, topic)
            }
            Command::MachineTopicCreated { id, topic } => {
                topic_name::of_machine(*id) == Some(&topic.name) && self.fits(*id, topic)
            }
            Command::TopicDeleted { id } => {
                topic_name::of_machine(*id).is_none() && self.topics.contains_key(id)
            }
            Command::ProducerIdsTaken { next } => (self.next_producer..=PRODUCER_ID_MAX).contains(next),
            Command::LevelRaised { to } => {
                *to > self.level && self.nodes.values().all(|node| node.levels.contains(*to))
            }
            Command::PartitionsAdded { id, partitions } => {
                let topic = self.topics.get(id);
                topic.is_some_and(|topic| {
                    self.bears(partitions) && self.is_placed(*id, &topic.name, slices(partitions))
                })
            }
            // What can be set, and to what, differs from build to build: `decide` looks, and all builds must take the same.
            Command::Configured { of, .. } => self.knows(of),
            Command::NodeRegistered { node, registered } => {
                let is_its = self.nodes.get(node).is_some_and(|known| known.disk == registered.disk);
                is_its && registered.is_sound() && registered.levels.contains(self.level)
            }
        }
    }

    /// Whether somebody is there who can have settings. Groups need not be there.
    fn knows(&self, holder: &Holder) -> bool {
        match holder {
            Holder::Topic(id) => self.topics.contains_key(id),
            Holder::Node(node) => self.nodes.contains_key(node),
            Holder::Cluster | Holder::Group(_) => true,
        }
    }

    /// Whether a topic can be added as it is: it and its name are new, and its replicas are.
    fn fits(&self, id: TopicId, topic: &TopicBirth) -> bool {
        let is_new = !self.topics.contains_key(&id) && !self.names.contains_key(&topic.name);
        is_new && self.bears(&topic.partitions) && self.is_placed(id, &topic.name, slices(&topic.partitions))
    }

    /// Whether there is room for these partitions, and their replicas are new, each higher than the one before.
    fn bears(&self, partitions: &[Vec<Placed>]) -> bool {
        let has_room = self.partitions + partitions.len() as u64 <= PARTITIONS_MAX as u64;
        let replicas = || partitions.iter().flatten().map(|placed| placed.replica);
        let are_new = replicas().all(|replica| replica.0 >= self.next_replica && replica <= ReplicaId::MAX);
        let are_born = partitions.iter().all(|placed| Assignment::born(placed).is_some());
        has_room && are_born && are_new && replicas().is_sorted_by(|one, next| one < next)
    }

    /// Whether the topic's name is one, and each partition lies on different nodes.
    fn is_placed<'a>(
        &self,
        id: TopicId,
        name: &str,
        mut partitions: impl ExactSizeIterator<Item = &'a [Placed]>,
    ) -> bool {
        let is_named = match topic_name::of_machine(id) {
            Some(own) => name == own,
            None => topic_name::fault(name).is_none(),
        };
        let is_placed = |nodes: &BTreeSet<NodeId>, count: usize| {
            (1..=MEMBERS_MAX).contains(&count)
                && nodes.len() == count
                && nodes.iter().all(|node| self.nodes.contains_key(node))
        };
        is_named
            && partitions.len() > 0
            && partitions
                .all(|placed| is_placed(&placed.iter().map(|place| place.node).collect(), placed.len()))
    }

    /// What is wrong with a state that was read, if anything is.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_named = |(name, id): (&String, &TopicId)| {
            self.topics.get(id).is_some_and(|topic: &Topic| topic.name == *name)
        };
        if self.names.len() != self.topics.len() || !self.names.iter().all(is_named) {
            return Some("names and topics do not match");
        }
        let is_placed = |(id, topic): (&TopicId, &Topic)| {
            self.is_placed(*id, &topic.name, topic.partitions.iter().map(Assignment::target))
                && topic.partitions.iter().all(Assignment::is_sound)
        };
        if !self.topics.iter().all(is_placed) {
            return Some("a topic lies where none can");
        }
        let is_held = |holder: &Holder| !matches!(holder, Holder::Topic(_)) && self.knows(holder);
        if !self.settings.keys().all(is_held) {
            return Some("settings are nobody's");
        }
        if !self.voters.keys().all(|node| self.nodes.contains_key(node)) {
            return Some("a voter is no node");
        }
        if !self.nodes.values().all(|node| node.is_sound() && node.levels.contains(self.level)) {
            return Some("a node does not read the cluster's feature level");
        }
        let assignments = || self.topics.values().flat_map(|topic| &topic.partitions);
        let mut replicas: Vec<ReplicaId> =
            assignments().flat_map(Assignment::target).map(|placed| placed.replica).collect();
        replicas.extend(self.voters.values());
        replicas.sort_unstable();
        let is_once = replicas.windows(2).all(|pair| pair[0] < pair[1]);
        let is_known = replicas.first().is_none_or(|first| *first != ReplicaId::NOBODY)
            && replicas.last().is_none_or(|last| last.0 < self.next_replica)
            && assignments().all(|assignment| assignment.next_replica() <= self.next_replica)
            && self.next_replica <= ReplicaId::MAX.0 + 1;
        if !is_once || !is_known {
            return Some("its replicas cannot be");
        }
        let partitions: u64 = self.topics.values().map(|topic| topic.partitions.len() as u64).sum();
        let is_counted = partitions == self.partitions && (0..=PRODUCER_ID_MAX).contains(&self.next_producer);
        (!is_counted).then_some("its counts are wrong")
    }
}

fn slices(partitions: &[Vec<Placed>]) -> impl ExactSizeIterator<Item = &[Placed]> {
    partitions.iter().map(Vec::as_slice)
}
