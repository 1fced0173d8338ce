//! A strip: the newest of a kind in full, and of what is older only what is worth a look, thinned so that it covers
//! the whole run.
//!
//! Invariant: a strip holds at most `newest_max` and `older_max` items.

use std::collections::VecDeque;

/// Whether an item is kept when newer ones have taken its place.
pub trait Notable {
    /// It is lost, late, refused, or the like.
    fn is_notable(&self) -> bool;
}

/// Items of one kind, in the order in which they came.
#[derive(Clone, Debug)]
pub struct Strip<T> {
    newest: VecDeque<T>,
    older: Vec<T>,
    newest_max: usize,
    older_max: usize,
    /// Older ones that were worth a look.
    came: u64,
    /// Of those one in so many is kept.
    stride: u64,
    left_out: u64,
}

impl<T: Notable> Strip<T> {
    /// An empty one.
    pub fn new(newest_max: usize, older_max: usize) -> Strip<T> {
        Strip {
            newest: VecDeque::new(),
            older: Vec::new(),
            newest_max,
            older_max,
            came: 0,
            stride: 1,
            left_out: 0,
        }
    }

    /// Takes one more.
    pub fn push(&mut self, item: T) {
        self.newest.push_back(item);
        if self.newest.len() <= self.newest_max {
            return;
        }
        let oldest = self.newest.pop_front().expect("there are more than none");
        if !oldest.is_notable() || self.older_max == 0 {
            self.left_out += 1;
            return;
        }
        let is_its_turn = self.came.is_multiple_of(self.stride);
        self.came += 1;
        if !is_its_turn {
            self.left_out += 1;
            return;
        }
        if self.older.len() >= self.older_max {
            let before = self.older.len();
            let mut number = 0;
            self.older.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.left_out += (before - self.older.len()) as u64;
            self.stride *= 2;
        }
        self.older.push(oldest);
    }

    /// The newest, newest first.
    pub fn newest(&self) -> impl Iterator<Item = &T> {
        self.newest.iter().rev()
    }

    /// What is older and worth a look, newest first.
    pub fn older(&self) -> impl Iterator<Item = &T> {
        self.older.iter().rev()
    }

    /// How many are not kept.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Notable for u64 {
        fn is_notable(&self) -> bool {
            !self.is_multiple_of(10)
        }
    }

    #[test]
    fn a_strip_is_bounded_and_loses_count_of_nothing() {
        let mut strip: Strip<u64> = Strip::new(5, 20);
        for number in 0..1_000 {
            strip.push(number);
            let (newest, older) = (strip.newest().count(), strip.older().count());
            assert!(newest <= 5 && older <= 20);
            assert_eq!(newest as u64 + older as u64 + strip.left_out(), number + 1);
        }
        assert_eq!(strip.newest().copied().collect::<Vec<_>>(), [999, 998, 997, 996, 995]);
        assert!(strip.older().all(|number| !number.is_multiple_of(10)));
        let older: Vec<u64> = strip.older().copied().collect();
        let gaps = older.windows(2).map(|pair| pair[0] - pair[1]);
        assert!(gaps.max() < Some(160), "what is left is spread over all that came: {older:?}");
    }
}
