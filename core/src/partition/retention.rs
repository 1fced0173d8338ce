//! Which records may go (`retention.ms`, `retention.bytes`): the leader looks at its own segments, oldest first,
//! and proposes a later log start; every replica then drops what lies below on its own.
//!
//! Invariant: the newest segment is never proposed away, and nothing above the high watermark.
//!
//! A record's age is by the leader's clock against its own timestamp, as in Kafka. A clock that jumps can
//! therefore let records go early; it can never bring acknowledged ones into doubt.

use super::{Partition, PartitionCommand};
use crate::entry::EntryKind;
use crate::ids::Offset;
use crate::mutant::Mutant;
use crate::now::Now;

/// A segment, as far as retention cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The offset after its last record.
    pub next: Offset,
    /// Its size.
    pub bytes: u64,
    /// Its newest timestamp.
    pub max_timestamp: i64,
}

impl Partition {
    /// Proposes a later log start if the oldest of `segments` (in offset order, the newest last) may go. Returns whether it did.
    pub fn retain(&mut self, now: Now, segments: &[Retained]) -> bool {
        if !self.is_leading() {
            return false;
        }
        let start = self.retained_start(now, segments);
        if start <= self.log.start {
            return false;
        }
        self.replica
            .propose(EntryKind::Commands, now.wall, PartitionCommand::LogStart(start).encode())
            .is_ok()
    }

    fn retained_start(&self, now: Now, segments: &[Retained]) -> Offset {
        let mut start = self.log.start;
        let mut bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
        let Some((_newest, older)) = segments.split_last() else { return start };
        for segment in older {
            let age = now.wall.0.saturating_sub(segment.max_timestamp);
            let is_old =
                self.config.retention_ms.is_some_and(|limit| segment.max_timestamp >= 0 && age > limit);
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
