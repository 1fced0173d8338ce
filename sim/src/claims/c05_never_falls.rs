//! C5: what must not fall does not fall: the durable term and commit of each replica, in the order they are
//! written, and the high watermark and log start that one process serves.

use super::{Claim, Verdict};
use std::collections::BTreeMap;

/// The last values.
#[derive(Debug, Default)]
pub struct Floors {
    terms: BTreeMap<u64, u64>,
    commits: BTreeMap<u64, u64>,
}

impl Floors {
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
