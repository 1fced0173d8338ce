//! C8: per idempotent producer and partition, the order of the log is the order of sending.
//!
//! Looked at: the base sequence of each batch whose place becomes known, by an acknowledgment or a reader, against its
//! neighbours of the same producer id and epoch. A producer takes a new identity long before its sequences wrap.

use super::ledger::{Author, Shelf};
use super::{Claim, Verdict};
use std::collections::BTreeMap;

/// The sequences of each author in a log, by offset.
#[derive(Debug, Default)]
pub struct SendOrder(BTreeMap<(Shelf, Author), BTreeMap<i64, i32>>);

impl SendOrder {
    /// An author's batch of that base sequence is at `base`.
    pub fn placed(&mut self, shelf: Shelf, author: Author, sequence: i32, base: i64, verdict: &mut Verdict) {
        let order = self.0.entry((shelf, author)).or_default();
        let before = order.range(..base).next_back().is_none_or(|(_, before)| *before < sequence);
        let after = order.range(base..).next().is_none_or(|(_, after)| *after > sequence);
        verdict.hold(before && after, Claim::C8, || {
            format!("{shelf:?}: sequence {sequence} of {author:?} at {base} is out of order")
        });
        order.insert(base, sequence);
    }
}
