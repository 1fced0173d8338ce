//! C2: a committed entry never changes.
//!
//! Looked at: what becomes durable in journals. The first replica whose journal says that an index is committed writes
//! it down; every other must have the same term and bytes there, after restarts and catch-ups too.

use super::shadow::{Durable, Group, partition_of};
use super::{Claim, Verdict};
use std::collections::BTreeMap;

/// What was committed.
#[derive(Debug, Default)]
pub struct Committed {
    entries: BTreeMap<(Group, u64), (u64, u64)>,
    /// Up to where each replica was compared.
    compared: BTreeMap<u64, u64>,
}

impl Committed {
    /// A replica's journal holds entries up to its commit.
    pub fn compare(&mut self, replica: u64, durable: &Durable, verdict: &mut Verdict) {
        let Some(group) = durable.group else { return };
        let compared = self.compared.entry(replica).or_default();
        let commit = durable.commit.min(durable.last());
        for index in (*compared + 1).max(durable.base + 1)..=commit {
            let Some(mine) = durable.entry(index) else { continue };
            let first = *self.entries.entry((group, index)).or_insert(mine);
            verdict.hold(first == mine, Claim::C2, || {
                format!(
                    "{} index {index}: replica {replica} holds an entry of term {}, another of term {} was \
                     committed",
                    partition_of(group),
                    mine.0,
                    first.0
                )
            });
        }
        *compared = (*compared).max(commit);
    }

    /// A replica's entry from this index on is written anew: never one that it knew committed.
    pub fn replaces(
        &self,
        replica: u64,
        index: u64,
        entry: (u64, u64),
        group: Option<Group>,
        verdict: &mut Verdict,
    ) {
        let Some(first) = group.and_then(|group| self.entries.get(&(group, index))) else { return };
        verdict.hold(
            self.compared.get(&replica).is_none_or(|compared| *compared < index) || *first == entry,
            Claim::C2,
            || format!("replica {replica} writes another entry at its committed index {index}"),
        );
    }
}
