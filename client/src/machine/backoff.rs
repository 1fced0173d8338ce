//! Pauses between attempts: each twice as long as the one before it, up to a limit, and a little more or less by chance.
//! As Kafka's clients pause since KIP-580.
//!
//! Invariant: a pause lies within a fifth of its nominal length, and that never exceeds `Pauses::longest`.

use super::chance::Chance;
use std::time::Duration;

/// How long pauses are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// The first.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// By how much of itself a pause may be longer or shorter.
const JITTER: u32 = 5;

impl Pauses {
    /// The pause after so many attempts that failed, from 1.
    pub(crate) fn after(&self, failures: u32, chance: &mut Chance) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let nominal = self.first.saturating_mul(1 << doublings).min(self.longest);
        let fifth = nominal / JITTER;
        let spread = u64::try_from(2 * fifth.as_micros()).unwrap_or(u64::MAX);
        (nominal - fifth).saturating_add(Duration::from_micros(chance.below(spread.saturating_add(1))))
    }
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses { first: Duration::from_millis(50), longest: Duration::from_secs(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_the_longest_and_keep_near_it() {
        let (pauses, mut chance) = (Pauses::default(), Chance::new(1));
        for (failures, nominal) in [(0, 50), (1, 50), (2, 100), (3, 200), (5, 800), (6, 1_000), (99, 1_000)] {
            for _ in 0..100 {
                let pause = pauses.after(failures, &mut chance);
                let (least, most) = (nominal * 4 / 5, nominal * 6 / 5);
                assert!(
                    Duration::from_millis(least) <= pause && pause <= Duration::from_millis(most),
                    "{failures}: {pause:?}"
                );
            }
        }
    }

    #[test]
    fn equal_seeds_pause_equally_and_different_ones_do_not() {
        let pause = |seed| Pauses::default().after(4, &mut Chance::new(seed));
        assert_eq!(pause(3), pause(3));
        assert_ne!(pause(3), pause(4));
    }
}
