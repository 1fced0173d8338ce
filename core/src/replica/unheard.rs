//! Voters that do not hear the leader whom this replica hears.
//!
//! Check quorum keeps a leader that a majority answers, though others cannot reach it; and the lease keeps those of the
//! majority from voting for anybody else. The others then wait for as long as the link is broken, even where they
//! reach everybody but the leader. They do ask for pre-votes, again and again, and these arrive here. Who has refused
//! them for long enough, and keeps up, wants to lead; where this one is heard better than the leader, it asks that for its
//! leadership.
//!
//! Invariant: between two such wishes of one replica lie more than [`limits::UNHEARD_ELECTIONS`] election timeouts, and
//! twice as many after each, until nobody asked for so long.
//!
//! Counted in ticks. Not here: who is heard how well (the floor above, as it knows nodes), the request, which goes
//! the way of all messages (`mod`), and its answer, a leadership transfer like any other (Ongaro's thesis 3.10). The problem: "A Byzantine failure in the real world", Cloudflare
//! 2020; Omni-Paxos (EuroSys 2023), section 2.

use crate::ids::Term;
use crate::limits;

/// What was refused lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unheard {
    /// In which term of the leader.
    term: Term,
    /// Ticks since the first pre-vote that was refused, and since the last.
    since: Option<usize>,
    quiet: usize,
    doublings: u32,
}

impl Unheard {
    /// A voter was refused its pre-vote, as the leader of `term` is heard here.
    pub fn refused(&mut self, term: Term) {
        if self.term != term {
            (self.term, self.since) = (term, None);
        }
        self.since.get_or_insert(0);
        self.quiet = 0;
    }

    /// A tick later. Returns whether the leader of `term` had better give way.
    pub fn tick(&mut self, term: Term, timeout: usize) -> bool {
        let limit = limits::UNHEARD_ELECTIONS.saturating_mul(timeout);
        self.quiet = self.quiet.saturating_add(1);
        if self.quiet > limit {
            *self = Unheard { term, quiet: self.quiet, ..Unheard::default() };
        }
        if self.term != term || self.quiet > 2 * timeout {
            // A pre-vote is asked for in every election timeout: who is silent for longer hears somebody.
            self.since = None;
        }
        let Some(since) = &mut self.since else { return false };
        *since += 1;
        let is_due = *since > limit << self.doublings;
        if is_due {
            self.since = None;
            self.doublings = (self.doublings + 1).min(limits::HAND_OVER_DOUBLINGS_MAX);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tick, out of so many, at which it asks first, if a pre-vote is refused in each tenth.
    fn asks_after(unheard: &mut Unheard, ticks: usize) -> Option<usize> {
        (1..=ticks).find(|tick| {
            if tick % 10 == 1 {
                unheard.refused(Term(1));
            }
            unheard.tick(Term(1), 10)
        })
    }

    #[test]
    fn who_is_asked_for_long_asks_and_then_more_rarely() {
        let mut unheard = Unheard::default();
        let first = limits::UNHEARD_ELECTIONS * 10 + 1;
        assert_eq!(asks_after(&mut unheard, 1_000), Some(first));
        let second = asks_after(&mut unheard, 1_000).expect("again");
        assert!((2 * first - 10..2 * first + 10).contains(&second), "{second}");
    }

    #[test]
    fn who_is_asked_now_and_then_does_not() {
        let mut unheard = Unheard::default();
        for _ in 0..100 {
            unheard.refused(Term(1));
            assert!(
                (0..30).all(|_| !unheard.tick(Term(1), 10)),
                "silent for longer than an election timeout"
            );
        }
        for term in 1..100 {
            unheard.refused(Term(term));
            assert!((0..15).all(|_| !unheard.tick(Term(term), 10)), "another leader each time");
        }
    }
}
