//! Consumers: they follow every partition of their topics from a place on, and have each answer checked on the way
//! (C9).
//!
//! The auditor is a consumer that waits until everybody else is done, then reads every log from its start to its
//! high watermark, and asks the ledger what is missing (C7).

use super::Street;
use super::connection::{Answered, Connections, Purpose};
use super::map::Map;
use super::plan::{ConsumerHabits, From};
use crate::claims::c09_readers_see_one_log::{self, Page};
use crate::claims::ledger::Shelf;
use crate::claims::{Claim, c07_acked_is_there};
use crate::clock::{MILLI, Moment};
use crate::dice::Dice;
use bytes::BytesMut;
use rust_mq_proto::kafka::Chain;
use rust_mq_proto::kafka::api::ResponseBody;
use rust_mq_proto::kafka::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use rust_mq_proto::kafka::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use std::collections::{BTreeMap, BTreeSet};

/// ListOffsets' words for the ends of a log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// Times that an auditor may come to the end and miss something acknowledged.
const MISSES_MAX: u32 = 50;

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    habits: ConsumerHabits,
    topics: Vec<String>,
    places: BTreeMap<(String, i32), Reading>,
    fetching: BTreeSet<usize>,
    is_auditor: bool,
    is_released: bool,
    is_calm: bool,
    /// Answers that came, and for the auditor only those that took it further.
    steps: u64,
}

/// How far a partition is read.
#[derive(Debug, Default)]
struct Reading {
    offset: Option<i64>,
    is_asked: bool,
    hold_until: Moment,
    /// The furthest offset so far.
    furthest: i64,
    /// What the first record must not be older than.
    not_older_than: Option<i64>,
    /// How often an auditor came to the end and missed something.
    misses: u32,
    /// Log start and high watermark, when an auditor has come to it.
    read_to_end: Option<(i64, i64)>,
}

impl Consumer {
    /// A consumer of those topics.
    pub fn new(habits: ConsumerHabits, topics: Vec<String>) -> Consumer {
        Consumer {
            habits,
            topics,
            places: BTreeMap::new(),
            fetching: BTreeSet::new(),
            is_auditor: false,
            is_released: true,
            is_calm: false,
            steps: 0,
        }
    }

    /// The one who reads everything in the end.
    pub fn auditor(topics: Vec<String>) -> Consumer {
        let habits = ConsumerHabits {
            from: From::Earliest,
            max_wait_ms: 100,
            min_bytes: 1,
            max_bytes: 1 << 20,
            slow_ms: 0,
        };
        Consumer { is_auditor: true, is_released: false, ..Consumer::new(habits, topics) }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// How long it waits before it reads what has come.
    pub fn slow_ms(&self) -> u64 {
        self.habits.slow_ms
    }

    /// Whether it is the auditor.
    pub fn is_auditor(&self) -> bool {
        self.is_auditor
    }

    /// It asks for nothing more, unless it is the auditor.
    pub fn calm(&mut self) {
        self.is_calm = true;
    }

    /// The auditor begins.
    pub fn release(&mut self) {
        self.is_released = true;
    }

    /// How far it is: for the auditor what it has read, for others what they were answered, a slow answer byte by
    /// byte.
    pub fn done(&self, connections: &Connections) -> u64 {
        if self.is_auditor { self.steps } else { self.steps + connections.fetched_bytes() }
    }

    /// What is open.
    pub fn open_work(&self, connections: &Connections, map: &Map) -> Option<String> {
        if !self.is_auditor {
            // A machine that stands still for ever takes connections and answers nothing: nobody promises more.
            let pending = connections.pending(|site| map.may_answer(site));
            return (pending > 0).then(|| format!("a consumer waits for {pending} answers"));
        }
        if !self.is_released || self.places.is_empty() {
            return Some("the audit has not begun".to_owned());
        }
        let unread: Vec<String> = self
            .places
            .iter()
            .filter(|((topic, partition), reading)| {
                reading.read_to_end.is_none() && !map.is_excused(topic, *partition)
            })
            .map(|((topic, partition), reading)| format!("{topic}/{partition} at {:?}", reading.offset))
            .collect();
        (!unread.is_empty()).then(|| format!("the audit has not read {}", unread.join(", ")))
    }

    /// Asks each leader for what is next.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        if !self.is_released || (self.is_calm && !self.is_auditor) {
            return;
        }
        for name in &self.topics {
            for partition in map.topic(name).into_iter().flat_map(|topic| topic.partitions.keys()) {
                self.places.entry((name.clone(), *partition)).or_default();
            }
        }
        self.ask_places(connections, map, street);
        for site in 0..street.listening.len() {
            if !self.fetching.contains(&site) {
                self.fetch(site, connections, map, dice, street);
            }
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, map: &mut Map, street: &mut Street<'_>) {
        self.steps += u64::from(answered.body.is_some() && !self.is_auditor);
        match (answered.purpose, answered.body) {
            (Purpose::Offset { topic, partition, timestamp }, body) => {
                let response = match body {
                    Some(ResponseBody::ListOffsets(response)) => Some(response),
                    _ => None,
                };
                self.placed(topic, partition, timestamp, response.as_ref(), map, street);
            }
            (Purpose::Fetch { site, from }, body) => {
                self.fetching.remove(&site);
                match body {
                    Some(ResponseBody::Fetch(response)) => self.fetched(site, &from, &response, map, street),
                    _ => self.topics.iter().for_each(|topic| map.doubt(topic, -1)),
                }
            }
            _ => {}
        }
    }

    /// Asks where to begin, where that is not known.
    fn ask_places(&mut self, connections: &mut Connections, map: &Map, street: &mut Street<'_>) {
        for ((name, partition), reading) in &mut self.places {
            if reading.offset.is_some() || reading.is_asked || street.now() < reading.hold_until {
                continue;
            }
            let Some(topic) = map.topic(name) else { continue };
            let Some(leader) = topic.partitions.get(partition) else { continue };
            let Some(site) = leader.site else { continue };
            let timestamp = match self.habits.from {
                From::Earliest => EARLIEST,
                From::Latest => LATEST,
                From::Time { ago_ms } => street.wall_ms() - ago_ms as i64,
            };
            let asked =
                ListOffsetsPartition { partition_index: *partition, timestamp, current_leader_epoch: -1 };
            let request = ListOffsetsRequest {
                replica_id: -1,
                isolation_level: 0,
                topics: vec![ListOffsetsTopic { name: name.clone(), partitions: vec![asked] }],
                timeout_ms: 5_000,
            };
            let purpose = Purpose::Offset { topic: name.clone(), partition: *partition, timestamp };
            reading.is_asked = connections.request(site, &request, purpose, street);
        }
    }

    /// A place to begin at has come.
    fn placed(
        &mut self,
        topic: String,
        partition: i32,
        timestamp: i64,
        response: Option<&ListOffsetsResponse>,
        map: &mut Map,
        street: &mut Street<'_>,
    ) {
        let answer =
            response.and_then(|response| response.topics.first()).and_then(|topic| topic.partitions.first());
        let reading = self.places.entry((topic.clone(), partition)).or_default();
        reading.is_asked = false;
        reading.hold_until = street.now().after(50 * MILLI);
        let Some(answer) = answer.filter(|answer| answer.error_code == 0) else {
            map.doubt(&topic, partition);
            return;
        };
        *street.completed += 1;
        if answer.offset >= 0 {
            reading.offset = Some(answer.offset);
            street.marks.hit(match timestamp {
                EARLIEST => "client.consumed_from_the_start",
                LATEST => "client.consumed_from_the_end",
                _ => "client.consumed_by_time",
            });
            if timestamp >= 0 {
                reading.not_older_than = Some(timestamp);
            }
        } else {
            // Nothing is so new: begin at the end.
            c09_readers_see_one_log::check_end(&topic, partition, timestamp, street.verdict);
            self.habits.from = From::Latest;
        }
    }

    fn fetch(
        &mut self,
        site: usize,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut from = Vec::new();
        for ((name, partition), reading) in &self.places {
            let Some(offset) = reading.offset else { continue };
            let Some(topic) = map.topic(name) else { continue };
            let is_here = topic.partitions.get(partition).is_some_and(|leader| leader.site == Some(site));
            if !is_here || street.now() < reading.hold_until || reading.read_to_end.is_some() {
                continue;
            }
            from.push((topic.id, *partition, offset));
            let asked = FetchPartition {
                partition: *partition,
                fetch_offset: offset,
                partition_max_bytes: self.habits.max_bytes,
                ..Default::default()
            };
            match topics.last_mut() {
                Some(last) if last.topic_id == topic.id => last.partitions.push(asked),
                _ => topics.push(FetchTopic {
                    topic: name.clone(),
                    topic_id: topic.id,
                    partitions: vec![asked],
                }),
            }
        }
        if from.is_empty() {
            return;
        }
        if dice.coin() {
            topics.reverse();
        }
        let request = FetchRequest {
            max_wait_ms: self.habits.max_wait_ms,
            min_bytes: self.habits.min_bytes,
            max_bytes: self.habits.max_bytes,
            topics,
            ..Default::default()
        };
        if connections.request(site, &request, Purpose::Fetch { site, from }, street) {
            self.fetching.insert(site);
        }
    }

    fn fetched(
        &mut self,
        site: usize,
        from: &[([u8; 16], i32, i64)],
        response: &FetchResponse,
        map: &mut Map,
        street: &mut Street<'_>,
    ) {
        for topic in &response.responses {
            for answer in &topic.partitions {
                let asked = from.iter().find(|(id, partition, _)| {
                    *partition == answer.partition_index
                        && (*id == topic.topic_id || map.name_of(*id) == Some(topic.topic.as_str()))
                });
                let Some((id, partition, offset)) = asked else {
                    let words = format!("machine {site} answered a fetch of a partition that nobody asked");
                    street.verdict.breach(Claim::C9, words);
                    continue;
                };
                let Some(name) = map.name_of(*id).map(str::to_owned) else { continue };
                let shelf = Shelf { topic: *id, partition: *partition };
                let reading = self.places.entry((name.clone(), *partition)).or_default();
                if reading.offset != Some(*offset) {
                    continue;
                }
                match answer.error_code {
                    0 => {
                        *street.completed += 1;
                        advance(reading, shelf, answer, street);
                        if self.is_auditor {
                            self.steps += u64::from(reading.is_further());
                            audit_if_at_end(reading, shelf, answer, street);
                            self.steps += u64::from(reading.read_to_end.is_some());
                        }
                    }
                    1 => out_of_range(reading, shelf, answer, self.is_auditor, street),
                    _ => {
                        reading.hold_until = street.now().after(50 * MILLI);
                        map.doubt(&name, *partition);
                    }
                }
            }
        }
    }
}

impl Reading {
    /// Whether it is further than ever.
    fn is_further(&mut self) -> bool {
        let offset = self.offset.unwrap_or(0);
        let is_further = offset > self.furthest;
        self.furthest = self.furthest.max(offset);
        is_further
    }
}

/// Checks what was fetched and moves on behind it.
fn advance(reading: &mut Reading, shelf: Shelf, answer: &PartitionData, street: &mut Street<'_>) {
    let bytes = joined(answer.records.as_ref());
    let not_older_than = if bytes.is_empty() { None } else { reading.not_older_than.take() };
    let page = Page {
        shelf,
        position: reading.offset.expect("fetched from somewhere"),
        high_watermark: answer.high_watermark,
        bytes: &bytes,
        not_older_than,
    };
    if !page.bytes.is_empty() {
        street.marks.hit("client.read_records_by_offset");
    }
    if let Some(position) = c09_readers_see_one_log::read(page, street.ledger, street.verdict) {
        reading.offset = Some(position);
    }
}

/// The position is not in the log: legal below its start only, or at a machine that lags.
fn out_of_range(
    reading: &mut Reading,
    shelf: Shelf,
    answer: &PartitionData,
    is_auditor: bool,
    street: &mut Street<'_>,
) {
    street.marks.hit("client.was_out_of_range");
    let position = reading.offset.expect("fetched from somewhere");
    let is_below = answer.log_start_offset > position;
    c07_acked_is_there::check_range(shelf, position, answer.log_start_offset, is_auditor, street.verdict);
    reading.hold_until = street.now().after(50 * MILLI);
    if is_below {
        reading.offset = None;
    }
}

fn audit_if_at_end(reading: &mut Reading, shelf: Shelf, answer: &PartitionData, street: &mut Street<'_>) {
    let position = reading.offset.expect("fetched from somewhere");
    if position >= answer.high_watermark {
        let end = (answer.log_start_offset, answer.high_watermark);
        let missing = c07_acked_is_there::missing(street.ledger, shelf, end.0, end.1);
        // A probe may have been acknowledged since this answer was made: then the next one has it.
        reading.misses = if missing.is_some() { reading.misses + 1 } else { 0 };
        if let Some(missing) = missing {
            let is_patient = reading.misses <= MISSES_MAX;
            return street.verdict.hold(is_patient, Claim::C7, || missing);
        }
        reading.read_to_end = Some(end);
        street.marks.hit("audit.read_a_partition");
    }
}

fn joined(records: Option<&Chain>) -> BytesMut {
    let mut bytes = BytesMut::new();
    for part in records.into_iter().flat_map(Chain::parts) {
        bytes.extend_from_slice(part);
    }
    bytes
}
