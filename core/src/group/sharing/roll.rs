//! What a coordinator has worked out about all members of a group: counts of what they subscribe to, who has which
//! partition. It follows from the members alone, and is worked out anew where the group's mark is another.
//!
//! Invariant: a roll is that of the members it was counted from: counting them all gives the same.

use super::assignor::Assignor;
use super::member::{About, Member};
use crate::ids::TopicId;
use std::collections::BTreeMap;

/// What the members have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// How many there are.
    pub members: usize,
    /// How many of them speak the classic protocol.
    pub classic: usize,
    /// Static members, by what they are called by whoever runs them.
    pub instances: BTreeMap<String, String>,
    /// How many subscribe to a topic by its name.
    pub names: BTreeMap<String, u32>,
    /// How many subscribe by a pattern.
    pub patterns: BTreeMap<String, u32>,
    /// How many would like an assignor.
    assignors: BTreeMap<String, u32>,
    /// How many have a partition, or let go of it: one, but for the moment in which it is handed on.
    holders: BTreeMap<(TopicId, i32), u32>,
}

impl Roll {
    /// The roll of all these.
    pub fn of<'a>(members: impl Iterator<Item = (&'a str, &'a Member)>) -> Roll {
        let mut roll = Roll::default();
        for (id, member) in members {
            roll.add(id, member);
        }
        roll
    }

    /// A member comes.
    pub fn add(&mut self, id: &str, member: &Member) {
        self.members += 1;
        self.classic += usize::from(member.about.classic.is_some());
        if let Some(instance) = &member.about.instance {
            self.instances.insert(instance.clone(), id.to_owned());
        }
        for (counts, key) in keys(&member.about) {
            *self.counts(counts).entry(key.to_owned()).or_default() += 1;
        }
        let current = &member.current;
        for (topic, partition, _) in current.assigned.iter().chain(current.revoking.iter()) {
            *self.holders.entry((topic, partition)).or_default() += 1;
        }
    }

    /// A member goes.
    pub fn remove(&mut self, id: &str, member: &Member) {
        self.members = self.members.saturating_sub(1);
        self.classic = self.classic.saturating_sub(usize::from(member.about.classic.is_some()));
        if let Some(instance) = &member.about.instance
            && self.instances.get(instance).is_some_and(|known| known == id)
        {
            self.instances.remove(instance);
        }
        for (counts, key) in keys(&member.about) {
            let counts = self.counts(counts);
            if let Some(count) = counts.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    counts.remove(key);
                }
            }
        }
        let current = &member.current;
        for (topic, partition, _) in current.assigned.iter().chain(current.revoking.iter()) {
            if let Some(count) = self.holders.get_mut(&(topic, partition)) {
                *count -= 1;
                if *count == 0 {
                    self.holders.remove(&(topic, partition));
                }
            }
        }
    }

    /// Whether any member has it, or lets go of it.
    pub fn is_held(&self, topic: TopicId, partition: i32) -> bool {
        self.holders.contains_key(&(topic, partition))
    }

    /// The assignor that most would like; of equals the first by name.
    pub fn assignor(&self) -> Assignor {
        let most = self.assignors.values().max();
        let liked = self.assignors.iter().find(|(_, count)| Some(*count) == most);
        liked.and_then(|(name, _)| Assignor::parse(name)).unwrap_or_default()
    }

    fn counts(&mut self, which: Counts) -> &mut BTreeMap<String, u32> {
        match which {
            Counts::Names => &mut self.names,
            Counts::Patterns => &mut self.patterns,
            Counts::Assignors => &mut self.assignors,
        }
    }
}

#[derive(Clone, Copy)]
enum Counts {
    Names,
    Patterns,
    Assignors,
}

/// What a member counts for.
fn keys(about: &About) -> impl Iterator<Item = (Counts, &str)> {
    let names = about.names.iter().map(|name| (Counts::Names, name.as_str()));
    let pattern = Some(about.pattern.as_str()).filter(|pattern| !pattern.is_empty());
    let pattern = pattern.map(|pattern| (Counts::Patterns, pattern));
    let assignor = about.assignor.as_deref().map(|name| (Counts::Assignors, name));
    names.chain(pattern).chain(assignor)
}
