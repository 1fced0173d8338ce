//! The only place that reads the clocks.

use rust_mq_core::now::{Mono, Now, Wall};
use std::time::{Duration, Instant, SystemTime};

/// Both clocks of the machine, the monotonic one counted from this value's making.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn new() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Reads both.
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: Wall(wall_ms()) }
    }

    /// Reads the monotonic one.
    pub fn mono(&self) -> Mono {
        Mono(0) + self.elapsed()
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Milliseconds since 1970.
pub fn wall_ms() -> i64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
}

impl Default for Clock {
    fn default() -> Self {
        Clock::new()
    }
}
