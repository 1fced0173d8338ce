//! When the journal has grown enough, every replica hands storage its part of a checkpoint; once that is durable,
//! windows need not reach further back.
//!
//! Invariant: a part is as of its replica's own applied index, and all batches up to there were kept before.

use super::{METADATA, Node};
use crate::action::Action;
use crate::entry::Stamp;
use crate::ids::{Index, Offset, ReplicaId, TopicPartition};
use crate::now::Now;
use crate::replica::Replica;
use crate::storage::Part;
use bytes::Bytes;

impl Node {
    /// Starts a checkpoint if one is due.
    pub fn checkpoint_if_due(&mut self, now: Now, actions: &mut Vec<Action>) {
        if self.storage.checkpoint_is_due() && self.metadata.is_some() {
            let parts = self.parts();
            self.checkpointing = parts.iter().map(|part| (part.replica, part.applied.index)).collect();
            self.storage.checkpoint(now, parts, actions);
        }
    }

    pub(super) fn parts(&self) -> Vec<Part> {
        let host = self.metadata.iter().map(|(id, host)| {
            part(*id, METADATA, host.replica(), host.applied(), Offset(0), host.encode().freeze())
        });
        let partitions = self.partitions.iter().map(|(id, partition)| {
            let state = partition.encode().freeze();
            part(id, partition.of(), partition.replica(), partition.applied(), partition.log_start(), state)
        });
        // What nobody claims yet stays as the disk had it.
        let unclaimed = self.unclaimed.values().map(|known| Part {
            replica: known.replica,
            of: known.of,
            hard_state: known.hard_state,
            members: known.members.clone(),
            applied: known.applied,
            log_start: known.log_start,
            state: known.state.clone(),
            entries: known.entries.clone(),
        });
        host.chain(partitions).chain(unclaimed).collect()
    }

    /// The checkpoint is durable: windows are cut to what followers still need.
    pub(super) fn checkpointed(&mut self) {
        for (id, applied) in std::mem::take(&mut self.checkpointing) {
            if let Some(replica) = self.replica_mut(id) {
                trim(replica, applied);
            }
        }
    }
}

fn part(
    id: ReplicaId,
    of: TopicPartition,
    replica: &Replica,
    applied: Stamp,
    log_start: Offset,
    state: Bytes,
) -> Part {
    Part {
        replica: id,
        of,
        hard_state: replica.hard_state(),
        members: replica.members().clone(),
        applied,
        log_start,
        state,
        entries: replica.entries(applied.index.next(), replica.last_index().next()),
    }
}

/// Keeps what a follower that is not far behind still needs, within `limits::WINDOW_KEPT_BYTES_MAX`: it gets the
/// entries without a catch-up.
fn trim(replica: &mut Replica, applied: Index) {
    let slowest = replica.progress().map(|(_, matched)| matched).min().unwrap_or(applied);
    let to = if replica.is_leader() && replica.window_bytes() <= crate::limits::WINDOW_KEPT_BYTES_MAX {
        applied.min(slowest)
    } else {
        applied
    };
    if to >= replica.first_index() {
        replica.trim(to);
    }
}
