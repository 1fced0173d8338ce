//! The producer: takes records, gathers them into batches by partition, sends each to whoever leads it, and says of each
//! record where it is, or why it is not.
//!
//! ```text
//! record -> topic (which partition?) -> partition (a batch) -> lane (a request to the leader) -> settled
//!            waits for metadata          waits to be ripe        at most 5 unanswered
//! ```
//!
//! [`Machine::take`] is told what happened, any number of times; [`Machine::act`] then says what is to be done; and
//! [`Machine::wake_at`] when to come back although nothing happens.
//!
//! - Invariant: each record is settled exactly once.
//! - Invariant: an idempotent producer sends a batch that may have been appended only under the sequence that it had.
//! - Invariant: of one partition, batches are sent in the order of their records, and over one lane at a time.
//!
//! Not here: the bound on memory. Whoever hands records over keeps it, and says [`Event::Hurry`] when it is reached.
//! Sources: KIP-98 and KIP-360 (sequences and epochs), KIP-91 (one deadline from hand-over to answer), KIP-480 (records
//! without keys).

mod asking;
mod batch;
pub mod lane;
mod partition;
mod partitioner;
mod sending;
mod topic;

#[cfg(test)]
mod tests;

use super::backoff::Pauses;
use super::chance::Chance;
use super::error::Error;
use super::lookup::Lookup;
use super::map::Map;
use super::moment::Moment;
use super::mutant::Mutant;
use super::question::{Answered, Question, Ticket, Tickets};
use super::record::Record;
use lane::{Lane, LaneId};
use rust_mq_proto::grpc::{Acks, ProduceRequest, ProduceResponse};
use rust_mq_proto::records::{Codec, Producer as Identity};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use topic::{Topic, Waiting};

/// Requests that one lane, and batches that one partition, may have unanswered. The broker knows a repetition of any of a
/// producer's last five batches (KIP-98).
pub const IN_FLIGHT_MAX: usize = 5;
/// Bytes of batches in a request: the service takes messages of 4 MiB.
pub const REQUEST_BYTES_MAX: usize = 3 << 20;

/// The number of a record, as whoever hands it over counts.
pub type RecordId = u64;

/// How a producer produces.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom to wait for.
    pub acks: Acks,
    /// Whether repetitions are recognised.
    pub is_idempotent: bool,
    /// Whether a topic that is not there is made.
    pub makes_topics: bool,
    /// How batches are made and how long they are tried.
    pub sealing: Sealing,
    /// How long a node may wait for its replicas.
    pub request_timeout: Duration,
    /// After how long it is asked again who leads.
    pub metadata_age_max: Duration,
    /// Between attempts.
    pub pauses: Pauses,
}

/// How batches are made, and how long they are tried.
#[derive(Clone, Copy, Debug)]
pub struct Sealing {
    /// When a batch is full, before compression.
    pub batch_bytes: usize,
    /// How long it waits to be full.
    pub linger: Duration,
    /// From hand-over to the answer at most.
    pub delivery_timeout: Duration,
    /// How it is compressed.
    pub codec: Codec,
    /// A bug, planted by a test.
    pub mutant: Option<Mutant>,
}

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A record is handed over, with what it says of the time if it says nothing itself.
    Record {
        /// Its number.
        id: RecordId,
        /// The record.
        record: Record,
        /// Milliseconds since 1970.
        wall_ms: i64,
    },
    /// Somebody waits for what was handed over so far: it is sent as soon as that can be.
    Hurry,
    /// A question is answered.
    Answered {
        /// Which.
        ticket: Ticket,
        /// With what.
        answer: Answered,
    },
    /// A request on a lane is answered.
    Produced {
        /// Which.
        lane: LaneId,
        /// The request.
        ticket: Ticket,
        /// With what.
        response: ProduceResponse,
    },
    /// A lane broke, or could not be opened; nothing that was sent on it will be answered.
    Lost {
        /// Which.
        lane: LaneId,
        /// Why.
        error: Error,
    },
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Ask that node.
    Ask {
        /// What the answer comes with.
        ticket: Ticket,
        /// Where.
        address: String,
        /// What.
        question: Question,
        /// For how long to wait.
        within: Duration,
    },
    /// Open a lane to that node.
    Open {
        /// Its number.
        lane: LaneId,
        /// Where.
        address: String,
    },
    /// Send a request on a lane. If it broke meanwhile, nothing: that is told, too.
    Send {
        /// Which.
        lane: LaneId,
        /// What the answer comes with.
        ticket: Ticket,
        /// The request.
        request: ProduceRequest,
    },
    /// A lane is not needed any more; nobody wants to hear of it.
    Shut {
        /// Which.
        lane: LaneId,
    },
    /// Tell whoever handed these over.
    Settle {
        /// To which partition they were to go, if that was found.
        place: Option<(String, i32)>,
        /// Which, and what became of them.
        settled: Settled,
    },
}

/// What became of records that went together.
#[derive(Debug, PartialEq)]
pub struct Settled {
    /// In their order.
    pub records: Vec<RecordId>,
    /// Where they are.
    pub outcome: Result<There, Error>,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct There {
    /// The offset of its first record, if it is known.
    pub base_offset: Option<i64>,
    /// The broker's time of its records, if that is the topic's.
    pub append_time_ms: Option<i64>,
}

/// A partition, by the numbers of its topic and its own.
pub type Place = (usize, usize);

/// The producer.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    map: Map,
    chance: Chance,
    tickets: Tickets,
    topics: Vec<Topic>,
    numbers: BTreeMap<String, usize>,
    /// Partitions that have batches.
    busy: BTreeSet<Place>,
    lanes: BTreeMap<String, Lane>,
    lanes_opened: u64,
    identity: Option<Identity>,
    identifying: Lookup,
    looking: Lookup,
    asked: BTreeMap<Ticket, String>,
    looked_at: Moment,
    /// Whether the last question was about topics that nobody knew.
    asks_new: bool,
    told: Vec<Action>,
}

impl Machine {
    /// A producer that knows these addresses, and the dice of that seed.
    pub fn new(settings: Settings, bootstrap: Vec<String>, seed: u64) -> Machine {
        Machine {
            settings,
            map: Map::new(bootstrap),
            chance: Chance::new(seed),
            tickets: Tickets::default(),
            topics: Vec::new(),
            numbers: BTreeMap::new(),
            busy: BTreeSet::new(),
            lanes: BTreeMap::new(),
            lanes_opened: 0,
            identity: None,
            identifying: Lookup::default(),
            looking: Lookup::default(),
            asked: BTreeMap::new(),
            looked_at: Moment::default(),
            asks_new: false,
            told: Vec::new(),
        }
    }

    /// Something happened. Says whether there is something to be done.
    pub fn take(&mut self, now: Moment, event: Event) -> bool {
        match event {
            Event::Record { id, record, wall_ms } => {
                let timestamp_ms = record.timestamp_ms.unwrap_or(wall_ms);
                return self.take_record(Waiting { id, record, stamp: (now, timestamp_ms) });
            }
            Event::Hurry => {
                for (topic, partition) in &self.busy {
                    self.topics[*topic].partitions[*partition].hurry();
                }
            }
            Event::Answered { ticket, answer } => self.answered(now, ticket, answer),
            Event::Produced { lane, ticket, response } => self.produced(now, lane, ticket, response),
            Event::Lost { lane, error } => self.lost(now, lane, &error),
        }
        true
    }

    /// What is to be done now.
    pub fn act(&mut self, now: Moment, actions: &mut Vec<Action>) {
        self.expire(now);
        self.give_up_silent_lanes(now, actions);
        self.mend();
        self.look(now, actions);
        self.send(now, actions);
        self.busy.retain(|(topic, partition)| !self.topics[*topic].partitions[*partition].is_empty());
        actions.append(&mut self.told);
    }

    /// When to act again although nothing happens.
    pub fn wake_at(&self, now: Moment) -> Option<Moment> {
        let sealing = &self.settings.sealing;
        let batches = self.busy.iter().filter_map(|(topic, partition)| {
            self.topics[*topic].partitions[*partition].deadline(now, sealing)
        });
        let waiting = self.topics.iter().filter_map(|topic| topic.waiting.front());
        let waiting = waiting.map(|waiting| waiting.stamp.0.after(sealing.delivery_timeout));
        let silent = self.lanes.values().filter_map(|lane| Some(lane.flying.front()?.until));
        let lookups = [self.identifying.deadline(), self.looking.deadline()].into_iter().flatten();
        batches.chain(waiting).chain(silent).chain(lookups).filter(|moment| *moment > now).min()
    }

    fn take_record(&mut self, waiting: Waiting) -> bool {
        let number = match self.numbers.get(&waiting.record.topic) {
            Some(number) => *number,
            None => {
                self.topics.push(Topic::new(&waiting.record.topic));
                self.numbers.insert(waiting.record.topic.clone(), self.topics.len() - 1);
                self.topics.len() - 1
            }
        };
        if self.topics[number].partitions.is_empty() {
            self.topics[number].waiting.push_back(waiting);
            return true;
        }
        self.place(number, waiting)
    }

    /// Puts a record into a batch of its topic, whose partitions are known.
    fn place(&mut self, number: usize, waiting: Waiting) -> bool {
        let Waiting { id, record, stamp } = waiting;
        let (topic, sealing) = (&mut self.topics[number], &self.settings.sealing);
        let has_room = |partition: &partition::Partition| partition.has_room(&record, sealing);
        match topic.place(&record, &self.map, &mut self.chance, has_room) {
            Ok(partition) => {
                self.busy.insert((number, partition));
                topic.partitions[partition].push(id, &record, stamp, sealing)
            }
            Err(error) => {
                self.told.push(Action::Settle {
                    place: None,
                    settled: Settled { records: vec![id], outcome: Err(error) },
                });
                true
            }
        }
    }
}
