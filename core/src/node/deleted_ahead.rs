//! Topics that the journal says are deleted, while the image does not know it yet.
//!
//! A node that comes back replays its metadata from the checkpoint on. In between it meets again the creation of
//! topics whose deletion it had carried out before it went down: the disk has dropped their replicas, and started
//! anew these would have forgotten what they had promised. So nothing of them starts until the replay has passed
//! all that the journal had, or a leader has cut that off. A deletion in it that never was committed is found out
//! then, and the topic starts.
//!
//! Found by the simulator (seeds 57 and 82): all nodes lost power after a deletion, and the replicas of the deleted
//! topic elected a leader in a term that was over.

use crate::entry::{Entry, EntryKind};
use crate::ids::{Index, TopicId};
use crate::level::Level;
use crate::machine::{Machine, Undecodable};
use crate::metadata::{Command, Metadata};
use std::collections::{BTreeMap, BTreeSet};

/// What the recovered metadata log deletes.
#[derive(Default)]
pub(super) struct DeletedAhead {
    /// With the entry that does.
    topics: BTreeMap<TopicId, Index>,
    last: Index,
}

impl DeletedAhead {
    /// How many there are.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.topics.len()
    }

    /// Looks through the entries that the journal had above the image.
    ///
    /// # Errors
    /// One of them holds what this build cannot read: what it deletes is not known, so nothing may start.
    pub fn read(entries: &[Entry], reads: Level) -> Result<DeletedAhead, Undecodable> {
        let mut topics = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Commands) {
            for command in Metadata::decode_commands(&entry.payload, reads)? {
                if let Command::TopicDeleted { id } = command {
                    topics.insert(id, entry.index);
                }
            }
        }
        Ok(DeletedAhead { topics, last: entries.last().map_or(Index(0), |entry| entry.index) })
    }

    /// Whether a log that is truncated at `from` may undo any of it.
    pub fn reaches(&self, from: Index) -> bool {
        from <= self.last
    }

    /// Whether this topic must not start yet.
    pub fn holds(&self, topic: TopicId) -> bool {
        self.topics.contains_key(&topic)
    }

    /// The image is at `applied` now: what was held back for nothing, once everything is passed.
    pub fn passed(&mut self, applied: Index) -> BTreeSet<TopicId> {
        if applied < self.last {
            return BTreeSet::new();
        }
        std::mem::take(&mut self.topics).into_keys().collect()
    }

    /// A leader has truncated the log at `from`: what stood there and above never was, and the image need not come so far.
    /// Returns what is held back no longer.
    pub fn truncated(&mut self, from: Index, applied: Index) -> BTreeSet<TopicId> {
        if !self.reaches(from) {
            return BTreeSet::new();
        }
        self.last = Index(from.0 - 1);
        let undone: BTreeSet<TopicId> =
            self.topics.extract_if(.., |_, at| *at >= from).map(|(id, _)| id).collect();
        undone.into_iter().chain(self.passed(applied)).collect()
    }
}
