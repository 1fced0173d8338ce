//! C5: what must not fall does not fall: the durable term and commit of each replica, in the order they are
//! written, and the high watermark and log start that one process serves.

use super::{Claim, Verdict};
use rust_mq_core::broker::observe::Observation;
use rust_mq_core::ids::ReplicaId;
use std::collections::BTreeMap;

/// The last values.
#[derive(Debug, Default)]
pub struct Floors {
    terms: BTreeMap<u64, u64>,
    commits: BTreeMap<u64, u64>,
    /// By machine and life of its process.
    seen: BTreeMap<(usize, u32, ReplicaId), Observation>,
}

impl Floors {
    /// A replica stands so, after a turn.
    pub fn stands(&mut self, site: usize, boot: u32, now: &Observation, verdict: &mut Verdict) {
        if let Some(before) = self.seen.insert((site, boot, now.replica), *now) {
            let is_well = before.term <= now.term
                && before.commit <= now.commit
                && before.applied <= now.applied
                && before.log_start <= now.log_start
                && before.high_watermark <= now.high_watermark;
            verdict.hold(is_well, Claim::C5, || format!("n{}: {before:?}, then {now:?}", site + 1));
        }
        verdict.hold(now.applied <= now.commit && now.commit <= now.last, Claim::C5, || {
            format!("n{}: applied, commit, last do not rise: {now:?}", site + 1)
        });
    }

    /// A hard state became durable.
    pub fn wrote(&mut self, replica: u64, term: u64, commit: u64, verdict: &mut Verdict) {
        let floor = self.terms.entry(replica).or_default();
        verdict.hold(term >= *floor, Claim::C5, || format!("replica {replica}: term {floor}, then {term}"));
        *floor = term;
        let floor = self.commits.entry(replica).or_default();
        verdict.hold(commit >= *floor, Claim::C5, || {
            format!("replica {replica}: commit {floor}, then {commit}")
        });
        *floor = commit;
    }
}
