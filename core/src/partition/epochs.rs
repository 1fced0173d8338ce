//! Where each leader epoch starts (KIP-101): the answer to "where did my epoch end?", by which a consumer finds
//! out that it read something another leader's log never had.
//!
//! Invariant: epochs and their starts both rise, and the last start <= the log end.

use crate::ids::{Offset, Term};
use std::collections::VecDeque;

/// The epochs of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Epochs {
    starts: VecDeque<(Term, Offset)>,
}

impl Epochs {
    /// An entry of `term` was applied when the log ended at `end`.
    pub fn applied(&mut self, term: Term, end: Offset) {
        match self.starts.back_mut() {
            Some((last, _)) if *last >= term => {}
            // An epoch that brought no record leaves no trace: its start is the next one's too.
            Some((last, start)) if *start == end => *last = term,
            last => {
                assert!(last.is_none_or(|(_, start)| *start < end), "epochs and their starts both rise");
                self.starts.push_back((term, end));
            }
        }
    }

    /// The newest epoch at or below `asked` and the offset where it ended, in a log from `start` to `end`. One that is
    /// older than any known (it brought no record, or retention took them) ended where the first known one starts, as
    /// in Kafka's LeaderEpochFileCache: whoever stands there has lost nothing. `None` if the log knows no epoch at all.
    pub fn end_of(&self, asked: Term, start: Offset, end: Offset) -> Option<(Term, Offset)> {
        let after = self.starts.partition_point(|(term, _)| *term <= asked);
        let stop = self.starts.get(after).map_or(end, |(_, next)| (*next).max(start));
        let term = after.checked_sub(1).map_or(asked, |at| self.starts[at].0);
        (!self.starts.is_empty()).then_some((term, stop))
    }

    /// Whether these can be the epochs of a log that ends at `end`: bytes of another node may say anything.
    pub fn is_sound(&self, end: Offset) -> bool {
        let pairs = || self.starts.iter().zip(self.starts.iter().skip(1));
        let rise = pairs().all(|((term, start), (next, stop))| term < next && start <= stop);
        let (first, last) = (self.starts.front(), self.starts.back());
        rise && first.is_none_or(|(_, start)| start.0 >= 0)
            && last.is_none_or(|(term, start)| *term <= Term::MAX && *start <= end)
    }

    /// The epoch of the record at `offset`.
    pub fn epoch_at(&self, offset: Offset) -> Option<Term> {
        let after = self.starts.partition_point(|(_, start)| *start <= offset);
        self.starts.get(after.checked_sub(1)?).map(|(term, _)| *term)
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<Term> {
        self.starts.back().map(|(term, _)| *term)
    }

    /// The log starts at `log_start` now: epochs that ended before are forgotten, the one it lies in stays.
    pub fn forget_below(&mut self, log_start: Offset) {
        while self.starts.get(1).is_some_and(|(_, start)| *start <= log_start) {
            self.starts.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_ends_where_the_next_starts() {
        let mut epochs = Epochs::default();
        for (term, end) in [(1, 0), (1, 5), (3, 10), (4, 10), (7, 12)] {
            epochs.applied(Term(term), Offset(end));
        }
        let end_of =
            |term| epochs.end_of(Term(term), Offset(0), Offset(20)).map(|(term, end)| (term.0, end.0));
        assert_eq!(end_of(0), Some((0, 0)), "older than any: it ended where the first starts");
        assert_eq!(end_of(1), Some((1, 10)));
        assert_eq!(end_of(2), Some((1, 10)));
        assert_eq!(end_of(4), Some((4, 12)), "epoch 3 brought nothing");
        assert_eq!(end_of(9), Some((7, 20)));
        assert_eq!(epochs.epoch_at(Offset(11)), Some(Term(4)));
    }

    #[test]
    fn forgetting_keeps_the_epoch_that_the_log_starts_in() {
        let mut epochs = Epochs::default();
        for (term, end) in [(1, 0), (2, 10), (3, 20)] {
            epochs.applied(Term(term), Offset(end));
        }
        epochs.forget_below(Offset(15));
        let end_of = |term| epochs.end_of(Term(term), Offset(15), Offset(30));
        assert_eq!(end_of(1), Some((Term(1), Offset(15))), "nothing below the log's start is left");
        assert_eq!(end_of(2), Some((Term(2), Offset(20))));
        assert_eq!(Epochs::default().end_of(Term(1), Offset(0), Offset(0)), None);
    }
}
