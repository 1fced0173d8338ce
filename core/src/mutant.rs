//! Mutants: bugs planted on purpose, one at a time, so that the simulator can show that it would find them. Each
//! is a value in the configuration; the place that misbehaves asks [`is_planted`].
//!
//! Invariant: without the feature `simulation`, which the shipped binary never has, [`is_planted`] is `false` for
//! the compiler, and nothing of a mutant is left.
//!
//! Which claim must catch which, and with what seed, is told where they are run (`sim/src/mutants.rs`). The numbers
//! here are the mutants' own; those without one were real bugs of ours.

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
    /// 6: replay keeps what stood at an index that was written anew.
    ConflictSurvives,
    /// 7: when an older ready is durable, the newest one counts as durable.
    NewestConfirmed,
    /// 13: a frame is whole if its header is.
    TornFrameAccepted,
    /// What recovery reads of the last frame is only synced, not written again.
    LastFrameBelieved,
    /// 14: rot in the journal is taken for its end.
    RotTakenForTail,
    /// 15: a frame of an earlier lap of the ring is taken for the next one.
    OldFrameReplayed,
    /// 16: a checkpoint does not sync the segments that it names.
    SegmentsNotSynced,
    /// 17: the newest file of a log is left out of the sync, and so its name.
    NewFileNotSynced,
    /// 18: a failed sync is believed to have worked.
    FailedSyncBelieved,
    /// 19: a checkpoint is written over the one in force.
    CheckpointOverwritten,
    /// 20: a write that met a full disk is believed to have worked.
    FullBelieved,
    /// 21: the offset of a refused proposal is not given back.
    OffsetNotGivenBack,
    /// 22: a new leader goes on with the offsets of its earlier leadership.
    StaleTip,
    /// 23: the high watermark covers what is proposed.
    WatermarkAhead,
    /// 24: a leader's empty entry takes an offset.
    NoOpTakesOffset,
    /// 25: who catches up keeps the leader epochs it knew.
    EpochsNotInstalled,
    /// 27: followers do not track producers.
    ProducersOnLeaderOnly,
    /// 28: snapshots and checkpoints lack the producers.
    SnapshotWithoutProducers,
    /// 29: a producer's batch is remembered when it is proposed.
    ProducersAtPropose,
    /// 31: only a producer's last batch is known as a duplicate.
    OneBatchRemembered,
    /// 39: a member commits in whatever generation.
    CommitOfAnyGeneration,
    /// A member of a consumer group is told its target, and not what it may have by now.
    TargetForCurrent,
    /// A consumer group's epoch stays where somebody leaves.
    EpochNotBumped,
    /// A partition is given to its next member before the one who has it has let go.
    PartitionGivenTwice,
    /// What a pattern means is never looked up again.
    PatternStale,
    /// What a silent member had goes to others, and it is served as before.
    FencedAndServed,
    /// 48: a topic's id follows from its name.
    TopicIdOfName,
    /// 53: snapshots and checkpoints lack the leader epochs.
    SnapshotWithoutEpochs,
    /// 55: a parked fetch forgets when its time is up.
    LongPollForgotten,
    /// 56: a catch-up whose answer is lost waits for it for ever.
    CatchUpNeverGivenUp,
    /// 57: a lost peer is dialled again without a pause.
    NoBackOff,
    /// A duplicate of what is applied is not answered.
    DuplicateNotAnswered,
    /// A leader helps no one before its own entry is applied.
    CatchUpNeedsOwnTerm,
    /// Who leads on a disk that does nothing any more goes on leading.
    SlowLeaderStays,
    /// Who leads on a disk that gives nothing back any more goes on leading.
    StuckReaderStays,
    /// Who leads on a disk that has no space goes on leading.
    FullLeaderStays,
    /// Nobody asks for the leadership of who is not heard by all.
    UnheardLeaderStays,
    /// A node that has just started takes what its image lacks for what there is not.
    DeniesBeforeItKnows,
    /// acks=all is answered by a majority, whatever `min.insync.replicas` says.
    MinInsyncForgotten,
    /// What is asked of the metadata is decided whatever room it takes.
    RoomIgnored,
    /// What may wait does not regard the size of a frame.
    ReadyLargerThanFrame,
    /// What a request was charged with is not given back if its client is gone when it is done.
    BudgetNotGivenBack,
    /// A peer need not show that it knows the secret.
    SecretNotChecked,
    /// Where a snapshot's records end is taken from what comes with it, not from its state.
    SnapshotEndBelieved,
    /// A commit is in an earlier frame than the entry that it speaks of.
    CommitAheadOfEntry,
    /// A reset keeps the entries above its index.
    ResetKeepsEntries,
    /// The leader epoch that a client tells is not looked at.
    ClientEpochNotFenced,
    /// The earliest offset is answered with the end of the log.
    EarliestIsTheEnd,
    /// The first batch that has a record of a time is passed over.
    TimeOffByABatch,
    /// The end of an epoch is answered with the end of the next.
    EpochEndsWithTheNext,
    /// A batch that is refused takes no number among those of its request.
    PartsShift,
    /// A producer that nobody knows may begin at any sequence.
    UnknownProducerAnywhere,
    /// Sequences are compared as numbers: after the largest one, what comes looks old.
    SequenceDoesNotWrap,
    /// The end of a log is answered without making sure that this replica still leads.
    LatestUnconfirmed,
    /// A block of producer ids begins in the middle of the one before.
    IdBlocksOverlap,
    /// What a deleted topic had on the disk stays there.
    DeletedFilesStay,
    /// A parked fetch that was looked at in vain is not woken again.
    LongPollNotWatchedAgain,
    /// A batch whose timestamps are refused enters the log all the same.
    RefusedAllTheSame,
    /// Retention takes a segment too many.
    RetentionTakesTooMany,
    /// A vote that is refused counts as one that is given.
    RefusedVoteCounts,
    /// A replica gives its vote of a term to whoever asks last.
    VotesTwice,
    /// A checkpoint says of every log that it begins at 0.
    LogStartNotKept,
    /// What was made of topics is answered before the image here shows it.
    AnsweredBeforeShown,
    /// A checkpoint waits for the log of a replica that is gone.
    GoneReplicaAwaited,
    /// No frame follows the last one, however quiet it is.
    NeverSealed,
    /// A disk whose journal has rotted keeps its id.
    DiskIdKept,
    /// Who waits for an entry is answered when one of that index is applied, whoever leads.
    AnsweredByIndex,
    /// Files of the journal are freed before the checkpoint that covers them is durable.
    RecycledEarly,
    /// Segments are removed before the checkpoint that no longer names them is durable.
    RemovedEarly,
    /// A batch whose sequence leaves a gap is taken.
    GapTaken,
    /// A batch of an epoch that its producer has left is taken.
    OldEpochTaken,
    /// A duplicate is answered with the end of the log.
    DuplicateElsewhere,
    /// The leader's time is answered and not written into the batch.
    AppendTimeNotWritten,
    /// Retention takes what is half as old as it may become.
    RetentionTooSoon,
    /// Whoever has a replica serves readers.
    FollowerServes,
    /// A leader serves readers before it has applied an entry of its term.
    ReadsBeforeOwnTerm,
    /// Followers do not take over where a log begins.
    RetentionOnLeaderOnly,
    /// A log counts as settled once it is written, synced or not.
    DrainedUnsynced,
    /// A connection that is closed is not forgotten.
    ConnectionsRemembered,
    /// Segments that the log's start had passed before they were written are not given up.
    PassedInMemoryStays,
    /// No bug, but what the next API does to everybody else: ApiVersions names one more. No run may change for it.
    OneMoreApi,
    /// Deleted records are said to be gone when that is proposed.
    DeletedAtPropose,
    /// Followers do not hear that a topic's settings have changed.
    SettingsOnLeaderOnly,
    /// A leader writes what its own build knows, whatever level the cluster has.
    AboveTheLevel,
    /// A link's next request does not wait for one of which only some batches are appended.
    UnfinishedOvertaken,
    /// A page that was changed is named where it lay before.
    OldPageNamed,
    /// A checkpoint does not wait for the pages that it names.
    PagesNotAwaited,
    /// A file of state that is being emptied goes although pages of it are named.
    StateFileGoesEarly,
    /// A log that is gone is to be written for good.
    GoneLogWaits,
    /// Those who watch are told that what is proposed is committed.
    ProposedIsTold,
    /// What a leader keeps for followers stays until the next checkpoint, though they have it.
    KeptForNobody,
    /// Clients are told of a node for as long as it is a member, dead or not.
    GoneIsTold,
    /// A part of a fetch session that has had nothing is not looked at any more.
    QuietForGood,
    /// A part of a fetch session is read from where it was when the session began.
    SessionOffsetStays,
    /// A batch that the disk brings is held against what its partition may have, not against what the answer has left.
    ReadsPassTheirShare,
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
