//! The door's own room: takes a turn's events in, dispatches each to the room that knows, and lets the
//! actions out. It holds no meaning.

use crate::action::Action;
use crate::config::Config;
use crate::event::Event;
use crate::now::Now;

/// One node's whole state.
pub struct Broker {
    config: Config,
    seed: u64,
}

impl Broker {
    /// A node before its start. The seed is mandatory: there is no ambient entropy. A process draws a fresh
    /// one at every start; the boot id comes from it.
    pub fn new(config: Config, seed: u64) -> Broker {
        Broker { config, seed }
    }

    /// One turn: consumes `events` in order, then appends every action they caused to `actions`.
    pub fn handle(&mut self, now: Now, events: &mut Vec<Event>, actions: &mut Vec<Action>) {
        let _ = (now, &self.config, self.seed, actions);
        events.clear();
    }
}
