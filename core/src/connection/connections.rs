//! All clients' links. Owns each [`Connection`] and the three queues between them: who is to be flushed, who
//! has requests that can be taken up, who waits for the budget; and one deadline for each.
//!
//! A link that nobody knows (it was aborted, its last events were under way) is ignored everywhere: an answer
//! that was parked for it is simply lost, as the client is.
//!
//! Invariant: a link is at most once in each queue, and has exactly one alarm iff it has a deadline; the alarm
//! is never later than the deadline.

use super::budget::{Budget, Purpose};
use super::link::{Client, Connection, Overdue, Pressure};
use super::slots::Slot;
use super::starved::Starved;
use super::stream::PREFIX_BYTES;
use super::writers::Writers;
use crate::action::{Action, Notice};
use crate::ids::LinkId;
use crate::limits::{CONNECTION_UNREAD_BYTES_MAX, CONNECTIONS_MANY, FETCH_BYTES_MAX, REQUEST_ARRIVAL_MAX};
use crate::now::Mono;
use crate::watched::ClientMetrics;
use bytes::BytesMut;
use rust_mq_proto::kafka::Writer;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One whole request, taken up.
#[derive(Debug)]
pub struct Request {
    /// Where its answer goes: exactly one `answer` or `silence`, in any order with others.
    pub slot: Slot,
    /// The request without its length.
    pub bytes: BytesMut,
    /// Size of the buffer that `bytes` keeps alive: copy what stays and is not most of it.
    pub buffer_bytes: usize,
}

/// All clients' links.
#[derive(Debug, Default)]
pub struct Connections {
    links: BTreeMap<LinkId, Connection>,
    touched: Vec<LinkId>,
    ready: VecDeque<LinkId>,
    starved: Starved,
    alarms: BTreeSet<(Mono, LinkId)>,
    notices: Vec<Notice>,
    gone: Vec<LinkId>,
    writers: Writers,
    rejected: u64,
    received_bytes: u64,
    sent_bytes: u64,
}

impl Connections {
    /// A client has connected. The next flush gives it credit.
    pub fn opened(&mut self, link: LinkId, client: Client, now: Mono, budget: &Budget) {
        let connection = Connection::new(client, now, budget.request_bytes_max());
        let before = self.links.insert(link, connection);
        assert!(before.is_none(), "a link opens once");
        self.touch(link);
    }

    /// Bytes arrived. Take the requests with `next_request`.
    pub fn received(&mut self, link: LinkId, bytes: BytesMut, now: Mono, budget: &mut Budget) {
        if let Some(connection) = self.links.get_mut(&link)
            && !connection.is_closing()
        {
            let before = connection.charged_credit_bytes(budget.least_credit_bytes());
            budget.charge(Purpose::Requests, bytes.len());
            self.received_bytes += bytes.len() as u64;
            connection.arrive(bytes, now);
            let after = connection.charged_credit_bytes(budget.least_credit_bytes());
            budget.give_back(Purpose::Credit, before - after);
            touch(&mut self.touched, link, connection);
        }
    }

    /// The next request of this link, if one is whole and may be taken up. A length that cannot be ends the
    /// link.
    pub fn next_request(&mut self, link: LinkId, now: Mono, budget: &mut Budget) -> Option<Request> {
        let connection = self.links.get_mut(&link).filter(|_| budget.has_work_room())?;
        match connection.take() {
            Ok(None) => None,
            Ok(Some((bytes, buffer_bytes))) => {
                let slot = connection.slots.open(PREFIX_BYTES + bytes.len());
                Some(Request { slot, bytes, buffer_bytes })
            }
            Err(bad) => {
                self.reject(link, bad.to_string(), now, budget);
                None
            }
        }
    }

    /// No request of this link is taken up until it is released: an earlier one is not finished.
    pub fn hold(&mut self, link: LinkId) {
        if let Some(connection) = self.links.get_mut(&link) {
            connection.is_held = true;
        }
    }

    /// Its requests may be taken up again.
    pub fn release(&mut self, link: LinkId) {
        if let Some(connection) = self.links.get_mut(&link) {
            connection.is_held = false;
            touch(&mut self.touched, link, connection);
        }
    }

    /// A link whose requests were held back and can be taken up now. `next_deadline` is in the past while
    /// there is one.
    pub fn next_ready(&mut self, budget: &Budget) -> Option<LinkId> {
        while budget.has_work_room()
            && let Some(link) = self.ready.pop_front()
        {
            if let Some(connection) = self.links.get_mut(&link) {
                connection.is_listed_ready = false;
                if connection.is_ready() {
                    touch(&mut self.touched, link, connection);
                    return Some(link);
                }
            }
        }
        None
    }

    /// Answers a request: `fill` writes one whole response, its length included (`write_response`), straight
    /// into what leaves with the next flush if all earlier ones were answered. Not called if the link is gone.
    pub fn answer(&mut self, link: LinkId, slot: Slot, budget: &mut Budget, fill: impl FnOnce(&mut Writer)) {
        if let Some(connection) = self.links.get_mut(&link)
            && !connection.is_closing()
        {
            let before = connection.unsent_bytes();
            let request = connection.slots.answer(slot, &mut connection.out, &mut self.writers, fill);
            budget.give_back(Purpose::Requests, request);
            budget.charge(Purpose::Answers, connection.unsent_bytes() - before);
            touch(&mut self.touched, link, connection);
        }
    }

    /// Settles a request that gets no answer (Produce with acks=0).
    pub fn silence(&mut self, link: LinkId, slot: Slot, budget: &mut Budget) {
        self.answer(link, slot, budget, |_| {});
    }

    /// Ends a link whose client broke the protocol: what was answered before still leaves, nothing else is
    /// read or said (Kafka closes without an answer too).
    pub fn reject(&mut self, link: LinkId, reason: String, now: Mono, budget: &mut Budget) {
        if self.links.get(&link).is_some_and(|connection| !connection.is_closing()) {
            self.notices.push(Notice::Rejected { link, reason });
            self.rejected += 1;
            self.begin_close(link, now, budget);
        }
    }

    /// Ends a link whose client has done nothing wrong: it is to try another node.
    pub fn send_away(&mut self, link: LinkId, now: Mono, budget: &mut Budget) {
        if self.links.get(&link).is_some_and(|connection| !connection.is_closing()) {
            self.begin_close(link, now, budget);
        }
    }

    /// Bytes left the driver's buffer.
    pub fn sent(&mut self, link: LinkId, bytes: u64, now: Mono, budget: &mut Budget) {
        if let Some(connection) = self.links.get_mut(&link) {
            self.sent_bytes += bytes;
            let before = connection.unread_bytes();
            let is_free = connection.sent(bytes, now);
            budget.give_back(Purpose::Answers, (before - connection.unread_bytes()) as usize);
            if is_free {
                touch(&mut self.touched, link, connection);
            }
        }
    }

    /// The link is gone.
    pub fn closed(&mut self, link: LinkId, budget: &mut Budget) {
        if let Some(mut connection) = self.links.remove(&link) {
            self.starved.remove(&mut connection);
            give_back_intake(&connection, budget);
            budget.give_back(Purpose::Answers, connection.waiting_bytes() as usize);
            if let Some(alarm) = connection.alarm {
                self.alarms.remove(&(alarm, link));
            }
            self.gone.push(link);
        }
    }

    /// Links that are gone since this was asked.
    pub fn take_gone(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.gone)
    }

    /// Ends the links whose deadline has passed.
    pub fn woke(&mut self, now: Mono, budget: &mut Budget, actions: &mut Vec<Action>) {
        let is_crowded = self.links.len() >= CONNECTIONS_MANY;
        while let Some((at, link)) = self.alarms.first().copied()
            && at <= now
        {
            self.alarms.pop_first();
            let connection = self.links.get_mut(&link).expect("an alarm goes with its link");
            connection.alarm = None;
            let pressure = Pressure {
                on_intake: is_crowded || !budget.has_room(),
                on_work: is_crowded || !budget.has_work_room(),
            };
            match connection.deadline() {
                Some((at, overdue)) if at <= now && connection.loses_patience(overdue, pressure, now) => {
                    self.overdue(link, overdue, now, budget, actions);
                }
                _ => set_alarm(&mut self.alarms, link, connection),
            }
        }
    }

    /// Ends a turn: what was answered leaves, credit is given, deadlines are set.
    pub fn flush(&mut self, now: Mono, budget: &mut Budget, actions: &mut Vec<Action>) {
        actions.extend(self.notices.drain(..).map(Action::Note));
        let mut touched = std::mem::take(&mut self.touched);
        for link in touched.drain(..) {
            self.flush_link(link, now, budget, actions);
        }
        self.touched = touched;
        self.feed_starved(now, budget, actions);
    }

    /// When `woke` must be called at the latest; in the past while requests that are here can be taken up.
    pub fn next_deadline(&self, budget: &Budget) -> Option<Mono> {
        let can_go_on = !self.ready.is_empty() && budget.has_work_room();
        if can_go_on { Some(Mono::default()) } else { self.alarms.first().map(|(at, _)| *at) }
    }

    /// Who is at the other end.
    pub fn client(&self, link: LinkId) -> Option<&Client> {
        self.links.get(&link).map(|connection| &connection.client)
    }

    /// The same, to be changed.
    pub fn client_mut(&mut self, link: LinkId) -> Option<&mut Client> {
        self.links.get_mut(&link).map(|connection| &mut connection.client)
    }

    /// How large an answer may be so that the bytes waiting for the client stay bounded: anything if none
    /// wait and all earlier requests are answered, but no more than half of what the budget has left. For
    /// requests whose answer can be cut (Fetch); the least such an answer can be is sent in any case.
    pub fn answer_bytes_max(&self, link: LinkId, slot: Slot, budget: &Budget) -> usize {
        let Some(connection) = self.links.get(&link) else { return 0 };
        let most = match connection.waiting_bytes() {
            0 if connection.slots.is_front(slot) => FETCH_BYTES_MAX,
            waiting => (CONNECTION_UNREAD_BYTES_MAX as u64).saturating_sub(waiting) as usize,
        };
        most.min(usize::try_from(budget.work_room_bytes() / 2).unwrap_or(usize::MAX))
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// What was counted, but for the requests that wait.
    pub fn counted(&self) -> ClientMetrics {
        ClientMetrics {
            links: self.links.len() as u64,
            waiting: 0,
            rejected: self.rejected,
            received_bytes: self.received_bytes,
            sent_bytes: self.sent_bytes,
        }
    }

    /// How many links wait for the budget, and how often one has begun to.
    pub fn starved(&self) -> (u64, u64) {
        self.starved.counted()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    fn touch(&mut self, link: LinkId) {
        if let Some(connection) = self.links.get_mut(&link) {
            touch(&mut self.touched, link, connection);
        }
    }

    fn begin_close(&mut self, link: LinkId, now: Mono, budget: &mut Budget) {
        if let Some(connection) = self.links.get_mut(&link) {
            give_back_intake(connection, budget);
            budget.give_back(Purpose::Answers, connection.slots.answer_bytes());
            connection.begin_close(now);
            touch(&mut self.touched, link, connection);
        }
    }

    fn overdue(
        &mut self,
        link: LinkId,
        overdue: Overdue,
        now: Mono,
        budget: &mut Budget,
        actions: &mut Vec<Action>,
    ) {
        match overdue {
            Overdue::Idle => self.begin_close(link, now, budget),
            Overdue::HalfRequest => {
                let reason = format!("half a request for {} s", REQUEST_ARRIVAL_MAX.as_secs());
                self.reject(link, reason, now, budget);
            }
            Overdue::Unread => {
                actions.push(Action::Note(Notice::Rejected { link, reason: "reads no answer".into() }));
                self.rejected += 1;
                actions.push(Action::Abort { link });
                self.closed(link, budget);
            }
        }
    }

    fn flush_link(&mut self, link: LinkId, now: Mono, budget: &mut Budget, actions: &mut Vec<Action>) {
        let Some(connection) = self.links.get_mut(&link) else { return };
        connection.is_touched = false;
        if let Some(parts) = connection.flush(now, &mut self.writers) {
            actions.push(Action::Send { link, parts });
        }
        if connection.is_closing() {
            // Once: nothing touches a closing link again but its deadline, which aborts it.
            actions.push(Action::Close { link });
        }
        if connection.is_ready() && !connection.is_listed_ready {
            connection.is_listed_ready = true;
            self.ready.push_back(link);
        }
        connection.unpin();
        connection.watch_half(now);
        let bytes = self.starved.credit_for(link, connection, budget);
        give_credit(link, connection, bytes, now, budget, actions);
        set_alarm(&mut self.alarms, link, connection);
    }

    /// Gives credit to those that wait for the budget, in turn, as far as it goes.
    fn feed_starved(&mut self, now: Mono, budget: &mut Budget, actions: &mut Vec<Action>) {
        while let Some(link) = self.starved.next(budget, &self.links) {
            let connection = self.links.get_mut(&link).expect("a link that is gone waits for nothing");
            let bytes = self.starved.served(link, connection, budget);
            give_credit(link, connection, bytes, now, budget, actions);
            set_alarm(&mut self.alarms, link, connection);
        }
    }
}

/// Gives a link credit, and charges what is beyond the least.
fn give_credit(
    link: LinkId,
    connection: &mut Connection,
    bytes: usize,
    now: Mono,
    budget: &mut Budget,
    actions: &mut Vec<Action>,
) {
    if bytes > 0 {
        let least = budget.least_credit_bytes();
        let before = connection.charged_credit_bytes(least);
        connection.give_credit(bytes, now);
        budget.charge(Purpose::Credit, connection.charged_credit_bytes(least) - before);
        actions.push(Action::Allow { link, bytes: bytes as u64 });
    }
}

/// What a link has brought and may bring is not awaited any more.
fn give_back_intake(connection: &Connection, budget: &mut Budget) {
    budget.give_back(Purpose::Requests, connection.held_bytes());
    budget.give_back(Purpose::Credit, connection.charged_credit_bytes(budget.least_credit_bytes()));
}

fn touch(touched: &mut Vec<LinkId>, link: LinkId, connection: &mut Connection) {
    if !connection.is_touched {
        connection.is_touched = true;
        touched.push(link);
    }
}

/// Moves the alarm only when it would ring too late: one that rings early is set anew, and moving it at every
/// request would cost more than the request.
fn set_alarm(alarms: &mut BTreeSet<(Mono, LinkId)>, link: LinkId, connection: &mut Connection) {
    let Some((at, _)) = connection.deadline() else { return };
    if connection.alarm.is_some_and(|alarm| alarm <= at) {
        return;
    }
    if let Some(alarm) = connection.alarm.replace(at) {
        alarms.remove(&(alarm, link));
    }
    alarms.insert((at, link));
}
