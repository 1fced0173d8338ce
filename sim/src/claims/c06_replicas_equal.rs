//! C6: replicas are equal up to what they have applied: the state of a partition (producers, epochs, log start) and
//! of the metadata machine is a function of the log.
//!
//! Looked at: a hash over the encoded state of a replica, each time that what it has applied moves, at the first
//! sight of it in a process, at its election, and now and then without a reason. The first one seen at an applied
//! index writes its hash down, all others compare, after restarts and catch-ups too. One of those who write is no
//! node: `c06_replay_is_live` replays the log from its beginning into a state of its own.

use super::{Claim, Verdict};
use rust_mq_core::ids::{Index, TopicPartition};
use std::collections::BTreeMap;

/// Whose state it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A site's.
    Site(usize),
    /// Of no site: the log's, replayed.
    Replay,
}

/// The hash of each state that was seen.
#[derive(Debug, Default)]
pub struct States(BTreeMap<(TopicPartition, Index), State>);

#[derive(Clone, Copy, Debug)]
struct State {
    first: Whose,
    hash: u64,
    is_replayed: bool,
}

impl States {
    /// Compares a state with what was seen at that index. True if the replay has been there.
    pub fn compare(
        &mut self,
        whose: Whose,
        of: TopicPartition,
        applied: Index,
        hash: u64,
        verdict: &mut Verdict,
    ) -> bool {
        let new = State { first: whose, hash, is_replayed: false };
        let state = self.0.entry((of, applied)).or_insert(new);
        state.is_replayed |= whose == Whose::Replay;
        verdict.hold(hash == state.hash, Claim::C6, || {
            format!("{of} at {applied}: the states of {} and {whose} differ", state.first)
        });
        state.is_replayed
    }

    /// Whether a state was seen there.
    pub fn holds(&self, of: TopicPartition, applied: Index) -> bool {
        self.0.contains_key(&(of, applied))
    }
}

impl std::fmt::Display for Whose {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Whose::Site(site) => write!(out, "n{}", site + 1),
            Whose::Replay => out.write_str("the replayed log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_core::ids::{PartitionId, TopicId};

    #[test]
    fn two_states_at_one_index_are_a_breach() {
        let (mut states, mut verdict) = (States::default(), Verdict::default());
        let of = TopicPartition { topic: TopicId([1; 16]), partition: PartitionId(0) };
        assert!(!states.compare(Whose::Site(0), of, Index(4), 7, &mut verdict));
        assert!(states.compare(Whose::Replay, of, Index(4), 7, &mut verdict));
        assert!(states.compare(Whose::Site(1), of, Index(4), 7, &mut verdict) && !verdict.is_broken());
        states.compare(Whose::Site(2), of, Index(4), 8, &mut verdict);
        assert!(verdict.is_broken());
    }
}
