//! C7: an acknowledged record is there, once, at that offset, with the same bytes.
//!
//! Looked at: where acknowledgments and readers say that a batch is (values are unique, so a duplicate is a batch at
//! two places); the checksum of every batch that is read; a position that was readable and is out of range; and in the
//! end each log, read from its start to its high watermark by the auditor, for what was acknowledged and is not in it.
//! A node that cannot decode what it wrote has lost it, too.

use super::ledger::{Batch, BatchId, Fate, Ledger, Shelf};
use super::{Claim, Verdict};

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

/// A position is out of the range of a log that starts at `log_start`: legal below its start, or at a machine that
/// lags, which no auditor's is.
pub fn check_range(shelf: Shelf, position: i64, log_start: i64, is_auditor: bool, verdict: &mut Verdict) {
    verdict.hold(!is_auditor || log_start > position, Claim::C7, || {
        format!("{shelf:?}: {position} was readable and is out of range")
    });
}

/// A log was read whole, `log_start..high_watermark`: what of the acknowledged is not in it, in words.
pub fn missing(ledger: &Ledger, shelf: Shelf, log_start: i64, high_watermark: i64) -> Option<String> {
    let mut acked = ledger.of(shelf).filter(|(_, batch)| batch.fate == Fate::Acked);
    acked.find_map(|(number, batch)| match batch.place {
        Some(base) if base >= log_start && base + i64::from(batch.count) > high_watermark => Some(format!(
            "batch {number}, acknowledged at {base} of {shelf:?}, is above the end {high_watermark}"
        )),
        // Acknowledged as a duplicate, which names no offset: then a reader must have met it.
        None if log_start == 0 => {
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

    #[test]
    fn an_acknowledged_batch_above_the_end_or_nowhere_is_missing() {
        let (mut ledger, mut verdict) = (Ledger::default(), Verdict::default());
        let placed = ledger.intend(SHELF, 2, None);
        ledger.ack(placed, Some(5), &mut verdict);
        ledger.intend(SHELF, 2, None);
        assert_eq!(missing(&ledger, SHELF, 0, 7), None);
        assert!(missing(&ledger, SHELF, 0, 6).is_some());
        assert_eq!(missing(&ledger, SHELF, 6, 6), None);
        let duplicate = ledger.intend(SHELF, 1, None);
        ledger.ack(duplicate, None, &mut verdict);
        assert!(missing(&ledger, SHELF, 0, 7).is_some());
        assert_eq!(missing(&ledger, SHELF, 1, 7), None);
    }
}
