//! Partitions here in which produces wait for more disks than a majority's (`min.insync.replicas`). What a follower
//! acknowledges beyond a commit makes no ready, but touches the replica.
//!
//! Invariant: a partition in which something waits so is in the set from when it does.

use super::company::Company;
use super::ports::Ports;
use crate::ids::ReplicaId;
use crate::partition::Partition;
use crate::resident::Residents;
use std::collections::BTreeSet;

/// The partitions.
#[derive(Default)]
pub(super) struct Acknowledged {
    awaited: BTreeSet<ReplicaId>,
}

impl Acknowledged {
    /// How many there are.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.awaited.len()
    }

    /// Something was settled: takes note if it waits for disks now.
    pub fn look_at(&mut self, id: ReplicaId, partition: &Partition) {
        if partition.awaits_disks() {
            self.awaited.insert(id);
        }
    }

    /// Answers, in those that were touched, what has waited long enough.
    pub fn settle(&mut self, touched: &[ReplicaId], residents: &mut Residents, ports: &mut Ports) {
        if self.awaited.is_empty() {
            return;
        }
        for id in touched.iter().copied().filter(|id| self.awaited.contains(id)).collect::<Vec<_>>() {
            let of = residents.partition_of(id);
            let in_sync =
                of.and_then(|of| Company::of(residents, ports).in_sync(of)).map_or(0, |nodes| nodes.len());
            let still_waits = residents.partition_mut(id).is_some_and(|partition| {
                partition.settle_on_disks(in_sync, &mut ports.news.settled);
                partition.awaits_disks()
            });
            if !still_waits {
                self.awaited.remove(&id);
            }
        }
    }

    /// Who is in sync may have changed: all are looked at at the end of the turn.
    pub fn look_again(&self, ports: &mut Ports) {
        ports.touched.extend(self.awaited.iter().copied());
    }
}
