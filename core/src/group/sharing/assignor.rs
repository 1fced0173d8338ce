//! Who is to have what: the server-side assignors, as pure functions that are run a bounded piece at a time.
//!
//! ```text
//! Assignor::begin(candidates, sizes) -> Task      Task::go_on(steps) -> what each is to have, or `None`: go on later
//! ```
//! - Invariant: each partition of a topic that somebody subscribes to is given to exactly one who does.
//! - Invariant: `uniform`: no partition could move to a subscriber who has two fewer than its owner.
//! - Invariant: `uniform`: nobody loses what he may keep: with one subscription for all, only what is above his share.
//!
//! A rack takes no part, as in Kafka (KIP-848 leaves it out of the first assignors).

use super::candidate::{Candidate, Targets};
use super::{range, uniform};
use crate::ids::TopicId;
use std::collections::BTreeMap;

/// The assignors that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// As even as can be, moving as little as can be.
    #[default]
    Uniform,
    /// Neighbouring partitions together, the same numbers of several topics with the same member.
    Range,
}

/// An assignment under way.
#[derive(Debug)]
pub enum Task {
    /// See `uniform`.
    Uniform(Box<uniform::Sharing>),
    /// See `range`.
    Range(Box<range::Dealing>),
}

impl Assignor {
    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The one of that name.
    pub fn parse(name: &str) -> Option<Assignor> {
        [Assignor::Uniform, Assignor::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// Begins to assign. `sizes` has the number of partitions of each topic that anybody subscribes to.
    pub fn begin(self, candidates: Vec<Candidate>, sizes: &BTreeMap<TopicId, i32>) -> Task {
        match self {
            Assignor::Uniform => Task::Uniform(Box::new(uniform::Sharing::new(candidates, sizes))),
            Assignor::Range => Task::Range(Box::new(range::Dealing::new(candidates, sizes.clone()))),
        }
    }
}

impl Task {
    /// Goes on for about so many steps (a member, a topic of it, a partition); what came of it, if it is done.
    pub fn go_on(&mut self, steps: &mut usize) -> Option<Targets> {
        match self {
            Task::Uniform(sharing) => sharing.go_on(steps),
            Task::Range(dealing) => dealing.go_on(steps),
        }
    }
}
