//! A consumer group as its coordinator sees it: who was heard when, what is being worked out.
//!
//! Invariant: `roll` stands for the members as they are under `mark`, and is not used under another.

use super::assignor::Task;
use super::candidate::Targets;
use super::matching::{Matching, Topics};
use super::roll::Roll;
use crate::now::Mono;
use std::collections::BTreeMap;

/// A consumer group that has members.
#[derive(Debug, Default)]
pub struct Live {
    pub roll: Roll,
    pub mark: Option<u64>,
    pub seats: BTreeMap<String, Seat>,
    pub matching: Matching,
    /// The topics of the image at which the group's own were looked at last.
    pub seen: Option<Topics>,
    pub work: Option<Work>,
    /// When the group itself is looked at next.
    pub alarm: Option<Mono>,
}

/// Targets that are being worked out, or told, for an epoch.
#[derive(Debug)]
pub struct Work {
    pub epoch: i32,
    pub stage: Stage,
}

/// How far they are.
#[derive(Debug)]
pub enum Stage {
    Assigning(Task),
    /// What is left to be told.
    Telling(Targets),
}

/// Where a member sits.
#[derive(Debug, Default)]
pub struct Seat {
    /// When it was silent for too long.
    pub until: Mono,
    /// By when it is to have let go, and at which epoch it was told.
    pub release: Option<(i32, Mono)>,
    /// When it is looked at next.
    pub alarm: Mono,
}

impl Live {
    /// Whether nothing is kept of it.
    pub fn is_over(&self) -> bool {
        self.seats.is_empty()
    }
}
