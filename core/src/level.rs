//! The feature level: one number that a cluster has, and that only rises.
//!
//! What a node may write where others, or an older build, must read it, is what is written from the cluster's level on
//! or from an earlier one. Each build reads a range of levels; a cluster's level is raised only to what all its nodes
//! read, and a node that does not read its cluster's level does not run.
//!
//! Invariant: `oldest <= newest`, and what is proposed was first written at a level <= the cluster's.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A feature level.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct Level(pub u32);

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// The levels that a build reads.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct Levels {
    /// The first.
    pub oldest: Level,
    /// The last, which it also writes where the cluster is so far.
    pub newest: Level,
}

impl Levels {
    /// What this build reads. A new kind, or a new version of one, is a level more; an old one may go when `oldest`
    /// has passed all levels at which it was written.
    pub const BUILD: Levels = Levels { oldest: Level(1), newest: Level(3) };

    /// The newest level of what can be read by all that is compiled into this build. In the simulator, and in tests,
    /// that is one more than it writes: some of its nodes are of a build that is one newer.
    pub const READABLE: Level =
        Level(Levels::BUILD.newest.0 + if cfg!(any(test, feature = "simulation")) { 1 } else { 0 });

    /// The newest level that both read.
    pub fn common(self, other: Levels) -> Option<Level> {
        let newest = self.newest.min(other.newest);
        (self.oldest.max(other.oldest) <= newest).then_some(newest)
    }

    /// How many levels it reads beyond this build's: none, but for the simulator's nodes of a newer build.
    pub fn ahead(self) -> u32 {
        self.newest.0.saturating_sub(Levels::BUILD.newest.0)
    }

    /// Whether a cluster of that level can be read.
    pub fn contains(self, level: Level) -> bool {
        (self.oldest..=self.newest).contains(&level)
    }
}

impl Default for Levels {
    fn default() -> Levels {
        Levels::BUILD
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} to {}", self.oldest, self.newest)
    }
}
