//! How many topics each connection has made on the way, by naming them in a Metadata request. One that names a
//! thousand, by mistake or with intent, makes a few of them at a time: what is left over is told
//! LEADER_NOT_AVAILABLE, and a client that means it asks again.
//!
//! A connection's window begins with the first topic it makes and ends `AUTO_CREATIONS_WINDOW` later. Windows
//! that have ended are forgotten before anything is counted, so a link that is gone needs no word.
//!
//! - Invariant: within its window a connection makes at most `AUTO_CREATIONS_MAX` topics.
//! - Invariant: a link is in `begun` once iff it is in `made`.

use crate::ids::LinkId;
use crate::limits::{AUTO_CREATIONS_MAX, AUTO_CREATIONS_WINDOW};
use crate::now::Mono;
use std::collections::{BTreeMap, VecDeque};

/// All connections with a window.
#[derive(Default)]
pub(super) struct AutoCreations {
    made: BTreeMap<LinkId, usize>,
    /// When each window began, in that order.
    begun: VecDeque<(Mono, LinkId)>,
}

impl AutoCreations {
    /// How many of `wanted` topics this connection may make now; they count as made.
    pub(super) fn take(&mut self, now: Mono, link: LinkId, wanted: usize) -> usize {
        if wanted == 0 {
            return 0;
        }
        while let Some((begun, over)) = self.begun.front().copied()
            && begun + AUTO_CREATIONS_WINDOW <= now
        {
            self.begun.pop_front();
            self.made.remove(&over);
        }
        let made = self.made.entry(link).or_insert_with(|| {
            self.begun.push_back((now, link));
            0
        });
        let granted = wanted.min(AUTO_CREATIONS_MAX - *made);
        *made += granted;
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_connection_makes_ten_topics_a_second_and_others_are_not_held_up() {
        let mut creations = AutoCreations::default();
        let at = |ms| Mono::default() + Duration::from_millis(ms);
        let (flood, other) = (LinkId(4), LinkId(8));
        assert_eq!(creations.take(at(0), flood, 7), 7);
        assert_eq!(creations.take(at(500), flood, 7), 3);
        assert_eq!(creations.take(at(500), flood, 7), 0);
        assert_eq!(creations.take(at(500), other, 7), 7);
        assert_eq!(creations.take(at(999), flood, 1), 0);
        assert_eq!(creations.take(at(1_000), flood, 1_000), 10);
        assert_eq!(creations.take(at(1_400), other, 7), 3, "its own window is not over");
        assert_eq!((creations.made.len(), creations.begun.len()), (2, 2));
        assert_eq!(creations.take(at(9_000), flood, 0), 0);
        assert_eq!(creations.take(at(9_000), flood, 1), 1);
        assert_eq!((creations.made.len(), creations.begun.len()), (1, 1), "what is over is forgotten");
    }
}
