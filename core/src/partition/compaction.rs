//! That a log is compacted is an entry of it (`crate::compaction`, decision 0022): its leader looks at its own closed
//! segments and proposes how far; every replica then carries that out on its own files.
//!
//! - `min.cleanable.dirty.ratio`: when so much of it is not compacted yet;
//! - `max.compaction.lag.ms`: or when what is not is so old, however little it is;
//! - `min.compaction.lag.ms`: but not as far as a segment that has younger records;
//! - `delete.retention.ms`: tombstones go that have been below a compaction for so long. So each is there for that long
//!   after the first look through it, for whoever reads the log from its start meanwhile.
//!
//! Ages are by the leader's clock, as in `retention`: records' own times against it, and for tombstones the times of the
//! entries. A clock that jumps lets tombstones go early; whoever reads the last value of a key still does.
//!
//! - Invariant: nothing at or above the high watermark is proposed to be compacted.
//!
//! Source: Kafka's `LogCleanerManager.grabFilthiestCompactedLog` and `cleanableOffsets`; the time of the first look is
//! in its batches (KIP-534), ours is here.

use super::compactions::Compactions;
use super::retention::Retained;
use super::{Partition, PartitionCommand};
use crate::compaction::Compacted;
use crate::entry::EntryKind;
use crate::ids::Term;
use crate::now::{Now, Wall};
use crate::settings::CompactionConfig;

impl Partition {
    /// Proposes to compact the log further, if that is due by its `closed` segments (in offset order). Returns whether it
    /// did.
    pub fn compact(&mut self, now: Now, closed: &[Retained]) -> bool {
        let Some(rules) = self.config.compaction.filter(|_| self.is_leading()) else { return false };
        let Some(next) = due(&self.log.compactions, now.wall, rules, closed) else { return false };
        let term = self.replica.term();
        let is_proposed = |(in_term, proposed): (Term, Compacted)| in_term == term && proposed.covers(next);
        let command = PartitionCommand::Compacted(next);
        if self.compaction_proposed.is_some_and(is_proposed) || command.since() > self.level {
            return false;
        }
        let proposed = self.replica.propose(EntryKind::Commands, now.wall, command.encode(self.level));
        if proposed.is_ok() {
            self.compaction_proposed = Some((term, next));
        }
        proposed.is_ok()
    }

    /// How far its log is to be compacted, on every replica.
    pub fn compacted(&self) -> Compacted {
        self.log.compactions.now()
    }
}

/// What is due of a log that is compacted so far, with these closed segments, oldest first.
fn due(log: &Compactions, wall: Wall, rules: CompactionConfig, closed: &[Retained]) -> Option<Compacted> {
    let done = log.now();
    let is_old = |segment: &&Retained| wall.0.saturating_sub(segment.max_timestamp) >= rules.min_lag_ms;
    let (clean, rest) = closed.split_at(closed.partition_point(|segment| segment.next <= done.up_to));
    let dirty: Vec<&Retained> = rest.iter().take_while(is_old).collect();
    let bytes = |segments: &mut dyn Iterator<Item = &Retained>| -> u128 {
        segments.map(|segment| u128::from(segment.bytes)).sum()
    };
    let (clean, dirty_bytes) = (bytes(&mut clean.iter()), bytes(&mut dirty.iter().copied()));
    let is_much = dirty_bytes * 10_000 >= (clean + dirty_bytes) * u128::from(rules.dirty_share_min);
    let oldest = dirty.first().map(|segment| segment.max_timestamp);
    let is_late = oldest.is_some_and(|oldest| wall.0.saturating_sub(oldest) > rules.max_lag_ms);
    let up_to = dirty.last().filter(|_| is_much || is_late).map_or(done.up_to, |segment| segment.next);
    let tombstones_before = log.tombstones_due(wall, rules.tombstone_retention_ms);
    let next = Compacted { up_to, tombstones_before };
    (!done.covers(next)).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Offset;

    const RULES: CompactionConfig = CompactionConfig {
        min_lag_ms: 0,
        max_lag_ms: i64::MAX,
        dirty_share_min: 5_000,
        tombstone_retention_ms: 100,
    };

    fn to(up_to: i64, tombstones_before: i64) -> Compacted {
        Compacted { up_to: Offset(up_to), tombstones_before: Offset(tombstones_before) }
    }

    fn segment(next: i64, bytes: u64, max_timestamp: i64) -> Retained {
        Retained { next: Offset(next), bytes, max_timestamp }
    }

    #[test]
    fn a_log_is_compacted_when_enough_of_it_is_dirty_or_some_of_it_is_old() {
        let mut log = Compactions::default();
        log.applied(to(10, 0), Offset(90), Wall(0));
        let closed = [segment(10, 600, 5), segment(20, 300, 50), segment(30, 299, 60)];
        assert_eq!(due(&log, Wall(60), RULES, &closed), None, "599 of 1,199 bytes are less than half");
        let more = [closed[0], closed[1], segment(30, 300, 60)];
        assert_eq!(due(&log, Wall(60), RULES, &more), Some(to(30, 0)));
        let lags = CompactionConfig { min_lag_ms: 5, max_lag_ms: 40, ..RULES };
        assert_eq!(due(&log, Wall(64), CompactionConfig { max_lag_ms: i64::MAX, ..lags }, &more), None);
        assert_eq!(due(&log, Wall(90), lags, &closed), None, "40 is not above 40");
        assert_eq!(due(&log, Wall(91), lags, &closed), Some(to(30, 0)));
        assert_eq!(due(&log, Wall(60), RULES, &[]), None);
        let all = CompactionConfig { dirty_share_min: 0, ..RULES };
        assert_eq!(due(&log, Wall(60), all, &closed[..1]), None, "nothing of it is dirty");
    }

    #[test]
    fn tombstones_go_when_they_were_below_a_compaction_for_long() {
        let mut log = Compactions::default();
        log.applied(to(10, 0), Offset(90), Wall(1_000));
        log.applied(to(20, 0), Offset(90), Wall(1_050));
        assert_eq!(due(&log, Wall(1_099), RULES, &[]), None);
        assert_eq!(due(&log, Wall(1_100), RULES, &[]), Some(to(20, 10)));
        log.applied(to(20, 10), Offset(90), Wall(1_100));
        assert_eq!(due(&log, Wall(1_149), RULES, &[]), None, "once is enough");
        assert_eq!(due(&log, Wall(1_150), RULES, &[]), Some(to(20, 20)));
        log.applied(to(95, 300), Offset(90), Wall(1_150));
        assert_eq!(log.now(), to(90, 90), "nothing above the watermark, whatever is said");
        assert!(log.is_sound(Offset(90)) && !log.is_sound(Offset(89)));
    }
}
