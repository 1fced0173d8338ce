//! C10: a record that was refused by a definite error never appears; one whose fate is unknown may.
//!
//! Looked at: each refusal, against what readers have seen, and each value that is read, against what was refused. The
//! ledger calls a batch refused only if every attempt to send it was.

use super::ledger::{Batch, BatchId, Fate, Shelf, Value};
use super::{Claim, Verdict};

/// A batch is refused for ever.
pub fn check_refusal(batch: BatchId, entry: &Batch, verdict: &mut Verdict) {
    verdict.hold(entry.place.is_none(), Claim::C10, || {
        format!("batch {batch} was refused although a reader had seen it at {:?}", entry.place)
    });
}

/// A reader saw a value of that batch.
pub fn check_seen(value: Value, entry: &Batch, shelf: Shelf, offset: i64, verdict: &mut Verdict) {
    verdict.hold(entry.fate != Fate::Refused, Claim::C10, || {
        format!("{value:?} of {shelf:?} was refused for ever, and read at {offset}")
    });
}
