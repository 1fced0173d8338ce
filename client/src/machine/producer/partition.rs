//! The batches of one partition, in the order in which their records were handed over.
//!
//! An idempotent producer numbers its records in each partition (KIP-98). A batch that failed for good leaves a gap that the
//! broker does not let later ones over: then nothing is sent until all that is on its way has come back, and what is left
//! goes on under the next epoch, from 0 (KIP-360; here each partition has an epoch of its own, as the broker keeps
//! them apart anyway). Of what is left, a batch that may have been appended is not sent again, for it could then be there
//! twice: whoever handed it over is told so.
//!
//! - Invariant: sequences of the batches rise in their order, without a gap, unless `is_broken`.
//! - Invariant: at most `IN_FLIGHT_MAX` batches fly, all on one lane when another is sent.

use super::batch::{Batch, Flight};
use super::lane::LaneId;
use super::{IN_FLIGHT_MAX, RecordId, Sealing, Settled, There};
use crate::machine::error::{Error, Remedy, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::{Mutant, is_planted};
use crate::machine::question::Ticket;
use crate::machine::record::Record;
use bytes::Bytes;
use rust_mq_proto::records::Producer;
use std::collections::VecDeque;
use std::time::Duration;

/// The queue of a partition.
#[derive(Debug, Default)]
pub struct Partition {
    /// What errors call it.
    name: String,
    batches: VecDeque<Batch>,
    /// Who writes to it, with the sequence that comes next.
    author: Option<Producer>,
    is_broken: bool,
    held_until: Moment,
    failures: u32,
}

/// What is to be done about a partition after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    On,
    /// A pause first.
    Pause,
    /// The producer's id is not its own any more.
    NewIdentity,
}

impl Partition {
    /// The queue of the partition of that name.
    pub fn new(name: String) -> Partition {
        Partition { name, ..Partition::default() }
    }

    /// A record joins the newest batch, or begins one. Says whether there is something new to be done.
    pub fn push(&mut self, id: RecordId, record: &Record, stamp: (Moment, i64), sealing: &Sealing) -> bool {
        let (now, timestamp_ms) = stamp;
        let is_joining = self.has_room(record, sealing);
        if !is_joining {
            self.batches.push_back(Batch::new(now));
        }
        let batch = self.batches.back_mut().expect("one was there or was made");
        batch.push(id, record, timestamp_ms);
        !is_joining || batch.is_ripe(now, sealing)
    }

    /// Whether a record would join a batch that is there.
    pub fn has_room(&self, record: &Record, sealing: &Sealing) -> bool {
        self.batches.back().is_some_and(|batch| batch.has_room(record, sealing))
    }

    /// Sends what there is as soon as that can be.
    pub fn hurry(&mut self) {
        self.batches.iter_mut().for_each(Batch::hurry);
    }

    /// Whether a batch could be sent now over that lane, and the size of the first.
    pub fn sendable(&self, now: Moment, lane: Option<LaneId>, sealing: &Sealing) -> Option<usize> {
        let flying = self.batches.iter().filter_map(Batch::flight);
        let is_elsewhere = flying.clone().any(|flight| Some(flight.lane) != lane);
        if self.is_broken || self.held_until > now || is_elsewhere || flying.count() >= IN_FLIGHT_MAX {
            return None;
        }
        let (number, batch) = self.next()?;
        let has_later = number + 1 < self.batches.len();
        (has_later || batch.is_ripe(now, sealing)).then(|| batch.bytes())
    }

    /// Sends the next batch: its bytes, under the sequence that is its own from now on.
    pub fn send(&mut self, flight: Flight, identity: Option<Producer>, sealing: &Sealing) -> Option<Bytes> {
        let (number, _) = self.next()?;
        if let Some(identity) = identity
            && self.author.is_none_or(|author| author.id != identity.id)
            && self.batches.iter().all(|batch| batch.author().is_none())
        {
            self.author = Some(Producer { base_sequence: 0, ..identity });
        }
        let batch = &mut self.batches[number];
        if is_planted(sealing.mutant, Mutant::RetryUnderNewSequence) {
            batch.forget_attempts();
        }
        let author = identity.and(batch.author().or(self.author));
        let bytes = batch.seal(author, sealing);
        let count = batch.count();
        batch.fly(flight);
        if let Some(author) = author
            && let Some(own) = &mut self.author
            && author == *own
        {
            own.base_sequence = Producer::sequence_after(author.base_sequence, count);
        }
        Some(bytes)
    }

    /// What came of an attempt.
    pub fn answered(
        &mut self,
        ticket: Ticket,
        outcome: Result<There, Error>,
        is_idempotent: bool,
        settled: &mut Vec<Settled>,
    ) -> Next {
        let is_its = |batch: &Batch| batch.flight().is_some_and(|flight| flight.ticket == ticket);
        let Some(number) = self.batches.iter().position(is_its) else { return Next::On };
        let error = match outcome {
            Ok(there) => {
                self.failures = 0;
                self.remove(number, Ok(there), settled);
                return Next::On;
            }
            Err(error) => error,
        };
        self.batches[number].land(Some(&error));
        let is_ahead = |batch: &Batch| !is_idempotent || batch.author().is_some();
        let has_earlier = self.batches.iter().take(number).any(is_ahead);
        match (error.code(), error.remedy()) {
            (Some(code::OUT_OF_ORDER_SEQUENCE_NUMBER), _) if is_idempotent && has_earlier => Next::On,
            (Some(code::OUT_OF_ORDER_SEQUENCE_NUMBER | code::UNKNOWN_PRODUCER_ID), _) if is_idempotent => {
                self.is_broken = true;
                Next::Pause
            }
            (Some(code::INVALID_PRODUCER_EPOCH), _) if is_idempotent => {
                self.is_broken = true;
                Next::NewIdentity
            }
            (_, Remedy::Never) => {
                self.fail(number, error, settled);
                Next::On
            }
            _ if !self.batches[number].is_told() => Next::Pause,
            // Nobody waits for it any more, and it may be there.
            _ => {
                self.is_broken |= is_idempotent;
                self.batches.remove(number);
                Next::Pause
            }
        }
    }

    /// Gives up what has been tried for long enough.
    pub fn expire(&mut self, now: Moment, sealing: &Sealing, settled: &mut Vec<Settled>) {
        let mut number = 0;
        while let Some(batch) = self.batches.get(number) {
            if batch.expires(sealing) > now {
                break;
            }
            let error = batch.late(&self.name);
            if batch.flight().is_none() {
                self.fail(number, error, settled);
                continue;
            }
            // It stays until it comes back, so that what follows knows its place.
            if !batch.is_told() {
                let records = self.batches[number].tell();
                let is_believed = is_planted(sealing.mutant, Mutant::GivenUpDelivered);
                let unknown = There { base_offset: None, append_time_ms: None };
                let outcome = if is_believed { Ok(unknown) } else { Err(error) };
                settled.push(Settled { records, outcome });
            }
            number += 1;
        }
    }

    /// After a gap, and once nothing is on its way: goes on under the next epoch of that identity. Says whether the epochs of
    /// it are used up.
    pub fn mend(&mut self, sealing: &Sealing, settled: &mut Vec<Settled>) -> Next {
        if !self.is_broken || self.batches.iter().any(|batch| batch.flight().is_some()) {
            return Next::On;
        }
        self.is_broken = false;
        let mut number = 0;
        while let Some(batch) = self.batches.get_mut(number) {
            if is_planted(sealing.mutant, Mutant::UnsureSentAgain) {
                batch.forget_attempts();
            }
            if batch.is_unsure() || batch.is_told() {
                let error = batch.lost(&self.name);
                self.remove(number, Err(error), settled);
            } else {
                batch.renounce();
                number += 1;
            }
        }
        if is_planted(sealing.mutant, Mutant::MendedBackwards) {
            self.batches.make_contiguous().reverse();
        }
        let bumped = self.author.and_then(|author| {
            Some(Producer { epoch: author.epoch.checked_add(1)?, base_sequence: 0, ..author })
        });
        let is_used_up = self.author.is_some() && bumped.is_none();
        self.author = bumped;
        if is_used_up { Next::NewIdentity } else { Next::On }
    }

    /// Sends nothing for so long, longer after each failure in a row.
    pub fn hold(&mut self, now: Moment, pause: impl FnOnce(u32) -> Duration) {
        if self.held_until <= now {
            self.failures += 1;
            self.held_until = now.after(pause(self.failures));
        }
    }

    /// Everything fails with that, and what may be there all the same with a doubt.
    pub fn fail_all(&mut self, error: &Error, settled: &mut Vec<Settled>) {
        for mut batch in std::mem::take(&mut self.batches) {
            let error = batch.doubt(&self.name, error.clone());
            settled.push(Settled { records: batch.tell(), outcome: Err(error) });
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How many batches there are.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// When, after `now`, there is something to do although nothing happens: a batch is ripe, a pause is over, or one
    /// expires.
    pub fn deadline(&self, now: Moment, sealing: &Sealing) -> Option<Moment> {
        let waiting = self.next().map(|(_, batch)| batch.ripens(sealing).max(self.held_until));
        let expiring = self.batches.iter().find(|batch| !batch.is_told()).map(|batch| batch.expires(sealing));
        waiting.into_iter().chain(expiring).filter(|moment| *moment > now).min()
    }

    /// The first batch that does not fly.
    fn next(&self) -> Option<(usize, &Batch)> {
        self.batches.iter().enumerate().find(|(_, batch)| batch.flight().is_none())
    }

    /// A batch fails for good. If nobody has a later sequence its own is given back, else there is a gap.
    fn fail(&mut self, number: usize, error: Error, settled: &mut Vec<Settled>) {
        let batch = &self.batches[number];
        let has_later = self.batches.iter().skip(number + 1).any(|batch| batch.author().is_some());
        if let Some(own) = batch.author() {
            if has_later || batch.is_unsure() {
                self.is_broken = true;
            } else {
                self.author = Some(own);
            }
        }
        let error = batch.doubt(&self.name, error);
        self.remove(number, Err(error), settled);
    }

    fn remove(&mut self, number: usize, outcome: Result<There, Error>, settled: &mut Vec<Settled>) {
        let Some(mut batch) = self.batches.remove(number) else { return };
        if !batch.is_told() {
            settled.push(Settled { records: batch.tell(), outcome });
        }
    }
}
