//! What each member is to have: whether that is to be worked out anew, working it out piece by piece, and telling it.

use super::change::Change;
use crate::group::sharing::{Candidate, Member, Stage, Targets, Topics, Work};
use crate::ids::TopicId;
use crate::limits::{CONSUMER_STEPS, GROUP_LOOKED_AT_AGAIN};
use crate::mutant::Mutant;
use crate::now::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// What a target takes of a command, besides the numbers of its partitions.
const TARGET_BYTES: usize = 64;

impl Change<'_> {
    /// Sees to what the group as a whole needs: what its patterns mean, whether its topics are as they were, and who is to
    /// have what.
    pub fn look(&mut self) {
        if self.live.roll.members == 0 {
            return;
        }
        if self.is_image_behind() {
            return self.look_at(self.now.mono + GROUP_LOOKED_AT_AGAIN);
        }
        let mut steps = CONSUMER_STEPS;
        self.match_patterns(&mut steps);
        self.see_topics();
        self.assign(&mut steps);
    }

    /// Looks for the topics of patterns where they are not known, or the topics are others.
    fn match_patterns(&mut self, steps: &mut usize) {
        let patterns = &self.live.roll.patterns;
        if !self.is_matching_behind() {
            return;
        }
        if self.live.matching.look(self.image, patterns.keys(), steps) {
            // What they mean may have changed, whatever the image.
            self.live.seen = None;
        } else {
            self.look_at(self.now.mono);
        }
    }

    fn is_matching_behind(&self) -> bool {
        let patterns = self.live.roll.patterns.keys();
        if self.is_planted(Mutant::PatternStale) {
            return self.live.matching.is_unknown(patterns);
        }
        self.live.matching.is_behind(self.image, patterns)
    }

    /// Whether the topics that are subscribed to are as they were when the epoch rose last.
    fn see_topics(&mut self) {
        let seen = Topics::of(self.image);
        let is_behind = self.is_matching_behind();
        if self.live.seen == Some(seen) && self.consumer.epoch == self.before.epoch || is_behind {
            return;
        }
        let topics = self.hash_of_topics();
        if topics != self.consumer.topics {
            self.consumer.topics = topics;
            self.bump();
        }
        self.live.seen = Some(seen);
    }

    /// All that are subscribed to, by id.
    fn subscribed(&self) -> BTreeMap<TopicId, i32> {
        let roll = &self.live.roll;
        let found = roll.patterns.keys().filter_map(|pattern| self.live.matching.found(pattern)).flatten();
        let names: BTreeSet<&String> = roll.names.keys().chain(found).collect();
        let topics = names.into_iter().filter_map(|name| {
            let id = self.image.topic_id(name)?;
            let size = self.image.topic(id)?.partitions.len();
            Some((id, i32::try_from(size).unwrap_or(i32::MAX)))
        });
        topics.collect()
    }

    fn hash_of_topics(&self) -> u64 {
        let words = self.subscribed().into_iter().flat_map(|(id, size)| {
            let number = u128::from_be_bytes(id.0);
            [(number >> 64) as u64, number as u64, u64::from(size.unsigned_abs())]
        });
        crate::rng::hash(&words.collect::<Vec<u64>>())
    }

    fn assign(&mut self, steps: &mut usize) {
        // All went meanwhile, and others came.
        let is_over = |work: &Work| work.epoch <= self.consumer.assignment_epoch;
        if self.live.work.as_ref().is_some_and(is_over) {
            self.live.work = None;
        }
        if self.live.work.is_none() {
            if self.consumer.assignment_epoch >= self.consumer.epoch {
                return;
            }
            let next = self.next_assignment();
            if next > Duration::ZERO {
                return self.look_at(self.now.mono + next);
            }
            let sizes = self.subscribed();
            let task = self.live.roll.assignor().begin(self.candidates(), &sizes);
            self.live.work = Some(Work { epoch: self.consumer.epoch, stage: Stage::Assigning(task) });
        }
        let Some(mut work) = self.live.work.take() else { return };
        if let Stage::Assigning(task) = &mut work.stage
            && let Some(targets) = task.go_on(steps)
        {
            work.stage = Stage::Telling(targets);
        }
        let is_told = match &mut work.stage {
            Stage::Assigning(_) => false,
            Stage::Telling(targets) => self.tell(targets),
        };
        if is_told {
            self.consumer.assignment_epoch = work.epoch;
        } else {
            self.live.work = Some(work);
            self.look_at(self.now.mono);
        }
    }

    /// How long there is no new assignment yet: who comes within that time is taken along.
    fn next_assignment(&self) -> Duration {
        let Wall(assigned_at) = self.consumer.assigned_at;
        if assigned_at == 0 || self.live.roll.members == 0 {
            return Duration::ZERO;
        }
        // A wall clock that was set back keeps nobody waiting.
        let Ok(passed_ms) = u64::try_from(self.now.wall.0 - assigned_at) else { return Duration::ZERO };
        self.timing.assignment.saturating_sub(Duration::from_millis(passed_ms))
    }

    fn candidates(&self) -> Vec<Candidate> {
        let mut subscriptions: BTreeMap<(&[String], &str), Arc<[TopicId]>> = BTreeMap::new();
        let candidates = self.all().map(|(id, member)| {
            let Member { about, target, .. } = member;
            let key = (about.names.as_slice(), about.pattern.as_str());
            let topics =
                subscriptions.entry(key).or_insert_with(|| self.topics_of(about).into_iter().collect());
            let (topics, had) = (topics.clone(), target.clone());
            Candidate { id: id.to_owned(), instance: about.instance.clone(), topics, had }
        });
        candidates.collect()
    }

    /// Tells as much of the targets as one command has room for; whether all is told.
    fn tell(&mut self, targets: &mut Targets) -> bool {
        let mut left_bytes = self.commands_bytes_max / 4;
        while let Some((id, target)) = targets.pop_first() {
            // Who went meanwhile has nothing to be told.
            let Some(member) = self.member(&id).filter(|member| member.target != target) else { continue };
            let bytes = TARGET_BYTES + id.len() + target.len() * 5 + target.topics().count() * 20;
            if bytes > left_bytes && left_bytes < self.commands_bytes_max / 4 {
                targets.insert(id, target);
                return false;
            }
            left_bytes = left_bytes.saturating_sub(bytes);
            let member = Member { target, ..member.clone() };
            self.put(&id, member);
        }
        true
    }
}
