//! Simulated time, and the two clocks that each node believes in.
//!
//! The world knows one true time, [`Moment`]. A node's monotonic clock runs at its own rate from its own
//! origin; its wall clock adds a skew and jumps. Safety must hold for any of them, liveness for a drift below
//! a tenth.
//!
//! Invariant: a node's `mono` never falls, whatever is done to its drift.

use rust_mq_core::now::{Mono, Now, Wall};
use serde::{Deserialize, Serialize};

/// True simulated time: nanoseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

/// Nanoseconds in a microsecond.
pub const MICRO: u64 = 1_000;
/// Nanoseconds in a millisecond.
pub const MILLI: u64 = 1_000_000;
/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// Milliseconds since 1970 when a run begins by an unskewed wall clock (2024-01-01).
const WALL_AT_START: i64 = 1_704_067_200_000;

impl Moment {
    /// So many nanoseconds later.
    pub fn after(self, wait_ns: u64) -> Moment {
        Moment(self.0.saturating_add(wait_ns))
    }

    /// Nanoseconds since an earlier moment, 0 if it lies ahead.
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The two clocks of one node.
#[derive(Clone, Debug)]
pub struct Clock {
    /// When the drift last changed.
    from: Moment,
    /// What `mono` said then.
    mono_from: u64,
    drift_ppm: i64,
    skew_ms: i64,
}

impl Clock {
    /// A clock that says `offset_ns` at the start of the run.
    pub fn new(offset_ns: u64, drift_ppm: i64, skew_ms: i64) -> Clock {
        Clock {
            from: Moment(0),
            mono_from: offset_ns,
            drift_ppm: drift_ppm.clamp(-900_000, 900_000),
            skew_ms,
        }
    }

    /// What the clocks say at a moment.
    pub fn now(&self, at: Moment) -> Now {
        let mono = self.mono(at);
        let wall = WALL_AT_START + (mono / MILLI) as i64 + self.skew_ms;
        Now { mono: Mono(mono), wall: Wall(wall) }
    }

    /// The first moment, not before `at`, when the monotonic clock says at least `mono`.
    pub fn moment_of(&self, mono: Mono, at: Moment) -> Moment {
        if mono.0 <= self.mono(at) {
            return at;
        }
        let gap = i128::from(mono.0 - self.mono_from) * 1_000_000;
        let rate = i128::from(1_000_000 + self.drift_ppm);
        let wait = (gap + rate - 1) / rate;
        self.from.after(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// From now on the clock runs at another rate.
    pub fn drift(&mut self, at: Moment, drift_ppm: i64) {
        self.mono_from = self.mono(at);
        self.from = at;
        self.drift_ppm = drift_ppm.clamp(-900_000, 900_000);
    }

    /// The wall clock jumps.
    pub fn jump(&mut self, by_ms: i64) {
        self.skew_ms += by_ms;
    }

    fn mono(&self, at: Moment) -> u64 {
        let elapsed = at.since(self.from);
        if self.drift_ppm == 0 {
            return self.mono_from + elapsed;
        }
        let run = i128::from(elapsed) * i128::from(1_000_000 + self.drift_ppm) / 1_000_000;
        self.mono_from + u64::try_from(run).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_never_falls_and_wakes_are_never_early() {
        let mut clock = Clock::new(5, 0, 0);
        let mut last = 0;
        for (step, drift) in [0, 200_000, -200_000, 150, -900_000].into_iter().enumerate() {
            let at = Moment(step as u64 * SECOND);
            clock.drift(at, drift);
            let mono = clock.now(at).mono;
            assert!(mono.0 >= last, "mono fell from {last} to {}", mono.0);
            last = mono.0;
            let due = Mono(mono.0 + 12_345);
            let wake = clock.moment_of(due, at);
            assert!(clock.now(wake).mono >= due, "woken early");
            assert!(clock.now(Moment(wake.0 - 1)).mono < due, "woken late");
        }
    }
}
