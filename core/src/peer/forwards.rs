//! Requests forwarded to a leader on another node, until they are answered or lost.
//!
//! Ids start at a random number: an answer that a node owes to an earlier start of this one finds nothing.
//!
//! Invariants: each id leads to exactly one outcome; ids rise with the deadlines, since all wait equally long.

use super::bulk::CallId;
use crate::ids::NodeId;
use crate::limits::{FORWARD_WAIT_MAX, FORWARDS_MAX};
use crate::now::Mono;
use std::collections::BTreeMap;

/// What was forwarded.
#[derive(Debug)]
pub(super) struct Forwards {
    open: BTreeMap<CallId, (NodeId, Mono)>,
    next: u64,
}

impl Forwards {
    /// How many are open.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.open.len()
    }

    /// None yet. `first` is the id of the first one.
    pub fn new(first: u64) -> Forwards {
        // Half of the numbers lie ahead, so that they rise without a wrap.
        Forwards { open: BTreeMap::new(), next: first >> 1 }
    }

    /// The id of the next one, unless too many are open.
    pub fn next_id(&self) -> Option<CallId> {
        (self.open.len() < FORWARDS_MAX).then_some(CallId(self.next))
    }

    /// Takes note that the request of `next_id` is on its way.
    pub fn open(&mut self, to: NodeId, now: Mono) {
        let until = now + FORWARD_WAIT_MAX;
        assert!(self.open.len() < FORWARDS_MAX, "who opens one was given its id");
        assert!(
            self.open.last_key_value().is_none_or(|(_, (_, at))| *at <= until),
            "ids rise with the deadlines"
        );
        self.open.insert(CallId(self.next), (to, until));
        self.next += 1;
    }

    /// An answer has come; whether this node's question was open.
    pub fn close(&mut self, id: CallId, from: NodeId) -> bool {
        let is_open = self.open.get(&id).is_some_and(|(to, _)| *to == from);
        if is_open {
            self.open.remove(&id);
        }
        is_open
    }

    /// Takes out all that went to `node`: its lane is gone.
    pub fn take_lost(&mut self, node: NodeId) -> Vec<CallId> {
        let lost: Vec<CallId> =
            self.open.iter().filter(|(_, (to, _))| *to == node).map(|(id, _)| *id).collect();
        lost.iter().for_each(|id| {
            self.open.remove(id);
        });
        lost
    }

    /// Takes out one that has waited long enough.
    pub fn pop_due(&mut self, now: Mono) -> Option<CallId> {
        let (id, _) = self.open.first_key_value().filter(|(_, (_, at))| *at <= now)?;
        let id = *id;
        self.open.remove(&id);
        Some(id)
    }

    /// When the first of them has waited long enough.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.open.first_key_value().map(|(_, (_, at))| *at)
    }
}
