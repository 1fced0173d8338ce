//! C5: what must not fall does not fall: commit, applied, high watermark, log start, leader epoch (which is the term)
//! and the metadata's version (which is its applied index), of each replica.
//!
//! Looked at: the durable term and commit in the order they are written, across lives; and after each turn what a
//! process shows of each replica, where `applied <= commit <= last` and `log_start <= high_watermark` hold too, and what
//! a log's start says is there is kept, over restarts as well. What stands as it stood after the turn before was weighed
//! then. A new life begins with no less committed than is durable, and once it has applied as much as the life before
//! it, its log starts and ends no lower than it did then: both follow from what is applied, whatever a checkpoint says.

use super::{Claim, Verdict};
use rust_mq_core::broker::observe::Observation;
use rust_mq_core::ids::ReplicaId;
use std::collections::BTreeMap;

/// The last values.
#[derive(Debug, Default)]
pub struct Floors {
    terms: BTreeMap<u64, u64>,
    commits: BTreeMap<u64, u64>,
    /// By site: the life of its process, and what it showed.
    seen: Vec<(u32, BTreeMap<ReplicaId, Observation>)>,
    /// What the lives before showed last, until this one is as far.
    earlier: BTreeMap<(usize, ReplicaId), Observation>,
}

impl Floors {
    /// A replica stands so, after a turn. Returns how it stood before in this life, if it was there.
    pub fn stands(
        &mut self,
        site: usize,
        boot: u32,
        now: &Observation,
        verdict: &mut Verdict,
    ) -> Option<Observation> {
        if self.seen.len() <= site {
            self.seen.resize_with(site + 1, Default::default);
        }
        let (life, replicas) = &mut self.seen[site];
        if *life != boot {
            *life = boot;
            self.earlier.extend(replicas.iter().map(|(replica, last)| ((site, *replica), *last)));
            replicas.clear();
        }
        let before = replicas.insert(now.replica, *now);
        let earlier = self.earlier.get(&(site, now.replica)).filter(|earlier| earlier.applied <= now.applied);
        if let Some(earlier) = earlier.copied() {
            self.earlier.remove(&(site, now.replica));
            let is_well = earlier.log_start <= now.log_start && earlier.high_watermark <= now.high_watermark;
            verdict.hold(is_well, Claim::C5, || {
                format!("n{}: {earlier:?} in an earlier life, now {now:?}", site + 1)
            });
        }
        let durable = self.commits.get(&now.replica.0).copied().unwrap_or(0);
        verdict.hold(before.is_some() || durable <= now.commit.0, Claim::C5, || {
            format!("n{}: commit {durable} is durable, a new life shows {now:?}", site + 1)
        });
        if let Some(before) = before {
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
        let (start, first) = now.kept;
        verdict.hold(first <= start, Claim::C5, || {
            format!("n{}: of a log that starts at {start} the first batch is at {first}: {now:?}", site + 1)
        });
        verdict.hold(now.log_start <= now.high_watermark, Claim::C5, || {
            format!("n{}: a log starts above its high watermark: {now:?}", site + 1)
        });
        before
    }

    /// A disk has lost something, and what is left is so.
    pub fn falls(&mut self, replica: u64, term: u64, commit: u64) {
        self.terms.insert(replica, term);
        self.commits.insert(replica, commit);
        self.earlier.retain(|(_, other), _| other.0 != replica);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_or_a_commit_that_falls_is_a_breach() {
        let (mut floors, mut verdict) = (Floors::default(), Verdict::default());
        floors.wrote(1, 3, 10, &mut verdict);
        floors.wrote(1, 3, 12, &mut verdict);
        floors.wrote(2, 1, 0, &mut verdict);
        assert!(!verdict.is_broken());
        floors.wrote(1, 4, 11, &mut verdict);
        assert!(verdict.is_broken());
    }
}
