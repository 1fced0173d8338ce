//! When the journal has grown enough, every replica hands storage its part of a checkpoint; once that is durable,
//! windows need not reach further back.
//!
//! Invariant: a part is as of its replica's own applied index, and all batches up to there were kept before.

use super::Node;
use crate::action::Action;
use crate::ids::Index;
use crate::now::Now;
use crate::replica::Replica;
use crate::storage::Part;

impl Node {
    /// Starts a checkpoint if one is due.
    pub fn checkpoint_if_due(&mut self, now: Now, actions: &mut Vec<Action>) {
        let is_due =
            self.storage.checkpoint_is_due() || self.is_far_behind() && self.storage.checkpoint_frees();
        if is_due && self.image().is_some() && !self.is_halting {
            self.begin_checkpoint(now, actions);
        }
    }

    fn begin_checkpoint(&mut self, now: Now, actions: &mut Vec<Action>) {
        let parts = self.parts();
        let applied = parts.iter().map(|part| (part.replica, part.applied)).collect();
        if self.storage.checkpoint(now.mono, parts, actions, &mut self.disk_news) {
            self.checkpointing = applied;
        }
    }

    fn parts(&self) -> Vec<Part> {
        let residents = self.residents.iter().map(|(_, resident)| resident.part());
        // What nobody claims yet stays as the disk had it.
        let unclaimed = self.unclaimed.values().map(|known| Part {
            replica: known.replica,
            members: known.members.clone(),
            applied: known.applied,
            applied_term: known.applied_term,
            state: known.state.clone(),
            entries: known.entries.clone(),
        });
        residents.chain(unclaimed).collect()
    }

    /// One step of leaving the disk so that the next start has nothing to replay. Returns whether it is so.
    /// What only waits, as for room on a full disk, is not helped by another checkpoint.
    pub fn close(&mut self, now: Now, actions: &mut Vec<Action>) -> bool {
        if self.storage.is_clean() || self.image().is_none() {
            return true;
        }
        if !self.storage.is_covered() {
            self.begin_checkpoint(now, actions);
        }
        false
    }

    /// The checkpoint is durable: windows are cut to what followers still need.
    pub(super) fn checkpointed(&mut self) {
        let kept = if self.is_far_behind() { 0 } else { self.config.storage.window_kept_bytes_max };
        let kept_bytes_max = usize::try_from(kept).unwrap_or(usize::MAX);
        for (id, applied) in std::mem::take(&mut self.checkpointing) {
            if let Some(resident) = self.residents.get_mut(id) {
                trim(resident.replica_mut(), applied, kept_bytes_max);
            }
            self.residents.weigh(id);
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
