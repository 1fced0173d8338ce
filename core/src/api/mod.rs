//! Kafka's APIs: one handler file each, named as in `proto/src/kafka/api`. A handler reads the request, asks the
//! node, and answers at once or parks what it still needs at the desk.
//!
//! [`Desk`] owns what waits: requests whose answer hangs on a commit, a read, another node, or time. Each is
//! known by a [`Waiter`] that the rooms below carry without knowing what it is.
//!
//! A request costs no more than n log n in its size: what it names it names once (`named`), what is decompressed for it
//! is bounded (`allowance`), and whoever waits is found by what it waits for. `rust-mq-bench instructions` attacks
//! this.
//!
//! - Invariant: every request taken is answered, silenced (acks=0) or its link rejected, exactly once.
//! - Invariant: what a request has become is charged from its decoding until it leaves the desk, whatever for.
//! - Invariant: a waiter is in at most one of the desk's tables, and leaves it with its answer.
//!
//! To serve another API: describe it in `proto`, write its file here, add its arm to `handle`.
//!
//! Sources: reliability of answers to unparsable requests is Kafka's own: the link is closed without one
//! (`Processor.parseRequestHeader`), ApiVersions excepted (KIP-511).

mod addresses;
mod allowance;
mod api_versions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod early;
mod fetch;
mod fetch_partition;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod named;
mod offset_for_leader_epoch;
mod operations;
mod produce;

use crate::connection::{Purpose, Request as Taken, Slot};
use crate::ids::{LinkId, TopicId};
use crate::limits::{DECODED_TIMES, LEADERS_AWAITED_MAX, SWEEP};
use crate::machine::Waiter;
use crate::metadata::Reply;
use crate::mutant::Mutant;
use crate::node::{News, Node};
use crate::now::{Mono, Now, earliest};
use crate::resident;
use crate::storage::{Chunk, ReadFault, ReadId};
use crate::timer::Deadlines;
use rust_mq_proto::kafka::api::{ApiKey, RequestBody};
use rust_mq_proto::kafka::{Reader, RequestStart, Response, write_response};
use std::collections::BTreeMap;

/// Everything that waits for an answer.
#[derive(Default)]
pub struct Desk {
    next_waiter: u64,
    produces: BTreeMap<Waiter, produce::Pending>,
    fetches: BTreeMap<Waiter, fetch::Pending>,
    parked_parts: usize,
    /// Cold reads, and who waits for each: those who ask for the same share one.
    reads: BTreeMap<ReadId, Vec<Waiter>>,
    offsets: BTreeMap<Waiter, list_offsets::Pending>,
    asked: BTreeMap<Waiter, Asked>,
    awaiting_leaders: Vec<AwaitingLeaders>,
    producer_ids: init_producer_id::Block,
    /// Topics that Metadata requests are making on the way.
    auto_creations: usize,
    early: early::Early,
    deadlines: Deadlines<Waiter>,
    sweep_at: Option<Mono>,
}

/// Where a request came from, and how its answer is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub link: LinkId,
    slot: Slot,
    pub version: i16,
    correlation_id: i32,
    /// Size of the buffer that the request came in: what keeps a part of the request keeps all of it.
    buffer_bytes: usize,
    /// What is charged for it while it is at the desk.
    held_bytes: usize,
}

/// A request that the metadata machine decides.
enum Asked {
    Create(create_topics::Pending),
    Delete(delete_topics::Pending),
    AutoCreate(metadata::Pending),
    ProducerIds,
}

/// A request about new topics that waits, a bounded time, until they have leaders: a client that is told of a
/// topic that cannot take records yet would only ask again after a pause of its own.
struct AwaitingLeaders {
    /// The last of them is looked at next.
    topics: Vec<TopicId>,
    /// How many partitions of that one had leaders when they were looked at.
    led: usize,
    until: Mono,
    then: Then,
}

impl AwaitingLeaders {
    fn new(topics: Vec<TopicId>, now: Now, then: Then) -> AwaitingLeaders {
        AwaitingLeaders { topics, led: 0, until: now.mono + LEADERS_AWAITED_MAX, then }
    }

    /// Whether all partitions have leaders. Each is looked at until it has one, and then no more: a turn that
    /// brings no leader costs one look-up.
    fn have_leaders(&mut self, node: &Node) -> bool {
        while let Some(topic) = self.topics.last() {
            self.led = node.led_from(*topic, self.led);
            if self.led < node.partition_count(*topic) {
                return false;
            }
            self.topics.pop();
            self.led = 0;
        }
        true
    }
}

enum Then {
    Created(create_topics::Pending, Reply),
    Metadata(metadata::Pending),
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
        let correlation_id = start.correlation_id;
        let mut origin =
            Origin { link, slot: taken.slot, version, correlation_id, buffer_bytes, held_bytes: 0 };
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
        if let Some(body) = self.early.hold(node, now, origin, body)
            && let Err(reason) = self.handle(node, now, origin, body)
        {
            self.reject(node, now, origin, reason);
        }
        Ok(())
    }

    /// Takes up what came too early and need not wait any longer. If it waits in vain, whoever asked is sent elsewhere.
    pub fn take_early(&mut self, node: &mut Node, now: Now) {
        if self.early.is_empty() {
            return;
        }
        if node.sends_clients_away() {
            for origin in self.early.take_all() {
                self.leaves(node, origin);
                node.connections.send_away(origin.link, now.mono, &mut node.budget);
            }
        }
        for (origin, taken) in self.early.take(node, now) {
            if let Err(reason) = taken.and_then(|body| self.handle(node, now, origin, body)) {
                self.reject(node, now, origin, reason);
            }
        }
    }

    /// Whether [`Desk::take_early`] has something to take up.
    pub fn has_early(&self, node: &Node) -> bool {
        self.early.has_ripe(node)
    }

    fn handle(&mut self, node: &mut Node, now: Now, origin: Origin, body: RequestBody) -> Result<(), String> {
        match body {
            RequestBody::Produce(request) => produce::handle(self, node, now, origin, request),
            RequestBody::Fetch(request) => return fetch::handle(self, node, now, origin, request),
            RequestBody::ListOffsets(request) => list_offsets::handle(self, node, origin, request),
            RequestBody::Metadata(request) => return metadata::handle(self, node, now, origin, request),
            RequestBody::ApiVersions(request) => api_versions::handle(self, node, origin, &request),
            RequestBody::CreateTopics(request) => create_topics::handle(self, node, now, origin, request),
            RequestBody::DeleteTopics(request) => delete_topics::handle(self, node, now, origin, request),
            RequestBody::InitProducerId(request) => {
                init_producer_id::handle(self, node, now, origin, &request)
            }
            RequestBody::OffsetForLeaderEpoch(request) => {
                offset_for_leader_epoch::handle(self, node, origin, request)
            }
            RequestBody::DescribeCluster(request) => describe_cluster::handle(self, node, origin, &request),
        }
        Ok(())
    }

    /// Answers whatever this turn's news make answerable, and whoever has waited long enough.
    pub fn settle(&mut self, node: &mut Node, now: Now) {
        if !node.has_news() && self.awaiting_leaders.is_empty() {
            return;
        }
        let News { mut settled, replied, mut woken, read, confirmed, is_leader_changed } = node.take_news();
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
        if is_leader_changed || !self.awaiting_leaders.is_empty() {
            self.look_for_leaders(node, now);
        }
        // The vectors go back, so that their room is used again next turn.
        node.reuse(settled, woken);
    }

    /// Whoever has waited long enough.
    pub fn woke(&mut self, node: &mut Node, now: Now) {
        while let Some(waiter) = self.deadlines.pop_due(now.mono) {
            fetch::timed_out(self, node, now, waiter);
        }
        if self.sweep_at.is_some_and(|at| at <= now.mono) {
            self.sweep_at = None;
            produce::sweep(self, node, now);
        }
        self.look_for_leaders(node, now);
    }

    /// Requests that wait for something: for the simulator's bounds.
    pub fn waiting(&self) -> usize {
        let parked = self.produces.len() + self.fetches.len() + self.offsets.len() + self.asked.len();
        parked + self.awaiting_leaders.len() + self.early.len()
    }

    /// When `woke` has something to do.
    pub fn next_deadline(&self) -> Option<Mono> {
        let leaders = self.awaiting_leaders.iter().map(|waiting| waiting.until).min();
        earliest([self.deadlines.next(), self.sweep_at, leaders, self.early.next_deadline()])
    }

    /// Fetches whose time is up although they wait for nothing else.
    #[cfg(feature = "simulation")]
    pub fn overdue_fetches(&self, now: Mono) -> usize {
        self.fetches.values().filter(|pending| pending.is_overdue(now)).count()
    }

    /// Parked fetches that want no more than a byte although there are records for them.
    #[cfg(feature = "simulation")]
    pub fn unwoken_fetches(&self, node: &Node) -> usize {
        self.fetches.values().filter(|pending| pending.is_unwoken(node)).count()
    }

    /// The node is about to stop: parked fetches are answered with what there is.
    pub fn stop(&mut self, node: &mut Node, now: Now) {
        let waiting: Vec<Waiter> = self.fetches.keys().copied().collect();
        for waiter in waiting {
            fetch::timed_out(self, node, now, waiter);
        }
    }

    /// The node stops, and will not learn any more what is waited for: whoever waits is told so.
    pub fn give_up(&mut self, node: &mut Node, now: Now) {
        produce::give_up(self, node);
        fetch::give_up(self, node);
        list_offsets::give_up(self, node);
        for waiter in self.asked.keys().copied().collect::<Vec<_>>() {
            self.replied(node, now, waiter, Reply::NotController.into());
        }
        self.awaiting_leaders.iter_mut().for_each(|waiting| waiting.until = now.mono);
        self.look_for_leaders(node, now);
    }

    /// Whether nothing waits for a commit.
    pub fn is_quiet(&self) -> bool {
        self.produces.is_empty() && self.fetches.is_empty()
    }

    fn replied(&mut self, node: &mut Node, now: Now, waiter: Waiter, reply: resident::Reply) {
        let resident::Reply::Metadata(reply) = reply;
        match self.asked.remove(&waiter) {
            Some(Asked::Create(pending)) => create_topics::replied(self, node, now, pending, reply),
            Some(Asked::Delete(pending)) => delete_topics::replied(self, node, pending, reply),
            Some(Asked::AutoCreate(pending)) => metadata::replied(self, now, pending, reply),
            Some(Asked::ProducerIds) => init_producer_id::replied(self, node, now, &reply),
            None => {}
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
        if self.fetches.contains_key(&waiter) {
            fetch::read_done(self, node, now, waiter, id, result);
        } else {
            list_offsets::read_done(self, node, waiter, id, result);
        }
    }

    fn look_for_leaders(&mut self, node: &mut Node, now: Now) {
        let waiting = std::mem::take(&mut self.awaiting_leaders);
        for mut waiting in waiting {
            if waiting.until > now.mono && !waiting.have_leaders(node) {
                self.awaiting_leaders.push(waiting);
                continue;
            }
            match waiting.then {
                Then::Created(pending, reply) => create_topics::answer(self, node, pending, reply),
                Then::Metadata(pending) => metadata::answer(self, node, &pending),
            }
        }
    }

    fn waiter(&mut self) -> Waiter {
        self.next_waiter += 1;
        Waiter(self.next_waiter)
    }

    fn sweep_soon(&mut self, now: Now) {
        self.sweep_at.get_or_insert(now.mono + SWEEP);
    }

    fn answer<R: Response>(&mut self, node: &mut Node, origin: Origin, body: &R) {
        self.leaves(node, origin);
        node.connections.answer(origin.link, origin.slot, &mut node.budget, |writer| {
            write_response(writer, origin.version, origin.correlation_id, body);
        });
    }

    fn silence(&mut self, node: &mut Node, origin: Origin) {
        self.leaves(node, origin);
        node.connections.silence(origin.link, origin.slot, &mut node.budget);
    }

    fn reject(&mut self, node: &mut Node, now: Now, origin: Origin, reason: String) {
        self.leaves(node, origin);
        node.connections.reject(origin.link, reason, now.mono, &mut node.budget);
    }

    /// Of a request that waits now no more than so many bytes are kept: what it was decoded to is gone.
    fn keeps(node: &mut Node, origin: &mut Origin, bytes: usize) {
        let freed = origin.held_bytes.saturating_sub(bytes);
        node.budget.give_back(Purpose::Decoded, freed);
        origin.held_bytes -= freed;
    }

    /// A request leaves the desk, whether its client is still there or not.
    fn leaves(&mut self, node: &mut Node, origin: Origin) {
        let is_gone = node.connections.client(origin.link).is_none();
        if !(is_gone && node.is_planted(Mutant::BudgetNotGivenBack)) {
            node.budget.give_back(Purpose::Decoded, origin.held_bytes);
        }
    }
}
