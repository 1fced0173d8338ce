//! Makes a failing plan small: a candidate is kept if the same claim still fails, at whatever step.
//!
//! In order: drop whole kinds of trouble, then faults one by one and in halves (ddmin, Zeller and Hildebrandt
//! 2002), then clients, then their operations, then topics' partitions; and again while anything was gained.
//! The chaos is not cut short before that: when the faults freeze is part of what happens.

use crate::claims::Claim;
use crate::client::plan::Role;
use crate::plan::{Fault, Plan};
use crate::run::run;
use crate::trace::Watch;
use crate::trouble::TroubleKind;

/// Runs that one shrinking may take.
const TRIES_MAX: u32 = 400;

struct Search<'a> {
    claim: Claim,
    tries: u32,
    say: &'a mut dyn FnMut(String),
}

/// The smallest plan found that breaks the same claim. `say` hears of progress.
pub fn shrink(plan: &Plan, claim: Claim, say: &mut dyn FnMut(String)) -> Plan {
    let mut search = Search { claim, tries: 0, say };
    let mut best = plan.clone();
    search.cut_chaos(&mut best);
    loop {
        let before = best.clone();
        search.drop_kinds(&mut best);
        search.drop_faults(&mut best);
        search.drop_clients(&mut best);
        search.lessen(&mut best);
        if best == before || search.tries >= TRIES_MAX {
            return best;
        }
    }
}

impl Search<'_> {
    fn fails(&mut self, candidate: &Plan) -> bool {
        if self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let is_red =
            run(candidate, Watch::Nobody, None).failure.is_some_and(|failure| failure.claim == self.claim);
        if is_red {
            (self.say)(format!(
                "try {}: {} faults, {} clients, {} ms still break {}",
                self.tries,
                candidate.faults.len(),
                candidate.clients.len(),
                candidate.chaos_ms,
                self.claim
            ));
        }
        is_red
    }

    fn keep_if_red(&mut self, best: &mut Plan, candidate: Plan) -> bool {
        let is_red = candidate != *best && self.fails(&candidate);
        if is_red {
            *best = candidate;
        }
        is_red
    }

    /// Faults that come after the failure did nothing for it.
    fn cut_chaos(&mut self, best: &mut Plan) {
        let report = run(best, Watch::Nobody, None);
        let Some(failure) = report.failure else { return };
        let failed_ms = failure.at_ns / 1_000_000 + 1;
        let mut candidate = best.clone();
        candidate.faults.retain(|fault| fault.at_ms <= failed_ms);
        if failed_ms < candidate.chaos_ms {
            candidate.chaos_ms = failed_ms;
        }
        self.keep_if_red(best, candidate);
    }

    fn drop_kinds(&mut self, best: &mut Plan) {
        for kind in TroubleKind::ALL {
            let mut candidate = best.clone();
            candidate.faults.retain(|fault| fault.what.kind() != kind);
            self.keep_if_red(best, candidate);
        }
    }

    fn drop_faults(&mut self, best: &mut Plan) {
        let mut chunk = best.faults.len().div_ceil(2);
        while chunk > 0 {
            let mut at = 0;
            while at < best.faults.len() {
                let mut candidate = best.clone();
                let end = (at + chunk).min(candidate.faults.len());
                candidate.faults.drain(at..end);
                if !self.keep_if_red(best, candidate) {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
    }

    /// A client that goes leaves its number to a silent one, so that the others keep their streams.
    fn drop_clients(&mut self, best: &mut Plan) {
        for number in 0..best.clients.len() {
            if matches!(best.clients[number].role, Role::Founder | Role::Auditor) {
                continue;
            }
            let mut candidate = best.clone();
            candidate.clients[number].role = Role::Vandal;
            candidate.clients[number].operations = 0;
            self.keep_if_red(best, candidate);
        }
    }

    fn lessen(&mut self, best: &mut Plan) {
        for number in 0..best.clients.len() {
            while best.clients[number].operations > 1 && best.clients[number].operations < u32::MAX {
                let mut candidate = best.clone();
                candidate.clients[number].operations /= 2;
                if !self.keep_if_red(best, candidate) {
                    break;
                }
            }
        }
        for number in 0..best.topics.len() {
            let mut candidate = best.clone();
            candidate.topics[number].partitions = 1;
            self.keep_if_red(best, candidate);
        }
        while best.topics.len() > 1 {
            let mut candidate = best.clone();
            candidate.topics.pop();
            if !self.keep_if_red(best, candidate) {
                break;
            }
        }
        for number in 0..best.faults.len() {
            let shorter = Fault { lasts_ms: best.faults[number].lasts_ms / 2, ..best.faults[number].clone() };
            let mut candidate = best.clone();
            candidate.faults[number] = shorter;
            self.keep_if_red(best, candidate);
        }
    }
}
