//! One batch on its way: records that are appended together or not at all, and what has become of them.
//!
//! It is open while records join it, and sealed when it is first sent: then it has a sequence, and every attempt carries
//! the same bytes, so that the broker knows a repetition.
//!
//! Invariant: a batch that may have been appended is never sent under another sequence.

use super::{RecordId, Sealing};
use crate::machine::error::Error;
use crate::machine::moment::Moment;
use crate::machine::producer::lane::LaneId;
use crate::machine::question::Ticket;
use crate::machine::record::Record;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::records::{BatchBuilder, BatchMut, Producer};

/// A batch.
#[derive(Debug)]
pub struct Batch {
    records: Vec<RecordId>,
    started: Moment,
    body: Body,
    author: Option<Producer>,
    flight: Option<Flight>,
    is_unsure: bool,
    is_hurried: bool,
    is_told: bool,
    last: Option<Error>,
}

#[derive(Debug)]
enum Body {
    Open(BatchBuilder),
    Sealed(Bytes),
}

/// An attempt that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Its question.
    pub ticket: Ticket,
    /// The way that it took.
    pub lane: LaneId,
}

impl Batch {
    /// An empty one, for records that come from now on.
    pub fn new(now: Moment) -> Batch {
        Batch {
            records: Vec::new(),
            started: now,
            body: Body::Open(BatchBuilder::new()),
            author: None,
            flight: None,
            is_unsure: false,
            is_hurried: false,
            is_told: false,
            last: None,
        }
    }

    /// Whether a record can still join it.
    pub fn has_room(&self, record: &Record, sealing: &Sealing) -> bool {
        match &self.body {
            Body::Open(builder) => {
                self.records.is_empty() || builder.plain_bytes() + record.bytes() <= sealing.batch_bytes
            }
            Body::Sealed(_) => false,
        }
    }

    /// A record joins it.
    ///
    /// Precondition: it is open.
    pub fn push(&mut self, id: RecordId, record: &Record, timestamp_ms: i64) {
        let Body::Open(builder) = &mut self.body else { panic!("only an open batch is joined") };
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        builder.push(timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers);
        self.records.push(id);
    }

    /// The bytes to send under that sequence. Sealed once, and given another author only by [`Batch::renounce`].
    pub fn seal(&mut self, author: Option<Producer>, sealing: &Sealing) -> Bytes {
        let is_same = self.author == author;
        let sealed = match std::mem::replace(&mut self.body, Body::Sealed(Bytes::new())) {
            Body::Open(builder) => {
                let builder = builder.codec(sealing.codec);
                author.map_or(builder.clone(), |author| builder.producer(author)).build().freeze()
            }
            Body::Sealed(bytes) if is_same => bytes,
            Body::Sealed(bytes) => {
                assert!(!self.is_unsure, "what may have been appended keeps its sequence");
                let mut bytes = BytesMut::from(&bytes[..]);
                let none = Producer { id: -1, epoch: -1, base_sequence: -1 };
                let mut batch = BatchMut::parse(&mut bytes).expect("it was sealed here");
                batch.set_producer(author.unwrap_or(none));
                bytes.freeze()
            }
        };
        self.author = author;
        self.body = Body::Sealed(sealed.clone());
        sealed
    }

    /// It is on its way.
    pub fn fly(&mut self, flight: Flight) {
        assert!(self.flight.is_none(), "one attempt at a time");
        self.flight = Some(flight);
    }

    /// It is back, and may have been appended or not.
    pub fn land(&mut self, error: Option<&Error>) {
        self.flight = None;
        self.is_unsure |= error.is_some_and(Error::may_take_effect);
        self.last = error.cloned().or_else(|| self.last.take());
    }

    /// Its sequence is another's from now on: it gets a new one when it is sent again.
    ///
    /// Precondition: it was certainly not appended.
    pub fn renounce(&mut self) {
        assert!(!self.is_unsure, "what may have been appended keeps its sequence");
        // Sealed bytes keep the old one until then.
        if let Some(author) = &mut self.author {
            author.base_sequence = -2;
        }
    }

    /// Takes it for one that was never sent: what mutants do.
    pub fn forget_attempts(&mut self) {
        self.is_unsure = false;
        self.renounce();
    }

    /// To be sent as soon as it can be.
    pub fn hurry(&mut self) {
        self.is_hurried = true;
    }

    /// Whoever handed its records over has been told.
    pub fn tell(&mut self) -> Vec<RecordId> {
        self.is_told = true;
        std::mem::take(&mut self.records)
    }

    /// How many records it has, told or not.
    pub fn count(&self) -> i32 {
        match &self.body {
            Body::Open(_) => self.records.len() as i32,
            Body::Sealed(bytes) => {
                rust_mq_proto::records::Batch::parse(bytes).map_or(0, |batch| batch.count())
            }
        }
    }

    /// Bytes of it, before compression while it is open.
    pub fn bytes(&self) -> usize {
        match &self.body {
            Body::Open(builder) => builder.plain_bytes(),
            Body::Sealed(bytes) => bytes.len(),
        }
    }

    /// Whether it waits for no more records: none fits, its time is over, or somebody waits for it.
    pub fn is_ripe(&self, now: Moment, sealing: &Sealing) -> bool {
        self.is_sealed()
            || self.is_hurried
            || self.bytes() >= sealing.batch_bytes
            || self.ripens(sealing) <= now
    }

    /// When it waits no longer.
    pub fn ripens(&self, sealing: &Sealing) -> Moment {
        if self.is_hurried || self.is_sealed() { self.started } else { self.started.after(sealing.linger) }
    }

    /// When it has been tried for long enough.
    pub fn expires(&self, sealing: &Sealing) -> Moment {
        self.started.after(sealing.delivery_timeout)
    }

    /// Whether it has a sequence, or has had one.
    pub fn is_sealed(&self) -> bool {
        matches!(self.body, Body::Sealed(_))
    }

    /// The sequence under which it was sent, if it keeps it.
    pub fn author(&self) -> Option<Producer> {
        self.author.filter(|author| author.base_sequence >= 0)
    }

    /// The attempt that is not answered.
    pub fn flight(&self) -> Option<Flight> {
        self.flight
    }

    /// Whether an attempt may have been appended of which that is not known.
    pub fn is_unsure(&self) -> bool {
        self.is_unsure
    }

    /// Whether whoever handed its records over knows already.
    pub fn is_told(&self) -> bool {
        self.is_told
    }

    /// What a failure means if it may have been appended at an attempt before, or may be at one under way.
    pub fn doubt(&self, place: &str, error: Error) -> Error {
        let may_be_there = self.is_unsure || self.flight.is_some();
        if !may_be_there || error.may_take_effect() {
            return error;
        }
        Error::Unsure { what: format!("delivering to {place}"), last: Some(Box::new(error)) }
    }

    /// Why it is not sent again although it may not have been appended.
    pub fn lost(&self, place: &str) -> Error {
        Error::Unsure { what: format!("delivering to {place}"), last: self.last.clone().map(Box::new) }
    }

    /// Why it was not delivered in time.
    pub fn late(&self, place: &str) -> Error {
        Error::TimedOut {
            what: format!("delivering to {place}"),
            last: self.last.clone().map(Box::new),
            may_take_effect: self.is_unsure || self.flight.is_some(),
        }
    }
}
