//! C1: at most one leader per partition and term.
//!
//! Looked at: who sends appends or heartbeats in a term, and who shows itself as leader after a turn.

use super::shadow::{Group, partition_of};
use super::{Claim, Verdict};
use std::collections::BTreeMap;

/// Who led what, in which term.
#[derive(Debug, Default)]
pub struct Leaders(BTreeMap<(Group, u64), u64>);

impl Leaders {
    /// A replica spoke as leader of a term. True if it is new in it.
    pub fn led(&mut self, group: Group, term: u64, replica: u64, verdict: &mut Verdict) -> bool {
        let is_new = !self.0.contains_key(&(group, term));
        let first = *self.0.entry((group, term)).or_insert(replica);
        verdict.hold(first == replica, Claim::C1, || {
            format!("{}: replicas {first} and {replica} both lead in term {term}", partition_of(group))
        });
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_leaders_of_a_term_are_a_breach() {
        let (mut leaders, mut verdict) = (Leaders::default(), Verdict::default());
        let group = ([1; 16], 0);
        assert!(leaders.led(group, 1, 7, &mut verdict) && !leaders.led(group, 1, 7, &mut verdict));
        assert!(leaders.led(group, 2, 8, &mut verdict) && !verdict.is_broken());
        leaders.led(group, 2, 7, &mut verdict);
        assert!(verdict.is_broken());
    }
}
