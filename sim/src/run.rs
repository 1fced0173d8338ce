//! One run from a plan to a report: the one function behind the command line, the tests and the shrinker.

use crate::claims::{Claim, Failure};
use crate::dice::Root;
use crate::plan::Plan;
use crate::shell;
use crate::swarm::{self, Reach};
use crate::trace::Watch;
use crate::world::{Report, World};

/// What the ordinary generator may draw.
pub const REACH: Reach = Reach { sites_max: 5 };

/// The plan of a seed.
pub fn plan_of(seed: u64) -> Plan {
    plan_within(seed, REACH)
}

/// The plan of a seed, with fewer sites than it would have.
pub fn plan_within(seed: u64, reach: Reach) -> Plan {
    shell::host(seed, move |root| swarm::draw(seed, root, reach))
        .expect("drawing a plan draws from streams only")
}

/// Runs a plan.
pub fn run(plan: &Plan, watch: Watch, until: Option<u64>) -> Report {
    let seed = plan.seed;
    let plan = plan.clone();
    let job = move |root: Root| World::new(plan, root, watch, until).run();
    match shell::host(seed, job) {
        Ok(report) => report,
        Err(shell::Impure) => panic!("{}", impurity(seed)),
    }
}

fn impurity(seed: u64) -> Failure {
    let words = format!("the run of seed {seed} drew randomness that is not its own");
    Failure { claim: Claim::Pure, step: 0, at_ns: 0, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_survives_its_text() {
        for seed in 0..20 {
            let plan = plan_of(seed);
            let text = serde_json::to_string(&plan).expect("plans are plain data");
            assert_eq!(serde_json::from_str::<Plan>(&text).expect("its own text"), plan);
        }
    }
}
