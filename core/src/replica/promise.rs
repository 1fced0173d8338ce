//! Promises: messages that wait for the disk.
//!
//! A vote, an append's acknowledgement or a candidacy is a promise to remember. This room keeps each ready's
//! messages in line behind the durability of that ready and of all before it, empty ones too: a second copy
//! of an append yields a ready with nothing to persist whose acknowledgement covers entries of the ready
//! before.
//!
//! A leader's appends and heartbeats promise nothing about its own disk (Raft thesis 10.2.1), so they leave
//! at once; but not before the hard state of its term is durable, or it could be elected twice in one term.
//!
//! Invariant: a promise leaves only when persisted >= the number of its ready, or of the newest before it
//! that had something to persist.
//! Invariant: slots ascend by number, and each has something to persist.
//! Invariant: a leader's message leaves early only if durable_term == its term.
//! Invariant: messages of one slot <= limits::PROMISES_MAX.

use crate::ids::{Index, Term};
use crate::limits;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use std::collections::VecDeque;

/// Orders a replica's readies. The first one since the start is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadyNumber(pub u64);

/// What of one ready has to reach the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Debt {
    /// Whether anything has.
    pub must_persist: bool,
    /// The term of a hard state in it.
    pub term: Option<Term>,
    /// Whether there are entries in it.
    pub has_entries: bool,
    /// The index that its reset leads to.
    pub reset: Option<Index>,
}

/// What became durable, and what may be said now.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The newest ready of which nothing is owed any more.
    pub number: ReadyNumber,
    /// The newest reset among them.
    pub reset: Option<Index>,
    /// In the order they were made.
    pub messages: Vec<RaftMessage>,
}

/// All of a replica's readies that are not yet durable.
#[derive(Debug, Default)]
pub(super) struct Promises {
    slots: VecDeque<Slot>,
    durable_term: Term,
}

#[derive(Debug)]
struct Slot {
    number: ReadyNumber,
    /// The newest ready that had nothing to persist and whose messages wait here.
    through: ReadyNumber,
    debt: Debt,
    /// The term in which the sender leads, if it does.
    leads: Option<Term>,
    messages: Vec<RaftMessage>,
}

impl Promises {
    /// No promises; the hard state on the disk is of `durable_term`.
    pub fn new(durable_term: Term) -> Promises {
        Promises { slots: VecDeque::new(), durable_term }
    }

    /// Takes in a ready's messages and returns those that may leave now. `leads` is the term that the sender
    /// leads.
    pub fn make(
        &mut self,
        number: ReadyNumber,
        debt: Debt,
        leads: Option<Term>,
        messages: Vec<RaftMessage>,
    ) -> Vec<RaftMessage> {
        if self.slots.is_empty() && !debt.must_persist {
            return messages;
        }
        if debt.must_persist {
            self.slots.push_back(Slot { number, through: number, debt, leads, messages: Vec::new() });
        }
        let slot = self.slots.back_mut().expect("either one was there or it was pushed just now");
        assert!(slot.through <= number, "readies are numbered in order");
        slot.through = number;
        let is_heard = leads == Some(self.durable_term);
        let (free, held): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| is_heard && promises_nothing(message));
        // A stalled disk keeps no endless line of answers: what is dropped, Raft asks again.
        let room = limits::PROMISES_MAX.saturating_sub(slot.messages.len());
        slot.messages.extend(held.into_iter().take(room));
        free
    }

    /// The ready `number` and all before it are durable.
    pub fn keep(&mut self, number: ReadyNumber) -> Kept {
        let mut kept = Kept { number, ..Kept::default() };
        while let Some(slot) = self.slots.front()
            && slot.number <= number
        {
            let slot = self.slots.pop_front().expect("the front was just seen");
            kept.number = kept.number.max(slot.through);
            kept.reset = slot.debt.reset.or(kept.reset);
            self.durable_term = slot.debt.term.unwrap_or(self.durable_term);
            kept.messages.extend(slot.messages);
        }
        self.release_leader(&mut kept.messages);
        kept
    }

    /// Whether nothing waits for the disk.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Gives back what no slot uses.
    pub fn shrink(&mut self) {
        self.slots.shrink_to_fit();
    }

    /// Whether entries or a reset are on their way to the disk.
    pub fn owe_log(&self) -> bool {
        self.slots.iter().any(|slot| slot.debt.has_entries || slot.debt.reset.is_some())
    }

    /// A leader that was silent until its term was durable speaks.
    fn release_leader(&mut self, into: &mut Vec<RaftMessage>) {
        for slot in &mut self.slots {
            if slot.leads == Some(self.durable_term) {
                into.extend(slot.messages.extract_if(.., |message| promises_nothing(message)));
            }
        }
    }
}

/// Whether a message says nothing about what its sender remembers.
fn promises_nothing(message: &RaftMessage) -> bool {
    matches!(message.kind(), RaftKind::Append | RaftKind::Heartbeat | RaftKind::TimeoutNow)
}
