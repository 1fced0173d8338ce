//! Sets of partitions by topic: what a member is to have, and, with epochs, what it has.
//!
//! Invariant: no topic is there without a partition.

use crate::ids::TopicId;
use std::collections::{BTreeMap, BTreeSet};

/// Partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Partitions(BTreeMap<TopicId, BTreeSet<i32>>);

/// Partitions, each with the member epoch at which it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Given(BTreeMap<TopicId, BTreeMap<i32, i32>>);

impl Partitions {
    /// One more.
    pub fn insert(&mut self, topic: TopicId, partition: i32) {
        self.0.entry(topic).or_default().insert(partition);
    }

    /// Whether it is among them.
    pub fn contains(&self, topic: TopicId, partition: i32) -> bool {
        self.0.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// All, by topic and number.
    pub fn iter(&self) -> impl Iterator<Item = (TopicId, i32)> + '_ {
        self.0.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
    }

    /// By topic.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &BTreeSet<i32>)> {
        self.0.iter().map(|(topic, partitions)| (*topic, partitions))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(TopicId, i32)> for Partitions {
    fn from_iter<I: IntoIterator<Item = (TopicId, i32)>>(all: I) -> Partitions {
        let mut partitions = Partitions::default();
        for (topic, partition) in all {
            partitions.insert(topic, partition);
        }
        partitions
    }
}

impl Given {
    /// One more, given at that epoch.
    pub fn insert(&mut self, topic: TopicId, partition: i32, epoch: i32) {
        self.0.entry(topic).or_default().insert(partition, epoch);
    }

    /// At which epoch it was given, if it is among them.
    pub fn epoch_of(&self, topic: TopicId, partition: i32) -> Option<i32> {
        self.0.get(&topic)?.get(&partition).copied()
    }

    /// Whether it is among them.
    pub fn contains(&self, topic: TopicId, partition: i32) -> bool {
        self.epoch_of(topic, partition).is_some()
    }

    /// All, by topic and number, with their epochs.
    pub fn iter(&self) -> impl Iterator<Item = (TopicId, i32, i32)> + '_ {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, epoch)| (*topic, *partition, *epoch))
        })
    }

    /// Without epochs.
    pub fn partitions(&self) -> Partitions {
        self.iter().map(|(topic, partition, _)| (topic, partition)).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether both have the same partitions, at whatever epochs.
    pub fn is_alike(&self, other: &Given) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|((topic, these), (other, those))| {
                topic == other && these.len() == those.len() && these.keys().eq(those.keys())
            })
    }

    /// The same, given at that epoch.
    pub fn at_epoch(&self, epoch: i32) -> Given {
        self.iter().map(|(topic, partition, _)| (topic, partition, epoch)).collect()
    }
}

impl FromIterator<(TopicId, i32, i32)> for Given {
    fn from_iter<I: IntoIterator<Item = (TopicId, i32, i32)>>(all: I) -> Given {
        let mut given = Given::default();
        for (topic, partition, epoch) in all {
            given.insert(topic, partition, epoch);
        }
        given
    }
}
