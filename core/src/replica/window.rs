//! The window: the newest entries of a replica's log, as raft-rs's `Storage`.
//!
//! Owns the entries from every ready that was taken (durable or on their way to the journal; raft-rs demands
//! to see them before they are), and the stamp of the entry just below the first. Below that it answers
//! `Compacted`: whoever needs those entries fetches batches by offset and restores.
//!
//! Invariant: entries are contiguous: entries[k].index == below.index + 1 + k.
//! Invariant: below.index <= applied, so that raft-rs finds everything it may still need in memory.
//! Invariant: bytes == sum of the entries' weights.
//!
//! Bounded by the floor above, which trims it; not here: what is not yet in a ready (raft-rs's `unstable`).

use super::log_entry;
use crate::entry::{Entry, EntryKind, Stamp};
use crate::ids::{Index, ReplicaId};
use crate::now::Wall;
use bytes::Bytes;
use raft::eraftpb;
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use std::cell::Cell;
use std::collections::VecDeque;

/// The newest entries of one log.
pub(super) struct Window {
    below: Stamp,
    entries: VecDeque<eraftpb::Entry>,
    bytes: usize,
    /// What raft-rs reads once, at its start.
    initial: Cell<RaftState>,
    /// Followers that raft-rs wanted to send a snapshot; `Storage::snapshot` has no `&mut`.
    behind: Cell<Vec<u64>>,
}

impl Window {
    /// A window over `entries`, which follow `below`.
    pub fn new(below: Stamp, entries: &[Entry], initial: RaftState) -> Window {
        let mut window = Window {
            below,
            entries: VecDeque::new(),
            bytes: 0,
            initial: Cell::new(initial),
            behind: Cell::default(),
        };
        let in_raft = |entry: &Entry| {
            let context = log_entry::context(entry.kind, entry.wall);
            log_entry::to_raft(entry.index, entry.term, context, entry.payload.clone())
        };
        window.append(entries.iter().map(in_raft).collect());
        window
    }

    /// Takes in the entries of a ready; they replace what stood at their place and after.
    pub fn append(&mut self, entries: Vec<eraftpb::Entry>) {
        let Some(first) = entries.first() else { return };
        assert!(
            first.index > self.below.index.0,
            "an entry below the window is committed and never replaced"
        );
        assert!(first.index <= self.last().index.0 + 1, "entries in the window are contiguous");
        self.truncate(Index(first.index));
        for mut entry in entries {
            if entry.context.is_empty() {
                entry.context = log_entry::context(EntryKind::NoOp, self.last().wall);
            }
            self.bytes += log_entry::weight(&entry.data);
            self.entries.push_back(entry);
        }
    }

    /// Forgets everything: the log starts anew after `below`.
    pub fn reset(&mut self, below: Stamp) {
        self.entries = VecDeque::new();
        self.bytes = 0;
        self.below = below;
    }

    /// Forgets the entries up to `to`.
    pub fn trim(&mut self, to: Index) {
        while let Some(entry) = self.entries.front()
            && entry.index <= to.0
        {
            self.below = log_entry::stamp(entry);
            self.bytes -= log_entry::weight(&entry.data);
            self.entries.pop_front();
        }
        // An idle replica gives its memory back; a busy one keeps what it will need again.
        let spare = self.entries.len() * 4 < self.entries.capacity();
        if self.entries.is_empty() || (spare && self.entries.capacity() > 32) {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }

    /// The stamp of the entry just below the first.
    pub fn below(&self) -> Stamp {
        self.below
    }

    /// The stamp of the last entry.
    pub fn last(&self) -> Stamp {
        self.entries.back().map_or(self.below, log_entry::stamp)
    }

    /// The context of the last entry, if one is here.
    pub fn last_context(&self) -> Option<&Bytes> {
        self.entries.back().map(|entry| &entry.context)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Weight of all entries.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The entries of `[from, to)` that are here.
    pub fn range(&self, from: Index, to: Index) -> impl Iterator<Item = &eraftpb::Entry> {
        self.entries.range(self.position(from)..self.position(to).max(self.position(from)))
    }

    /// The wall time of the entry at `index`, if it is here.
    pub fn wall(&self, index: Index) -> Option<Wall> {
        let entry = self.entries.get(usize::try_from(index.0.checked_sub(self.below.index.0 + 1)?).ok()?)?;
        Some(log_entry::stamp(entry).wall)
    }

    /// The followers that asked for entries below the window since the last call.
    pub fn take_behind(&mut self) -> Vec<ReplicaId> {
        self.behind.take().into_iter().map(ReplicaId).collect()
    }

    /// Drops the entries from `from` on.
    fn truncate(&mut self, from: Index) {
        let keep = self.position(from);
        for entry in self.entries.drain(keep..) {
            self.bytes -= log_entry::weight(&entry.data);
        }
    }

    /// Where the entry at `index` stands in `entries`, clamped to what is here.
    fn position(&self, index: Index) -> usize {
        let above = index.0.saturating_sub(self.below.index.0 + 1);
        usize::try_from(above).unwrap_or(usize::MAX).min(self.entries.len())
    }
}

impl Storage for Window {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.initial.take())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<eraftpb::Entry>> {
        if low <= self.below.index.0 {
            return Err(StorageError::Compacted.into());
        }
        assert!(high <= self.last().index.0 + 1, "raft-rs asks for no entry that it did not give us");
        let room = max_size.into().unwrap_or(u64::MAX);
        let mut taken = 0;
        let fits = |entry: &&eraftpb::Entry| {
            let is_first = taken == 0;
            taken += log_entry::weight(&entry.data) as u64;
            is_first || taken <= room
        };
        Ok(self.range(Index(low), Index(high)).take_while(fits).cloned().collect())
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.below.index.0 {
            return Ok(self.below.term.0);
        }
        if index < self.below.index.0 {
            return Err(StorageError::Compacted.into());
        }
        match self.entries.get(self.position(Index(index))) {
            Some(entry) => Ok(entry.term),
            None => Err(StorageError::Unavailable.into()),
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.below.index.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().index.0)
    }

    fn snapshot(&self, _request_index: u64, to: u64) -> raft::Result<eraftpb::Snapshot> {
        // There is no snapshot to send, ever: the follower is told to fetch, by way of `take_behind`.
        let mut behind = self.behind.take();
        if !behind.contains(&to) {
            behind.push(to);
        }
        self.behind.set(behind);
        Err(StorageError::SnapshotTemporarilyUnavailable.into())
    }
}
