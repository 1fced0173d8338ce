//! Which records may go (`retention.ms`, `retention.bytes`): the leader looks at its own segments, oldest first,
//! and proposes a later log start; every replica then drops what lies below on its own.
//!
//! What is in no segment yet is one more, the newest. That one goes like the others, as in Kafka: when all its records
//! are too old, or the partition may hold nothing. The log is empty then, and goes on where it ended.
//!
//! A record's age is by the leader's clock against its own timestamp, as in Kafka. A clock that jumps can therefore let
//! records go early; it can never bring acknowledged ones into doubt. Of a segment without any timestamp counts the time
//! since this leader saw it as long as it is now, or since the log's newest entry: Kafka goes by its file's time.
//!
//! Invariant: nothing above the high watermark is proposed away.

use super::{Partition, PartitionCommand};
use crate::entry::EntryKind;
use crate::ids::{Offset, Term};
use crate::mutant::Mutant;
use crate::now::{Now, Wall};
use std::collections::BTreeMap;

/// A segment, as far as retention cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The offset after its last record.
    pub next: Offset,
    /// Its size.
    pub bytes: u64,
    /// Its newest timestamp; negative if its records have none.
    pub max_timestamp: i64,
}

/// What a leader remembers between two looks.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// Since when segments without a timestamp end where they do, by that end.
    ageless: BTreeMap<Offset, Wall>,
    /// The newest log start that it has proposed, and in which term: until that is applied, it is not proposed again.
    proposed: (Term, Offset),
}

impl Partition {
    /// Proposes a later log start if the oldest of `segments` (in offset order, the newest last) may go. Returns
    /// whether it did.
    pub fn retain(&mut self, now: Now, segments: &[Retained]) -> bool {
        if !self.is_leading() {
            self.looked = Looked::default();
            return false;
        }
        self.look_at_ageless(now.wall, segments);
        let start = self.retained_start(now.wall, segments);
        let (term, (proposed_in, proposed)) = (self.replica.term(), self.looked.proposed);
        if start <= self.log.start || (term == proposed_in && start <= proposed) {
            return false;
        }
        let command = PartitionCommand::LogStart(start).encode(self.level);
        let is_proposed = self.replica.propose(EntryKind::Commands, now.wall, command).is_ok();
        if is_proposed {
            self.looked.proposed = (term, start);
        }
        is_proposed
    }

    /// Whether there is anything that could go.
    pub fn has_records(&self) -> bool {
        self.log.start < self.log.end
    }

    fn look_at_ageless(&mut self, wall: Wall, segments: &[Retained]) {
        let known = std::mem::take(&mut self.looked.ageless);
        let ageless = segments.iter().filter(|segment| segment.max_timestamp < 0);
        // It cannot be younger than the newest entry of the log.
        let new = wall.min(self.log.wall);
        let since = |segment: &Retained| (segment.next, known.get(&segment.next).copied().unwrap_or(new));
        self.looked.ageless = ageless.map(since).collect();
    }

    fn retained_start(&self, wall: Wall, segments: &[Retained]) -> Offset {
        let mut start = self.log.start;
        let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
        for segment in segments {
            let since = match self.looked.ageless.get(&segment.next) {
                Some(seen) => seen.0,
                None => segment.max_timestamp,
            };
            let haste = if self.has(Mutant::RetentionTooSoon) { 2 } else { 1 };
            let is_old =
                self.config.retention_ms.is_some_and(|limit| wall.0.saturating_sub(since) > limit / haste);
            let is_surplus = self.config.retention_bytes.is_some_and(|limit| bytes - segment.bytes >= limit);
            if !is_old && !is_surplus {
                break;
            }
            bytes -= segment.bytes;
            start = start.max(segment.next.min(self.log.end));
        }
        if start > self.log.start && self.has(Mutant::RetentionTakesTooMany) {
            let more = segments.iter().map(|segment| segment.next).find(|next| *next > start);
            start = more.unwrap_or(start).min(self.log.end);
        }
        start
    }
}
