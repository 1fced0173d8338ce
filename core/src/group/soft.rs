//! What the coordinator keeps of its groups besides, and nobody replicates: each member's session, who waits in a join or
//! a sync, ids that were handed out, and when to look again.
//!
//! Invariant: who is a member of a classic group, in the tip, has a seat here, unless its leave was dropped on the way: it
//! is looked at again (`Alarm::Group`), and leaves then.
//! Invariant: a seat is that of a member in the tip, or of one that waits to become one.
//! Invariant: what has a deadline has an alarm at that time or earlier. One that comes too early is set anew, so that a
//! heartbeat moves a number and no alarm.

use super::live::Live;
use super::sharing;
use crate::now::Mono;
use std::collections::{BTreeMap, BTreeSet};

/// All of it.
#[derive(Debug, Default)]
pub struct Soft {
    /// Groups that have members, or are about to.
    pub(super) live: BTreeMap<String, Live>,
    /// Groups whose members have no seat here if it is a classic one: it was to become one, or was not to stay one.
    pub(super) unseated: BTreeSet<String>,
    /// Consumer groups that have members.
    pub(super) consumers: BTreeMap<String, sharing::Live>,
    pub(super) alarms: Alarms,
    /// Where an election goes on to give members sessions.
    pub(super) seated: Option<String>,
    pub(super) sweep: Sweep,
}

/// A walk through all offsets, and when the next is due.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The group that was looked at last.
    pub(super) after: Option<String>,
    /// What its image was like when the walk began, and when the last whole one had.
    pub(super) image: (usize, u64),
    pub(super) swept: Option<(usize, u64)>,
    /// When what has become old is looked for next, and whether this walk does.
    pub(super) expires_at: Mono,
    pub(super) is_for_old: bool,
}

/// What to look at when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Whether a member was heard.
    Member(String, String),
    /// Whether an id that was handed out was used.
    Pending(String, String),
    /// Whether a rebalance has waited long enough, and whether what was proposed came to be.
    Group(String),
    /// Whether offsets are over.
    Sweep,
}

impl Alarm {
    /// Whose it is.
    pub fn group(&self) -> &str {
        match self {
            Alarm::Member(group, _) | Alarm::Pending(group, _) | Alarm::Group(group) => group,
            Alarm::Sweep => "",
        }
    }
}

/// When.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    at: BTreeSet<(Mono, Alarm)>,
    /// Nothing is looked at before: the last look left something.
    put_off: Mono,
}

impl Alarms {
    /// To be looked at then.
    pub fn set(&mut self, at: Mono, alarm: Alarm) {
        self.at.insert((at, alarm));
    }

    /// When there is something to look at.
    pub fn next(&self) -> Option<Mono> {
        self.at.first().map(|(at, _)| (*at).max(self.put_off))
    }

    /// The next that is due, taken out.
    pub fn pop_due(&mut self, now: Mono) -> Option<Alarm> {
        if self.at.first().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        self.at.pop_first().map(|(_, alarm)| alarm)
    }

    /// What is left is looked at then.
    pub fn put_off(&mut self, until: Mono) {
        self.put_off = until;
    }
}
