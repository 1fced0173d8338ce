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
//! Invariant: `entries_bytes` and `producers` == the sums over all replicas, as of when each was touched last.

use super::Node;
use crate::connection::Purpose;
use crate::ids::ReplicaId;
use crate::limits::{
    BEHIND_SHARE, PRODUCER_BYTES, PRODUCERS_FORGOTTEN_WAIT, PRODUCERS_KEPT_QUARTERS, PRODUCERS_SHARE,
};
use crate::now::{Mono, Now};
use crate::partition::{Partition, Weight};

/// The sums.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Behind {
    entries_bytes: u64,
    producers: usize,
    /// What the metadata replica adds.
    metadata_bytes: u64,
    /// When producers may be forgotten again.
    forget_at: Mono,
}

impl Behind {
    fn change(&mut self, before: Weight, after: Weight) {
        self.entries_bytes = self.entries_bytes - before.entries_bytes + after.entries_bytes;
        self.producers = self.producers - before.producers + after.producers;
    }
}

impl Node {
    /// Weighs a replica to which something happened.
    pub(super) fn weigh(&mut self, id: ReplicaId) {
        match &self.metadata {
            Some((metadata, host)) if *metadata == id => {
                let after = host.replica().held_bytes() as u64;
                let before = std::mem::replace(&mut self.behind.metadata_bytes, after);
                self.behind.entries_bytes = self.behind.entries_bytes - before + after;
            }
            _ => {
                if let Some(partition) = self.partitions.get_mut(id) {
                    let (before, after) = partition.weigh();
                    self.behind.change(before, after);
                }
            }
        }
    }

    /// A partition is no more here.
    pub(super) fn unweigh(&mut self, partition: &Partition) {
        self.behind.change(partition.weight(), Weight::default());
    }

    /// Charges what waits for the disk.
    pub(super) fn charge_behind(&mut self) {
        let is_let_go = self.storage.accepts_records();
        let bytes = self.behind.entries_bytes + self.storage.orphaned_bytes();
        self.budget.set(Purpose::Behind, if is_let_go { bytes } else { 0 });
    }

    /// Whether so much is kept that what may go is to go.
    pub(super) fn is_far_behind(&self) -> bool {
        self.behind.entries_bytes >= self.budget.capacity_bytes() / BEHIND_SHARE
    }

    /// Lets the longest idle producers be forgotten where there are too many on this node, in each partition that is led
    /// here as many as its part of all.
    pub(super) fn bound_producers(&mut self, now: Now) {
        let most = self.producers_max();
        if self.behind.producers <= most || now.mono < self.behind.forget_at {
            return;
        }
        self.behind.forget_at = now.mono + PRODUCERS_FORGOTTEN_WAIT;
        let (all, kept) = (self.behind.producers, most / 4 * PRODUCERS_KEPT_QUARTERS);
        let mut touched = Vec::new();
        for (id, partition) in self.partitions.iter_mut().filter(|(_, partition)| partition.is_leading()) {
            let count = partition.weight().producers;
            let surplus = count - count * kept / all;
            if surplus > 0 && partition.forget_producers(now, surplus) {
                touched.push(id);
            }
        }
        self.touched.extend(touched);
    }

    fn producers_max(&self) -> usize {
        usize::try_from(self.config.memory_limit / PRODUCERS_SHARE).unwrap_or(usize::MAX) / PRODUCER_BYTES
    }

    /// The sums, counted anew: bytes of entries, and producers.
    #[cfg(feature = "simulation")]
    pub fn weighed_anew(&self) -> (u64, usize) {
        let host = self.metadata().map_or(0, |host| host.replica().held_bytes() as u64);
        let partitions = self.partitions.iter().map(|(_, partition)| partition.weighed_now());
        partitions.fold((host, 0), |(bytes, producers), weight| {
            (bytes + weight.entries_bytes, producers + weight.producers)
        })
    }

    /// The sums as they are kept.
    #[cfg(feature = "simulation")]
    pub fn weighed(&self) -> (u64, usize) {
        (self.behind.entries_bytes, self.behind.producers)
    }
}
