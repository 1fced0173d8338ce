//! C4: one vote per term, across restarts.
//!
//! Looked at: the hard states that become durable: what a journal says about a vote, it never says otherwise.

use super::{Claim, Verdict};
use std::collections::BTreeMap;

/// Who voted for whom, by replica and term.
#[derive(Debug, Default)]
pub struct Votes(BTreeMap<(u64, u64), u64>);

impl Votes {
    /// A replica's vote became durable.
    pub fn cast(&mut self, replica: u64, term: u64, vote: u64, verdict: &mut Verdict) {
        if vote == 0 {
            return;
        }
        let first = *self.0.entry((replica, term)).or_insert(vote);
        verdict.hold(first == vote, Claim::C4, || {
            format!("replica {replica} voted for {first} and for {vote} in term {term}")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_votes_in_a_term_are_a_breach() {
        let (mut votes, mut verdict) = (Votes::default(), Verdict::default());
        votes.cast(1, 3, 7, &mut verdict);
        votes.cast(1, 3, 0, &mut verdict);
        votes.cast(1, 4, 8, &mut verdict);
        assert!(!verdict.is_broken());
        votes.cast(1, 3, 8, &mut verdict);
        assert!(verdict.is_broken());
    }
}
