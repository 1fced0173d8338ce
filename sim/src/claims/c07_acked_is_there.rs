//! C7: an acknowledged record is there, once, at that offset, with the same bytes.
//!
//! Looked at: where acknowledgments and readers say that a batch is (values are unique, so a duplicate is a batch at
//! two places); the checksum of every batch and the time of every record that is read; a position that was readable and
//! is out of range, of whom leads in no earlier epoch; and in the end each log, read from its start to its high watermark
//! by the auditor, for what was acknowledged and is not in it. What lies below the start must have been for retention to
//! take, then and when a node first shows that start: by the topic's settings, the records' own times and sizes, and the
//! latest time that any node's clock has shown; or a client has asked that it goes. What a client was told to be deleted
//! does not come back.
//! A node that cannot decode what it wrote has lost it, too.

use super::ledger::{Batch, BatchId, Fate, Ledger, Shelf, Value};
use super::{Claim, Verdict};

/// What retention may take of a topic's logs.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Records older than this; negative is none.
    pub ms: i64,
    /// What has so many bytes behind it; negative is nothing.
    pub bytes: i64,
    /// The latest time that any node's clock has shown.
    pub now: i64,
}

impl Retention {
    /// Whether a batch may be gone. Its segment goes by the latest time in it, and by what lies behind it; what is not
    /// known to lie before it may.
    fn may_take(&self, ledger: &Ledger, shelf: Shelf, batch: BatchId, entry: &Batch) -> bool {
        if ledger.may_be_deleted(shelf, entry.place) {
            return true;
        }
        let times = (0..entry.count).map(|index| ledger.time_of(Value { batch, index }));
        // One without a time goes with its neighbours, or with what is known of its segment otherwise.
        let is_old =
            |time: Option<i64>| time.is_none_or(|time| time < 0 || self.now.saturating_sub(time) > self.ms);
        if self.ms >= 0 && times.into_iter().all(is_old) {
            return true;
        }
        let is_behind = |other: &Batch| match (other.place, entry.place) {
            (Some(other), Some(place)) => other > place,
            _ => other.fate != Fate::Refused,
        };
        let behind: u64 =
            ledger.of(shelf).filter(|(_, other)| is_behind(other)).map(|(_, other)| other.bytes).sum();
        self.bytes >= 0 && behind >= self.bytes.unsigned_abs()
    }
}

/// A batch that was placed before is said to be at `base`.
pub fn check_place(batch: BatchId, entry: &Batch, base: i64, verdict: &mut Verdict) {
    let Some(place) = entry.place else { return };
    verdict.hold(place == base, Claim::C7, || {
        format!("batch {batch} of {:?} is at {place} and at {base}", entry.shelf)
    });
}

/// A batch was read.
pub fn check_bytes(shelf: Shelf, base: i64, is_crc_right: bool, verdict: &mut Verdict) {
    let words = || format!("{shelf:?}: the batch at {base} has a wrong CRC");
    verdict.hold(is_crc_right, Claim::C7, words);
    // Where disks may lose what was acknowledged, they may not make nodes serve what was not.
    verdict.hold(is_crc_right, Claim::C21, words);
}

/// A record was read, of that time in the log.
pub fn check_time(shelf: Shelf, offset: i64, time: i64, sent: Option<i64>, verdict: &mut Verdict) {
    verdict.hold(sent.is_none_or(|sent| sent == time), Claim::C7, || {
        format!("{shelf:?} {offset}: of {time}, and its producer, or the leader that took it, said {sent:?}")
    });
}

/// A position is out of the range of a log that starts at `log_start`: legal below its start, or of whom leads in an
/// epoch before the one in which the position was known.
pub fn check_range(shelf: Shelf, position: i64, log_start: i64, is_known: bool, verdict: &mut Verdict) {
    verdict.hold(!is_known || log_start > position, Claim::C7, || {
        format!("{shelf:?}: {position} was readable and is out of range")
    });
}

/// A log that began at `from` begins at `to` now: what lay between might go.
pub fn check_taken(
    ledger: &Ledger,
    shelf: Shelf,
    (from, to): (i64, i64),
    retention: Retention,
    verdict: &mut Verdict,
) {
    let early = ledger.placed(shelf, from, to).find(|(_, batch)| {
        let entry = ledger.batch(*batch);
        entry.fate == Fate::Acked && !retention.may_take(ledger, shelf, *batch, entry)
    });
    if let Some((base, batch)) = early {
        let words = format!("{shelf:?}: batch {batch} at {base} went before its time, and {retention:?}");
        verdict.breach(Claim::C7, words);
    }
}

/// A log was read whole, `log_start..high_watermark`: what of the acknowledged is not in it, in words.
pub fn missing(
    ledger: &Ledger,
    shelf: Shelf,
    log_start: i64,
    high_watermark: i64,
    retention: Retention,
) -> Option<String> {
    let deleted = ledger.deleted_below(shelf);
    if log_start < deleted {
        return Some(format!(
            "what lies below {deleted} of {shelf:?} is said to be deleted, and the log starts at {log_start}"
        ));
    }
    let mut acked = ledger.of(shelf).filter(|(_, batch)| batch.fate == Fate::Acked);
    acked.find_map(|(number, batch)| match batch.place {
        Some(base) if base >= log_start && base + i64::from(batch.count) > high_watermark => Some(format!(
            "batch {number}, acknowledged at {base} of {shelf:?}, is above the end {high_watermark}"
        )),
        Some(base) if base < log_start && !retention.may_take(ledger, shelf, number, batch) => Some(format!(
            "batch {number}, acknowledged at {base} of {shelf:?}, is gone before its time: the log starts at \
             {log_start}, and {retention:?}"
        )),
        // Acknowledged as a duplicate, which names no offset: then a reader must have met it.
        None if log_start == 0 || !retention.may_take(ledger, shelf, number, batch) => {
            Some(format!("batch {number} of {shelf:?} is acknowledged, and nowhere below {high_watermark}"))
        }
        _ => None,
    })
}

/// A node stopped because of bytes of its own.
pub fn undecodable(site: usize, reason: &str, verdict: &mut Verdict) {
    verdict.breach(Claim::C7, format!("n{} cannot decode what it wrote: {reason}", site + 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELF: Shelf = Shelf { topic: [1; 16], partition: 0 };

    const KEPT: Retention = Retention { ms: 1_000, bytes: -1, now: 5_000 };

    #[test]
    fn an_acknowledged_batch_above_the_end_or_nowhere_is_missing() {
        let (mut ledger, mut verdict) = (Ledger::default(), Verdict::default());
        let placed = ledger.intend(SHELF, 2, None);
        ledger.built(placed, &[0; 100], vec![4_500, 4_500]);
        ledger.ack(placed, Some(5), &mut verdict);
        ledger.intend(SHELF, 2, None);
        assert_eq!(missing(&ledger, SHELF, 0, 7, KEPT), None);
        assert!(missing(&ledger, SHELF, 0, 6, KEPT).is_some());
        let duplicate = ledger.intend(SHELF, 1, None);
        ledger.ack(duplicate, None, &mut verdict);
        assert!(missing(&ledger, SHELF, 0, 7, KEPT).is_some());
    }

    #[test]
    fn what_is_below_the_start_was_old_or_too_much() {
        let (mut ledger, mut verdict) = (Ledger::default(), Verdict::default());
        for (base, time) in [(0, 4_500), (2, 4_800)] {
            let placed = ledger.intend(SHELF, 2, None);
            ledger.built(placed, &[0; 100], vec![time, time]);
            ledger.ack(placed, Some(base), &mut verdict);
        }
        let is_missing = |retention| missing(&ledger, SHELF, 2, 4, retention).is_some();
        assert!(is_missing(KEPT));
        assert!(!is_missing(Retention { now: 5_501, ..KEPT }), "it is older than a second");
        assert!(!is_missing(Retention { bytes: 100, ..KEPT }), "so much lies behind it");
        assert!(is_missing(Retention { bytes: 101, ..KEPT }));
    }
}
