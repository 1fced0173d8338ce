//! The election timeout: a pure hash of (seed, node, partition, term) into the configured range.
//!
//! raft-rs draws it from the thread's generator at every reset, which no seed reaches. Its draw is read only
//! by the next tick, so overriding it after every call into raft-rs is complete. A pure function and not a
//! stream, because a stream would depend on how often raft-rs has drawn. A split vote raises the term, and
//! with it comes another value.
//!
//! Invariant: election_ticks_min <= timeout < election_ticks_max.

use super::Settings;
use crate::ids::Term;
use crate::rng;

/// Ticks without a leader in `term` before this replica stands for election.
pub(super) fn timeout(settings: &Settings, term: Term) -> usize {
    let node = u64::from(settings.node.0.cast_unsigned());
    let spread = (settings.election_ticks_max - settings.election_ticks_min) as u64;
    let drawn = rng::hash(&[settings.seed, node, settings.partition, term.0]) % spread;
    settings.election_ticks_min + usize::try_from(drawn).expect("below a difference of two usize")
}
