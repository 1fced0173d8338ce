//! Where batches and records are said to be: acknowledgments, refusals and reads go into the ledger, and each is held
//! against the claims that have something to say of it (C7 to C10 and C14) where it becomes known.

use super::ledger::{BatchId, Fate, Ledger, Sent, Shelf, Value};
use super::{
    Claim, Verdict, c07_acked_is_there, c08_send_order, c09_readers_see_one_log, c10_refused_never_appears,
    c14_ids_are_new,
};

impl Ledger {
    /// The batch was acknowledged, at an offset if the answer named one.
    pub fn ack(&mut self, batch: BatchId, base_offset: Option<i64>, verdict: &mut Verdict) {
        let entry = &mut self.batches[batch as usize];
        if entry.fate != Fate::Acked {
            self.acked += 1;
        }
        entry.fate = Fate::Acked;
        if let Some(base_offset) = base_offset {
            self.place(batch, base_offset, Claim::C7, verdict);
        }
    }

    /// The batch was refused by a definite error, and no attempt of it is unsure.
    pub fn refuse(&mut self, batch: BatchId, verdict: &mut Verdict) {
        let entry = &mut self.batches[batch as usize];
        assert!(entry.fate == Fate::Unknown, "a batch's fate is decided once");
        entry.fate = Fate::Refused;
        self.refused += 1;
        c10_refused_never_appears::check_refusal(batch, entry, verdict);
    }

    /// A reader saw a value.
    pub fn see(&mut self, shelf: Shelf, offset: i64, value: Value, verdict: &mut Verdict) {
        self.read += 1;
        let Some(batch) = self.batches.get(value.batch as usize) else {
            return verdict.breach(Claim::C9, format!("{shelf:?} {offset}: {value:?} was never written"));
        };
        c14_ids_are_new::check_home(value, batch, shelf, offset, verdict);
        c10_refused_never_appears::check_seen(value, batch, shelf, offset, verdict);
        self.place(value.batch, offset - i64::from(value.index), Claim::C9, verdict);
    }

    /// The batch is at an offset: once, alone, and in its author's order.
    fn place(&mut self, batch: BatchId, base: i64, claim: Claim, verdict: &mut Verdict) {
        let entry = &mut self.batches[batch as usize];
        if entry.place.is_some() && !entry.may_repeat() {
            return c07_acked_is_there::check_place(batch, entry, base, verdict);
        }
        entry.place = Some(entry.place.map_or(base, |place| base.min(place)));
        let (shelf, count, author, sent) = (entry.shelf, i64::from(entry.count), entry.author, entry.sent);
        let is_signed = entry.is_signed;
        if self.shelves.get(&shelf).is_some_and(|offsets| offsets.get(&base) == Some(&batch)) {
            return;
        }
        let offsets = self.shelves.entry(shelf).or_default();
        let before = offsets.range(..base + count).next_back();
        let before = before.map(|(at, other)| (*other, *at, self.batches[*other as usize].count));
        c09_readers_see_one_log::check_alone(shelf, (batch, base), before, claim, verdict);
        offsets.insert(base, batch);
        if let Some((author, sequence)) = author {
            let around = self.note_sent((shelf, base), author, sequence);
            c08_send_order::check_order((shelf, base), author, sequence, around, verdict);
            if is_signed {
                let around = self.note_handed((shelf, base), author.producer, batch);
                c08_send_order::check_hand_over((shelf, base), batch, around, verdict);
            }
        }
        if let Sent::Once(wire, number) = sent {
            let around = self.note_brought((shelf, base), (wire, number));
            c08_send_order::check_wire((shelf, base), (wire, number), around, verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::ledger::Author;

    const SHELF: Shelf = Shelf { topic: [1; 16], partition: 0 };

    fn broken(test: impl FnOnce(&mut Ledger, &mut Verdict)) -> Option<Claim> {
        let (mut ledger, mut verdict) = (Ledger::default(), Verdict::default());
        test(&mut ledger, &mut verdict);
        verdict.take(0, 0).map(|failure| failure.claim)
    }

    #[test]
    fn each_breach_has_its_claim() {
        let value = |batch| Value { batch, index: 0 };
        assert_eq!(
            broken(|ledger, verdict| {
                let one = ledger.intend(SHELF, 2, None);
                ledger.ack(one, Some(5), verdict);
                ledger.see(SHELF, 5, value(one), verdict);
            }),
            None
        );
        assert_eq!(
            broken(|ledger, verdict| {
                let one = ledger.intend(SHELF, 2, None);
                ledger.ack(one, Some(5), verdict);
                ledger.see(SHELF, 9, value(one), verdict);
            }),
            Some(Claim::C7)
        );
        assert_eq!(
            broken(|ledger, verdict| {
                let one = ledger.intend(SHELF, 2, None);
                let two = ledger.intend(SHELF, 2, None);
                ledger.ack(one, Some(5), verdict);
                ledger.see(SHELF, 6, value(two), verdict);
            }),
            Some(Claim::C9)
        );
        assert_eq!(
            broken(|ledger, verdict| {
                let one = ledger.intend(SHELF, 1, None);
                ledger.refuse(one, verdict);
                ledger.see(SHELF, 5, value(one), verdict);
            }),
            Some(Claim::C10)
        );
        assert_eq!(
            broken(|ledger, verdict| {
                let [one, two, other] = [0; 3].map(|_| ledger.intend(SHELF, 1, None));
                ledger.leaves(one, 3);
                ledger.leaves(other, 4);
                ledger.leaves(two, 3);
                ledger.see(SHELF, 9, value(two), verdict);
                ledger.see(SHELF, 10, value(other), verdict);
                ledger.see(SHELF, 8, value(one), verdict);
            }),
            None,
            "in the order of one wire, with what another brought behind both"
        );
        assert_eq!(
            broken(|ledger, verdict| {
                let [one, two] = [0; 2].map(|_| ledger.intend(SHELF, 1, None));
                ledger.leaves(one, 3);
                ledger.leaves(two, 3);
                ledger.see(SHELF, 8, value(two), verdict);
                ledger.see(SHELF, 9, value(one), verdict);
            }),
            Some(Claim::C8)
        );
        assert_eq!(
            broken(|ledger, verdict| {
                let author = Author { producer: 1, epoch: 0 };
                let one = ledger.intend(SHELF, 1, Some((author, 0)));
                let two = ledger.intend(SHELF, 1, Some((author, 1)));
                ledger.see(SHELF, 8, value(one), verdict);
                ledger.see(SHELF, 7, value(two), verdict);
            }),
            Some(Claim::C8)
        );
    }
}
