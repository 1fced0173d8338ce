//! `range`: of each topic neighbouring partitions go to each subscriber in turn, static members first, so that of topics
//! with the same subscribers the same numbers meet in one member, and may be joined there.
//!
//! Invariant: of one topic, two subscribers' shares differ by at most one.

use super::candidate::{Candidate, Targets};
use super::partitions::Partitions;
use crate::ids::TopicId;
use std::collections::BTreeMap;

/// A deal under way.
#[derive(Debug)]
pub struct Dealing {
    candidates: Vec<Candidate>,
    topics: BTreeMap<TopicId, Topic>,
    /// How many candidates are counted, and then dealt to.
    counted: usize,
    dealt: usize,
    targets: Targets,
}

#[derive(Debug)]
struct Topic {
    size: i32,
    subscribers: i32,
    /// The next one to be dealt, and how many subscribers were.
    next: i32,
    served: i32,
}

impl Dealing {
    /// Nothing is dealt yet.
    pub fn new(mut candidates: Vec<Candidate>, sizes: BTreeMap<TopicId, i32>) -> Dealing {
        candidates.sort_by(|one, other| one.place().cmp(&other.place()));
        let topic = |size| Topic { size, subscribers: 0, next: 0, served: 0 };
        let topics = sizes.into_iter().map(|(id, size)| (id, topic(size))).collect();
        Dealing { candidates, topics, counted: 0, dealt: 0, targets: Targets::new() }
    }

    /// Goes on for about so many steps.
    pub fn go_on(&mut self, steps: &mut usize) -> Option<Targets> {
        while *steps > 0
            && let Some(candidate) = self.candidates.get(self.counted)
        {
            *steps = steps.saturating_sub(1 + candidate.topics.len());
            for id in candidate.topics.iter() {
                if let Some(topic) = self.topics.get_mut(id) {
                    topic.subscribers += 1;
                }
            }
            self.counted += 1;
        }
        while *steps > 0
            && let Some(candidate) = self.candidates.get(self.dealt)
        {
            let mut target = Partitions::default();
            for id in candidate.topics.iter() {
                let Some(topic) = self.topics.get_mut(id) else { continue };
                topic.take().for_each(|partition| target.insert(*id, partition));
            }
            *steps = steps.saturating_sub(1 + candidate.topics.len() + target.len());
            self.targets.insert(candidate.id.clone(), target);
            self.dealt += 1;
        }
        (self.dealt == self.candidates.len()).then(|| std::mem::take(&mut self.targets))
    }
}

impl Topic {
    /// The next subscriber's share: the first ones get what is left over.
    fn take(&mut self) -> std::ops::Range<i32> {
        let is_longer = self.served < self.size % self.subscribers;
        let share = self.size / self.subscribers + i32::from(is_longer);
        let start = self.next;
        self.next += share;
        self.served += 1;
        start..self.next
    }
}

impl Candidate {
    /// Its place in the order: static members first.
    fn place(&self) -> (bool, &str) {
        (self.instance.is_none(), self.instance.as_deref().unwrap_or(&self.id))
    }
}
