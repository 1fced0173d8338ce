//! When this node's replicas stand for election of their own accord, before the timeouts of Raft decide: at their start,
//! and when the node of their leader is gone or another comes back. They do so one after the other, a tick apart, so that the first
//! usually wins; pre-vote makes it harmless where somebody leads.
//!
//! Invariant: who has a leader when its time has come does not stand.
//!
//! Not here: Raft's own timeouts (`replica/election`), leadership that is handed over (`handing_over`).

use super::company::Company;
use super::ports::Ports;
use crate::ids::ReplicaId;
use crate::limits::TICK;
use crate::now::{Mono, Now};
use crate::resident::Residents;
use crate::timer::Deadlines;

/// After how many ticks a replica that has just started stands for election, unless there is a leader. Source:
/// chosen; disks sync in milliseconds and seldom in a tenth of a second, nodes started together meet within half a
/// second. If all that takes longer, the timeouts decide.
const FIRST_ELECTIONS: [u32; 3] = [1, 4, 12];

/// Which replica stands when.
#[derive(Default)]
pub(super) struct Elections {
    due: Deadlines<ReplicaId>,
}

impl Elections {
    /// A replica has started. It need not wait for a timeout: the first in rank stands for election at once, and
    /// each a little later once more, at its place, unless there is a leader: the others may have started later.
    pub fn started(
        &mut self,
        now: Now,
        id: ReplicaId,
        rank: usize,
        residents: &mut Residents,
        ports: &mut Ports,
    ) {
        if rank == 0 {
            stand(id, residents, ports);
        }
        let place = u32::try_from(rank).unwrap_or(0);
        for ticks in FIRST_ELECTIONS {
            self.due.arm(now.mono + TICK * (ticks + place), id);
        }
    }

    /// A replica has no leader, and the node of a member is there again: perhaps there is a majority. A leader that the
    /// peer has is heard before a turn is over.
    pub fn member_found(&mut self, now: Now, id: ReplicaId, company: Company<'_>) {
        self.due.arm(now.mono + TICK * (1 + company.rank(id)), id);
    }

    /// The node of a replica's leader is gone.
    pub fn leader_lost(&mut self, now: Now, id: ReplicaId, company: Company<'_>) {
        self.due.arm(now.mono + TICK * company.rank(id), id);
    }

    /// Those whose time has come stand, unless another did.
    pub fn woke(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        while let Some(id) = self.due.pop_due(now.mono) {
            if residents.replica(id).is_some_and(|replica| replica.leader() == ReplicaId::NOBODY) {
                stand(id, residents, ports);
            }
        }
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.due.next()
    }
}

/// Stands for election now, if that is safe; otherwise the ticks will.
fn stand(id: ReplicaId, residents: &mut Residents, ports: &mut Ports) {
    if let Some(replica) = residents.replica_mut(id) {
        replica.campaign();
        ports.touch(id);
    }
}
