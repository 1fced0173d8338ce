//! C9, what was looked up: where a log begins and ends, which record is the first of a time or later, and where a
//! leader epoch ended are exactly what the log says.
//!
//! Looked at: each answer to a ListOffsets and an OffsetForLeaderEpoch, against the records that the ledger knows: as
//! it comes, and once more when the audit has read every log. What the answering node could see is known from how its
//! replica stood when the question left, and how when the answer did: it is right if it was at some moment between.
//!
//! What it does not say: that by time or by epoch everything is found that others have committed. Only a leader that
//! has made sure that it still leads knows that, and only the end of a log is looked up so.

use super::ledger::{Ledger, Shelf, Value};
use super::{Claim, Verdict};

/// How a node's replica of a partition stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stand {
    /// The first offset.
    pub log_start: i64,
    /// The offset below which everything is committed and applied.
    pub high_watermark: i64,
    /// Its term.
    pub term: u64,
}

/// What is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Where the log begins.
    Earliest,
    /// Where it ends; so far was known of it before.
    Latest {
        /// How far.
        known: i64,
    },
    /// The first record of that time or later.
    Time(i64),
    /// The first record of the largest time.
    MaxTime,
    /// Where that leader epoch ended.
    Epoch(i32),
}

/// A question that was answered without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Of which partition.
    pub shelf: Shelf,
    /// What.
    pub question: Question,
    /// An offset, or -1.
    pub offset: i64,
    /// A time, or -1.
    pub timestamp: i64,
    /// An epoch, or -1.
    pub epoch: i32,
    /// How the node stood when it was asked; zeros where that is not known.
    pub asked: Stand,
    /// How it stood when it said so.
    pub said: Stand,
}

/// All that were answered in a run.
#[derive(Debug, Default)]
pub struct Lookups(Vec<Lookup>);

impl Lookups {
    /// One more, which is looked at now.
    pub fn answered(&mut self, lookup: Lookup, ledger: &Ledger, verdict: &mut Verdict) {
        check(&lookup, ledger, verdict);
        self.0.push(lookup);
    }

    /// All logs have been read: everything is looked at again.
    pub fn audit(&self, ledger: &Ledger, verdict: &mut Verdict) -> u64 {
        self.0.iter().for_each(|lookup| check(lookup, ledger, verdict));
        self.0.len() as u64
    }
}

/// Whether an answer can be.
pub fn check(lookup: &Lookup, ledger: &Ledger, verdict: &mut Verdict) {
    let fault = match lookup.question {
        Question::Earliest => lookup.earliest(),
        Question::Latest { known } => lookup.latest(known),
        Question::Time(_) | Question::MaxTime if lookup.offset >= 0 => lookup.found(ledger),
        Question::Time(time) => lookup.nothing(ledger, time),
        Question::MaxTime => None,
        Question::Epoch(epoch) => lookup.end_of(ledger, epoch),
    };
    if let Some(fault) = fault {
        verdict.breach(Claim::C9, format!("{fault}: {lookup:?}"));
    }
}

impl Lookup {
    fn earliest(&self) -> Option<String> {
        let can_be = self.asked.log_start..=self.said.log_start;
        (!can_be.contains(&self.offset)).then(|| format!("the log began at {can_be:?}"))
    }

    fn latest(&self, known: i64) -> Option<String> {
        let can_be = known..=self.said.high_watermark;
        (!can_be.contains(&self.offset)).then(|| format!("the log ended at {can_be:?}"))
    }

    /// A record was found: it is there, of that time, and none before it is as new.
    fn found(&self, ledger: &Ledger) -> Option<String> {
        let at = self.offset;
        if at < self.asked.log_start || at >= self.said.high_watermark {
            return Some(format!("{at} was not in the log"));
        }
        let floor = match self.question {
            Question::Time(time) => time,
            _ => self.timestamp,
        };
        if self.timestamp < floor {
            return Some("what was found is older than asked for".to_owned());
        }
        let time = ledger.at(self.shelf, at).and_then(|value| ledger.time_of(value));
        if let Some(time) = time.filter(|time| *time != self.timestamp) {
            return Some(format!("the record at {at} is of {time}"));
        }
        let newer = match self.question {
            Question::MaxTime => self.first_since(ledger, self.timestamp + 1, self.asked.high_watermark),
            _ => None,
        };
        let first = self.first_since(ledger, floor, at).or(newer)?;
        Some(format!("the record at {first} is as new"))
    }

    /// No record was found, and none was there.
    fn nothing(&self, ledger: &Ledger, time: i64) -> Option<String> {
        let first = self.first_since(ledger, time, self.asked.high_watermark)?;
        Some(format!("the record at {first} is as new"))
    }

    /// The first record below `to` of that time or later.
    fn first_since(&self, ledger: &Ledger, time: i64, to: i64) -> Option<i64> {
        let is_there = |offset: &i64| *offset >= self.said.log_start && *offset < to;
        ledger.placed(self.shelf, self.said.log_start, to).find_map(|(base, batch)| {
            let is_as_new = |index: &u32| {
                let at = ledger.time_of(Value { batch, index: *index });
                at.is_some_and(|at| at >= time) && is_there(&(base + i64::from(*index)))
            };
            (0..ledger.batch(batch).count).find(is_as_new).map(|index| base + i64::from(index))
        })
    }

    /// Records of that epoch and of those before lie below the answer, all others do not.
    fn end_of(&self, ledger: &Ledger, epoch: i32) -> Option<String> {
        if self.offset > self.said.high_watermark || self.epoch > epoch {
            return Some("beyond what is known".to_owned());
        }
        let is_to_come = u64::try_from(epoch).is_ok_and(|epoch| epoch > self.asked.term);
        if self.offset < 0 && (epoch < 0 || is_to_come) {
            return None;
        }
        if self.offset < 0 {
            // Older than any that is known: it ended where the log begins. Only an empty log knows no epoch.
            let mut records = ledger.placed(self.shelf, self.said.log_start, self.asked.high_watermark);
            return records.next().map(|(base, _)| format!("the log has a record at {base}"));
        }
        let is_older = |batch: u64| ledger.batch(batch).epoch.map(|at| at <= epoch);
        let end = self.offset;
        let mut below = ledger.placed(self.shelf, self.said.log_start, end);
        if let Some((base, _)) = below.find(|(base, batch)| *base < end && is_older(*batch) == Some(false)) {
            return Some(format!("the record at {base} is of a later epoch"));
        }
        // Nothing is known of what retention took while the question was under way.
        let mut above = ledger.placed(self.shelf, end.max(self.said.log_start), self.asked.high_watermark);
        let (base, _) = above.find(|(base, batch)| *base >= end && is_older(*batch) == Some(true))?;
        Some(format!("the record at {base} is not of a later epoch"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELF: Shelf = Shelf { topic: [1; 16], partition: 0 };

    /// Records at 0 to 5, two a batch: of the times 10, 30, 20, 40, 50, 50 and the epochs 1, 3, 3.
    fn ledger() -> Ledger {
        let (mut ledger, mut verdict) = (Ledger::default(), Verdict::default());
        for (number, (stamps, epoch)) in [([10, 30], 1), ([20, 40], 3), ([50, 50], 3)].into_iter().enumerate()
        {
            let batch = ledger.intend(SHELF, 2, None);
            ledger.built(batch, &[0; 80], stamps.to_vec());
            ledger.ack(batch, Some(2 * number as i64), &mut verdict);
            ledger.met(batch, epoch, None);
        }
        ledger
    }

    fn is_breach(question: Question, offset: i64, timestamp: i64, epoch: i32) -> bool {
        let stand = Stand { log_start: 0, high_watermark: 6, term: 3 };
        let lookup = Lookup { shelf: SHELF, question, offset, timestamp, epoch, asked: stand, said: stand };
        let mut verdict = Verdict::default();
        check(&lookup, &ledger(), &mut verdict);
        verdict.is_broken()
    }

    #[test]
    fn ends_are_where_they_were() {
        assert!(!is_breach(Question::Earliest, 0, -1, 1) && is_breach(Question::Earliest, 6, -1, 3));
        let latest = Question::Latest { known: 4 };
        assert!(!is_breach(latest, 4, -1, 3) && is_breach(latest, 3, -1, 3) && is_breach(latest, 7, -1, 3));
    }

    #[test]
    fn a_time_is_where_its_first_record_is() {
        assert!(!is_breach(Question::Time(25), 1, 30, 1));
        assert!(is_breach(Question::Time(25), 3, 40, 3), "one before it is as new");
        assert!(is_breach(Question::Time(25), 1, 31, 1), "the record is of another time");
        assert!(is_breach(Question::Time(25), 0, 10, 1), "it is older");
        assert!(!is_breach(Question::Time(51), -1, -1, -1) && is_breach(Question::Time(50), -1, -1, -1));
        assert!(!is_breach(Question::MaxTime, 4, 50, 3));
        assert!(is_breach(Question::MaxTime, 5, 50, 3), "it is not the first");
        assert!(is_breach(Question::MaxTime, 3, 40, 3), "there is a newer one");
    }

    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        assert!(!is_breach(Question::Epoch(1), 2, -1, 1) && !is_breach(Question::Epoch(2), 2, -1, 1));
        assert!(!is_breach(Question::Epoch(3), 6, -1, 3) && !is_breach(Question::Epoch(0), 0, -1, 0));
        assert!(is_breach(Question::Epoch(0), -1, -1, -1), "it ended where the log begins");
        assert!(is_breach(Question::Epoch(1), 4, -1, 1), "records of epoch 3 are below it");
        assert!(is_breach(Question::Epoch(3), 4, -1, 3), "records of epoch 3 are above it");
        assert!(is_breach(Question::Epoch(3), 7, -1, 3), "the log is shorter");
        assert!(is_breach(Question::Epoch(1), -1, -1, -1), "its end is known");
        assert!(!is_breach(Question::Epoch(4), -1, -1, -1), "it is to come");
    }
}
