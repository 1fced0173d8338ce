//! A classic group as its coordinator sees it: who is there, who waits, and how far a rebalance is.
//!
//! Invariant: `waiting` == the seats with a parked join; `instances` names the seats of static members.
//! Invariant: `supported` counts, by name, the seats that know a protocol; `bytes` is what all say of themselves.

use super::generation::Member;
use crate::machine::Waiter;
use crate::now::Mono;
use std::collections::BTreeMap;

/// A classic group that has members, or is about to.
#[derive(Debug, Default)]
pub struct Live {
    /// Which kind of client its members are.
    pub protocol_type: String,
    pub seats: BTreeMap<String, Seat>,
    /// Static members, by what they are called by whoever runs them.
    pub instances: BTreeMap<String, String>,
    /// Ids that were handed out and not used yet, and until when.
    pub pending: BTreeMap<String, Mono>,
    /// How many know a protocol.
    pub supported: BTreeMap<String, usize>,
    /// What all say of themselves.
    pub bytes: usize,
    /// Seats whose join is parked.
    pub waiting: usize,
    /// A rebalance in which members join.
    pub round: Option<Round>,
    /// Until when each member of the generation is to have synced.
    pub sync_until: Option<Mono>,
    /// Counts joins.
    pub joins: u64,
}

/// Where a member sits.
#[derive(Debug, Default)]
pub struct Seat {
    /// When it was silent for too long.
    pub until: Mono,
    /// When it is looked at next.
    pub alarm: Mono,
    /// A parked join, and which one it was.
    pub join: Option<(u64, Waiter)>,
    /// A parked sync.
    pub sync: Option<Waiter>,
    /// What it says of itself where that is not replicated.
    pub draft: Option<Box<Member>>,
    /// Whether it joins for the first time.
    pub is_new: bool,
    /// Whether it has yet to sync in this generation.
    pub is_to_sync: bool,
}

/// A rebalance in which members join.
#[derive(Debug, Default)]
pub struct Round {
    /// Until when the others are waited for.
    pub until: Mono,
    /// Of a group that was empty: how much longer it may wait for more, milliseconds.
    pub more_ms: Option<u64>,
    /// Whether somebody has come since it was looked at.
    pub has_new: bool,
}

impl Live {
    /// Somebody sits down.
    pub fn seat(&mut self, id: &str, about: &Member, seat: Seat) {
        self.count(about, true);
        if let Some(instance) = &about.instance {
            self.instances.insert(instance.clone(), id.to_owned());
        }
        self.waiting += usize::from(seat.join.is_some());
        self.seats.insert(id.to_owned(), seat);
    }

    /// Somebody leaves, who said this of himself.
    pub fn unseat(&mut self, id: &str, about: &Member) -> Option<Seat> {
        let seat = self.seats.remove(id)?;
        self.count(about, false);
        if let Some(instance) = &about.instance
            && self.instances.get(instance).is_some_and(|known| known == id)
        {
            self.instances.remove(instance);
        }
        self.waiting -= usize::from(seat.join.is_some());
        Some(seat)
    }

    /// What somebody says of himself counts, or no more.
    pub fn count(&mut self, about: &Member, is_there: bool) {
        let bytes = about.bytes();
        self.bytes = if is_there { self.bytes + bytes } else { self.bytes.saturating_sub(bytes) };
        for (name, _) in &about.protocols {
            let count = self.supported.entry(name.clone()).or_default();
            *count = if is_there { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.supported.remove(name);
            }
        }
    }

    /// Only these are here, and this is what they say of themselves.
    pub fn recount(&mut self, there: &[(String, Member)]) {
        let mut seats = std::mem::take(&mut self.seats);
        (self.bytes, self.waiting) = (0, 0);
        self.supported.clear();
        self.instances.clear();
        for (id, about) in there {
            self.seat(id, about, seats.remove(id).unwrap_or_default());
        }
    }

    /// Whether there is a protocol that all who are here know, and that is among these.
    pub fn supports(&self, protocols: &[(String, Vec<u8>)]) -> bool {
        let all = self.seats.len();
        protocols.iter().any(|(name, _)| self.supported.get(name).is_some_and(|count| *count == all))
    }

    /// Whether nothing is kept of it.
    pub fn is_over(&self) -> bool {
        self.seats.is_empty() && self.pending.is_empty() && self.round.is_none()
    }

    /// Everybody who waits.
    pub fn waiters(self) -> impl Iterator<Item = Waiter> {
        let waiters = |seat: Seat| seat.join.map(|(_, waiter)| waiter).into_iter().chain(seat.sync);
        self.seats.into_values().flat_map(waiters)
    }
}
