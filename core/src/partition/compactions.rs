//! How far a log is to be compacted, and since when what of it is: a function of the log, like all of its state.
//!
//! - Invariant: tombstones_before <= up_to <= the high watermark, and neither falls.
//! - Invariant: at most `limits::COMPACTIONS_MAX` compactions are remembered; offsets rise.
//!
//! Not here: when one is due (`compaction`), carrying it out (`crate::compaction`).

use crate::compaction::Compacted;
use crate::ids::Offset;
use crate::limits::COMPACTIONS_MAX;
use crate::now::Wall;
use std::collections::VecDeque;

/// How far a log is to be compacted, and since when what of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Compactions {
    up_to: Offset,
    tombstones_before: Offset,
    /// Compactions that still have tombstones: up to where, and when.
    decided: VecDeque<(Offset, Wall)>,
}

impl Compactions {
    /// How far.
    pub fn now(&self) -> Compacted {
        Compacted { up_to: self.up_to, tombstones_before: self.tombstones_before }
    }

    /// One more was decided, at that time, of a log that ends at `end`.
    pub fn applied(&mut self, next: Compacted, end: Offset, wall: Wall) {
        let up_to = next.up_to.min(end);
        if up_to > self.up_to {
            self.up_to = up_to;
            self.decided.push_back((up_to, wall));
        }
        self.tombstones_before = self.tombstones_before.max(next.tombstones_before.min(self.up_to));
        while self.decided.pop_front_if(|(up_to, _)| *up_to <= self.tombstones_before).is_some() {}
        if self.decided.len() > COMPACTIONS_MAX {
            self.forget_one(wall);
        }
        assert!(self.tombstones_before <= self.up_to, "a tombstone goes with what it overtook");
    }

    /// Whether these can be of a log that ends at `end`: bytes of another node may say anything.
    pub fn is_sound(&self, end: Offset) -> bool {
        let pairs = self.decided.iter().zip(self.decided.iter().skip(1));
        let rise = pairs.clone().all(|(one, next)| one.0 < next.0);
        let first = self.decided.front().is_none_or(|(up_to, _)| *up_to > self.tombstones_before);
        let last = self.decided.back().is_none_or(|(up_to, _)| *up_to == self.up_to);
        let is_within = Offset(0) <= self.tombstones_before && self.tombstones_before <= self.up_to;
        is_within && self.up_to <= end && rise && first && last && self.decided.len() <= COMPACTIONS_MAX
    }

    /// One is taken for the one after it, and its tombstones live that much longer: the one whose neighbours' distance is
    /// the least part of their age. So times of long ago are known as well as is worth it, and the newest as they are. The
    /// first stays, or it would move along for ever, and its tombstones never go.
    fn forget_one(&mut self, wall: Wall) {
        const PARTS: i128 = 1 << 20;
        let time = |at: usize| self.decided.get(at).map(|(_, decided)| i128::from(decided.0));
        let part = |at: usize| {
            let (before, after) = (time(at - 1)?, time(at + 1)?);
            let age = (i128::from(wall.0) - after).max(0) + 1;
            Some(((after - before) * PARTS / age, at))
        };
        if let Some((_, at)) = (1..self.decided.len()).filter_map(part).min() {
            self.decided.remove(at);
        }
    }

    /// Below which offset tombstones may go.
    pub(super) fn tombstones_due(&self, wall: Wall, retention_ms: i64) -> Offset {
        let is_over = |decided: Wall| wall.0.saturating_sub(decided.0) >= retention_ms;
        let over = self.decided.iter().take_while(|(_, decided)| is_over(*decided)).last();
        over.map_or(self.tombstones_before, |(up_to, _)| *up_to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(up_to: i64, tombstones_before: i64) -> Compacted {
        Compacted { up_to: Offset(up_to), tombstones_before: Offset(tombstones_before) }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_no_tombstone_goes_too_early() {
        let mut log = Compactions::default();
        let mut times = Vec::new();
        for number in 1..1_000 {
            let wall = 10_000 + number * number % 7 + number * 3;
            log.applied(to(number, 0), Offset(2_000), Wall(wall));
            times.push((number, wall));
            assert!(log.decided.len() <= COMPACTIONS_MAX && log.is_sound(Offset(2_000)));
        }
        for wall in (10_000..14_000).step_by(37) {
            let due = log.tombstones_due(Wall(wall), 500);
            let last =
                times.iter().find(|(up_to, _)| Offset(*up_to) >= due).map_or(i64::MIN, |(_, wall)| *wall);
            assert!(due == Offset(0) || wall - last >= 500, "{due} at {wall}");
        }
        let due = log.tombstones_due(Wall(13_000), 1_000);
        assert!(
            due > Offset(500),
            "{due}: at best it is 666, and what is half as old again is gone for sure"
        );
    }
}
