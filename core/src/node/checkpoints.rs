//! When the journal has grown enough, every replica hands storage its part of a checkpoint; once that is durable,
//! windows need not reach further back.
//!
//! Parts are gathered over as many turns as they need: a turn encodes no more than `gathered_bytes`, and what it has
//! encoded is on the disk before the next goes on. A state of many pages is frozen meanwhile, which copies none, and of
//! its pages only those are encoded that the disk does not have.
//!
//! - Invariant: a part is as of its replica's own applied index, and all batches up to there were kept before.
//! - Invariant: state encoded in a turn < `gathered_bytes` and one page, or one state that is not in pages, more.

use super::ports::Ports;
use super::unclaimed::Unclaimed;
use crate::action::Action;
use crate::config::StorageConfig;
use crate::ids::PageId;
use crate::ids::{Index, ReplicaId};
use crate::limits::{GATHERED_PAGE_BYTES, GATHERED_REPLICA_BYTES};
use crate::now::Now;
use crate::replica::Replica;
use crate::resident::{Frozen, Residents};
use crate::storage::PartState;
use std::collections::{BTreeMap, VecDeque};

/// The checkpoint that is being made.
pub(super) struct Checkpoints {
    gathered_bytes: u64,
    inline_bytes: u64,
    /// Replicas that are still to be taken.
    untaken: VecDeque<ReplicaId>,
    open: Option<Open>,
    /// What each replica had applied when it was taken.
    applied: BTreeMap<ReplicaId, Index>,
    /// Those that keep entries which the durable one covers, for followers, and up to where it does.
    kept: BTreeMap<ReplicaId, Index>,
}

/// A replica whose pages are being taken.
struct Open {
    replica: ReplicaId,
    state: Frozen,
    pages: Vec<PageId>,
    /// How many of them were taken.
    taken: usize,
}

impl Checkpoints {
    /// None is being made yet.
    pub fn new(config: &StorageConfig) -> Checkpoints {
        Checkpoints {
            gathered_bytes: config.gathered_bytes,
            inline_bytes: config.state_inline_bytes,
            untaken: VecDeque::new(),
            open: None,
            applied: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// Begins one, unless one is being made.
    pub fn begin(
        &mut self,
        now: Now,
        residents: &Residents,
        unclaimed: &Unclaimed,
        ports: &mut Ports,
        actions: &mut Vec<Action>,
    ) {
        if ports.storage.begin_checkpoint(now.mono, actions, &mut ports.outcomes) {
            self.untaken = residents.iter().map(|(id, _)| id).chain(unclaimed.ids()).collect();
            (self.open, self.applied) = (None, BTreeMap::new());
        }
    }

    /// Takes as much as a turn may, if storage waits for more.
    pub fn gather(
        &mut self,
        now: Now,
        residents: &Residents,
        unclaimed: &Unclaimed,
        ports: &mut Ports,
        actions: &mut Vec<Action>,
    ) {
        if !ports.storage.can_gather() {
            return;
        }
        let mut bytes = 0;
        while bytes < self.gathered_bytes {
            // One whose pages were being taken may be gone.
            let open = self.open.take().filter(|open| ports.storage.end(open.replica).is_some());
            if let Some(open) = open {
                bytes += self.take_pages(now, open, bytes, ports, actions);
            } else if let Some(id) = self.untaken.pop_front() {
                let resident = residents.get(id).map(|resident| {
                    let state = resident.freeze();
                    (resident.part(state.part(self.inline_bytes)), state)
                });
                // In neither table: it was here when the checkpoint began, and is gone. What nobody claims yet stays as
                // the disk had it.
                let Some((part, state)) = resident.or_else(|| unclaimed.part(id)) else { continue };
                self.applied.insert(id, part.applied);
                let head = match &part.state {
                    PartState::Whole(bytes) => bytes.len(),
                    PartState::Head(head) => {
                        self.open = Some(Open { replica: id, pages: state.page_ids(), state, taken: 0 });
                        head.len()
                    }
                };
                bytes += head as u64 + GATHERED_REPLICA_BYTES;
                ports.storage.take_part(now.mono, part, actions, &mut ports.outcomes);
            } else {
                break;
            }
        }
        let is_all = self.untaken.is_empty() && self.open.is_none();
        ports.storage.gathered(now.mono, is_all, actions, &mut ports.outcomes);
    }

    /// Goes on with the pages of a replica, in a turn that has encoded so much already. How much that encoded.
    fn take_pages(
        &mut self,
        now: Now,
        mut open: Open,
        already: u64,
        ports: &mut Ports,
        actions: &mut Vec<Action>,
    ) -> u64 {
        let mut encoded = 0;
        while let Some(id) = open.pages.get(open.taken) {
            if already + encoded >= self.gathered_bytes {
                self.open = Some(open);
                return encoded;
            }
            if ports.storage.name_page(open.replica, *id) {
                encoded += GATHERED_PAGE_BYTES;
            } else {
                let bytes = open.state.page(open.taken).expect("it was counted when the state was frozen");
                encoded += bytes.len() as u64;
                ports.storage.take_page(*id, bytes);
            }
            open.taken += 1;
        }
        ports.storage.part_ends(now.mono, open.replica, actions, &mut ports.outcomes);
        encoded
    }

    /// It is durable: windows are cut to what followers still need, within so many bytes each.
    pub fn durable(&mut self, kept_bytes_max: usize, residents: &mut Residents) {
        self.kept = std::mem::take(&mut self.applied);
        let all: Vec<ReplicaId> = self.kept.keys().copied().collect();
        self.followed(&all, kept_bytes_max, residents);
    }

    /// Something happened to these: what followers need no longer goes, and of who leads no longer all that was kept.
    pub fn followed(&mut self, touched: &[ReplicaId], kept_bytes_max: usize, residents: &mut Residents) {
        if self.kept.is_empty() {
            return;
        }
        for id in touched {
            let Some(applied) = self.kept.get(id).copied() else { continue };
            let is_all_gone =
                residents.replica_mut(*id).is_none_or(|replica| trim(replica, applied, kept_bytes_max));
            residents.weigh(*id);
            if is_all_gone {
                self.kept.remove(id);
            }
        }
    }
}

/// Keeps what a follower that is not far behind still needs, within a bound: it gets the entries without a
/// catch-up. Whether it keeps nothing.
fn trim(replica: &mut Replica, applied: Index, kept_bytes_max: usize) -> bool {
    let slowest = replica.progress().map(|(_, matched)| matched).min().unwrap_or(applied);
    let to = if replica.is_leader() && replica.window_bytes() <= kept_bytes_max {
        applied.min(slowest)
    } else {
        applied
    };
    if to >= replica.first_index() {
        replica.trim(to);
    }
    replica.first_index() > applied
}
