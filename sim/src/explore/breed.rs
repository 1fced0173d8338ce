//! Changes a plan a little: its faults go, move, come again or last longer; faults, the crowd, the sites, the knobs or
//! the network of a donor take the place of its own; or the same plan gets other dice.
//!
//! What a swarm may draw is bounded by which sites the others can do without (the atlas in `swarm`), so a donor has
//! the same sites, the same core and the same demands as the plan it gives to: what was allowed there is allowed here.
//! A crowd that writes the largest batches there are is given what these need, as it is by a swarm.
//!
//! Invariants: faults stay in order and within the chaos; every client that a fault names is there.

use crate::dice::Dice;
use crate::plan::{Fault, Plan};
use crate::swarm::crowd;

/// Changes in one child at most.
const CHANGES_MAX: u64 = 4;
/// Faults of a plan at most: beyond that runs take long, and nothing is left of the cluster.
const FAULTS_MAX: usize = 120;
/// No fault comes before, milliseconds.
const FIRST_MS: u64 = 500;

/// Whether `donor` can give what it has to `plan`.
pub fn is_donor_of(plan: &Plan, donor: &Plan) -> bool {
    let same = |one: &Plan| (one.sites.len(), one.core.clone(), one.chaos_ms, one.demands);
    same(plan) == same(donor)
}

/// A child of `parent`.
pub fn child(parent: &Plan, donor: Option<&Plan>, dice: &mut Dice) -> Plan {
    let mut child = parent.clone();
    for _ in 0..dice.between(1, CHANGES_MAX) {
        match donor {
            Some(donor) if dice.coin() => take(&mut child, donor, dice),
            _ => change(&mut child, dice),
        }
    }
    if crowd::needs_room(&child.topics, &child.clients) {
        crowd::give_room(&mut child.knobs, &mut child.weather);
    }
    child.faults.truncate(FAULTS_MAX);
    child.faults.sort_by_key(|fault| fault.at_ms);
    child
}

fn take(child: &mut Plan, donor: &Plan, dice: &mut Dice) {
    match dice.below(6) {
        0..2 => {
            let clients = child.clients.len();
            // A fault of the donor's crowd may be about a client that is not here.
            if donor.clients.len() <= clients {
                child.faults.extend(donor.faults.iter().filter(|_| dice.coin()).cloned());
            }
        }
        2 if donor.clients.len() >= child.clients.len() => {
            child.topics.clone_from(&donor.topics);
            child.clients.clone_from(&donor.clients);
        }
        3 => child.sites.clone_from(&donor.sites),
        4 => child.knobs = donor.knobs.clone(),
        _ => {
            child.weather = donor.weather;
            child.links.clone_from(&donor.links);
        }
    }
}

fn change(child: &mut Plan, dice: &mut Dice) {
    if child.faults.is_empty() {
        child.seed = dice.word() >> 16;
        return;
    }
    let last_ms = child.chaos_ms - 1;
    let one = dice.index(child.faults.len());
    match dice.below(6) {
        0 => child.faults.retain(|_| dice.below(4) > 0),
        1 => {
            // Faults that meet are worth more: mostly it moves to another one.
            let other = child.faults[dice.index(child.faults.len())].at_ms;
            let at_ms =
                if dice.below(3) > 0 { other + dice.log_uniform(1, 2_000) } else { dice.below(last_ms) };
            child.faults[one].at_ms = at_ms.clamp(FIRST_MS, last_ms);
        }
        2 => {
            let again = child.faults[one].clone();
            let mut at_ms = again.at_ms;
            for _ in 0..dice.between(1, 5) {
                at_ms = (at_ms + dice.log_uniform(50, 5_000)).min(last_ms);
                child.faults.push(Fault { at_ms, ..again.clone() });
            }
        }
        3 => {
            let fault = &mut child.faults[one];
            let by = dice.log_uniform(1, 16);
            // What lasts for ever stays so.
            if fault.lasts_ms <= child.chaos_ms {
                let lasts_ms = if dice.coin() { fault.lasts_ms * by } else { fault.lasts_ms / by };
                fault.lasts_ms = lasts_ms.min(child.chaos_ms);
            }
        }
        4 => {
            let by_ms = dice.log_uniform(1, 10_000);
            let is_later = dice.coin();
            for fault in &mut child.faults {
                let at_ms = if is_later { fault.at_ms + by_ms } else { fault.at_ms.saturating_sub(by_ms) };
                fault.at_ms = at_ms.clamp(FIRST_MS, last_ms);
            }
        }
        _ => child.seed = dice.word() >> 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Root;
    use crate::run::plan_of;

    #[test]
    fn children_are_other_plans_within_the_same_bounds() {
        let plans: Vec<Plan> = (0..40).map(plan_of).collect();
        let mut dice = Root(1).stream("test", &[]);
        let mut changed = 0;
        for parent in &plans {
            for donor in plans.iter().filter(|donor| is_donor_of(parent, donor)) {
                let child = child(parent, Some(donor), &mut dice);
                changed += usize::from(child != *parent);
                assert!(child.faults.is_sorted_by_key(|fault| fault.at_ms));
                assert!(child.faults.iter().all(|fault| fault.at_ms < child.chaos_ms));
                assert!(child.clients.len() >= parent.clients.len(), "all that faults name are there");
                let is_narrow = child.knobs.storage.frame_bytes_max < 4 << 20;
                assert!(
                    !is_narrow || !crowd::needs_room(&child.topics, &child.clients),
                    "batches fit in frames"
                );
                assert_eq!((child.sites.len(), &child.core), (parent.sites.len(), &parent.core));
            }
        }
        assert!(changed > 40, "{changed}");
    }
}
