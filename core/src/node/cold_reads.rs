//! Cold reads that clients wait for: who asks for what is being read already joins that read. Many consumers that
//! begin at the same old place then cost the disk one read, and memory one answer.
//!
//! Invariant: a read is in both maps, from its beginning to its end.

use super::ports::Ports;
use crate::ids::{Offset, ReplicaId};
use crate::storage::{Lookup, ReadId, Storage};
use std::collections::BTreeMap;

/// What is looked for on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sought {
    /// Batches from `from` on that end below `below`.
    Batches { from: Offset, below: Offset, max_bytes: usize },
    /// The first batch from `from` on with a record of that time or later.
    Time { from: Offset, timestamp: i64 },
}

/// The reads under way.
#[derive(Debug, Default)]
pub(super) struct ColdReads {
    of: BTreeMap<(ReplicaId, Sought), ReadId>,
    sought: BTreeMap<ReadId, (ReplicaId, Sought)>,
}

impl ColdReads {
    /// How many are under way.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.of.len() + self.sought.len()
    }

    /// The read that looks for this already, or another, begun now.
    pub fn share(
        &mut self,
        replica: ReplicaId,
        ports: &mut Ports,
        sought: impl Fn(&Storage) -> Sought,
        begin: impl FnOnce(&mut Ports) -> Lookup,
    ) -> Lookup {
        if !self.of.is_empty()
            && let Some(read) = self.of.get(&(replica, sought(&ports.storage)))
        {
            return Lookup::Later(*read);
        }
        let lookup = begin(ports);
        if let Lookup::Later(read) = lookup {
            let sought = sought(&ports.storage);
            self.of.insert((replica, sought), read);
            self.sought.insert(read, (replica, sought));
        }
        lookup
    }

    /// One has ended. Nothing happens to a read of somebody else.
    pub fn ended(&mut self, read: ReadId) {
        if let Some(sought) = self.sought.remove(&read) {
            self.of.remove(&sought);
        }
    }
}
