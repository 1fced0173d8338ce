//! A point in time, as the machines are told it: so long after some start. It never falls, and has nothing to do with the
//! time of day.

use std::time::Duration;

/// A point in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// So long after the start.
    pub fn at(since_start: Duration) -> Moment {
        Moment(since_start)
    }

    /// So long after this one.
    pub fn after(self, wait: Duration) -> Moment {
        Moment(self.0.saturating_add(wait))
    }

    /// How long this one is after `earlier`; nothing if it is not.
    pub fn since(self, earlier: Moment) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
