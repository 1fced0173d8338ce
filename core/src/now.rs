//! The two clocks, as data. The driver reads them once a turn; skew, drift and jumps are its business.
//!
//! `mono` never falls within one start of a process and drives timers, elections and sessions.
//! `wall` may jump either way; it stamps records and drives retention, and nothing that is about safety.

use serde::{Deserialize, Serialize};
use std::ops::Add;
use std::time::Duration;

/// Nanoseconds since some moment before the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mono(pub u64);

/// Milliseconds since 1970 by the node's wall clock, as in a record's timestamp.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    bincode::Encode,
    bincode::Decode,
)]
pub struct Wall(pub i64);

/// Both clocks at the start of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// For timers.
    pub mono: Mono,
    /// For records.
    pub wall: Wall,
}

/// The earliest of these moments; none if none of them ever comes. Every turn asks this of every room.
pub fn earliest<const COUNT: usize>(moments: [Option<Mono>; COUNT]) -> Option<Mono> {
    const NEVER: u64 = u64::MAX;
    let first = moments.iter().fold(NEVER, |first, at| first.min(at.map_or(NEVER, |at| at.0)));
    (first != NEVER).then_some(Mono(first))
}

impl Mono {
    /// Time since `earlier`; zero if that lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;

    fn add(self, wait: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_the_least_of_those_that_come() {
        assert_eq!(earliest([None, Some(Mono(7)), Some(Mono(3)), None]), Some(Mono(3)));
        assert_eq!(earliest([None, Some(Mono(0))]), Some(Mono(0)));
        assert_eq!(earliest([None, None]), None);
        assert_eq!(earliest([Some(Mono::default() + Duration::MAX)]), None, "the end of time never comes");
    }
}
