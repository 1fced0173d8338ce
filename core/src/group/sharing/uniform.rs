//! `uniform`: everybody keeps what he may, what is above his share is taken from him, and what nobody has goes to those
//! who have least.
//!
//! ```text
//! keep      each his own, as long as he subscribes to it
//! one subscription for all                            several
//! trim      down to the share                         fill     topics of few subscribers first, each time to who has least
//! fill      up to the share                           balance  topic by topic, until no move makes two closer
//! collect   what each has
//! ```
//! With one subscription a share is the mean, rounded down or up: rounded up for those first who have more than that now,
//! so that only what must move does. With several there may be no such share; then it ends where no partition could move
//! to a subscriber of its topic who has at least two fewer (each move brings two closer, so it ends).
//!
//! Sources: KIP-848, *Server side assignors*; Apache Kafka 4.4, `UniformAssignor`.

use super::candidate::{Candidate, Targets};
use super::partitions::Partitions;
use crate::ids::TopicId;
use std::collections::{BTreeMap, BTreeSet};

/// Nobody.
const NOBODY: u32 = u32::MAX;

/// A sharing under way.
#[derive(Debug)]
pub struct Sharing {
    candidates: Vec<Candidate>,
    topics: Vec<Topic>,
    /// Who has each partition, topic after topic.
    owners: Vec<u32>,
    /// How many each candidate has.
    loads: Vec<u32>,
    /// Who may have how many, where all subscribe to the same.
    share: Option<Share>,
    /// Topics, those of few subscribers first.
    order: Vec<usize>,
    stage: Stage,
    targets: Vec<Partitions>,
}

#[derive(Debug)]
struct Topic {
    id: TopicId,
    /// Where its partitions are among the owners.
    places: std::ops::Range<usize>,
    /// Candidates that subscribe to it; only counted where shares are equal.
    subscribers: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    least: u32,
    /// How many may have one more, and have not been chosen yet.
    longer: u32,
}

/// What is done next, and with whom.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Keep(usize),
    Trim(usize),
    FillShares { candidate: usize, place: usize },
    FillTopics(usize),
    Balance { topic: usize, has_moved: bool },
    Collect { topic: usize, place: usize },
}

impl Sharing {
    /// Nothing is shared yet.
    pub fn new(candidates: Vec<Candidate>, sizes: &BTreeMap<TopicId, i32>) -> Sharing {
        let mut topics = Vec::with_capacity(sizes.len());
        let mut count = 0;
        for (id, size) in sizes {
            let end = count + usize::try_from(*size).unwrap_or(0);
            topics.push(Topic { id: *id, places: count..end, subscribers: Vec::new() });
            count = end;
        }
        let first = candidates.first().map(|candidate| &candidate.topics);
        let is_one_subscription = candidates.iter().all(|candidate| Some(&candidate.topics) == first)
            && first.is_none_or(|first| first.iter().eq(sizes.keys()));
        let people = u32::try_from(candidates.len().max(1)).expect("members are bounded");
        let total = u32::try_from(count).expect("partitions are bounded");
        let share = Share { least: total / people, longer: total % people };
        Sharing {
            order: (0..topics.len()).collect(),
            topics,
            owners: vec![NOBODY; count],
            loads: vec![0; candidates.len()],
            share: is_one_subscription.then_some(share),
            stage: Stage::Keep(0),
            targets: vec![Partitions::default(); candidates.len()],
            candidates,
        }
    }

    /// Goes on for about so many steps.
    pub fn go_on(&mut self, steps: &mut usize) -> Option<Targets> {
        while *steps > 0 {
            let cost = match self.stage {
                Stage::Keep(candidate) => self.keep(candidate),
                Stage::Trim(candidate) => self.trim(candidate),
                Stage::FillShares { candidate, place } => self.fill_shares(candidate, place),
                Stage::FillTopics(topic) => self.fill_topic(topic),
                Stage::Balance { topic, has_moved } => self.balance(topic, has_moved),
                Stage::Collect { topic, place } if topic < self.topics.len() => self.collect(topic, place),
                Stage::Collect { .. } => {
                    let ids = self.candidates.drain(..).map(|candidate| candidate.id);
                    return Some(ids.zip(self.targets.drain(..)).collect());
                }
            };
            *steps = steps.saturating_sub(cost);
        }
        None
    }

    fn topic_of(&self, id: TopicId) -> Option<usize> {
        self.topics.binary_search_by_key(&id, |topic| topic.id).ok()
    }

    fn keep(&mut self, number: usize) -> usize {
        let Some(candidate) = self.candidates.get(number) else {
            // Who subscribes to many topics has other places to get something from.
            self.order.sort_by_key(|topic| (self.topics[*topic].subscribers.len(), *topic));
            self.stage = if self.share.is_some() { Stage::Trim(0) } else { Stage::FillTopics(0) };
            return 1 + self.order.len();
        };
        let who = u32::try_from(number).expect("members are bounded");
        let subscribes = |id: TopicId| candidate.topics.binary_search(&id).is_ok();
        let mut cost = 1 + candidate.had.len();
        for (id, partition) in candidate.had.iter().filter(|(id, _)| subscribes(*id)) {
            let Some(topic) = self.topic_of(id) else { continue };
            let places = self.topics[topic].places.clone();
            let Some(place) = usize::try_from(partition).ok().map(|partition| places.start + partition)
            else {
                continue;
            };
            if places.contains(&place) && self.owners[place] == NOBODY {
                self.owners[place] = who;
                self.loads[number] += 1;
            }
        }
        if self.share.is_none() {
            cost += candidate.topics.len();
            for id in candidate.topics.clone().iter() {
                if let Some(topic) = self.topic_of(*id) {
                    self.topics[topic].subscribers.push(who);
                }
            }
        }
        self.stage = Stage::Keep(number + 1);
        cost
    }

    fn trim(&mut self, number: usize) -> usize {
        let share = self.share.as_mut().expect("only equal shares are trimmed");
        let Some(candidate) = self.candidates.get(number) else {
            self.stage = Stage::FillShares { candidate: 0, place: 0 };
            return 1;
        };
        let load = self.loads[number];
        if load <= share.least {
            self.stage = Stage::Trim(number + 1);
            return 1;
        }
        let mut may_have = share.least;
        if share.longer > 0 {
            share.longer -= 1;
            may_have += 1;
        }
        let who = u32::try_from(number).expect("members are bounded");
        let mut kept = 0;
        for (id, partition) in candidate.had.iter() {
            let Some(topic) = self.topic_of(id) else { continue };
            let place =
                self.topics[topic].places.start + usize::try_from(partition).unwrap_or(usize::MAX / 2);
            if self.owners.get(place) != Some(&who) || !self.topics[topic].places.contains(&place) {
                continue;
            }
            kept += 1;
            if kept > may_have {
                self.owners[place] = NOBODY;
            }
        }
        let cost = 1 + self.candidates[number].had.len();
        self.loads[number] = kept.min(may_have);
        self.stage = Stage::Trim(number + 1);
        cost
    }

    /// Gives what nobody has to the next who has less than his share.
    fn fill_shares(&mut self, number: usize, from: usize) -> usize {
        let share = self.share.as_mut().expect("only equal shares are filled");
        let Some(load) = self.loads.get_mut(number) else {
            self.stage = Stage::Collect { topic: 0, place: 0 };
            return 1;
        };
        let mut may_have = share.least;
        if *load <= share.least && share.longer > 0 {
            share.longer -= 1;
            may_have += 1;
        }
        let who = u32::try_from(number).expect("members are bounded");
        let mut place = from;
        while *load < may_have && place < self.owners.len() {
            if self.owners[place] == NOBODY {
                self.owners[place] = who;
                *load += 1;
            }
            place += 1;
        }
        self.stage = Stage::FillShares { candidate: number + 1, place };
        1 + place - from
    }

    fn fill_topic(&mut self, number: usize) -> usize {
        let Some(&topic) = self.order.get(number) else {
            self.stage = Stage::Balance { topic: 0, has_moved: false };
            return 1;
        };
        let Topic { places, subscribers, .. } = &self.topics[topic];
        let mut by_load: BTreeSet<(u32, u32)> =
            subscribers.iter().map(|who| (self.loads[*who as usize], *who)).collect();
        for owner in &mut self.owners[places.clone()] {
            if *owner != NOBODY {
                continue;
            }
            let Some((load, who)) = by_load.pop_first() else { break };
            *owner = who;
            self.loads[who as usize] = load + 1;
            by_load.insert((load + 1, who));
        }
        self.stage = Stage::FillTopics(number + 1);
        1 + places.len() + subscribers.len()
    }

    /// Moves partitions of a topic as long as that brings two closer.
    fn balance(&mut self, number: usize, has_moved: bool) -> usize {
        let Some(topic) = self.topics.get(number) else {
            let is_done = !has_moved;
            self.stage = match is_done {
                true => Stage::Collect { topic: 0, place: 0 },
                false => Stage::Balance { topic: 0, has_moved: false },
            };
            return 1;
        };
        let mut by_load: BTreeSet<(u32, u32)> =
            topic.subscribers.iter().map(|who| (self.loads[*who as usize], *who)).collect();
        let mut owned: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for place in topic.places.clone() {
            if self.owners[place] != NOBODY {
                owned.entry(self.owners[place]).or_default().push(place);
            }
        }
        let mut owners: BTreeSet<(u32, u32)> =
            owned.keys().map(|who| (self.loads[*who as usize], *who)).collect();
        let mut moved = 0;
        while let (Some(&(least, poor)), Some(&(most, rich))) = (by_load.first(), owners.last()) {
            if most <= least + 1 {
                break;
            }
            let places = owned.get_mut(&rich).expect("an owner owns something");
            let place = places.pop().expect("an owner owns something");
            by_load.remove(&(most, rich));
            owners.remove(&(most, rich));
            by_load.remove(&(least, poor));
            owners.remove(&(least, poor));
            self.owners[place] = poor;
            self.loads[rich as usize] = most - 1;
            self.loads[poor as usize] = least + 1;
            if !places.is_empty() {
                owners.insert((most - 1, rich));
            }
            owned.entry(poor).or_default().push(place);
            by_load.insert((most - 1, rich));
            by_load.insert((least + 1, poor));
            owners.insert((least + 1, poor));
            moved += 1;
        }
        let cost = 1 + topic.subscribers.len() + topic.places.len() + moved;
        self.stage = Stage::Balance { topic: number + 1, has_moved: has_moved || moved > 0 };
        cost
    }

    fn collect(&mut self, number: usize, from: usize) -> usize {
        const PIECE: usize = 256;
        let Topic { id, places, .. } = &self.topics[number];
        let places = from.max(places.start)..places.end.min(from.max(places.start) + PIECE);
        for place in places.clone() {
            let owner = self.owners[place];
            if owner == NOBODY {
                continue;
            }
            let partition = place - self.topics[number].places.start;
            let partition = i32::try_from(partition).expect("partitions are counted in 31 bits");
            self.targets[owner as usize].insert(*id, partition);
        }
        let is_done = places.end == self.topics[number].places.end;
        let topic = number + usize::from(is_done);
        self.stage = Stage::Collect { topic, place: places.end };
        1 + places.len()
    }
}
