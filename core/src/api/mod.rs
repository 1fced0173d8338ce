//! Kafka's APIs: one handler file each, named as in `proto/src/kafka/api`, in the room of its family. A handler reads the
//! request, asks the node, and answers at once or parks what it still needs at the desk.
//!
//! ```text
//! records  topics  cluster: the families of APIs
//!
//! desk   the table of those that wait, their deadlines, answers    origin   who asks, and how the answer is written
//! work   how much a turn does        timings  how long requests took          watching  those who watch the node
//! early  what came before the node is open, in the order of `queue`  leaders  what waits until new topics have leaders
//! ```
//!
//! A request costs no more than n log n in its size: what it names it names once (`named`), what is decompressed for it
//! is bounded (`allowance`), and whoever waits is found by what it waits for. `rust-mq-bench instructions` attacks
//! this.
//!
//! A request waits for a commit, for news of its partitions, for the disk, for a majority's word, for a machine's
//! decision, for leaders, or for this node itself to be open. What it waits for brings its end (`Desk::settle`);
//! besides, each has two ends of its own, told here side by side: its time is up, or the node stops and will not learn
//! any more what becomes of it.
//!
//! | waits | its time is up | the node stops |
//! | --- | --- | --- |
//! | Produce | REQUEST_TIMED_OUT: it may still be committed | NOT_LEADER_OR_FOLLOWER |
//! | Produce with batches not looked at yet | REQUEST_TIMED_OUT | NOT_LEADER_OR_FOLLOWER |
//! | Fetch | what there is | what there is |
//! | Fetch that reads from the disk | what came; the rest is refused: KAFKA_STORAGE_ERROR | the same |
//! | ListOffsets | REQUEST_TIMED_OUT | NOT_LEADER_OR_FOLLOWER |
//! | DeleteRecords | REQUEST_TIMED_OUT: it may still be done | NOT_LEADER_OR_FOLLOWER |
//! | CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs, IncrementalAlterConfigs, UpdateFeatures | REQUEST_TIMED_OUT: it may still be done | NOT_CONTROLLER |
//! | Metadata that makes topics | LEADER_NOT_AVAILABLE | LEADER_NOT_AVAILABLE |
//! | InitProducerId | COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_LOAD_IN_PROGRESS |
//! | FindCoordinator that makes the topic | COORDINATOR_NOT_AVAILABLE | COORDINATOR_NOT_AVAILABLE |
//! | JoinGroup, SyncGroup | REBALANCE_IN_PROGRESS | NOT_COORDINATOR |
//! | another request to a coordinator | COORDINATOR_NOT_AVAILABLE: it may still be done | NOT_COORDINATOR |
//! | for leaders of new topics | the answer, without leaders | the answer, without leaders |
//! | for this node to be open | the link is closed | the link is closed |
//!
//! - Invariant: every request taken is answered, silenced (acks=0) or its link rejected, exactly once.
//! - Invariant: what a request has become is charged from its decoding until it leaves the desk, whatever for.
//!
//! To serve another API, NAME being its name in snake case (the tidy test demands each step for all that are served):
//!
//! 1. Its shape: `proto/src/kafka/api/NAME.rs`, and its row in the `table!` of that folder, which ends in `not served`
//!    until the rest is there. Kafka's own are compared with the oracle by themselves, but for the line of its defaults in
//!    `proto/tests/oracle.rs`; one that Kafka does not have gets a number from `OURS_FROM` on.
//! 2. Its golden bytes: `RECORD=1 cargo test -p rust-mq-proto --test wire` writes `proto/tests/wire/NAME.txt`; read it.
//! 3. Its handler: `core/src/api/*/NAME.rs` in the room of its family, its arm there and its key in `dispatch`. What it names it names once (`named`); what a request
//!    may ask for at most, and what it makes this node keep, has its bound in `limits`.
//! 4. Stories: a verb in `core/tests/script_runner/verbs`, what is told of its answer in `script_runner/answer.rs`, and
//!    scripts in `core/tests/scripts`: `RECORD=1 cargo test -p rust-mq-core --test stories FILTER` writes what came of them.
//! 5. Real clients: what other brokers got wrong about it, in `tests/tests/gotchas`, through a codec that is not ours.
//! 6. Any bytes: `RECORD=1 cargo test -p tests --test corpus` writes a first input, `fuzz/corpus/requests/NAME`.
//! 7. The simulator: a client that uses it (`sim/src/client`), a claim about what it promises (`docs/claims.md`), and a
//!    mutant that breaks the promise (`core/src/mutant.rs`, `sim/src/mutants.rs`; `cargo run --release -p sim -- mutants
//!    MUTANT --count 400` hunts it, and prints its row for `docs/mutants.md`). What no longer is as it was:
//!    `cargo run --release -p sim -- golden > sim/plans/golden.txt`, `cargo run --release -p sim -- nominate`.
//! 8. What a user reads: its row in README's table of APIs, and a line in CHANGELOG.
//!
//! Sources: reliability of answers to unparsable requests is Kafka's own: the link is closed without one
//! (`Processor.parseRequestHeader`), ApiVersions excepted (KIP-511).

mod addresses;
mod cluster;
mod desk;
mod early;
mod fetch_session;
mod fetch_sessions;
mod groups;
mod leaders;
mod named;
mod operations;
mod origin;
mod producer_ids;
mod queue;
mod records;
mod timings;
mod topics;
mod watching;
mod work;

pub use desk::Desk;

use crate::connection::{Purpose, Request as Taken};
use crate::ids::LinkId;
use crate::limits::DECODED_TIMES;
use crate::machine::Waiter;
use crate::metadata::Reply;
use crate::node::{News, Node};
#[cfg(feature = "simulation")]
use crate::now::Mono;
use crate::now::Now;
use crate::resident;
use crate::storage::{Chunk, ReadFault, ReadId};
use cluster::{altering, api_versions, update_features};
use desk::Vain;
use groups::find_coordinator;
use origin::{Caller, Format, Origin};
use records::{delete_records, fetch, init_producer_id, list_offsets, produce};
use rust_mq_proto::kafka::api::{ApiKey, RequestBody};
use rust_mq_proto::kafka::{Reader, RequestStart};
use topics::{create_partitions, create_topics, delete_topics, metadata};

/// A request that waits, or a part of one.
enum Waiting {
    Produce(produce::Pending),
    Appending(Box<produce::Appending>),
    Fetch(Box<fetch::Pending>),
    ListOffsets(Box<list_offsets::Pending>),
    OffsetPart(list_offsets::Part),
    CreateTopics(create_topics::Pending),
    DeleteTopics(delete_topics::Pending),
    UpdateFeatures(update_features::Pending),
    CreatePartitions(create_partitions::Pending),
    DeleteRecords(Box<delete_records::Pending>),
    AlterConfigs(Box<altering::Pending>),
    AutoCreate(metadata::Pending),
    ProducerId(Origin),
    /// This node's wish for more producer ids: nobody's request.
    ProducerIds,
    Leaders(Box<leaders::Awaiting>),
    Early(Box<early::Held>),
    /// A request that waits for the topic of groups.
    Coordinator(find_coordinator::Pending),
    Group(Box<groups::Pending>),
    GroupPart(groups::Part),
}

/// What is answered once new topics have leaders.
enum Then {
    Created(create_topics::Pending, Reply),
    Widened(create_partitions::Pending, Reply),
    Metadata(metadata::Pending),
    Coordinator(find_coordinator::Pending),
}

impl Desk {
    /// Takes up one request of a client.
    pub fn take(&mut self, node: &mut Node, now: Now, link: LinkId, taken: Taken) {
        if let Err(reason) = self.read(node, now, link, taken) {
            node.reject(now, link, reason);
        }
    }

    fn read(&mut self, node: &mut Node, now: Now, link: LinkId, taken: Taken) -> Result<(), String> {
        if node.sends_clients_away() {
            node.send_away(now, link);
            return Ok(());
        }
        let buffer_bytes = taken.buffer_bytes;
        let decoded_bytes_max = node.decoded_bytes_max();
        let mut reader = Reader::new(taken.bytes, decoded_bytes_max);
        let start = RequestStart::read(&mut reader).map_err(|error| format!("no request header: {error}"))?;
        let version = start.api_version;
        let key = ApiKey::parse(start.api_key)
            .filter(|key| key.is_served())
            .ok_or_else(|| format!("API key {} is not served", start.api_key))?;
        let format = Format { version, correlation_id: start.correlation_id };
        let caller = Caller { link };
        let slot = taken.slot;
        let taken = self.timings.now();
        let mut origin = Origin { caller, slot, format, key, taken, buffer_bytes, held_bytes: 0 };
        if !key.versions().contains(version) {
            if key == ApiKey::ApiVersions {
                api_versions::answer_unknown_version(self, node, origin);
                return Ok(());
            }
            return Err(format!("{key} version {version} is not served"));
        }
        let unreadable = |error| format!("unreadable {key} version {version}: {error}");
        let client_id = start.read_client_id(&mut reader, key.api()).map_err(unreadable)?;
        if matches!(key, ApiKey::JoinGroup | ApiKey::ConsumerGroupHeartbeat) {
            node.client_is_called(link, client_id);
        }
        let body = RequestBody::decode(key, version, &mut reader).map_err(unreadable)?;
        let decoded_bytes = decoded_bytes_max - reader.budget_left_bytes();
        // Records of a request that is held back keep all of its buffer.
        let kept_bytes = if node.is_open() { 0 } else { buffer_bytes };
        origin.held_bytes = decoded_bytes * DECODED_TIMES + kept_bytes;
        node.charge(Purpose::Decoded, origin.held_bytes);
        if let Some(body) = early::hold(self, node, now, origin, body) {
            self.handle(node, now, origin, body);
        }
        Ok(())
    }

    /// Does what a request asks; one that makes no sense ends its link.
    fn handle(&mut self, node: &mut Node, now: Now, origin: Origin, body: RequestBody) {
        if let Err(reason) = dispatch(self, node, now, origin, body) {
            self.reject(node, now, origin, reason);
        }
    }

    /// A turn begins: goes on with what an earlier one has left.
    pub fn go_on(&mut self, node: &mut Node, now: Now) {
        self.work.begin();
        self.timings.turn_begins(now.mono);
        let mut left = self.unfinished.len();
        while left > 0
            && self.work.is_left()
            && let Some(waiter) = self.unfinished.pop_front()
        {
            left -= 1;
            match self.take_out(waiter) {
                Some(Waiting::Appending(appending)) => {
                    self.release(node, appending.link());
                    produce::go_on(self, node, now, waiter, *appending);
                }
                Some(Waiting::ListOffsets(pending)) => list_offsets::go_on(self, node, now, waiter, *pending),
                // It has been ended meanwhile.
                None => {}
                Some(_) => unreachable!("nothing else is left unfinished"),
            }
        }
        self.work.lend_all();
    }

    /// Whether this turn may begin something more for clients.
    pub fn may_begin(&self) -> bool {
        self.work.is_left()
    }

    /// Whether the next turn has something to go on with.
    pub fn has_more(&self) -> bool {
        !self.unfinished.is_empty() || !self.woken.is_empty()
    }

    /// Takes up what came too early and need not wait any longer. If it waits in vain, whoever asked is sent elsewhere.
    pub fn take_early(&mut self, node: &mut Node, now: Now) {
        early::take(self, node, now);
    }

    /// Whether [`Desk::take_early`] has something to take up.
    pub fn has_early(&self, node: &Node) -> bool {
        early::has_ripe(self, node)
    }

    /// Answers whatever this turn's news make answerable.
    pub fn settle(&mut self, node: &mut Node, now: Now) {
        for link in node.take_gone_clients() {
            self.sessions.left(node, link);
        }
        if !node.has_news() && self.awaiting_leaders.is_empty() && self.woken.is_empty() {
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
        for (waiter, of) in woken.drain(..) {
            fetch::has_news(self, node, waiter, of);
        }
        while self.work.is_left()
            && let Some(waiter) = self.woken.pop_front()
        {
            fetch::look_again(self, node, now, waiter);
        }
        leaders::look(self, node);
        // The vectors go back, so that their room is used again next turn.
        node.reuse(settled, woken);
    }

    /// Ends whatever has waited long enough.
    pub fn woke(&mut self, node: &mut Node, now: Now) {
        for waiter in self.take_late(now) {
            self.end(node, now, waiter, Vain::TooLate);
        }
    }

    /// Fetches whose time is up although they wait for nothing else.
    #[cfg(feature = "simulation")]
    pub fn overdue_fetches(&self, now: Mono) -> usize {
        self.parked_fetches().filter(|(_, pending)| pending.is_overdue(now)).count()
    }

    /// Parked fetches that want no more than a byte although there are records for them, and that are not looked at in
    /// the next turn either; and parts of sessions for which there are some, and that no fetch looks at.
    #[cfg(feature = "simulation")]
    pub fn unwoken_fetches(&self, node: &Node) -> usize {
        let is_forgotten = |(waiter, pending): &(Waiter, &fetch::Pending)| {
            !self.woken.contains(waiter) && pending.is_unwoken(node)
        };
        self.parked_fetches().filter(is_forgotten).count() + self.sessions.unwoken(node)
    }

    #[cfg(feature = "simulation")]
    fn parked_fetches(&self) -> impl Iterator<Item = (Waiter, &fetch::Pending)> {
        self.all_waiting().filter_map(|(waiter, waiting)| match waiting {
            Waiting::Fetch(pending) => Some((waiter, &**pending)),
            _ => None,
        })
    }

    /// The node is about to stop: parked fetches are answered with what there is, others when the disk has answered.
    pub fn stop(&mut self, node: &mut Node, now: Now) {
        let is_parked =
            |waiting: &Waiting| matches!(waiting, Waiting::Fetch(pending) if !pending.is_reading());
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
        !self.all_waiting().any(|(_, waiting)| {
            matches!(waiting, Waiting::Produce(_) | Waiting::Appending(_) | Waiting::Fetch(_))
        })
    }

    /// Ends one, if it waits still.
    fn end(&mut self, node: &mut Node, now: Now, waiter: Waiter, vain: Vain) {
        if let Some(waiting) = self.take_out(waiter) {
            waiting.end(self, node, now, waiter, vain);
        }
    }

    fn replied(&mut self, node: &mut Node, now: Now, waiter: Waiter, reply: resident::Reply) {
        let reply = match reply {
            resident::Reply::Metadata(reply) => reply,
            resident::Reply::Group(reply) => return groups::replied(self, node, waiter, reply),
        };
        match self.take_out(waiter) {
            Some(Waiting::CreateTopics(pending)) => create_topics::replied(self, node, now, pending, reply),
            Some(Waiting::DeleteTopics(pending)) => delete_topics::replied(self, node, pending, reply),
            Some(Waiting::UpdateFeatures(pending)) => update_features::replied(self, node, pending, reply),
            Some(Waiting::CreatePartitions(pending)) => {
                create_partitions::replied(self, node, now, pending, reply);
            }
            Some(Waiting::AlterConfigs(pending)) => altering::replied(self, node, *pending, reply),
            Some(Waiting::AutoCreate(pending)) => metadata::replied(self, now, pending, reply),
            Some(Waiting::Coordinator(pending)) => find_coordinator::replied(self, now, pending, &reply),
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
}

/// What a request asks, by the family of its API, whose room it stands in. The error ends the link.
fn dispatch(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    body: RequestBody,
) -> Result<(), String> {
    match body.key() {
        ApiKey::Produce
        | ApiKey::Fetch
        | ApiKey::ListOffsets
        | ApiKey::OffsetForLeaderEpoch
        | ApiKey::DeleteRecords
        | ApiKey::DescribeProducers
        | ApiKey::InitProducerId => records::dispatch(desk, node, now, origin, body),
        ApiKey::Metadata
        | ApiKey::CreateTopics
        | ApiKey::DeleteTopics
        | ApiKey::CreatePartitions
        | ApiKey::DescribeTopicPartitions => topics::dispatch(desk, node, now, origin, body),
        ApiKey::ApiVersions
        | ApiKey::DescribeCluster
        | ApiKey::DescribeConfigs
        | ApiKey::AlterConfigs
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::ListConfigResources
        | ApiKey::DescribeLogDirs
        | ApiKey::UpdateFeatures => {
            cluster::dispatch(desk, node, now, origin, body);
            Ok(())
        }
        ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::FindCoordinator
        | ApiKey::JoinGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::SyncGroup
        | ApiKey::DescribeGroups
        | ApiKey::ListGroups
        | ApiKey::DeleteGroups
        | ApiKey::OffsetDelete
        | ApiKey::ConsumerGroupHeartbeat
        | ApiKey::ConsumerGroupDescribe => {
            groups::dispatch(desk, node, now, origin, body);
            Ok(())
        }
    }
}

impl Waiting {
    /// Ends it; it has left the table.
    fn end(self, desk: &mut Desk, node: &mut Node, now: Now, waiter: Waiter, vain: Vain) {
        match self {
            Waiting::Produce(pending) => produce::in_vain(desk, node, pending, vain),
            Waiting::Appending(appending) => produce::broken_off(desk, node, now, *appending, vain),
            Waiting::Fetch(pending) => fetch::in_vain(desk, node, now, waiter, pending, vain),
            Waiting::ListOffsets(pending) => list_offsets::in_vain(desk, node, *pending, vain),
            // Its request ends, and that is enough.
            Waiting::OffsetPart(_) => {}
            Waiting::CreateTopics(pending) => create_topics::in_vain(desk, node, pending, vain),
            Waiting::DeleteTopics(pending) => delete_topics::in_vain(desk, node, pending, vain),
            Waiting::UpdateFeatures(pending) => update_features::in_vain(desk, node, pending, vain),
            Waiting::CreatePartitions(pending) => create_partitions::in_vain(desk, node, pending, vain),
            Waiting::DeleteRecords(pending) => delete_records::in_vain(desk, node, *pending, vain),
            Waiting::AlterConfigs(pending) => altering::in_vain(desk, node, *pending, vain),
            Waiting::AutoCreate(pending) => metadata::in_vain(desk, node, pending),
            Waiting::ProducerId(origin) => init_producer_id::in_vain(desk, node, origin),
            Waiting::ProducerIds => init_producer_id::not_told(desk),
            Waiting::Leaders(awaiting) => awaiting.then.answer(desk, node),
            Waiting::Early(held) => held.end(desk, node, now),
            Waiting::Coordinator(pending) => find_coordinator::answer(desk, node, &pending),
            Waiting::Group(pending) => pending.in_vain(desk, node, vain),
            // Its request ends, and that is enough.
            Waiting::GroupPart(_) => {}
        }
    }
}

impl Then {
    /// Answers, with leaders or without.
    fn answer(self, desk: &mut Desk, node: &mut Node) {
        match self {
            Then::Created(pending, reply) => create_topics::answer(desk, node, pending, reply),
            Then::Widened(pending, reply) => create_partitions::answer(desk, node, pending, reply),
            Then::Metadata(pending) => metadata::answer(desk, node, &pending),
            Then::Coordinator(pending) => find_coordinator::answer(desk, node, &pending),
        }
    }
}
