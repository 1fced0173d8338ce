//! The largest timestamp of the records that a log holds, while records come at its end and go at its start
//! (ListOffsets -3, KIP-734): of the applied batches those that nothing later outdoes, which is usually the last one.
//! A function of the log, like all of its state.
//!
//! A batch without timestamps counts as none.
//!
//! - Invariant: timestamps fall strictly, offsets rise strictly, and every offset is above the log's start.
//! - Invariant: at most `limits::NEWEST_TIMESTAMPS_MAX` batches.

use crate::ids::Offset;
use crate::limits::NEWEST_TIMESTAMPS_MAX;
use std::collections::VecDeque;

/// The batches that nothing later outdoes.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Newest {
    /// Each with its newest timestamp, and the offset after it.
    falling: VecDeque<(i64, Offset)>,
}

impl Newest {
    /// The largest timestamp, if any record has one. A record of that time or later is in the log.
    pub fn timestamp(&self) -> Option<i64> {
        self.falling.front().map(|(timestamp, _)| *timestamp)
    }

    /// A batch was applied whose newest timestamp this is, and that ends before `next`.
    pub fn applied(&mut self, timestamp: i64, next: Offset) {
        if timestamp < 0 {
            return;
        }
        while self.falling.pop_back_if(|(older, _)| *older <= timestamp).is_some() {}
        // Once all before it are gone the answer is a little too low: the first record of that time or later is, if
        // it is not the newest, one between the two.
        if self.falling.len() == NEWEST_TIMESTAMPS_MAX {
            self.falling.pop_back();
        }
        let falls = |(older, before): &(i64, Offset)| *older > timestamp && *before < next;
        assert!(self.falling.back().is_none_or(falls), "timestamps fall strictly, offsets rise strictly");
        self.falling.push_back((timestamp, next));
    }

    /// Whether these can be the batches of a log from `start` to `end`: bytes of another node may say anything.
    pub fn is_sound(&self, start: Offset, end: Offset) -> bool {
        let falls = self
            .falling
            .iter()
            .zip(self.falling.iter().skip(1))
            .all(|(one, next)| one.0 > next.0 && one.1 < next.1);
        let first = self.falling.front().is_none_or(|(_, next)| *next > start);
        let last = self.falling.back().is_none_or(|(timestamp, next)| *timestamp >= 0 && *next <= end);
        falls && first && last && self.falling.len() <= NEWEST_TIMESTAMPS_MAX
    }

    /// The log starts at `log_start` now.
    pub fn forget_below(&mut self, log_start: Offset) {
        while self.falling.pop_front_if(|(_, next)| *next <= log_start).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_largest_of_what_is_left(
            steps in prop::collection::vec((-1..50i64, 0..3usize), 1..60),
        ) {
            let mut newest = Newest::default();
            let mut log: VecDeque<(i64, Offset)> = VecDeque::new();
            for (at, (timestamp, gone)) in steps.into_iter().enumerate() {
                let next = Offset(at as i64 + 1);
                newest.applied(timestamp, next);
                log.push_back((timestamp, next));
                for _ in 0..gone {
                    if let Some((_, start)) = log.pop_front() {
                        newest.forget_below(start);
                    }
                }
                let largest = log.iter().map(|(timestamp, _)| *timestamp).filter(|timestamp| *timestamp >= 0).max();
                prop_assert_eq!(newest.timestamp(), largest);
            }
        }
    }

    #[test]
    fn timestamps_that_only_fall_are_bounded() {
        let mut newest = Newest::default();
        let count = 3 * NEWEST_TIMESTAMPS_MAX as i64;
        (0..count).for_each(|at| newest.applied(count - at, Offset(at + 1)));
        assert_eq!(newest.falling.len(), NEWEST_TIMESTAMPS_MAX);
        assert_eq!(newest.timestamp(), Some(count));
        newest.forget_below(Offset(count - 1));
        assert_eq!(newest.timestamp(), Some(1), "the last one is always known");
    }
}
