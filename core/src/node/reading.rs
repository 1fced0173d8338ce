//! Linearizable reads of records: who wants to be sure that the replica here leads, and has applied what was committed
//! when it was asked. Machines keep their own (`host`).
//!
//! - Invariant: each waiter hears exactly once, also when its replica leads no more, or is gone.
//! - Invariant: a replica of which nobody reads takes nothing here.
//!
//! Not here: how a majority is asked, and that one question at a time is (`replica/confirming`), what is read then (`api`).

use super::ports::{News, Ports};
use crate::ids::{Index, ReplicaId};
use crate::machine::Waiter;
use crate::replica::{Confirming, ReadContext, Replica};
use crate::resident::Residents;
use std::collections::BTreeMap;

/// Reads that wait, by replica.
#[derive(Default)]
pub(super) struct Reading {
    of: BTreeMap<ReplicaId, Confirming<Waiter>>,
}

impl Reading {
    /// How many requests wait for a majority.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.of.values().map(Confirming::len).sum()
    }

    /// A read of this replica: `waiter` hears of it in the news.
    pub fn ask(&mut self, id: ReplicaId, waiter: Waiter, residents: &mut Residents, ports: &mut Ports) {
        let Some(replica) = residents.replica_mut(id) else {
            return ports.news.confirmed.push((waiter, false));
        };
        let refused = self.of.entry(id).or_default().ask(waiter, replica);
        tell(refused, false, &mut ports.news);
        self.forget_if_empty(id);
        ports.touch(id);
    }

    /// A majority has confirmed reads of this replica.
    pub fn heard(
        &mut self,
        id: ReplicaId,
        reads: &[(ReadContext, Index)],
        replica: &mut Replica,
        news: &mut News,
    ) {
        if let Some(confirming) = self.of.get_mut(&id) {
            tell(confirming.heard(reads, replica), false, news);
        }
    }

    /// A replica may have applied something.
    pub fn applied(&mut self, id: ReplicaId, residents: &Residents, news: &mut News) {
        if self.of.is_empty() {
            return;
        }
        let (Some(confirming), Some(resident)) = (self.of.get_mut(&id), residents.get(id)) else { return };
        tell(confirming.take_confirmed(resident.applied().index), true, news);
        self.forget_if_empty(id);
    }

    /// This replica leads no more, or is gone: what was read of it is not confirmed.
    pub fn lost(&mut self, id: ReplicaId, news: &mut News) {
        if let Some(mut confirming) = self.of.remove(&id) {
            tell(confirming.lose(), false, news);
        }
    }

    fn forget_if_empty(&mut self, id: ReplicaId) {
        if self.of.get(&id).is_some_and(Confirming::is_empty) {
            self.of.remove(&id);
        }
    }
}

fn tell(waiters: Vec<Waiter>, is_leading: bool, news: &mut News) {
    news.confirmed.extend(waiters.into_iter().map(|waiter| (waiter, is_leading)));
}
