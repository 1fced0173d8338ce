//! What other threads have for the core thread, and the bound of one turn.
//!
//! A mailbox wakes the core thread once, when it stops being empty: a lane that ends a hundred writes while
//! the core thread is busy costs one wake-up. It has no bound of its own: `Done`s are bounded by the tickets
//! the core has out, peers' messages by the credit it gave.

use crate::limits::{TURN_BYTES_MAX, TURN_EVENTS_MAX};
use rust_mq_core::event::{DoneResult, Event};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Gets the core thread out of its wait.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// A queue of events towards the core thread.
pub struct Mailbox {
    events: Mutex<VecDeque<Event>>,
    wake: Wake,
}

/// What one turn may still take (law 8).
#[derive(Debug)]
pub struct Room {
    events: usize,
    bytes: usize,
}

impl Mailbox {
    /// An empty mailbox.
    pub fn new(wake: Wake) -> Mailbox {
        Mailbox { events: Mutex::new(VecDeque::new()), wake }
    }

    /// Puts events in, in order.
    pub fn put(&self, events: impl IntoIterator<Item = Event>) {
        let mut queue = self.lock();
        let was_empty = queue.is_empty();
        queue.extend(events);
        let is_news = was_empty && !queue.is_empty();
        drop(queue);
        if is_news {
            (self.wake)();
        }
    }

    /// Puts an event in and wakes nobody: who does that calls `wake` later, for all that came by then.
    pub fn put_quietly(&self, event: Event) {
        self.lock().push_back(event);
    }

    /// Wakes the core thread if there is something for it.
    pub fn wake(&self) {
        if !self.lock().is_empty() {
            (self.wake)();
        }
    }

    /// Takes as many as the turn has room for; says whether some are left.
    pub fn take(&self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        let mut queue = self.lock();
        room.fill(&mut queue, into);
        !queue.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// A whole turn.
    pub fn of_a_turn() -> Room {
        Room { events: TURN_EVENTS_MAX, bytes: TURN_BYTES_MAX }
    }

    /// Whether nothing more goes in.
    pub fn is_full(&self) -> bool {
        self.events == 0 || self.bytes == 0
    }

    /// Moves events from a queue into the turn until it is full.
    pub fn fill(&mut self, queue: &mut VecDeque<Event>, into: &mut Vec<Event>) {
        while !self.is_full()
            && let Some(event) = queue.pop_front()
        {
            self.charge(&event);
            into.push(event);
        }
    }

    /// Counts an event that went in.
    pub fn charge(&mut self, event: &Event) {
        let bytes = match event {
            Event::Received { bytes, .. } => bytes.len(),
            Event::Done { result: DoneResult::Bytes(bytes), .. } => bytes.len(),
            _ => 0,
        };
        self.events = self.events.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Mailbox")
    }
}
