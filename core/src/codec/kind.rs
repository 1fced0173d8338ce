//! What stands before every shape: which kind it is, and in which version.
//!
//! ```text
//! 1 to 15    states: of a machine on its host, of the metadata, of a partition
//! 16 to 31   commands of the metadata        32 to 47   commands of a partition
//! 48 to 63   requests to the metadata        64 to 79   its answers
//! 80         a page of a map (`paged`), which has its own header
//! 96 to 127  commands of the groups
//! ```
//! A number is given once, and not again when its kind is gone.
//!
//! Not here: what the kinds hold (the rooms that own them), the bytes (`codec`).

use crate::level::{Level, Levels};
use crate::machine::Undecodable;

/// A kind of shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// What stands on the disk and on the wire.
    pub number: u8,
    /// What people call it.
    pub name: &'static str,
    /// The versions of it that this build reads, rising.
    pub versions: &'static [Version],
}

/// A version of a kind. Its bytes never change; what is to be said otherwise is a version more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// What stands on the disk and on the wire.
    pub number: u8,
    /// The level from which it is written.
    pub since: Level,
}

/// What most kinds have: one version, which has always been there.
pub const FIRST: &[Version] = &[Version { number: 1, since: Level(1) }];

/// What a kind of the second level has that has not changed since.
pub const SECOND: &[Version] = &[Version { number: 1, since: Level(2) }];

/// And one of the third.
pub const THIRD: &[Version] = &[Version { number: 1, since: Level(3) }];

impl Kind {
    /// A kind that has those versions.
    pub const fn new(number: u8, name: &'static str, versions: &'static [Version]) -> Kind {
        Kind { number, name, versions }
    }

    /// A kind that was there from the first level on and has not changed.
    pub const fn first(number: u8, name: &'static str) -> Kind {
        Kind { number, name, versions: FIRST }
    }

    /// The version to write where the cluster has that level; `None` if nobody there can read any.
    pub(super) fn written_at(&self, level: Level) -> Option<Version> {
        self.versions.iter().rev().find(|version| version.since <= level).copied()
    }

    /// The level from which it may be written at all.
    pub fn since(&self) -> Level {
        self.versions.first().map_or(Level(u32::MAX), |version| version.since)
    }

    /// Whether that version can be read; otherwise what is wrong, by name.
    pub(super) fn reads(&self, version: u8, what: &'static str) -> Result<(), Undecodable> {
        if self.versions.iter().any(|known| known.number == version) {
            return Ok(());
        }
        let ends = (self.versions.first(), self.versions.last());
        let (first, last) = ends.0.zip(ends.1).map_or((0, 0), |(first, last)| (first.number, last.number));
        let Kind { number, name, .. } = self;
        let reason =
            format!("{name} (kind {number}) in version {version}; this build reads {first} to {last}");
        Err(Undecodable { what, reason })
    }
}

/// A version that no build has yet: the next one's, which the simulator's nodes of a newer build write at the level
/// after this build's. Its bytes are those of the newest version.
pub(super) fn one_newer(kind: &Kind, level: Level) -> Option<u8> {
    let is_newer = Levels::READABLE > Levels::BUILD.newest && level > Levels::BUILD.newest;
    let newest = kind.versions.last().filter(|_| is_newer)?;
    Some(newest.number + 1)
}
