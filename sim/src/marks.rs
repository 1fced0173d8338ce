//! Marks: which faults had effect, which branches were reached, how often. A green run that never reached
//! what it promised proves nothing, so the seed set fails when a promised mark is missing.
//!
//! Marks of the simulator are counted here by name; marks of the core arrive through its observation hook and
//! are merged under their own names.

use std::collections::BTreeMap;

/// Counters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// Counts one.
    pub fn hit(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts several.
    pub fn add(&mut self, name: &'static str, count: u64) {
        if count > 0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Marks) {
        for (name, count) in &other.0 {
            self.add(name, *count);
        }
    }

    /// How often.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(name, count)| (*name, *count))
    }
}
