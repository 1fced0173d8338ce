//! Mutants: bugs planted on purpose, one at a time, so that tests can show that they would find them. Each is a value in a
//! machine's settings; the place that misbehaves asks [`is_planted`].
//!
//! Invariant: outside of tests, and without the feature `simulation`, [`is_planted`] is `false` for the compiler, and nothing
//! of a mutant is left.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "simulation", derive(serde::Serialize, serde::Deserialize))]
pub enum Mutant {
    /// A batch is tried again under the next sequence.
    RetryUnderNewSequence,
    /// An acknowledgement is taken for the batch of another partition.
    AckOfAnother,
    /// What may have been appended is sent again under the next epoch.
    UnsureSentAgain,
    /// What was lost with its lane counts as certainly not appended.
    LostTakenForRefused,
    /// What was fetched is committed, whether it was dealt with or not.
    CommitAhead,
    /// What was handed out counts as dealt with at once.
    CommitInHand,
    /// An answer to a fetch from before a seek is taken.
    LateAnswerTaken,
    /// A batch whose answer does not come in time is said to be delivered.
    GivenUpDelivered,
    /// What is left after a gap goes on under the next epoch from its end.
    MendedBackwards,
    /// What was its own and is its own again is read on from where it was, and not from where the group has come.
    PositionKept,
}

/// Whether that one is.
pub fn is_planted(planted: Option<Mutant>, mutant: Mutant) -> bool {
    cfg!(any(test, feature = "simulation")) && planted == Some(mutant)
}
