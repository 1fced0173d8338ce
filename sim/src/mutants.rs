//! Which claim must catch which planted bug (numbers are those of `docs/mutants.md`), and an ordinary
//! seed that does. `hunt` tells how many random seeds it takes.
//!
//! A mutant that few seeds catch is a weak spot of the generator, or a check that is missing: then the generator
//! gets a bias or a claim another check, and the mutant no hunted seed.
//!
//! Several rows name more than one claim. C17 and C18 are one claim for two kinds of runs, those in which all machines
//! are sound in the end and those in which most are. And what a restart has lost is seen by whoever looks first: the
//! claim of the node that starts, of the one that compares it with its peers, or of the client that reads.
//!
//! What of that list is not here: 8 and 9 (who is cut off steps down as fast as the others elect, so a stale read
//! needs clocks that run far apart, and a hundred random seeds did not bring it; the watchers stay to look for it),
//! 10 (a link delivers once and in order), 11 (needs a disk that lies about the past), 12 (who loses its leader
//! stands by rank, and pre-votes settle the rest: equal timeouts stay harmless), 26 and 49 to 52 (retention is not in
//! the workload), 30 (a new producer begins at 0), 32 to 47 (no transactions, groups, or changes of members), 54
//! (raft-rs refuses it by itself). Planted and not listed is 56: one random seed in a hundred catches it, as it needs
//! a catch-up cut short in a term that lasts to the end. So is
//! that acks=all forgets `min.insync.replicas` (`MinInsyncForgotten`), for want of a check: a story catches it.

use crate::claims::{Claim, Failure};
use crate::run::{plan_of, run};
use crate::trace::Watch;
use rust_mq_core::mutant::Mutant;

/// One mutant and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Planted {
    /// Which.
    pub mutant: Mutant,
    /// Its number in the list of `docs/mutants.md`; none if it was a real bug here.
    pub number: Option<u8>,
    /// The claims of which one must be the first to fail; what was expected stands first where it can be.
    pub claims: &'static [Claim],
    /// An ordinary seed that catches it.
    pub seed: u64,
}

const fn numbered(number: u8, mutant: Mutant, claims: &'static [Claim], seed: u64) -> Planted {
    Planted { mutant, number: Some(number), claims, seed }
}

const fn ours(mutant: Mutant, claims: &'static [Claim], seed: u64) -> Planted {
    Planted { mutant, number: None, claims, seed }
}

/// All of them.
pub const ALL: [Planted; 36] = [
    numbered(1, Mutant::AckAtPropose, &[Claim::C3], 40_712_388_152_974),
    numbered(2, Mutant::EmptyReadySpeaks, &[Claim::C3], 112_022_330_163_144),
    // Without a crash: the vote is looked up in the durable journal as it leaves, or comes back without it (C4).
    numbered(3, Mutant::VoteBeforeDurable, &[Claim::C3], 112_456_014_820_575),
    numbered(4, Mutant::HardStateLost, &[Claim::C3, Claim::C7], 13_415_156_773_054),
    numbered(5, Mutant::DurableWhenHandedOver, &[Claim::C3], 226_153_895_823_864),
    numbered(6, Mutant::ConflictSurvives, &[Claim::C2], 20_029),
    numbered(7, Mutant::NewestConfirmed, &[Claim::C3], 203_703_163_998_961),
    numbered(13, Mutant::TornFrameAccepted, &[Claim::C2], 79_448_034_159_463),
    numbered(14, Mutant::RotTakenForTail, &[Claim::C7, Claim::C5], 174_004_250_300_130),
    numbered(15, Mutant::OldFrameReplayed, &[Claim::C2, Claim::C4, Claim::C5, Claim::C7], 37_800_239_627_453),
    numbered(16, Mutant::SegmentsNotSynced, &[Claim::C7], 128_900_141_488_085),
    // A sync covers names by the driver's law 4, so a name is lost with the sync.
    numbered(17, Mutant::NewFileNotSynced, &[Claim::C7], 153_955_209_268_054),
    numbered(18, Mutant::FailedSyncBelieved, &[Claim::C3], 198_639_248_335_592),
    // A node that finds both slots torn refuses its disk, before a reader can miss anything.
    numbered(19, Mutant::CheckpointOverwritten, &[Claim::C7, Claim::C17], 209_867_377_298_400),
    // Where a machine has had failures of reads besides, the audit finds what cannot be read (C17, C18).
    numbered(20, Mutant::FullBelieved, &[Claim::C7, Claim::C3, Claim::C17, Claim::C18], 40_543_129_649_523),
    numbered(21, Mutant::OffsetNotGivenBack, &[Claim::C7, Claim::C9, Claim::C6], 83_448_278_938_157),
    numbered(22, Mutant::StaleTip, &[Claim::C7, Claim::C6], 38_052_972_478_658),
    numbered(23, Mutant::WatermarkAhead, &[Claim::C5], 112_574_661_289_852),
    numbered(24, Mutant::NoOpTakesOffset, &[Claim::C6, Claim::C7], 98_142_090_789_840),
    numbered(25, Mutant::EpochsNotInstalled, &[Claim::C6], 93_874_739_524_985),
    numbered(27, Mutant::ProducersOnLeaderOnly, &[Claim::C7, Claim::C6], 21_000),
    numbered(28, Mutant::SnapshotWithoutProducers, &[Claim::C7, Claim::C6], 58_953_219_712_073),
    numbered(29, Mutant::ProducersAtPropose, &[Claim::C6], 140_859_399_350_427),
    numbered(31, Mutant::OneBatchRemembered, &[Claim::C8, Claim::C7], 86_533_081_662_189),
    numbered(48, Mutant::TopicIdOfName, &[Claim::C14], 208_810_321_420_266),
    numbered(53, Mutant::SnapshotWithoutEpochs, &[Claim::C6], 60_937_537_501_199),
    numbered(55, Mutant::LongPollForgotten, &[Claim::C17], 22_001),
    numbered(57, Mutant::NoBackOff, &[Claim::C19], 231_505_066_096_432),
    ours(Mutant::DuplicateNotAnswered, &[Claim::C17, Claim::C18], 10_172_932_077_749),
    ours(Mutant::CatchUpNeedsOwnTerm, &[Claim::C17, Claim::C18], 166_823_225_428_923),
    ours(Mutant::LastFrameBelieved, &[Claim::C2, Claim::C3, Claim::C7], 206_123_828_451_270),
    ours(Mutant::SlowLeaderStays, &[Claim::C18, Claim::C17], 600_331),
    ours(Mutant::FullLeaderStays, &[Claim::C18, Claim::C17], 9_200_008),
    ours(Mutant::DeniesBeforeItKnows, &[Claim::C7], 9_100_008),
    ours(Mutant::UnheardLeaderStays, &[Claim::C18, Claim::C17], 24_044),
    ours(Mutant::ReadyLargerThanFrame, &[Claim::C17, Claim::C18, Claim::C19], 252_374_082_898_102),
];

impl Planted {
    /// Runs a seed with it.
    pub fn run(&self, seed: u64) -> Option<Failure> {
        let mut plan = plan_of(seed);
        plan.mutant = Some(self.mutant);
        run(&plan, Watch::Nobody, None).failure
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
