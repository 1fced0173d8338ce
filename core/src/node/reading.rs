//! Linearizable reads: who wants to be sure that the replica here leads, and has applied what was committed when it was
//! asked. Raft asks a majority with each heartbeat that carries a context (ReadIndex); then the replica has to apply up
//! to the index that comes back.
//!
//! Invariant: each waiter hears exactly once, also when its replica leads no more, or is gone.
//!
//! Not here: how a majority is asked (`replica`), what is read then (`api`).

use super::ports::Ports;
use crate::ids::{Index, ReplicaId};
use crate::machine::Waiter;
use crate::replica::ReadContext;
use crate::resident::Residents;
use std::collections::{BTreeMap, BTreeSet};

/// Reads that wait.
#[derive(Default)]
pub(super) struct Reading {
    /// For a majority, by replica.
    asked: BTreeMap<ReplicaId, BTreeMap<ReadContext, Waiter>>,
    /// Those that a majority has confirmed, until the replica has applied what it had committed.
    confirmed: BTreeSet<(ReplicaId, Index, Waiter)>,
}

impl Reading {
    /// A read of this replica: `waiter` hears of it in the news.
    pub fn ask(&mut self, id: ReplicaId, waiter: Waiter, residents: &mut Residents, ports: &mut Ports) {
        let context = ReadContext(ports.next_context());
        let is_asked = residents.replica_mut(id).is_some_and(|replica| replica.read_index(context));
        if is_asked {
            self.asked.entry(id).or_default().insert(context, waiter);
            ports.touch(id);
        } else {
            ports.news.confirmed.push((waiter, false));
        }
    }

    /// A majority has confirmed these reads.
    pub fn heard(&mut self, id: ReplicaId, reads: &[(ReadContext, Index)]) {
        let Some(asked) = self.asked.get_mut(&id).filter(|_| !reads.is_empty()) else { return };
        for (context, index) in reads {
            if let Some(waiter) = asked.remove(context) {
                self.confirmed.insert((id, *index, waiter));
            }
        }
        if asked.is_empty() {
            self.asked.remove(&id);
        }
    }

    /// A replica has applied something.
    pub fn applied(&mut self, id: ReplicaId, residents: &Residents, ports: &mut Ports) {
        if self.confirmed.is_empty() {
            return;
        }
        if let Some(resident) = residents.get(id) {
            self.tell_up_to(id, resident.applied().index, true, ports);
        }
    }

    /// This replica leads no more, or is gone: what was read of it is not confirmed.
    pub fn lost(&mut self, id: ReplicaId, ports: &mut Ports) {
        let asked = self.asked.remove(&id).unwrap_or_default();
        ports.news.confirmed.extend(asked.into_values().map(|waiter| (waiter, false)));
        self.tell_up_to(id, Index(u64::MAX), false, ports);
    }

    fn tell_up_to(&mut self, id: ReplicaId, applied: Index, is_leading: bool, ports: &mut Ports) {
        let all = (id, Index(0), Waiter(0))..=(id, applied, Waiter(u64::MAX));
        let done: Vec<_> = self.confirmed.range(all).copied().collect();
        for waiting in done {
            self.confirmed.remove(&waiting);
            ports.news.confirmed.push((waiting.2, is_leading));
        }
    }
}
