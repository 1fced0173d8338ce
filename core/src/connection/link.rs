//! One connection's state: what has arrived, what is unanswered, what has not left, and until when.
//!
//! Nothing here knows the other connections; `connections` decides when credit is given and what a passed
//! deadline leads to.
//!
//! A deadline here is the first moment at which a link may be ended. A slow one is ended then only if others need what it
//! holds ([`Pressure`]); otherwise when nothing has moved on it for `CONNECTION_IDLE_MAX`.
//!
//! Invariant: a connection is not read (gets no credit) while it may not take up a request.

use super::slots::{Slot, Slots};
use super::stream::{BadLength, Stream, Whole};
use super::writers::Writers;
use crate::limits::{
    CONNECTION_CLOSING_MAX, CONNECTION_CREDIT_BYTES, CONNECTION_IDLE_MAX, CONNECTION_REQUEST_BYTES_MAX,
    CONNECTION_REQUESTS_MAX, CONNECTION_UNREAD_BYTES_MAX, CONNECTION_UNREAD_MAX, REQUEST_ARRIVAL_MAX,
};
use crate::link::Address;
use crate::now::Mono;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::kafka::Writer;

/// Who is at the other end, as the driver told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The listener that was used; an index into `Config::listeners`.
    pub listener: u16,
    /// The address the client connected to: what to advertise where nothing else is configured.
    pub local: Address,
    /// Where the client is, for logs.
    pub remote: Address,
    /// What it calls itself, once that was of use.
    pub name: String,
}

/// What a deadline was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Overdue {
    /// The client reads nothing, or the link does not end after its `Close`.
    Unread,
    /// A request does not become whole.
    HalfRequest,
    /// Nothing happens.
    Idle,
}

/// What a waiting link needs credit for. The order is the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The end of a request.
    Rest,
    /// The beginning of one.
    Next,
}

/// Where a link stands in the queue.
pub(super) type Place = (Need, u64);

/// What others lack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressure {
    /// No more requests can be let in, or there are very many connections.
    pub on_intake: bool,
    /// No more requests can be taken up, or there are very many connections.
    pub on_work: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub client: Client,
    pub slots: Slots,
    /// Answers that leave with the next flush.
    pub out: Option<Writer>,
    stream: Stream,
    credit_bytes: usize,
    unread_bytes: u64,
    /// When the client last sent or read something.
    active_at: Mono,
    /// When the driver's buffer for it last began to wait, or shrank.
    progress_at: Mono,
    /// The half request (by the slot it will get) and since when its rest could have come.
    half: Option<(Slot, Mono)>,
    is_closing: bool,
    /// It was overdue, and is waited for until then all the same.
    patient_until: Mono,
    /// Its entry among the deadlines.
    pub alarm: Option<Mono>,
    /// It is in the list that the next flush walks.
    pub is_touched: bool,
    /// It is in the queue of those whose requests can be taken up.
    pub is_listed_ready: bool,
    /// A request of it is not finished, and the next one waits for that.
    pub is_held: bool,
    /// Its place among those that wait for the budget.
    pub starved: Option<Place>,
}

impl Connection {
    pub fn new(client: Client, now: Mono, request_bytes_max: usize) -> Connection {
        Connection {
            client,
            slots: Slots::default(),
            out: None,
            stream: Stream::new(request_bytes_max),
            credit_bytes: 0,
            unread_bytes: 0,
            active_at: now,
            progress_at: now,
            half: None,
            is_closing: false,
            patient_until: now,
            alarm: None,
            is_touched: false,
            is_listed_ready: false,
            is_held: false,
            starved: None,
        }
    }

    /// Takes in bytes. More than the credit is the driver's mistake, not the client's, and costs only memory.
    pub fn arrive(&mut self, bytes: BytesMut, now: Mono) {
        self.credit_bytes = self.credit_bytes.saturating_sub(bytes.len());
        self.active_at = now;
        self.stream.arrive(bytes);
    }

    /// The next request, if it is whole and may be taken up.
    pub fn take(&mut self) -> Result<Option<Whole>, BadLength> {
        if self.may_take() { self.stream.take() } else { Ok(None) }
    }

    /// Bytes left the driver's buffer. Says whether requests may be taken up that could not before.
    pub fn sent(&mut self, bytes: u64, now: Mono) -> bool {
        let was_blocked = !self.may_take();
        self.unread_bytes = self.unread_bytes.saturating_sub(bytes);
        self.progress_at = now;
        self.active_at = now;
        was_blocked && self.may_take()
    }

    /// What leaves now, if anything does.
    pub fn flush(&mut self, now: Mono, writers: &mut Writers) -> Option<Vec<Bytes>> {
        let mut out = self.out.take()?;
        let bytes = out.len() as u64;
        let parts = out.take();
        writers.take_back(out);
        if bytes == 0 {
            return None;
        }
        if self.unread_bytes == 0 {
            self.progress_at = now;
        }
        self.unread_bytes += bytes;
        Some(parts)
    }

    /// Stops reading and forgets what is unanswered; the client has until a deadline to read what was sent.
    pub fn begin_close(&mut self, now: Mono) {
        self.is_closing = true;
        self.stream = Stream::new(0);
        self.slots = Slots::default();
        self.credit_bytes = 0;
        self.progress_at = now;
    }

    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Whether a request could be taken up right now.
    pub fn is_ready(&self) -> bool {
        self.may_take() && self.stream.is_ready()
    }

    /// Whether the end of a request is outstanding.
    pub fn is_half(&self) -> bool {
        self.stream.is_half()
    }

    /// Bytes of requests that are charged to the budget.
    pub fn held_bytes(&self) -> usize {
        self.stream.len() + self.slots.request_bytes()
    }

    /// Credit that is out.
    pub fn credit_bytes(&self) -> usize {
        self.credit_bytes
    }

    /// Credit that is charged to the budget: what is beyond the least.
    pub fn charged_credit_bytes(&self, least: usize) -> usize {
        self.credit_bytes.saturating_sub(least)
    }

    /// Bytes of answers that have not left this room.
    pub fn unsent_bytes(&self) -> usize {
        self.out.as_ref().map_or(0, Writer::len) + self.slots.answer_bytes()
    }

    /// Bytes of answers that the client has not got yet.
    pub fn waiting_bytes(&self) -> u64 {
        self.unread_bytes + self.unsent_bytes() as u64
    }

    /// Bytes of answers that the driver has.
    pub fn unread_bytes(&self) -> u64 {
        self.unread_bytes
    }

    /// The credit to give now; 0 while enough is out, so that a request does not cost an action of its own.
    pub fn wanted_credit(&self) -> usize {
        if self.is_closing || !self.may_take() || self.stream.is_ready() {
            return 0;
        }
        let room = self.window().saturating_sub(self.held_bytes());
        let wanted = room.min(CONNECTION_CREDIT_BYTES).saturating_sub(self.credit_bytes);
        let chunk = CONNECTION_CREDIT_BYTES / 2;
        let missing = self.stream.first_bytes().saturating_sub(self.stream.len());
        let is_stuck = self.credit_bytes < missing.min(chunk) && missing <= room;
        if wanted >= chunk || is_stuck { wanted } else { 0 }
    }

    /// The credit without which a request that has begun does not become whole.
    pub fn missing_credit(&self) -> usize {
        if !self.stream.is_half() {
            return 0;
        }
        let missing = self.stream.first_bytes().saturating_sub(self.stream.len());
        missing.min(CONNECTION_CREDIT_BYTES).saturating_sub(self.credit_bytes)
    }

    /// The credit to give where the budget gives none: enough for a small request, if nothing is held.
    pub fn least_credit(&self, least: usize) -> usize {
        if self.held_bytes() == 0 { least.saturating_sub(self.credit_bytes) } else { 0 }
    }

    /// What waits to be taken up keeps no more memory than it needs.
    pub fn unpin(&mut self) {
        self.stream.unpin();
    }

    /// Takes note of credit given.
    pub fn give_credit(&mut self, bytes: usize, now: Mono) {
        if self.credit_bytes == 0
            && let Some((_, since)) = &mut self.half
        {
            *since = now;
        }
        self.credit_bytes += bytes;
    }

    /// Takes note of whether a request is half here, and of since when.
    pub fn watch_half(&mut self, now: Mono) {
        if !self.stream.is_half() {
            self.half = None;
        } else if self.half.is_none_or(|(slot, _)| slot != self.slots.next()) {
            self.half = Some((self.slots.next(), now));
        }
    }

    /// When patience may end, and with what. A half request that got no credit is our own doing, and a request
    /// that is not answered is not the client's silence.
    pub fn deadline(&self) -> Option<(Mono, Overdue)> {
        if self.is_closing {
            return Some((self.progress_at + CONNECTION_CLOSING_MAX, Overdue::Unread));
        }
        let patient = |at: Mono| at.max(self.patient_until);
        let half = self.half.filter(|_| self.credit_bytes > 0);
        let half = half.map(|(_, since)| patient(since + REQUEST_ARRIVAL_MAX));
        if self.unread_bytes > 0 {
            let unread = patient(self.progress_at + CONNECTION_UNREAD_MAX);
            return Some(match half {
                Some(half) if half < unread => (half, Overdue::HalfRequest),
                _ => (unread, Overdue::Unread),
            });
        }
        match half {
            Some(half) => Some((half, Overdue::HalfRequest)),
            None if self.slots.len() == 0 => Some((self.active_at + CONNECTION_IDLE_MAX, Overdue::Idle)),
            None => None,
        }
    }

    /// Whether the link is to be ended for that. If not, it is waited for again.
    pub fn loses_patience(&mut self, overdue: Overdue, pressure: Pressure, now: Mono) -> bool {
        let (is_needed, since, again) = match overdue {
            Overdue::Idle => return true,
            Overdue::HalfRequest => (pressure.on_intake, self.active_at, REQUEST_ARRIVAL_MAX),
            Overdue::Unread => (pressure.on_work || self.is_closing, self.progress_at, CONNECTION_UNREAD_MAX),
        };
        self.patient_until = now + again;
        is_needed || since + CONNECTION_IDLE_MAX <= now
    }

    fn may_take(&self) -> bool {
        !self.is_closing
            && !self.is_held
            && self.slots.len() < CONNECTION_REQUESTS_MAX
            && self.waiting_bytes() <= CONNECTION_UNREAD_BYTES_MAX as u64
    }

    /// How many unanswered bytes and credit together may be out: one request larger than the limit has it all
    /// for itself.
    fn window(&self) -> usize {
        if self.slots.request_bytes() == 0 {
            CONNECTION_REQUEST_BYTES_MAX.max(self.stream.first_bytes())
        } else {
            CONNECTION_REQUEST_BYTES_MAX
        }
    }
}
