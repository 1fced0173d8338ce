//! Producers: batches of unique values, plain or idempotent, with acks 0, 1 or all.
//!
//! Each partition is a lane: batches in order, some of them unanswered. An idempotent lane whose batch was lost or
//! refused for the moment waits until nothing of it is under way, then sends again from its first batch that is
//! not acknowledged, with the same sequences (what a Kafka producer does). A plain producer never sends a value
//! twice, so that every duplicate is the broker's.
//!
//! A fate is told to the ledger once. "Refused" is only said when every attempt was refused by a definite error.

use super::Street;
use super::connection::{Answered, Connections, Purpose};
use super::map::Map;
use super::plan::ProducerHabits;
use crate::claims::c20_never_panics;
use crate::claims::ledger::{Author, BatchId, Fate, Shelf, Value};
use crate::clock::{MILLI, Moment};
use crate::dice::Dice;
use bytes::BytesMut;
use rust_mq_proto::kafka::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use rust_mq_proto::records::{BatchBuilder, Codec, Producer as BatchProducer};
use std::collections::{BTreeSet, VecDeque};

/// Batches of a lane that may wait.
const LANE_MAX: usize = 12;

/// A producer.
#[derive(Debug)]
pub struct Producer {
    habits: ProducerHabits,
    topics: Vec<String>,
    lanes: Vec<Lane>,
    identity: Option<Author>,
    is_identity_asked: bool,
    left: u32,
    is_calm: bool,
    /// The last error, for whoever asks why it is not done.
    last_error: String,
    speaks_zstd: bool,
    probed: BTreeSet<(String, i32)>,
    /// Batches that found their fate.
    settled: u64,
}

#[derive(Debug)]
struct Lane {
    topic: String,
    shelf: Shelf,
    drafts: VecDeque<Draft>,
    next_sequence: i32,
    is_rewinding: bool,
    hold_until: Moment,
}

#[derive(Debug)]
struct Draft {
    batch: BatchId,
    bytes: BytesMut,
    state: State,
    /// Some attempt of it may have had effect.
    is_unsure: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Flying,
    Settled,
}

/// What an error code means to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Done,
    Duplicate,
    /// It may have had effect; send again.
    Unsure,
    /// It had none; send again.
    Again,
    /// It had none, because one before it is missing.
    OutOfOrder,
    /// It had none, and will have none.
    Never,
}

impl Producer {
    /// A producer that writes to those topics.
    pub fn new(habits: ProducerHabits, topics: Vec<String>, operations: u32) -> Producer {
        Producer {
            habits,
            topics,
            lanes: Vec::new(),
            identity: None,
            is_identity_asked: false,
            left: operations,
            is_calm: false,
            last_error: String::from("none"),
            speaks_zstd: false,
            probed: BTreeSet::new(),
            settled: 0,
        }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// No more but one probe a partition, which must succeed.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.left = 0;
        self.habits.acks = -1;
        self.habits.dies_ppm = 0;
    }

    /// Batches that found their fate; not those that a new identity gives up.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Bytes of the batches that are open.
    pub fn open_bytes(&self) -> u64 {
        self.lanes.iter().flat_map(|lane| &lane.drafts).map(|draft| draft.bytes.len() as u64).sum()
    }

    /// What is open.
    pub fn open_work(&self, map: &Map) -> Option<String> {
        let is_excused = |lane: &Lane| map.is_excused(&lane.topic, lane.shelf.partition);
        let is_all_excused = !self.lanes.is_empty() && self.lanes.iter().all(is_excused);
        let open: Vec<String> = self
            .lanes
            .iter()
            .filter(|lane| !lane.drafts.is_empty() && !is_excused(lane))
            .map(|lane| format!("{} of {}/{}", lane.drafts.len(), lane.topic, lane.shelf.partition))
            .collect();
        if !open.is_empty() {
            let error = &self.last_error;
            return Some(format!("a producer (last error {error}) has batches open: {}", open.join(", ")));
        }
        (self.is_calm && self.probed.is_empty() && !is_all_excused).then(|| {
            format!(
                "a producer could not probe yet (last error {}, id {:?}, asked {}, {} lanes)",
                self.last_error,
                self.identity,
                self.is_identity_asked,
                self.lanes.len()
            )
        })
    }

    /// Starts a batch, if one is due, and sends what can be sent.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        self.speaks_zstd = connections.version(ApiKey::Produce) >= 7;
        if self.habits.is_idempotent && self.identity.is_none() {
            self.ask_identity(connections, dice, street);
        } else if self.is_calm {
            self.probe(map, dice, street);
        } else if self.left > 0
            && let Some((topic, partition)) = self.choose(map, dice)
        {
            let lane = self.lane(&topic, partition, map);
            if self.lanes[lane].drafts.len() < LANE_MAX {
                self.left -= 1;
                self.draft(lane, dice, street);
            }
        }
        self.push(connections, map, dice, street);
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, map: &mut Map, dice: &mut Dice, street: &mut Street<'_>) {
        match (answered.purpose, answered.body) {
            (Purpose::Identity, Some(ResponseBody::InitProducerId(response))) => self.identified(&response),
            (Purpose::Identity, _) => self.is_identity_asked = false,
            (Purpose::Produce { lane, batch }, Some(ResponseBody::Produce(response))) => {
                let Some(answer) =
                    response.responses.first().and_then(|topic| topic.partition_responses.first())
                else {
                    let words = format!("the answer to batch {batch} names no partition");
                    return c20_never_panics::strange_answer(words, street.verdict);
                };
                let meaning = meaning_of(answer.error_code);
                if answer.error_code != 0 {
                    let message = answer.error_message.as_deref().unwrap_or_default();
                    self.last_error = format!("{} {message}", answer.error_code);
                }
                self.settle_batch(lane, batch, meaning, Some(answer.base_offset), map, dice, street);
            }
            (Purpose::Produce { lane, batch }, _) => {
                let meaning = if answered.was_sent { Meaning::Unsure } else { Meaning::Again };
                if meaning == Meaning::Unsure {
                    street.marks.hit("client.lost_the_answer_to_a_produce");
                }
                self.settle_batch(lane, batch, meaning, None, map, dice, street);
            }
            _ => {}
        }
    }

    /// Sends what each lane may send.
    pub fn push(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        for number in 0..self.lanes.len() {
            while let Some((site, draft)) = self.next_to_send(number, map, street.now()) {
                if !self.send(number, draft, site, connections, dice, street) {
                    self.lanes[number].hold_until = street.now().after(30 * MILLI);
                    break;
                }
            }
        }
    }

    fn ask_identity(&mut self, connections: &mut Connections, dice: &mut Dice, street: &mut Street<'_>) {
        if self.is_identity_asked {
            return;
        }
        let site = connections.anyone(dice);
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        self.is_identity_asked = connections.request(site, &request, Purpose::Identity, street);
    }

    fn identified(&mut self, response: &InitProducerIdResponse) {
        self.is_identity_asked = false;
        if response.error_code == 0 {
            self.identity = Some(Author { producer: response.producer_id, epoch: response.producer_epoch });
        }
    }

    /// One batch on each partition it knows, once faults are over.
    fn probe(&mut self, map: &Map, dice: &mut Dice, street: &mut Street<'_>) {
        for name in self.topics.clone() {
            let partitions: Vec<i32> =
                map.topic(&name).map(|topic| topic.partitions.keys().copied().collect()).unwrap_or_default();
            for partition in partitions {
                let lane = self.lane(&name, partition, map);
                if self.lanes[lane].drafts.is_empty() && self.probed.insert((name.clone(), partition)) {
                    self.draft(lane, dice, street);
                }
            }
        }
    }

    fn choose(&self, map: &Map, dice: &mut Dice) -> Option<(String, i32)> {
        let name = dice.pick(&self.topics);
        let topic = map.topic(name)?;
        let partitions: Vec<i32> = topic.partitions.keys().copied().collect();
        (!partitions.is_empty()).then(|| (name.clone(), *dice.pick(&partitions)))
    }

    fn lane(&mut self, topic: &str, partition: i32, map: &Map) -> usize {
        let id = map.topic(topic).expect("chosen from the map").id;
        let shelf = Shelf { topic: id, partition };
        if let Some(number) = self.lanes.iter().position(|lane| lane.shelf == shelf) {
            return number;
        }
        self.lanes.push(Lane {
            topic: topic.to_owned(),
            shelf,
            drafts: VecDeque::new(),
            next_sequence: 0,
            is_rewinding: false,
            hold_until: Moment(0),
        });
        self.lanes.len() - 1
    }

    fn draft(&mut self, lane: usize, dice: &mut Dice, street: &mut Street<'_>) {
        let count = dice.between(1, self.habits.records_max as u64) as u32;
        let bytes_max = self.habits.record_bytes_max as u64;
        let lane = &mut self.lanes[lane];
        let sequence = self.identity.map(|_| lane.next_sequence);
        let author = self.identity.zip(sequence);
        let batch = street.ledger.intend(lane.shelf, count, author);
        let mut builder = BatchBuilder::new();
        // One batch in four is compressed; with zstd only by those that speak version 7 (KIP-110).
        let codecs = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
        if dice.below(4) == 0 {
            let known = if self.speaks_zstd { 4 } else { 3 };
            builder = builder.codec(*dice.pick(&codecs[..known]));
        }
        if let Some((author, sequence)) = author {
            builder = builder.producer(BatchProducer {
                id: author.producer,
                epoch: author.epoch,
                base_sequence: sequence,
            });
            lane.next_sequence = BatchProducer::sequence_after(sequence, count as i32);
        }
        for index in 0..count {
            let value = Value { batch, index }.encode(dice.between(16, bytes_max.max(16)) as usize);
            let key = batch.to_be_bytes();
            builder.push(street.wall_ms(), dice.coin().then_some(&key[..]), Some(&value), &[]);
        }
        let bytes = builder.build();
        street.ledger.built(batch, &bytes);
        lane.drafts.push_back(Draft { batch, bytes, state: State::Waiting, is_unsure: false });
    }

    /// The next draft of a lane and the machine it goes to.
    fn next_to_send(&self, number: usize, map: &Map, now: Moment) -> Option<(usize, usize)> {
        let lane = &self.lanes[number];
        if lane.is_rewinding || now < lane.hold_until {
            return None;
        }
        let flying = lane.drafts.iter().filter(|draft| draft.state == State::Flying).count();
        if flying >= self.habits.in_flight {
            return None;
        }
        let draft = lane.drafts.iter().position(|draft| draft.state == State::Waiting)?;
        let site = map.topic(&lane.topic)?.partitions.get(&lane.shelf.partition)?.site?;
        Some((site, draft))
    }

    /// False if the machine cannot be reached now.
    fn send(
        &mut self,
        number: usize,
        position: usize,
        site: usize,
        connections: &mut Connections,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) -> bool {
        let acks = self.habits.acks;
        let lane = &mut self.lanes[number];
        let draft = &mut lane.drafts[position];
        let (batch, partition) = (draft.batch, lane.shelf.partition);
        let data = PartitionProduceData { index: partition, records: Some(draft.bytes.clone()) };
        let is_by_id = connections.version(ApiKey::Produce) >= 13;
        let request = ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: 10_000,
            topic_data: vec![TopicProduceData {
                name: if is_by_id { String::new() } else { lane.topic.clone() },
                topic_id: lane.shelf.topic,
                partition_data: vec![data],
            }],
        };
        if dice.chance(self.habits.dies_ppm) {
            for lost in connections.die_within(site, &request, dice, street) {
                self.settle(lost, &mut Map::new(0, false), dice, street);
            }
            return false;
        }
        if acks == 0 {
            if connections.tell(site, &request, street) {
                street.marks.hit("client.produced_with_acks_0");
                // Nobody will ever say what became of it; a sequence goes on as if it had come in.
                lane.drafts.remove(position);
                return true;
            }
            return false;
        }
        if !connections.request(site, &request, Purpose::Produce { lane: number, batch }, street) {
            return false;
        }
        lane.drafts[position].state = State::Flying;
        true
    }

    #[expect(clippy::too_many_arguments, reason = "an answer, and all that it can touch")]
    fn settle_batch(
        &mut self,
        number: usize,
        batch: BatchId,
        meaning: Meaning,
        base_offset: Option<i64>,
        map: &mut Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        let lane = &mut self.lanes[number];
        let Some(position) = lane.drafts.iter().position(|draft| draft.batch == batch) else { return };
        let is_first = lane.drafts.iter().take(position).all(|draft| draft.state == State::Settled);
        let draft = &mut lane.drafts[position];
        draft.is_unsure |= meaning == Meaning::Unsure;
        let is_again = match meaning {
            Meaning::Done | Meaning::Duplicate => {
                *street.completed += 1;
                self.settled += 1;
                if draft.is_unsure {
                    street.marks.hit("client.retried_an_unsure_produce");
                }
                street.marks.hit(match (self.is_calm, self.habits.acks) {
                    (true, _) => "client.probed",
                    (false, 1) => "client.produced_with_acks_1",
                    (false, _) => "client.produced_with_acks_all",
                });
                street.marks.hit(if self.habits.is_idempotent {
                    "client.produced_with_sequences"
                } else {
                    "client.produced_plainly"
                });
                let place = base_offset.filter(|_| meaning == Meaning::Done);
                street.ledger.ack(batch, place, street.verdict);
                draft.state = State::Settled;
                false
            }
            Meaning::Unsure | Meaning::Again => self.habits.is_idempotent,
            Meaning::OutOfOrder => !is_first,
            Meaning::Never => false,
        };
        if meaning != Meaning::Done && meaning != Meaning::Duplicate {
            map.doubt(&lane.topic, lane.shelf.partition);
            if is_again {
                draft.state = State::Waiting;
                lane.is_rewinding = true;
            } else {
                refuse(draft, street);
                if self.habits.is_idempotent {
                    return self.start_anew(street);
                }
                self.settled += 1;
            }
        }
        let lane = &mut self.lanes[number];
        while lane.drafts.pop_front_if(|draft| draft.state == State::Settled).is_some() {}
        if !self.habits.is_idempotent {
            // A plain producer's lane has no order to keep.
            lane.drafts.retain(|draft| draft.state != State::Settled);
        }
        let is_flying = lane.drafts.iter().any(|draft| draft.state == State::Flying);
        if lane.is_rewinding && !is_flying {
            lane.is_rewinding = false;
            lane.hold_until = street.now().after(20 * MILLI + dice.below(100 * MILLI));
        }
    }

    /// The sequences are broken for good: what is not acknowledged is given up, and a new identity begins.
    fn start_anew(&mut self, street: &mut Street<'_>) {
        street.marks.hit("client.took_a_new_producer_id");
        self.identity = None;
        for lane in &mut self.lanes {
            for draft in &mut lane.drafts {
                if draft.state == State::Waiting && !draft.is_unsure {
                    refuse(draft, street);
                }
            }
            // An answer to what is still flying finds nothing: its fate stays unknown.
            lane.drafts.clear();
            lane.next_sequence = 0;
            lane.is_rewinding = false;
        }
        if self.is_calm {
            self.probed.clear();
        }
    }
}

fn refuse(draft: &mut Draft, street: &mut Street<'_>) {
    if draft.state != State::Settled && !draft.is_unsure {
        assert!(street.ledger.batch(draft.batch).fate == Fate::Unknown, "a draft's fate is open");
        street.ledger.refuse(draft.batch, street.verdict);
    }
    draft.state = State::Settled;
}

fn meaning_of(code: i16) -> Meaning {
    match code {
        0 => Meaning::Done,
        46 => Meaning::Duplicate,
        // NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NOT_COORDINATOR, NOT_ENOUGH_REPLICAS_AFTER_APPEND, NOT_CONTROLLER,
        // KAFKA_STORAGE_ERROR.
        6 | 7 | 16 | 20 | 41 | 56 => Meaning::Unsure,
        // Not there yet, not now: nothing was proposed.
        3 | 5 | 19 | 74 | 75 | 78 | 89 | 100 => Meaning::Again,
        45 => Meaning::OutOfOrder,
        _ => Meaning::Never,
    }
}
