//! When the leaders among this node's partitions look for records that may go: at an interval, and at once where space
//! is short, so that they do before others are refused.
//!
//! Invariant: hurried or not, two looks are `limits::RETENTION_HURRY` apart and more the more partitions there are.
//!
//! Not here: which records may go (`partition/retention`).

use super::ports::Ports;
use crate::limits::{RETENTION_HURRY, RETENTION_HURRY_PARTITION};
use crate::now::{Mono, Now};
use crate::partition::Retained;
use crate::resident::Residents;
use crate::storage::Segment;
use std::time::Duration;

/// When it is looked.
pub(super) struct Retention {
    interval: Duration,
    due: Mono,
    last: Option<Mono>,
}

impl Retention {
    /// At this interval.
    pub fn new(interval: Duration) -> Retention {
        Retention { interval, due: Mono::default(), last: None }
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self, residents: &Residents) -> Option<Mono> {
        (residents.partition_count() > 0).then_some(self.due)
    }

    /// Looks with the next turn that time brings.
    pub fn soon(&mut self, now: Mono) {
        self.due = self.due.min(now);
    }

    /// Looks if it is time.
    pub fn woke(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        if self.due <= now.mono {
            self.look(now, residents, ports);
        }
    }

    /// Looks at once where space is short.
    pub fn hurry(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        if ports.storage.is_space_short() {
            let partitions = u32::try_from(residents.partition_count()).unwrap_or(u32::MAX);
            let pause = RETENTION_HURRY + RETENTION_HURRY_PARTITION * partitions;
            if self.last.is_none_or(|at| at + pause <= now.mono) {
                self.look(now, residents, ports);
            }
        }
    }

    fn look(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        self.due = now.mono + self.interval;
        self.last = Some(now.mono);
        let retained = |segment: &Segment| Retained {
            next: segment.next,
            bytes: segment.bytes,
            max_timestamp: segment.max_timestamp,
        };
        let mut segments = Vec::new();
        let Ports { storage, touched, .. } = ports;
        residents.for_each_partition(|id, partition| {
            if !partition.has_records() {
                return;
            }
            segments.clear();
            segments.extend(storage.segments(id).iter().map(retained));
            segments.extend(storage.unwritten(id).as_ref().map(retained));
            if partition.retain(now, &segments) {
                touched.insert(id);
            }
        });
    }
}
