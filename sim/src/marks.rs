//! Marks: which faults had effect, which branches were reached, how often. A green run that never reached
//! what it promised proves nothing, so the seed set fails when a promised mark is missing.
//!
//! Marks of the simulator are counted here by name; marks of the core arrive through its observation hook and
//! are merged under their own names.

use rust_mq_proto::kafka::api::ApiKey;
use std::collections::{BTreeMap, BTreeSet};

/// Counters by name, and the versions of APIs in which something was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    counts: BTreeMap<&'static str, u64>,
    spoken: BTreeSet<(ApiKey, i16)>,
}

impl Marks {
    /// Counts one.
    pub fn hit(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts several.
    pub fn add(&mut self, name: &'static str, count: u64) {
        if count > 0 {
            *self.counts.entry(name).or_default() += count;
        }
    }

    /// Adds another run's.
    pub fn merge(&mut self, other: &Marks) {
        for (name, count) in &other.counts {
            self.add(name, *count);
        }
        self.spoken.extend(&other.spoken);
    }

    /// A request of that version was answered.
    pub fn spoke(&mut self, key: ApiKey, version: i16) {
        self.spoken.insert((key, version));
    }

    /// The served versions in which nothing was answered.
    pub fn unspoken(&self) -> Vec<String> {
        let all = ApiKey::served().flat_map(|key| {
            let served = key.versions();
            (served.first..=served.last).map(move |version| (key, version))
        });
        all.filter(|one| !self.spoken.contains(one))
            .map(|(key, version)| format!("{key} {version}"))
            .collect()
    }

    /// How often.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(name, count)| (*name, *count))
    }
}
