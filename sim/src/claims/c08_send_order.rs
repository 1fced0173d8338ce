//! C8: per idempotent producer and partition, the order of the log is the order of sending; and what one connection
//! brought of a partition, idempotent or not, stands in the order in which it was sent there.
//!
//! Looked at: epoch and base sequence of each batch whose place becomes known, by an acknowledgment or a reader,
//! against its neighbours of the same producer id. A later epoch lies behind an earlier one, whatever its sequences;
//! after the largest sequence comes 0, so that of two the later one is the nearer one ahead. And of each batch that was
//! sent once, the connection that brought it, against its neighbours of the same connection. (What is sent again may
//! stand where an earlier attempt put it.) And of each record of a guest, whose client numbers it, the order in which its
//! program handed it over: a client that mixes up what it was given numbers that well.

use super::ledger::{Author, BatchId, Shelf};
use super::{Claim, Verdict};
use crate::wire::WireId;

/// Sequences there are.
const SEQUENCES: i64 = 1 << 31;

/// An author's batch of that base sequence is at a place of a log; `around` is what its producer sent before and after.
pub fn check_order(
    (shelf, base): (Shelf, i64),
    author: Author,
    sequence: i32,
    around: [Option<(i16, i32)>; 2],
    verdict: &mut Verdict,
) {
    let sent = (author.epoch, sequence);
    let [before, after] = around;
    let follows = before.is_none_or(|before| is_ahead(before, sent));
    let precedes = after.is_none_or(|after| is_ahead(sent, after));
    verdict.hold(follows && precedes, Claim::C8, || {
        format!("{shelf:?}: sequence {sequence} of {author:?} at {base} is out of order")
    });
}

/// The batch that a wire brought as its `number`th is at a place of a log; `around` are the numbers of what the same wire
/// brought before and after it.
pub fn check_wire(
    (shelf, base): (Shelf, i64),
    (wire, number): (WireId, u64),
    around: [Option<u64>; 2],
    verdict: &mut Verdict,
) {
    let [before, after] = around;
    let is_between = before.is_none_or(|before| before < number) && after.is_none_or(|after| number < after);
    verdict.hold(is_between, Claim::C8, || {
        format!(
            "{shelf:?}: what wire {wire} brought as number {number} is at {base}, among {around:?} of its own"
        )
    });
}

/// What a program handed over to an idempotent producer of our own client is at a place of a log; `around` is what the same
/// one handed over before and after it. Batches are numbered in the order in which they are handed over.
pub fn check_hand_over(
    (shelf, base): (Shelf, i64),
    batch: BatchId,
    around: [Option<BatchId>; 2],
    verdict: &mut Verdict,
) {
    let [before, after] = around;
    let is_between = before.is_none_or(|before| before < batch) && after.is_none_or(|after| batch < after);
    verdict.hold(is_between, Claim::C8, || {
        format!(
            "{shelf:?}: record {batch}, as it was handed over, is at {base}, among {around:?} of its program"
        )
    });
}

/// Whether `later` was sent after `earlier`.
fn is_ahead(earlier: (i16, i32), later: (i16, i32)) -> bool {
    let ahead = (i64::from(later.1) - i64::from(earlier.1)).rem_euclid(SEQUENCES);
    later.0 > earlier.0 || later.0 == earlier.0 && 0 < ahead && ahead < SEQUENCES / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_and_epochs_rise() {
        assert!(is_ahead((0, 1), (0, 2)) && !is_ahead((0, 2), (0, 1)) && !is_ahead((0, 2), (0, 2)));
        assert!(is_ahead((0, i32::MAX), (0, 0)) && !is_ahead((0, 0), (0, i32::MAX)));
        assert!(is_ahead((0, 9), (1, 0)) && !is_ahead((1, 0), (0, 9)));
    }
}
