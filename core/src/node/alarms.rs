//! When the machines that are led here want to see what time has brought: each says so after everything that happens to
//! it, and only the last word of each counts.
//!
//! Invariant: a replica has at most one alarm, and both maps name the same.

use super::ports::Ports;
use crate::ids::ReplicaId;
use crate::now::{Mono, Now};
use crate::resident::Residents;
use std::collections::{BTreeMap, BTreeSet};

/// The alarms.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    of: BTreeMap<ReplicaId, Mono>,
    due: BTreeSet<(Mono, ReplicaId)>,
}

impl Alarms {
    /// Something happened to a replica: it wants to be woken then, or not at all.
    pub fn set(&mut self, id: ReplicaId, at: Option<Mono>) {
        if at.is_none() && self.of.is_empty() {
            return;
        }
        let before = match at {
            Some(at) => self.of.insert(id, at),
            None => self.of.remove(&id),
        };
        if let Some(before) = before {
            self.due.remove(&(before, id));
        }
        self.due.extend(at.map(|at| (at, id)));
        assert!(self.of.len() == self.due.len(), "a replica has at most one alarm");
    }

    /// Machines whose time has come see what it has brought, each once.
    pub fn woke(&mut self, now: Now, residents: &mut Residents, ports: &mut Ports) {
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now.mono) {
            self.due.remove(&(at, id));
            self.of.remove(&id);
            residents.due(now, id, &mut ports.told());
            ports.touch(id);
        }
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_word_of_each_counts() {
        let mut alarms = Alarms::default();
        alarms.set(ReplicaId(1), None);
        alarms.set(ReplicaId(1), Some(Mono(50)));
        alarms.set(ReplicaId(2), Some(Mono(70)));
        assert_eq!(alarms.next_deadline(), Some(Mono(50)));
        alarms.set(ReplicaId(1), Some(Mono(90)));
        assert_eq!(alarms.next_deadline(), Some(Mono(70)));
        alarms.set(ReplicaId(2), None);
        assert_eq!(alarms.next_deadline(), Some(Mono(90)));
        alarms.set(ReplicaId(1), None);
        assert_eq!(alarms.next_deadline(), None);
    }
}
