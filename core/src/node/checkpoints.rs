//! When the journal has grown enough, every replica hands storage its part of a checkpoint; once that is durable,
//! windows need not reach further back.
//!
//! Invariant: a part is as of its replica's own applied index, and all batches up to there were kept before.

use super::ports::Ports;
use super::unclaimed::Unclaimed;
use crate::action::Action;
use crate::ids::{Index, ReplicaId};
use crate::now::Now;
use crate::replica::Replica;
use crate::resident::Residents;
use std::collections::BTreeMap;

/// The checkpoint that is being made.
#[derive(Default)]
pub(super) struct Checkpoints {
    /// What each replica had applied when it began.
    applied: BTreeMap<ReplicaId, Index>,
}

impl Checkpoints {
    /// Begins one, unless one is being made.
    pub fn begin(
        &mut self,
        now: Now,
        residents: &Residents,
        unclaimed: &Unclaimed,
        ports: &mut Ports,
        actions: &mut Vec<Action>,
    ) {
        // What nobody claims yet stays as the disk had it.
        let parts: Vec<_> =
            residents.iter().map(|(_, resident)| resident.part()).chain(unclaimed.parts()).collect();
        let applied = parts.iter().map(|part| (part.replica, part.applied)).collect();
        if ports.storage.checkpoint(now.mono, parts, actions, &mut ports.outcomes) {
            self.applied = applied;
        }
    }

    /// It is durable: windows are cut to what followers still need, within so many bytes each.
    pub fn durable(&mut self, kept_bytes_max: usize, residents: &mut Residents) {
        for (id, applied) in std::mem::take(&mut self.applied) {
            if let Some(replica) = residents.replica_mut(id) {
                trim(replica, applied, kept_bytes_max);
            }
            residents.weigh(id);
        }
    }
}

/// Keeps what a follower that is not far behind still needs, within a bound: it gets the entries without a
/// catch-up.
fn trim(replica: &mut Replica, applied: Index, kept_bytes_max: usize) {
    let slowest = replica.progress().map(|(_, matched)| matched).min().unwrap_or(applied);
    let to = if replica.is_leader() && replica.window_bytes() <= kept_bytes_max {
        applied.min(slowest)
    } else {
        applied
    };
    if to >= replica.first_index() {
        replica.trim(to);
    }
}
