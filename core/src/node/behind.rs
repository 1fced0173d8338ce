//! What this node's replicas keep in memory until the disk has it for good, weighed replica by replica as each is
//! touched, so that nobody ever adds all of them up: entries, which a checkpoint lets go, and idempotent producers,
//! which the log remembers.
//!
//! Entries are charged to the budget: while too much waits for the disk no client is let in, whether it waits for an
//! answer or not. Before that a checkpoint is made out of its turn, and nothing is kept for followers that are behind.
//! A full disk lets nothing go, but takes no records either: there nobody is kept out for it, and is told why.
//!
//! Producers are bounded for the node, besides the bound of each partition: whoever forges ids would have all
//! partitions' tables. Leaders propose that the longest idle are forgotten, and all replicas forget the same.
//!
//! Not here: the sums, which the table of residents keeps.

use super::ports::Ports;
use crate::config::StorageConfig;
use crate::connection::{Budget, Purpose};
use crate::limits::{
    BEHIND_SHARE, PRODUCER_BYTES, PRODUCERS_FORGOTTEN_WAIT, PRODUCERS_KEPT_QUARTERS, PRODUCERS_SHARE,
};
use crate::now::{Mono, Now};
use crate::resident::Residents;

/// What there is to remember about it.
#[derive(Debug)]
pub(super) struct Behind {
    /// Most producers that all partitions remember.
    producers_max: usize,
    /// When producers may be forgotten again.
    forget_at: Mono,
}

impl Behind {
    /// For a node with so much memory.
    pub fn new(memory_limit: u64) -> Behind {
        let bytes = usize::try_from(memory_limit / PRODUCERS_SHARE).unwrap_or(usize::MAX);
        Behind { producers_max: bytes / PRODUCER_BYTES, forget_at: Mono::default() }
    }

    /// Lets the longest idle producers be forgotten where there are too many on this node, in each partition that is led
    /// here as many as its part of all.
    pub fn bound_producers(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        let all = residents.held().producers;
        if all <= self.producers_max || now.mono < self.forget_at {
            return;
        }
        self.forget_at = now.mono + PRODUCERS_FORGOTTEN_WAIT;
        let kept = self.producers_max / 4 * PRODUCERS_KEPT_QUARTERS;
        residents.for_each_partition(|id, partition| {
            let count = partition.weight().producers;
            let surplus = count - count * kept / all;
            if surplus > 0 && partition.is_leading() && partition.forget_producers(now, surplus) {
                ports.touched.insert(id);
            }
        });
    }
}

/// Charges what waits for the disk.
pub(super) fn charge(residents: &Residents, ports: &Ports, budget: &mut Budget) {
    let is_let_go = ports.storage.accepts_records();
    let bytes = residents.held().entries_bytes + ports.storage.orphaned_bytes();
    budget.set(Purpose::Behind, if is_let_go { bytes } else { 0 });
}

/// So much a leader keeps of what the disk has, for followers: nothing while too much is kept in all.
pub(super) fn kept_bytes_max(residents: &Residents, budget: &Budget, config: &StorageConfig) -> usize {
    let bytes = if is_far(residents, budget) { 0 } else { config.window_kept_bytes_max };
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Whether so much is kept that what may go is to go.
pub(super) fn is_far(residents: &Residents, budget: &Budget) -> bool {
    residents.held().entries_bytes >= budget.capacity_bytes() / BEHIND_SHARE
}
