//! The desk: takes requests up, keeps those that wait in one table, and answers them.
//!
//! Each that waits is known by a [`Waiter`] that the rooms below carry without knowing what it is, and has a deadline.
//! What usually ends by it, a long poll, has its own place in the queue (`wait_until`); all others usually end long
//! before, and a place each would outlive them by far: they share one, that of the earliest of them, or later by at most
//! `limits::SWEEP` (`wait`).
//!
//! - Invariant: every request taken is answered, silenced (acks=0) or its link rejected, exactly once.
//! - Invariant: what a request has become is charged from its decoding until it leaves the desk, whatever for.
//! - Invariant: whatever waits has a deadline, and leaves the table with its answer.

use super::origin::{Caller, Format, Origin};
use super::waiting::{Vain, Waiting};
use super::{
    api_versions, create_topics, delete_topics, early, fetch, handle, init_producer_id, leaders,
    list_offsets, metadata, produce,
};
use crate::connection::{Purpose, Request as Taken};
use crate::ids::LinkId;
use crate::limits::{DECODED_TIMES, SWEEP};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::{News, Node};
use crate::now::{Mono, Now};
use crate::resident;
use crate::storage::{Chunk, ReadFault, ReadId};
use crate::timer::Deadlines;
use rust_mq_proto::kafka::api::{ApiKey, RequestBody};
use rust_mq_proto::kafka::{Reader, RequestStart, Response, write_response};
use std::collections::{BTreeMap, VecDeque};

/// Everything that waits for an answer.
#[derive(Default)]
pub struct Desk {
    next_waiter: u64,
    table: BTreeMap<Waiter, Place>,
    deadlines: Deadlines<Due>,
    /// When all are looked at next.
    sweep_at: Option<Mono>,
    /// Cold reads, and who waits for each: those who ask for the same share one.
    pub(super) reads: BTreeMap<ReadId, Vec<Waiter>>,
    /// Those that wait for leaders.
    pub(super) awaiting_leaders: Vec<Waiter>,
    /// Those that came too early, in order.
    pub(super) early: VecDeque<Waiter>,
    pub(super) fetches: fetch::Parked,
    pub(super) producer_ids: init_producer_id::Block,
    /// Topics that Metadata requests are making on the way.
    pub(super) auto_creations: usize,
}

/// The deadline of what waits as long as it takes.
pub(super) const NEVER: Mono = Mono(u64::MAX);

/// A place in the table.
struct Place {
    until: Mono,
    waiting: Waiting,
}

/// Whose time is up, if it still waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// One that waits.
    One(Waiter),
    /// Some, perhaps.
    Some,
}

impl Desk {
    /// Takes up one request of a client.
    pub fn take(&mut self, node: &mut Node, now: Now, link: LinkId, taken: Taken) {
        if let Err(reason) = self.read(node, now, link, taken) {
            node.connections.reject(link, reason, now.mono, &mut node.budget);
        }
    }

    fn read(&mut self, node: &mut Node, now: Now, link: LinkId, taken: Taken) -> Result<(), String> {
        if node.sends_clients_away() {
            node.connections.send_away(link, now.mono, &mut node.budget);
            return Ok(());
        }
        let buffer_bytes = taken.buffer_bytes;
        let decoded_bytes_max = node.budget.decoded_bytes_max();
        let mut reader = Reader::new(taken.bytes, decoded_bytes_max);
        let start = RequestStart::read(&mut reader).map_err(|error| format!("no request header: {error}"))?;
        let version = start.api_version;
        let key =
            ApiKey::parse(start.api_key).ok_or_else(|| format!("API key {} is not served", start.api_key))?;
        let format = Format { version, correlation_id: start.correlation_id };
        let caller = Caller { link };
        let mut origin = Origin { caller, slot: taken.slot, format, buffer_bytes, held_bytes: 0 };
        if !key.versions().contains(version) {
            if key == ApiKey::ApiVersions {
                api_versions::answer_unknown_version(self, node, origin);
                return Ok(());
            }
            return Err(format!("{key} version {version} is not served"));
        }
        let unreadable = |error| format!("unreadable {key} version {version}: {error}");
        start.read_client_id(&mut reader, key.api()).map_err(unreadable)?;
        let body = RequestBody::decode(key, version, &mut reader).map_err(unreadable)?;
        let decoded_bytes = decoded_bytes_max - reader.budget_left_bytes();
        // Records of a request that is held back keep all of its buffer.
        let kept_bytes = if node.is_open() { 0 } else { buffer_bytes };
        origin.held_bytes = decoded_bytes * DECODED_TIMES + kept_bytes;
        node.budget.charge(Purpose::Decoded, origin.held_bytes);
        if let Some(body) = early::hold(self, node, now, origin, body) {
            self.handle(node, now, origin, body);
        }
        Ok(())
    }

    /// Does what a request asks; one that makes no sense ends its link.
    pub(super) fn handle(&mut self, node: &mut Node, now: Now, origin: Origin, body: RequestBody) {
        if let Err(reason) = handle(self, node, now, origin, body) {
            self.reject(node, now, origin, reason);
        }
    }

    /// Takes up what came too early and need not wait any longer. If it waits in vain, whoever asked is sent elsewhere.
    pub fn take_early(&mut self, node: &mut Node, now: Now) {
        if !self.early.is_empty() {
            early::take(self, node, now);
        }
    }

    /// Whether [`Desk::take_early`] has something to take up.
    pub fn has_early(&self, node: &Node) -> bool {
        early::has_ripe(self, node)
    }

    /// Answers whatever this turn's news make answerable.
    pub fn settle(&mut self, node: &mut Node, now: Now) {
        if !node.has_news() && self.awaiting_leaders.is_empty() {
            return;
        }
        let News { mut settled, replied, mut woken, read, confirmed, is_leader_changed: _ } =
            node.take_news();
        for (waiter, reply) in replied {
            self.replied(node, now, waiter, reply);
        }
        for settled in settled.drain(..) {
            produce::settled(self, node, settled);
        }
        for (id, result) in read {
            for waiter in self.reads.remove(&id).unwrap_or_default() {
                self.read_done(node, now, waiter, id, result.clone());
            }
        }
        for (waiter, is_leading) in confirmed {
            list_offsets::confirmed(self, node, waiter, is_leading);
        }
        woken.sort_unstable();
        woken.dedup();
        for waiter in woken.drain(..) {
            fetch::look_again(self, node, now, waiter);
        }
        leaders::look(self, node);
        // The vectors go back, so that their room is used again next turn.
        node.reuse(settled, woken);
    }

    /// Ends whatever has waited long enough.
    pub fn woke(&mut self, node: &mut Node, now: Now) {
        while let Some(due) = self.deadlines.pop_due(now.mono) {
            match due {
                Due::One(waiter) => self.end_late(node, now, vec![waiter]),
                Due::Some => self.sweep(node, now),
            }
        }
    }

    /// How many requests wait for something, and parts of them: for the simulator's bounds.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.deadlines.next()
    }

    /// Fetches whose time is up although they wait for nothing else.
    #[cfg(feature = "simulation")]
    pub fn overdue_fetches(&self, now: Mono) -> usize {
        self.parked_fetches().filter(|pending| pending.is_overdue(now)).count()
    }

    /// Parked fetches that want no more than a byte although there are records for them.
    #[cfg(feature = "simulation")]
    pub fn unwoken_fetches(&self, node: &Node) -> usize {
        self.parked_fetches().filter(|pending| pending.is_unwoken(node)).count()
    }

    #[cfg(feature = "simulation")]
    fn parked_fetches(&self) -> impl Iterator<Item = &fetch::Pending> {
        self.table.values().filter_map(|place| match &place.waiting {
            Waiting::Fetch(pending) => Some(&**pending),
            _ => None,
        })
    }

    /// The node is about to stop: parked fetches are answered with what there is, others when the disk has answered.
    pub fn stop(&mut self, node: &mut Node, now: Now) {
        let is_parked =
            |place: &Place| matches!(&place.waiting, Waiting::Fetch(pending) if !pending.is_reading());
        for waiter in self.those(is_parked) {
            self.end(node, now, waiter, Vain::TooLate);
        }
    }

    /// The node stops, and will not learn any more what is waited for: whoever waits is told so.
    pub fn give_up(&mut self, node: &mut Node, now: Now) {
        for waiter in self.those(|_| true) {
            self.end(node, now, waiter, Vain::GivenUp);
        }
    }

    /// Whether nothing waits for a commit, or for records.
    pub fn is_quiet(&self) -> bool {
        let is_awaited = |place: &Place| matches!(place.waiting, Waiting::Produce(_) | Waiting::Fetch(_));
        !self.table.values().any(is_awaited)
    }

    /// The number of the next that waits.
    pub(super) fn waiter(&mut self) -> Waiter {
        self.next_waiter += 1;
        Waiter(self.next_waiter)
    }

    /// Lets it wait until then, or `limits::SWEEP` longer.
    pub(super) fn wait(&mut self, now: Now, waiter: Waiter, until: Mono, waiting: Waiting) {
        self.put(waiter, until, waiting);
        self.sweep_after(until.max(now.mono + SWEEP));
    }

    /// Lets it wait until then: exactly, which costs a place in the queue until then.
    pub(super) fn wait_until(&mut self, waiter: Waiter, until: Mono, waiting: Waiting) {
        self.put(waiter, until, waiting);
        self.deadlines.arm(until, Due::One(waiter));
    }

    /// Puts it in the table; its deadline is in the queue.
    pub(super) fn put(&mut self, waiter: Waiter, until: Mono, waiting: Waiting) {
        let before = self.table.insert(waiter, Place { until, waiting });
        assert!(before.is_none(), "one waiter waits once");
    }

    /// One that waits, to be gone on with.
    pub(super) fn waiting_mut(&mut self, waiter: Waiter) -> Option<&mut Waiting> {
        self.table.get_mut(&waiter).map(|place| &mut place.waiting)
    }

    /// One that waits.
    pub(super) fn waiting(&self, waiter: Waiter) -> Option<&Waiting> {
        self.table.get(&waiter).map(|place| &place.waiting)
    }

    /// Takes one out of the table.
    pub(super) fn take_out(&mut self, waiter: Waiter) -> Option<Waiting> {
        self.table.remove(&waiter).map(|place| place.waiting)
    }

    fn sweep_after(&mut self, at: Mono) {
        if at < NEVER && self.sweep_at.is_none_or(|next| at < next) {
            self.sweep_at = Some(at);
            self.deadlines.arm(at, Due::Some);
        }
    }

    fn sweep(&mut self, node: &mut Node, now: Now) {
        // An earlier place in the queue has taken this one's over.
        if self.sweep_at.is_none_or(|at| at > now.mono) {
            return;
        }
        self.sweep_at = None;
        let late = self.those(|place| place.until <= now.mono);
        self.end_late(node, now, late);
        if let Some(until) = self.table.values().map(|place| place.until).min() {
            self.sweep_after(until.max(now.mono + SWEEP));
        }
    }

    fn those(&self, are_meant: impl Fn(&Place) -> bool) -> Vec<Waiter> {
        self.table.iter().filter(|(_, place)| are_meant(place)).map(|(waiter, _)| *waiter).collect()
    }

    /// Ends those of them that still wait, and for too long.
    fn end_late(&mut self, node: &mut Node, now: Now, waiters: Vec<Waiter>) {
        for waiter in waiters {
            if self.table.get(&waiter).is_some_and(|place| place.until <= now.mono) {
                self.end(node, now, waiter, Vain::TooLate);
            }
        }
    }

    /// Ends one, if it waits still.
    fn end(&mut self, node: &mut Node, now: Now, waiter: Waiter, vain: Vain) {
        if let Some(waiting) = self.take_out(waiter) {
            waiting.end(self, node, now, waiter, vain);
        }
    }

    fn replied(&mut self, node: &mut Node, now: Now, waiter: Waiter, reply: resident::Reply) {
        let resident::Reply::Metadata(reply) = reply;
        match self.take_out(waiter) {
            Some(Waiting::CreateTopics(pending)) => create_topics::replied(self, node, now, pending, reply),
            Some(Waiting::DeleteTopics(pending)) => delete_topics::replied(self, node, pending, reply),
            Some(Waiting::AutoCreate(pending)) => metadata::replied(self, now, pending, reply),
            Some(Waiting::ProducerIds) => init_producer_id::replied(self, node, now, &reply),
            // It has been ended meanwhile.
            None => {}
            Some(_) => unreachable!("a machine replies to those who asked it"),
        }
    }

    fn read_done(
        &mut self,
        node: &mut Node,
        now: Now,
        waiter: Waiter,
        id: ReadId,
        result: Result<Chunk, ReadFault>,
    ) {
        if matches!(self.waiting(waiter), Some(Waiting::Fetch(_))) {
            fetch::read_done(self, node, now, waiter, id, result);
        } else {
            list_offsets::read_done(self, node, now, waiter, result);
        }
    }

    /// Answers.
    pub(super) fn answer<R: Response>(&mut self, node: &mut Node, origin: Origin, body: &R) {
        self.leaves(node, origin);
        let Format { version, correlation_id } = origin.format;
        node.connections.answer(origin.caller.link, origin.slot, &mut node.budget, |writer| {
            write_response(writer, version, correlation_id, body);
        });
    }

    /// Ends a request that gets no answer.
    pub(super) fn silence(&mut self, node: &mut Node, origin: Origin) {
        self.leaves(node, origin);
        node.connections.silence(origin.caller.link, origin.slot, &mut node.budget);
    }

    /// Ends a request with its link.
    pub(super) fn reject(&mut self, node: &mut Node, now: Now, origin: Origin, reason: String) {
        self.leaves(node, origin);
        node.connections.reject(origin.caller.link, reason, now.mono, &mut node.budget);
    }

    /// Of a request that waits now no more than so many bytes are kept: what it was decoded to is gone.
    pub(super) fn keeps(node: &mut Node, origin: &mut Origin, bytes: usize) {
        let freed = origin.held_bytes.saturating_sub(bytes);
        node.budget.give_back(Purpose::Decoded, freed);
        origin.held_bytes -= freed;
    }

    /// A request leaves the desk, whether its client is still there or not.
    pub(super) fn leaves(&mut self, node: &mut Node, origin: Origin) {
        let is_gone = node.connections.client(origin.caller.link).is_none();
        if !(is_gone && node.is_planted(Mutant::BudgetNotGivenBack)) {
            node.budget.give_back(Purpose::Decoded, origin.held_bytes);
        }
    }
}
