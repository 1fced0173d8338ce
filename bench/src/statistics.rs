//! The few numbers that a report quotes: medians, spreads, percentiles. Nothing is dropped as an outlier.

use serde::{Deserialize, Serialize};

/// The middle of some values, and how far the others lie from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half of the values are at most this.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of any order of values; nothing of none.
    pub fn of(values: &[f64]) -> Option<Spread> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        } else {
            sorted[middle]
        };
        Some(Spread { median, least, most })
    }
}

/// How far a ratio is from 1, either way: 2 and 0.5 are as far.
pub fn distance(ratio: f64) -> f64 {
    if ratio <= 0.0 { f64::INFINITY } else { ratio.max(1.0 / ratio) - 1.0 }
}

/// Whether the last three of some windows agree within `share` of the largest.
pub fn is_settled(windows: &[f64], share: f64) -> bool {
    let Some(last) = windows.len().checked_sub(3).map(|from| &windows[from..]) else { return false };
    Spread::of(last).is_some_and(|spread| spread.most - spread.least <= share * spread.most)
}

/// Latencies, microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds one.
    pub fn push(&mut self, microseconds: u64) {
        self.0.push(u32::try_from(microseconds).unwrap_or(u32::MAX));
    }

    /// Adds those of another.
    pub fn append(&mut self, other: &mut Latencies) {
        self.0.append(&mut other.0);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The least value that at least this share of all do not exceed, milliseconds; 0 of none.
    pub fn percentile_ms(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        // A count of samples is far below what a float holds exactly.
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0
            .get(rank.saturating_sub(1).min(self.0.len().saturating_sub(1)))
            .map_or(0.0, |us| f64::from(*us) / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0]).expect("four values have a median");
        assert_eq!(spread, Spread { median: 2.5, least: 1.0, most: 4.0 });
        assert_eq!(Spread::of(&[7.0]).map(|spread| spread.median), Some(7.0));
        assert_eq!(Spread::of(&[]), None);
    }

    #[test]
    fn a_half_is_as_far_from_one_as_a_double() {
        assert!((distance(2.0) - distance(0.5)).abs() < 1e-12);
        assert!(distance(1.0).abs() < 1e-12);
        assert!(distance(0.0).is_infinite());
    }

    #[test]
    fn three_windows_that_agree_are_settled_whatever_was_before() {
        assert!(is_settled(&[90.0, 10.0, 10.2, 10.4], 0.05));
        assert!(!is_settled(&[10.0, 10.2, 10.8], 0.05));
        assert!(!is_settled(&[10.0, 10.0], 0.05));
    }

    #[test]
    fn a_percentile_is_a_value_that_occurred() {
        let mut latencies = Latencies::default();
        (1..=1_000).rev().for_each(|us| latencies.push(us * 1_000));
        let found = [0.5, 0.99, 0.999, 1.0].map(|share| latencies.percentile_ms(share).to_string());
        assert_eq!(found, ["500", "990", "999", "1000"]);
        assert!(Latencies::default().percentile_ms(0.5).abs() < 1e-12);
    }
}
