//! Which claim must catch which planted bug (numbers are those of `docs/mutants.md`). An ordinary seed that does is
//! nominated for each in `plans/mutants.txt`, which `cargo run -p sim -- nominate` writes anew: a seed that still does
//! stays. `score` tells how many random seeds it takes.
//!
//! A mutant that few seeds catch is a weak spot of the generator, or a check that is missing: then the generator
//! gets a bias or a claim another check, and the mutant no hunted seed.
//!
//! Several rows name more than one claim. C17 and C18 are one claim for two kinds of runs, those in which all sites
//! are sound in the end and those in which most are. And what a restart has lost is seen by whoever looks first: the
//! claim of the node that starts, of the one that compares it with its peers, or of the client that reads.
//!
//! What of that list is not here: 8 and 9 (who is cut off steps down as fast as the others elect, so a stale read
//! needs clocks that run far apart, and a hundred random seeds did not bring it; the watchers stay to look for it),
//! 10 (a link delivers once and in order), 11 (needs a disk that lies about the past), 12 (who loses its leader
//! stands by rank, and pre-votes settle the rest: equal timeouts stay harmless), 26 (no DeleteRecords), 30 (a new
//! producer begins at 0), 32 to 38 and 44 to 47 (no transactions, or changes of members), 40 to 43 (not planted yet), 49 to 52 (no compaction; retention
//! goes by the leader's clock, as in Kafka, and takes the newest segment too), 54 (raft-rs refuses it by itself).
//!
//! Planted, and without a row:
//! - 56: one random seed in a hundred catches it, as it needs a catch-up cut short in a term that lasts to the end.
//! - `SnapshotEndBelieved`: the sites of a run are honest, and who does not know the secret is heard by nobody (C22).
//!   `core/tests/lying_peers.rs` is where they are not.
//! - `LatestUnconfirmed`: the same as 8 and 9.
//! - `GoneReplicaAwaited`: a topic has to be deleted while a checkpoint waits for just that replica to write. That the
//!   checkpoint then never ends would be seen (C19), but none of 300 seeds brought it.
//! - `PassedInMemoryStays`: retention has to pass what is in memory of a log that nobody writes to any more: about one
//!   seed in a hundred (`plans/seed-5002.json`); a unit test catches it.
//! - `OneMoreApi` is no bug: `tests/seeds.rs` demands that nothing comes of it.
//!
//! Not planted: that a node halts before its disk remembers why. Its next start finds the same again, so that no claim
//! sees a difference; `storage/tests/damage.rs` looks at what is remembered.

use crate::claims::{Claim, Failure};
use crate::plan::Plan;
use crate::run::{plan_of, run};
use crate::trace::Watch;
use rust_mq_client::machine::mutant::Mutant as ClientMutant;
use rust_mq_core::mutant::Mutant;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A planted bug, and where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// In the nodes.
    Node(Mutant),
    /// In the clients of our own crate.
    Client(ClientMutant),
}

impl Bug {
    /// A number of its own.
    pub fn number(self) -> u64 {
        match self {
            Bug::Node(mutant) => mutant as u64,
            Bug::Client(mutant) => CLIENTS_FROM + mutant as u64,
        }
    }

    /// The plan with it.
    pub fn planted(self, mut plan: Plan) -> Plan {
        match self {
            Bug::Node(mutant) => plan.mutant = Some(mutant),
            Bug::Client(mutant) => plan.client_mutant = Some(mutant),
        }
        plan
    }
}

/// By its name alone: no two have the same.
impl fmt::Debug for Bug {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bug::Node(mutant) => mutant.fmt(out),
            Bug::Client(mutant) => mutant.fmt(out),
        }
    }
}

/// Where the numbers of the clients' mutants begin.
const CLIENTS_FROM: u64 = 10_000;

/// One mutant and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Which.
    pub mutant: Bug,
    /// Its number in the list of `docs/mutants.md`; none if it was a real bug here.
    pub number: Option<u8>,
    /// The claims of which one must be the first to fail; what was expected stands first where it can be.
    pub claims: &'static [Claim],
}

const fn numbered(number: u8, mutant: Mutant, claims: &'static [Claim]) -> Planted {
    Planted { mutant: Bug::Node(mutant), number: Some(number), claims }
}

const fn ours(mutant: Mutant, claims: &'static [Claim]) -> Planted {
    Planted { mutant: Bug::Node(mutant), number: None, claims }
}

const fn of_client(mutant: ClientMutant, claims: &'static [Claim]) -> Planted {
    Planted { mutant: Bug::Client(mutant), number: None, claims }
}

/// Where the seeds are nominated: the mutant's name and a seed, a line each.
pub fn nominations() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("plans/mutants.txt")
}

/// The seed that is nominated for each, by the mutant's name.
pub fn nominated() -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(nominations()).unwrap_or_default();
    let line = |line: &str| {
        let (name, seed) = line.split_once(' ')?;
        Some((name.to_owned(), seed.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// All of them.
pub const ALL: [Planted; 104] = [
    numbered(1, Mutant::AckAtPropose, &[Claim::C3]),
    numbered(2, Mutant::EmptyReadySpeaks, &[Claim::C3]),
    // Without a crash: the vote is looked up in the durable journal as it leaves, or comes back without it (C4).
    numbered(3, Mutant::VoteBeforeDurable, &[Claim::C3]),
    numbered(4, Mutant::HardStateLost, &[Claim::C3, Claim::C7]),
    numbered(5, Mutant::DurableWhenHandedOver, &[Claim::C3]),
    numbered(6, Mutant::ConflictSurvives, &[Claim::C2]),
    numbered(7, Mutant::NewestConfirmed, &[Claim::C3]),
    numbered(13, Mutant::TornFrameAccepted, &[Claim::C2, Claim::C7]),
    numbered(14, Mutant::RotTakenForTail, &[Claim::C7, Claim::C5]),
    numbered(15, Mutant::OldFrameReplayed, &[Claim::C2, Claim::C4, Claim::C5, Claim::C7]),
    // Whoever looks first: the node that starts, or the one that compares what is left with what was written (C6).
    numbered(16, Mutant::SegmentsNotSynced, &[Claim::C7, Claim::C6]),
    // A sync covers names by the driver's law 4, so a name is lost with the sync.
    numbered(17, Mutant::NewFileNotSynced, &[Claim::C7, Claim::C6]),
    numbered(18, Mutant::FailedSyncBelieved, &[Claim::C3]),
    // A node that finds both slots torn refuses its disk, before a reader can miss anything.
    numbered(19, Mutant::CheckpointOverwritten, &[Claim::C7, Claim::C17]),
    // Where a site has had failures of reads besides, the audit finds what cannot be read (C17, C18).
    numbered(20, Mutant::FullBelieved, &[Claim::C7, Claim::C3, Claim::C6, Claim::C17, Claim::C18]),
    numbered(21, Mutant::OffsetNotGivenBack, &[Claim::C7, Claim::C9, Claim::C6]),
    numbered(22, Mutant::StaleTip, &[Claim::C7, Claim::C6]),
    // A fetch that waits for what is there is overdue (C17) before the watermark falls.
    numbered(23, Mutant::WatermarkAhead, &[Claim::C5, Claim::C17]),
    numbered(24, Mutant::NoOpTakesOffset, &[Claim::C6, Claim::C7]),
    numbered(25, Mutant::EpochsNotInstalled, &[Claim::C6]),
    numbered(27, Mutant::ProducersOnLeaderOnly, &[Claim::C7, Claim::C6]),
    numbered(28, Mutant::SnapshotWithoutProducers, &[Claim::C7, Claim::C6]),
    numbered(29, Mutant::ProducersAtPropose, &[Claim::C6]),
    numbered(31, Mutant::OneBatchRemembered, &[Claim::C8, Claim::C7]),
    numbered(39, Mutant::CommitOfAnyGeneration, &[Claim::C13]),
    numbered(48, Mutant::TopicIdOfName, &[Claim::C14]),
    numbered(53, Mutant::SnapshotWithoutEpochs, &[Claim::C6]),
    numbered(55, Mutant::LongPollForgotten, &[Claim::C17]),
    numbered(57, Mutant::NoBackOff, &[Claim::C19]),
    ours(Mutant::DuplicateNotAnswered, &[Claim::C17, Claim::C18]),
    ours(Mutant::CatchUpNeedsOwnTerm, &[Claim::C17, Claim::C18]),
    ours(Mutant::LastFrameBelieved, &[Claim::C2, Claim::C3, Claim::C7]),
    ours(Mutant::SlowLeaderStays, &[Claim::C18, Claim::C17]),
    ours(Mutant::StuckReaderStays, &[Claim::C18, Claim::C17]),
    ours(Mutant::FullLeaderStays, &[Claim::C18, Claim::C17]),
    ours(Mutant::DeniesBeforeItKnows, &[Claim::C7]),
    ours(Mutant::UnheardLeaderStays, &[Claim::C18, Claim::C17]),
    // What is too large to be proposed trips an assert.
    ours(Mutant::RoomIgnored, &[Claim::C20]),
    ours(Mutant::ReadyLargerThanFrame, &[Claim::C17, Claim::C18, Claim::C19]),
    ours(Mutant::BudgetNotGivenBack, &[Claim::C19]),
    // A reader is told of records, or that its position is out of range, by a leader that it did not ask.
    ours(Mutant::ClientEpochNotFenced, &[Claim::C9, Claim::C7]),
    ours(Mutant::EarliestIsTheEnd, &[Claim::C9, Claim::C7]),
    ours(Mutant::TimeOffByABatch, &[Claim::C9]),
    ours(Mutant::EpochEndsWithTheNext, &[Claim::C9]),
    // The promise that leaves names another partition's batch (C3).
    ours(Mutant::PartsShift, &[Claim::C7, Claim::C9, Claim::C3]),
    ours(Mutant::SequenceDoesNotWrap, &[Claim::C7]),
    ours(Mutant::IdBlocksOverlap, &[Claim::C8]),
    ours(Mutant::DeletedFilesStay, &[Claim::C19]),
    ours(Mutant::LongPollNotWatchedAgain, &[Claim::C17, Claim::C18]),
    ours(Mutant::RefusedAllTheSame, &[Claim::C10]),
    ours(Mutant::RetentionTakesTooMany, &[Claim::C7]),
    ours(Mutant::MinInsyncForgotten, &[Claim::C3]),
    ours(Mutant::CommitAheadOfEntry, &[Claim::C6, Claim::C19, Claim::C2]),
    ours(Mutant::RefusedVoteCounts, &[Claim::C1]),
    ours(Mutant::VotesTwice, &[Claim::C4]),
    ours(Mutant::LogStartNotKept, &[Claim::C5]),
    ours(Mutant::AnsweredBeforeShown, &[Claim::C7]),
    ours(Mutant::AnsweredByIndex, &[Claim::C3]),
    ours(Mutant::GapTaken, &[Claim::C8]),
    ours(Mutant::DuplicateElsewhere, &[Claim::C3]),
    ours(Mutant::AppendTimeNotWritten, &[Claim::C3, Claim::C7]),
    ours(Mutant::RetentionTooSoon, &[Claim::C7]),
    ours(Mutant::FollowerServes, &[Claim::C7, Claim::C9]),
    ours(Mutant::ReadsBeforeOwnTerm, &[Claim::C7, Claim::C9]),
    ours(Mutant::RetentionOnLeaderOnly, &[Claim::C6]),
    ours(Mutant::DrainedUnsynced, &[Claim::C20]),
    ours(Mutant::ConnectionsRemembered, &[Claim::C19]),
    ours(Mutant::NeverSealed, &[Claim::C19]),
    ours(Mutant::DiskIdKept, &[Claim::C21]),
    ours(Mutant::UnknownProducerAnywhere, &[Claim::C8]),
    ours(Mutant::OldEpochTaken, &[Claim::C8]),
    ours(Mutant::ResetKeepsEntries, &[Claim::C2, Claim::C7]),
    // Whoever starts on what is left refuses its disk, or finds damage on it.
    ours(Mutant::RemovedEarly, &[Claim::C7, Claim::C17]),
    ours(Mutant::RecycledEarly, &[Claim::C7, Claim::C17]),
    ours(Mutant::SecretNotChecked, &[Claim::C22]),
    ours(Mutant::DeletedAtPropose, &[Claim::C7]),
    ours(Mutant::SettingsOnLeaderOnly, &[Claim::C6]),
    ours(Mutant::AboveTheLevel, &[Claim::C6, Claim::C17, Claim::C18]),
    ours(Mutant::UnfinishedOvertaken, &[Claim::C8]),
    // Whoever starts on it has a state of another time, or none that fits together.
    ours(Mutant::OldPageNamed, &[Claim::C6, Claim::C7, Claim::C17]),
    ours(Mutant::PagesNotAwaited, &[Claim::C7, Claim::C17, Claim::C6]),
    ours(Mutant::StateFileGoesEarly, &[Claim::C7, Claim::C17]),
    ours(Mutant::GoneLogWaits, &[Claim::C19]),
    ours(Mutant::KeptForNobody, &[Claim::C19]),
    // A reader of the last records of a log waits for them.
    ours(Mutant::QuietForGood, &[Claim::C17, Claim::C18]),
    ours(Mutant::SessionOffsetStays, &[Claim::C9, Claim::C17, Claim::C18]),
    ours(Mutant::ReadsPassTheirShare, &[Claim::C9]),
    // Only a run in which a site stays dead can tell.
    ours(Mutant::GoneIsTold, &[Claim::C18]),
    ours(Mutant::ProposedIsTold, &[Claim::C5]),
    ours(Mutant::TargetForCurrent, &[Claim::C13]),
    ours(Mutant::PartitionGivenTwice, &[Claim::C13]),
    // It has a target, too, and does not always walk there.
    ours(Mutant::FencedAndServed, &[Claim::C13, Claim::C17, Claim::C18]),
    // What nobody is told to have nobody has: the members wait for it in the end.
    ours(Mutant::EpochNotBumped, &[Claim::C17, Claim::C18]),
    ours(Mutant::PatternStale, &[Claim::C17, Claim::C18]),
    of_client(ClientMutant::RetryUnderNewSequence, &[Claim::C7, Claim::C9, Claim::C10]),
    of_client(ClientMutant::AckOfAnother, &[Claim::C7, Claim::C9]),
    of_client(ClientMutant::UnsureSentAgain, &[Claim::C7, Claim::C9, Claim::C10]),
    of_client(ClientMutant::LostTakenForRefused, &[Claim::C10]),
    of_client(ClientMutant::GivenUpDelivered, &[Claim::C7]),
    of_client(ClientMutant::MendedBackwards, &[Claim::C8]),
    of_client(ClientMutant::CommitAhead, &[Claim::C13]),
    of_client(ClientMutant::CommitInHand, &[Claim::C13]),
    of_client(ClientMutant::LateAnswerTaken, &[Claim::C13]),
    of_client(ClientMutant::PositionKept, &[Claim::C13]),
];

impl Planted {
    /// Runs a seed with it.
    pub fn run(&self, seed: u64) -> Option<Failure> {
        run(&self.mutant.planted(plan_of(seed)), Watch::Nobody, None).failure
    }

    /// Whether a seed is red with it by a claim that is named for it, and green without it; else what came of it.
    pub fn is_caught_by(&self, seed: u64) -> Result<(), Missed> {
        let failure = self.run(seed);
        if !failure.as_ref().is_some_and(|failure| self.is_named(failure.claim)) {
            return Err(Missed::OtherEnd { mutant: self.mutant, seed, failure });
        }
        match run(&plan_of(seed), Watch::Nobody, None).failure {
            Some(failure) => Err(Missed::RedWithoutIt { mutant: self.mutant, seed, failure }),
            None => Ok(()),
        }
    }

    /// The first of `seeds` that turns red with it and is green without it, how many it took, and how it failed.
    pub fn hunt(&self, seeds: impl Iterator<Item = u64>) -> Option<Caught> {
        seeds.zip(1..).find_map(|(seed, taken)| {
            let failure = self.run(seed)?;
            let is_red_anyway = run(&plan_of(seed), Watch::Nobody, None).failure.is_some();
            (!is_red_anyway).then_some(Caught { seed, taken, failure })
        })
    }

    /// Whether it must be that claim that fails.
    pub fn is_named(&self, claim: Claim) -> bool {
        self.claims.contains(&claim)
    }
}

/// Why a seed does not catch a mutant.
#[derive(Clone, Debug)]
pub enum Missed {
    /// With it the run ends otherwise than by a claim that is named for it.
    OtherEnd {
        /// Which.
        mutant: Bug,
        /// The seed.
        seed: u64,
        /// How the run failed, if it did.
        failure: Option<Failure>,
    },
    /// Without it the run is red, too.
    RedWithoutIt {
        /// Which.
        mutant: Bug,
        /// The seed.
        seed: u64,
        /// How the run failed.
        failure: Failure,
    },
}

impl fmt::Display for Missed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missed::OtherEnd { mutant, seed, failure } => write!(out, "{mutant:?}, seed {seed}: {failure:?}"),
            Missed::RedWithoutIt { mutant, seed, failure } => {
                write!(out, "{mutant:?}: seed {seed} is red without it: {failure}")
            }
        }
    }
}

/// A mutant that a seed has caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// Which seed.
    pub seed: u64,
    /// Seeds that were run for it.
    pub taken: u64,
    /// How it failed.
    pub failure: Failure,
}
