//! How long many things took, in little memory: counts by length, each bucket a 32nd of a power of two wide, so that what
//! is read off is at most 3 % too long. As HdrHistogram counts (Gil Tene).

use std::time::Duration;

/// Buckets of each power of two, as a power of two.
const FINE: u32 = 5;
/// Microseconds below 2^32 have a bucket: over an hour. At the edge: the last one.
const BUCKETS: usize = (32 - FINE as usize + 1) << FINE;

/// Counts.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Histogram {
    /// Nothing was measured.
    pub(super) fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], total: 0, longest: Duration::ZERO }
    }

    /// Something took that long.
    pub(super) fn add(&mut self, duration: Duration) {
        self.counts[bucket(duration)] += 1;
        self.total += 1;
        self.longest = self.longest.max(duration);
    }

    /// Whether nothing was.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How long that share of all took at most.
    pub(super) fn at_most(&self, share: f64) -> Duration {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(bucket).min(self.longest);
            }
        }
        self.longest
    }

    /// How long the longest took.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }
}

fn bucket(duration: Duration) -> usize {
    let us = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    let power = us.checked_ilog2().unwrap_or(0);
    if power <= FINE {
        return us as usize;
    }
    let shift = power - FINE;
    (((shift as usize) << FINE) + (us >> shift) as usize).min(BUCKETS - 1)
}

/// What is in a bucket is no longer than this.
fn upper(bucket: usize) -> Duration {
    let shift = (bucket >> FINE).saturating_sub(1);
    let of_power = (bucket - (shift << FINE)) as u64;
    Duration::from_micros(((of_power + 1) << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_lies_in_its_bucket_and_that_is_narrow() {
        for us in (0..2_000).chain((1..400).map(|number| number * 9_999_991)) {
            let duration = Duration::from_micros(us);
            let upper = upper(bucket(duration));
            let limit = duration + duration / 32;
            assert!(duration <= upper && upper <= limit, "{us}: {upper:?}");
        }
        assert_eq!(bucket(Duration::from_secs(9_999)), BUCKETS - 1);
    }

    #[test]
    fn shares_are_read_off() {
        let mut histogram = Histogram::new();
        for ms in 1..=1_000 {
            histogram.add(Duration::from_millis(ms));
        }
        let near = |share, ms: u64| {
            let found = histogram.at_most(share).as_millis() as u64;
            assert!((ms..=ms + ms / 30).contains(&found), "{share}: {found}");
        };
        near(0.5, 500);
        near(0.99, 990);
        assert_eq!(histogram.at_most(1.0), Duration::from_secs(1));
    }
}
