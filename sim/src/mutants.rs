//! Which claim must catch which planted bug, and how many ordinary seeds it takes.
//!
//! A mutant that few seeds catch is a weak spot of the generator: then the generator gets a bias, not the test a
//! seed.

use crate::claims::{Claim, Failure};
use crate::run::{plan_of, run};
use crate::trace::Watch;
use rust_mq_core::mutant::Mutant;

/// An ordinary seed that catches each. Not yet caught by random seeds, and so weak spots of the generator:
/// `SameElectionTimeout` (pre-votes staggered by latency elect someone all the same) and `StaleTip` (needs the
/// same process to lead, lose proposals, and lead again).
pub const NOMINATED: [(Mutant, u64); 13] = [
    (Mutant::AckAtPropose, 1),
    (Mutant::EmptyReadySpeaks, 1),
    (Mutant::VoteBeforeDurable, 1),
    (Mutant::HardStateLost, 1),
    (Mutant::DurableWhenHandedOver, 1),
    (Mutant::FailedSyncBelieved, 7),
    (Mutant::OffsetNotGivenBack, 104),
    (Mutant::ProducersOnLeaderOnly, 1),
    (Mutant::SnapshotWithoutProducers, 2),
    (Mutant::OneBatchRemembered, 1),
    (Mutant::DuplicateNotAnswered, 4),
    (Mutant::CatchUpNeedsOwnTerm, 40),
    (Mutant::ReadyLargerThanFrame, 31),
];

/// The claims that may catch a mutant: the first failure must be one of them.
pub fn catchers(mutant: Mutant) -> &'static [Claim] {
    match mutant {
        Mutant::AckAtPropose
        | Mutant::EmptyReadySpeaks
        | Mutant::VoteBeforeDurable
        | Mutant::HardStateLost
        | Mutant::DurableWhenHandedOver
        | Mutant::FailedSyncBelieved => &[Claim::C3],
        Mutant::OffsetNotGivenBack | Mutant::StaleTip => &[Claim::C6, Claim::C7, Claim::C9],
        Mutant::OneBatchRemembered => &[Claim::C7, Claim::C8],
        Mutant::ProducersOnLeaderOnly | Mutant::SnapshotWithoutProducers => &[Claim::C6, Claim::C7],
        Mutant::SameElectionTimeout | Mutant::DuplicateNotAnswered | Mutant::CatchUpNeedsOwnTerm => {
            &[Claim::C17, Claim::C18]
        }
        Mutant::ReadyLargerThanFrame => &[Claim::C17, Claim::C18, Claim::C19],
    }
}

/// Runs a seed with the mutant planted.
pub fn run_with(seed: u64, mutant: Mutant) -> Option<Failure> {
    let mut plan = plan_of(seed);
    plan.mutant = Some(mutant);
    run(&plan, Watch::Nobody, None).failure
}

/// The first of `seeds` that turns red with the mutant and is green without it, and how.
pub fn hunt(mutant: Mutant, mut seeds: impl Iterator<Item = u64>) -> Option<(u64, Failure)> {
    seeds.find_map(|seed| {
        let failure = run_with(seed, mutant)?;
        let is_red_anyway = run(&plan_of(seed), Watch::Nobody, None).failure.is_some();
        (!is_red_anyway).then_some((seed, failure))
    })
}
