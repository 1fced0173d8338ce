//! Mutants: bugs planted on purpose, one at a time, so that the simulator can show that it would find them. Each
//! is a value in the configuration; the place that misbehaves asks [`is_planted`].
//!
//! Invariant: without the feature `simulation`, which the shipped binary never has, [`is_planted`] is `false` for
//! the compiler, and nothing of a mutant is left.
//!
//! Source: simulation.md section 6, whose numbers stand beside the names; those without one were real bugs here.

use serde::{Deserialize, Serialize};

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mutant {
    /// 1: a produce is acknowledged when it is proposed.
    AckAtPropose,
    /// 2: a ready with nothing to persist speaks before those ahead of it are durable.
    EmptyReadySpeaks,
    /// 3: a vote leaves before its hard state is durable.
    VoteBeforeDurable,
    /// 4: the hard state is lost where a frame has entries of the replica too.
    HardStateLost,
    /// 5: a ready counts as durable when it is handed to the journal.
    DurableWhenHandedOver,
    /// 12: all nodes wait equally long for a leader.
    SameElectionTimeout,
    /// 18: a failed sync is believed to have worked.
    FailedSyncBelieved,
    /// 21: the offset of a refused proposal is not given back.
    OffsetNotGivenBack,
    /// 22: a new leader goes on with the offsets of its earlier leadership.
    StaleTip,
    /// 27: followers do not track producers.
    ProducersOnLeaderOnly,
    /// 28: snapshots and checkpoints lack the producers.
    SnapshotWithoutProducers,
    /// 31: only a producer's last batch is known as a duplicate.
    OneBatchRemembered,
    /// A duplicate of what is applied is not answered.
    DuplicateNotAnswered,
    /// A leader helps no one before its own entry is applied.
    CatchUpNeedsOwnTerm,
    /// What may wait does not regard the size of a frame.
    ReadyLargerThanFrame,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 15] = [
        Mutant::AckAtPropose,
        Mutant::EmptyReadySpeaks,
        Mutant::VoteBeforeDurable,
        Mutant::HardStateLost,
        Mutant::DurableWhenHandedOver,
        Mutant::SameElectionTimeout,
        Mutant::FailedSyncBelieved,
        Mutant::OffsetNotGivenBack,
        Mutant::StaleTip,
        Mutant::ProducersOnLeaderOnly,
        Mutant::SnapshotWithoutProducers,
        Mutant::OneBatchRemembered,
        Mutant::DuplicateNotAnswered,
        Mutant::CatchUpNeedsOwnTerm,
        Mutant::ReadyLargerThanFrame,
    ];
}

/// Whether that bug is planted.
#[cfg(feature = "simulation")]
#[inline]
pub fn is_planted(planted: Option<Mutant>, mutant: Mutant) -> bool {
    planted == Some(mutant)
}

/// Never, in what is shipped.
#[cfg(not(feature = "simulation"))]
#[inline]
pub const fn is_planted(_planted: Option<Mutant>, _mutant: Mutant) -> bool {
    false
}
