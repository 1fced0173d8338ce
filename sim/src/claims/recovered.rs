//! What a node remembers after a start is what its disk had promised, no less and no more (C2, C4, C5, C7); and
//! what it takes for durable at any moment is durable (C3). Looked at the first time that a process shows a
//! replica, so a lost or a resurrected entry is found before peers can hide it by sending it again.
//!
//! Invariant: for each replica of a new process, the entries that it takes for durable == those of the shadow.

use super::shadow::Durable;
use super::{Claim, Verdict};
use rust_mq_core::broker::observe::Remembered;
use rust_mq_core::ids::{Index, ReplicaId, Term};
use std::collections::BTreeSet;

/// The replicas that each process has shown.
#[derive(Debug, Default)]
pub struct Recovered {
    shown: BTreeSet<(usize, u32, ReplicaId)>,
}

impl Recovered {
    /// A replica stands so after a turn of its process. `log` tells the terms of its entries. True if the process
    /// shows it for the first time.
    pub fn stands(
        &mut self,
        (site, boot): (usize, u32),
        now: &Remembered,
        durable: &Durable,
        log: impl FnOnce() -> Vec<(Index, Term)>,
        verdict: &mut Verdict,
    ) -> bool {
        let is_new = self.shown.insert((site, boot, now.replica));
        if is_new {
            compare(site, now, durable, &log(), verdict);
        }
        verdict.hold(now.durable.0 <= durable.last(), Claim::C3, || {
            let last = durable.last();
            format!(
                "n{} takes {} for durable up to {}, and it is up to {last}",
                site + 1,
                now.replica,
                now.durable
            )
        });
        is_new
    }
}

fn compare(site: usize, now: &Remembered, durable: &Durable, log: &[(Index, Term)], verdict: &mut Verdict) {
    let who = || format!("n{} starts {} of {}", site + 1, now.replica, now.of);
    for (index, term) in log.iter().filter(|(index, _)| *index <= now.durable && index.0 > durable.base) {
        let kept = durable.entry(index.0).map(|(term, _)| term);
        // An only voter leads at once, and has written since: what it takes for durable of that is C3's.
        let is_of_now = now.leads && *term == now.term;
        let claim = if kept.is_none() && is_of_now { Claim::C3 } else { Claim::C2 };
        verdict.hold(kept == Some(term.0), claim, || {
            format!("{} with an entry {index} of {term}, durable there is one of {kept:?}", who())
        });
    }
    verdict.hold(now.durable.0 >= durable.last(), Claim::C7, || {
        format!("{} with entries up to {}, durable were those up to {}", who(), now.durable, durable.last())
    });
    verdict.hold(now.term.0 >= durable.term, Claim::C5, || {
        format!("{} in term {}, durable is {}", who(), now.term, durable.term)
    });
    let vote = durable.votes.get(&now.term.0).copied();
    verdict.hold(vote.is_none_or(|vote| vote == now.vote.0), Claim::C4, || {
        format!("{} with its vote of term {} for {}, durable is {vote:?}", who(), now.term, now.vote)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_core::ids::TopicPartition;

    fn seen(durable: u64) -> Remembered {
        Remembered {
            replica: ReplicaId(1),
            of: TopicPartition::default(),
            term: Term(3),
            vote: ReplicaId(0),
            durable: Index(durable),
            commit: Index(0),
            leads: false,
        }
    }

    fn broken(durable: u64, log: &[(u64, u64)]) -> Option<Claim> {
        let mut shadow = Durable::default();
        (shadow.term, shadow.base, shadow.entries) = (3, 4, vec![(2, 0), (3, 0)]);
        let log = log.iter().map(|(index, term)| (Index(*index), Term(*term))).collect::<Vec<_>>();
        let (mut recovered, mut verdict) = (Recovered::default(), Verdict::default());
        assert!(recovered.stands((0, 1), &seen(durable), &shadow, || log, &mut verdict));
        verdict.take(0, 0).map(|failure| failure.claim)
    }

    #[test]
    fn what_is_remembered_is_what_was_durable() {
        assert_eq!(broken(6, &[(4, 1), (5, 2), (6, 3), (7, 3)]), None);
        assert_eq!(broken(5, &[(5, 2)]), Some(Claim::C7));
        assert_eq!(broken(6, &[(5, 2), (6, 2)]), Some(Claim::C2));
        assert_eq!(broken(7, &[(5, 2), (6, 3), (7, 3)]), Some(Claim::C2));
    }
}
