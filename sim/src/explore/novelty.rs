//! What a run has reached that none before it had: a mark, a mark far more often than ever, or two marks in one run that
//! never came together.

use crate::marks::Marks;
use std::collections::{BTreeMap, BTreeSet};

/// What was reached so far.
#[derive(Debug, Default)]
pub struct Novelty {
    /// For each mark, how often one run has reached it at the most, as a power of four.
    levels: BTreeMap<&'static str, u32>,
    pairs: BTreeSet<(&'static str, &'static str)>,
}

impl Novelty {
    /// Takes in what a run has reached; whether any of it is new.
    pub fn learn(&mut self, marks: &Marks) -> bool {
        let reached: Vec<(&'static str, u64)> = marks.iter().collect();
        let mut is_new = false;
        for (place, (name, count)) in reached.iter().enumerate() {
            let level = count.ilog2() / 2 + 1;
            let before = self.levels.entry(name).or_default();
            is_new |= level > *before;
            *before = level.max(*before);
            for (other, _) in &reached[place + 1..] {
                is_new |= self.pairs.insert((name, other));
            }
        }
        is_new
    }

    /// How many marks.
    pub fn marks(&self) -> usize {
        self.levels.len()
    }

    /// How many pairs of them in one run.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(all: &[(&'static str, u64)]) -> Marks {
        let mut marks = Marks::default();
        all.iter().for_each(|(name, count)| marks.add(name, *count));
        marks
    }

    #[test]
    fn a_mark_a_pair_and_far_more_of_one_are_new_once() {
        let mut novelty = Novelty::default();
        for all in [&[("a", 1)][..], &[("b", 1)], &[("a", 1), ("b", 1)], &[("a", 4)], &[("a", 70)]] {
            assert!(novelty.learn(&marks(all)), "{all:?}");
            assert!(!novelty.learn(&marks(all)), "{all:?}");
        }
        assert!(!novelty.learn(&marks(&[("a", 2), ("b", 3)])), "less than there was");
        assert_eq!((novelty.marks(), novelty.pairs()), (2, 1));
    }
}
