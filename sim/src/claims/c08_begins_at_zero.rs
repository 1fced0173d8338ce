//! C8, beginnings: a producer begins at sequence 0 in a log, but under its first leader (decision 0006). What begins in
//! the midst anywhere else may have a batch before it that was lost with an earlier leader, and comes again: it would
//! stand behind what was sent after it.
//!
//! Looked at: each log as the durable journals tell it, from its first entry on, as it is replayed (C6).

use super::{Claim, Verdict};
use rust_mq_core::entry::{Entry, EntryKind};
use rust_mq_core::ids::{Index, Term, TopicPartition};
use rust_mq_proto::records::Batch;
use std::collections::BTreeSet;

/// The producers of a log so far.
#[derive(Debug, Default)]
pub struct Beginnings {
    /// Of the first entry; none is known of a log that was met in its midst.
    first_term: Option<Term>,
    known: BTreeSet<i64>,
}

impl Beginnings {
    /// The next entry of a log.
    pub fn takes(&mut self, of: TopicPartition, entry: &Entry, verdict: &mut Verdict) {
        if entry.index == Index(1) {
            self.first_term = Some(entry.term);
        }
        let Some(first) = self.first_term.filter(|_| entry.kind == EntryKind::Batch) else { return };
        let producer = Batch::parse(&entry.payload).ok().and_then(|batch| batch.producer());
        let Some(producer) = producer.filter(|producer| self.known.insert(producer.id)) else { return };
        let may_be = producer.base_sequence == 0 || entry.term == first;
        verdict.hold(may_be, Claim::C8, || {
            format!("{of} {}: {producer:?} begins there, in {} of a log of {first}", entry.index, entry.term)
        });
    }
}
