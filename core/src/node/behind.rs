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

use super::Node;
use crate::connection::Purpose;
use crate::limits::{
    BEHIND_SHARE, PRODUCER_BYTES, PRODUCERS_FORGOTTEN_WAIT, PRODUCERS_KEPT_QUARTERS, PRODUCERS_SHARE,
};
use crate::now::{Mono, Now};

/// What there is to remember about it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Behind {
    /// When producers may be forgotten again.
    forget_at: Mono,
}

impl Node {
    /// Charges what waits for the disk.
    pub(super) fn charge_behind(&mut self) {
        let is_let_go = self.storage.accepts_records();
        let bytes = self.residents.held().entries_bytes + self.storage.orphaned_bytes();
        self.budget.set(Purpose::Behind, if is_let_go { bytes } else { 0 });
    }

    /// Whether so much is kept that what may go is to go.
    pub(super) fn is_far_behind(&self) -> bool {
        self.residents.held().entries_bytes >= self.budget.capacity_bytes() / BEHIND_SHARE
    }

    /// Lets the longest idle producers be forgotten where there are too many on this node, in each partition that is led
    /// here as many as its part of all.
    pub(super) fn bound_producers(&mut self, now: Now) {
        let most = self.producers_max();
        if self.residents.held().producers <= most || now.mono < self.behind.forget_at {
            return;
        }
        self.behind.forget_at = now.mono + PRODUCERS_FORGOTTEN_WAIT;
        let (all, kept) = (self.residents.held().producers, most / 4 * PRODUCERS_KEPT_QUARTERS);
        let touched = &mut self.touched;
        self.residents.for_each_partition(|id, partition| {
            let count = partition.weight().producers;
            let surplus = count - count * kept / all;
            if surplus > 0 && partition.is_leading() && partition.forget_producers(now, surplus) {
                touched.insert(id);
            }
        });
    }

    fn producers_max(&self) -> usize {
        usize::try_from(self.config.memory_limit / PRODUCERS_SHARE).unwrap_or(usize::MAX) / PRODUCER_BYTES
    }
}
