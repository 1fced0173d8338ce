//! C13, for whom reads through our own client: each record is handed out, in order, before the group is told that it was.
//! From where a partition's reading begins (where the group has come, what was looked up, or where the program sent it) each
//! record that comes next is handed out next; nothing of a partition that is not one's own; and no offset is committed that
//! lies above what the program has dealt with. So what lies between a position that was committed and the next that is
//! handed out was handed out before it was committed.
//!
//! What retention took is passed over: then reading begins anew where the log does, and what lay between might go by then
//! (C7). A reader that begins behind the last record in such a case passes over all.
//!
//! Looked at: each answer that says where to begin, each record that is handed out, each commit that leaves.

use super::c07_acked_is_there::{self, Retention};
use super::ledger::{Ledger, Shelf};
use super::{Claim, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// A partition, by its topic's name and its number.
pub type Place = (String, i32);

/// What one program was handed.
#[derive(Debug, Default)]
pub struct HandedOut {
    /// The partitions that are its own now.
    ways: BTreeMap<Place, Way>,
    /// Behind the last record of each that it has ever dealt with, or where it was sent.
    furthest: BTreeMap<Place, i64>,
    /// What it was handed last, and the offset behind that: dealt with once it comes back.
    in_hand: Option<(Place, i64)>,
}

/// How one partition is read.
#[derive(Debug, Default)]
struct Way {
    /// The offset that is to come next.
    next: Option<i64>,
    /// Where reading may begin instead.
    begins: BTreeSet<i64>,
}

impl HandedOut {
    /// These partitions are its own from now on, and no others.
    pub fn assigned(&mut self, places: &[Place]) {
        self.ways = places.iter().map(|place| (place.clone(), Way::default())).collect();
    }

    /// None is its own any more.
    pub fn taken_away(&mut self) {
        self.ways.clear();
    }

    /// The group has come so far in a partition: there reading begins.
    pub fn group_is_at(&mut self, place: &Place, offset: i64) {
        if let Some(way) = self.ways.get_mut(place) {
            *way = Way { next: Some(offset), begins: BTreeSet::new() };
        }
    }

    /// That was found, where to begin was looked up.
    pub fn may_begin(&mut self, place: &Place, offset: i64) {
        if let Some(way) = self.ways.get_mut(place) {
            way.begins.insert(offset);
        }
    }

    /// Its program reads on there, or at what is looked up.
    pub fn is_sent(&mut self, place: &Place, offset: Option<i64>) {
        if let Some(way) = self.ways.get_mut(place) {
            *way = Way { next: offset, begins: BTreeSet::new() };
        }
        if let Some(offset) = offset {
            let furthest = self.furthest.entry(place.clone()).or_insert(offset);
            *furthest = offset.max(*furthest);
        }
    }

    /// The program dies, with what it was handed last.
    pub fn dies(&mut self) {
        self.in_hand = None;
    }

    /// The program comes back: it has dealt with what it was handed.
    pub fn comes_back(&mut self) {
        if let Some((place, behind)) = self.in_hand.take() {
            let furthest = self.furthest.entry(place).or_insert(behind);
            *furthest = behind.max(*furthest);
        }
    }

    /// A record is handed out. Returns from where on others were passed over, if any were.
    pub fn takes(&mut self, place: &Place, offset: i64, verdict: &mut Verdict) -> Option<i64> {
        let (topic, partition) = place;
        let Some(way) = self.ways.get_mut(place) else {
            let words = format!("{topic}/{partition} {offset} is handed out to whom it is not given");
            verdict.breach(Claim::C13, words);
            return None;
        };
        let is_next = way.next == Some(offset) || way.begins.contains(&offset);
        verdict.hold(is_next, Claim::C13, || {
            format!("{topic}/{partition}: {offset} is handed out, and to come was {way:?}")
        });
        let passed = way.next.filter(|next| *next < offset);
        *way = Way { next: Some(offset + 1), begins: BTreeSet::new() };
        self.in_hand = Some((place.clone(), offset + 1));
        passed
    }

    /// An offset is committed.
    pub fn commits(&self, place: &Place, offset: i64, verdict: &mut Verdict) {
        let (topic, partition) = place;
        let furthest = self.furthest.get(place);
        verdict.hold(furthest.is_some_and(|furthest| offset <= *furthest), Claim::C13, || {
            format!(
                "{topic}/{partition}: {offset} is committed, and dealt with was what lies below {furthest:?}"
            )
        });
    }
}

/// What lay from `from` to `to` was passed over: it might go.
pub fn check_passed(
    ledger: &Ledger,
    shelf: Shelf,
    (from, to): (i64, i64),
    retention: Option<Retention>,
    verdict: &mut Verdict,
) {
    if let Some(retention) = retention {
        c07_acked_is_there::check_taken(ledger, shelf, (from, to), retention, verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        ("t".into(), 0)
    }

    fn is_broken(test: impl FnOnce(&mut HandedOut, &mut Verdict)) -> bool {
        let (mut handed, mut verdict) = (HandedOut::default(), Verdict::default());
        handed.assigned(&[place()]);
        test(&mut handed, &mut verdict);
        verdict.is_broken()
    }

    #[test]
    fn each_record_is_handed_out_from_where_reading_begins() {
        let from = |begin: i64, handed_out: &[i64]| {
            is_broken(|handed, verdict| {
                handed.group_is_at(&place(), begin);
                for offset in handed_out {
                    handed.takes(&place(), *offset, verdict);
                }
            })
        };
        assert!(!from(4, &[4, 5, 6]));
        assert!(from(4, &[5]), "one is passed over");
        assert!(from(4, &[4, 6]), "one in the midst is");
        assert!(from(4, &[3]), "it begins before that");
        let nobody_said = is_broken(|handed, verdict| assert_eq!(handed.takes(&place(), 0, verdict), None));
        assert!(nobody_said, "nobody said where");
        assert!(is_broken(|handed, verdict| {
            handed.group_is_at(&place(), 4);
            handed.assigned(&[place()]);
            handed.takes(&place(), 4, verdict);
        }));
    }

    #[test]
    fn what_is_looked_up_may_be_further_and_says_what_was_passed_over() {
        let (mut handed, mut verdict) = (HandedOut::default(), Verdict::default());
        handed.assigned(&[place()]);
        handed.group_is_at(&place(), 4);
        handed.may_begin(&place(), 9);
        assert_eq!(handed.takes(&place(), 9, &mut verdict), Some(4));
        assert_eq!(handed.takes(&place(), 10, &mut verdict), None);
        assert!(!verdict.is_broken());
    }

    #[test]
    fn what_is_in_hand_is_not_committed() {
        let broken = |comes_back: bool, offset: i64| {
            is_broken(|handed, verdict| {
                handed.group_is_at(&place(), 4);
                handed.takes(&place(), 4, verdict);
                if comes_back {
                    handed.comes_back();
                }
                handed.commits(&place(), offset, verdict);
            })
        };
        assert_eq!([broken(true, 5), broken(true, 6), broken(false, 5)], [false, true, true]);
    }
}
