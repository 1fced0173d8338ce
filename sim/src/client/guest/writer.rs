//! A program that writes with the client crate's producer: hands records over one by one, and believes what it is told of
//! each.
//!
//! Each record is a batch of the ledger's with one record in it, for which records go together is the machine's to decide:
//! where it went, under which sequence and in which batch the ledger is told when it leaves (`Ledger::signed`). What is
//! said of it at last goes there as any producer's acknowledgment or refusal does: it is there, at that offset (C7), in
//! the order of hand-over if the producer is idempotent (C8), or nowhere if it certainly failed (C10). That each record is
//! settled once is held against C7, too: who is told twice, or of what was never sent, is told wrong.
//!
//! In the end it writes one record to each partition, again and again until one is delivered.

use super::errands::{Errands, News};
use super::now;
use crate::claims::Claim;
use crate::claims::ledger::{Author, BatchId, Shelf, Value};
use crate::client::Street;
use crate::client::map::Map;
use crate::client::plan::{Aim, GuestHabits, TopicPlan};
use crate::client::produced::Part;
use crate::client::ration::Ration;
use crate::dice::Dice;
use bytes::Bytes;
use rust_mq_client::machine::backoff::Pauses;
use rust_mq_client::machine::moment::Moment;
use rust_mq_client::machine::mutant::Mutant;
use rust_mq_client::machine::producer::{Action, Event, Machine, RecordId, Sealing, Settings, Settled};
use rust_mq_client::machine::question::Answer;
use rust_mq_client::{Acks, Compression, Record};
use rust_mq_proto::grpc::ProduceRequest;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::records::{Batch, Decompressor};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Records that are handed over and not settled; beyond, it waits.
const OPEN_MAX: usize = 200;
/// Keys of records, if they have any.
const KEYS: u64 = 5;
/// The partition of a record whose partition the machine has not said yet.
const NOWHERE: i32 = -1;
/// What the records of one batch take at most.
const PLAIN_BYTES_MAX: usize = 1 << 20;

/// A writer.
#[derive(Debug)]
pub struct Writer {
    machine: Machine,
    habits: GuestHabits,
    topics: Vec<TopicPlan>,
    left: Ration,
    is_calm: bool,
    next_record: RecordId,
    /// The records that are not settled.
    open: BTreeMap<RecordId, Handed>,
    /// Where a probe was delivered.
    probed: BTreeSet<(String, i32)>,
    delivered: u64,
    last_error: String,
}

/// A record that was handed over.
#[derive(Clone, Debug)]
struct Handed {
    batch: BatchId,
    topic: String,
    /// The partition, if it said one.
    said: Option<i32>,
}

impl Writer {
    /// One that writes to those topics.
    pub fn new(
        habits: GuestHabits,
        topics: Vec<TopicPlan>,
        operations: u32,
        (bootstrap, seed): (Vec<String>, u64),
        mutant: Option<Mutant>,
    ) -> Writer {
        let ms = Duration::from_millis;
        let sealing = Sealing {
            batch_bytes: habits.batch_bytes,
            linger: ms(habits.linger_ms),
            delivery_timeout: ms(habits.delivery_ms),
            codec: if seed.is_multiple_of(4) { Compression::Lz4 } else { Compression::None },
            mutant,
        };
        let settings = Settings {
            acks: if habits.is_leader_enough { Acks::Leader } else { Acks::All },
            is_idempotent: habits.is_idempotent,
            makes_topics: false,
            sealing,
            request_timeout: ms(habits.request_ms),
            metadata_age_max: Duration::from_secs(20),
            pauses: Pauses::default(),
        };
        Writer {
            machine: Machine::new(settings, bootstrap, seed),
            habits,
            topics,
            left: Ration::of(operations),
            is_calm: false,
            next_record: 0,
            open: BTreeMap::new(),
            probed: BTreeSet::new(),
            delivered: 0,
            last_error: String::from("none"),
        }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// Nothing new but probes.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.left.end();
    }

    /// Records that were delivered.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// What is open.
    pub fn open_work(&self, map: &Map) -> Option<String> {
        let is_excused = |topic: &str, partition| map.is_write_excused(topic, partition);
        let error = &self.last_error;
        if !self.open.is_empty() {
            return Some(format!("a guest (last error {error}) has {} records open", self.open.len()));
        }
        if !self.is_calm || self.topics.is_empty() {
            return None;
        }
        let known = |topic: &TopicPlan| -> Vec<(String, i32)> {
            let partitions = map.topic(&topic.name).into_iter().flat_map(|known| known.partitions.keys());
            partitions.map(|partition| (topic.name.clone(), *partition)).collect()
        };
        let all: Vec<(String, i32)> = self.topics.iter().flat_map(known).collect();
        let missing: Vec<String> = all
            .iter()
            .filter(|place| !self.probed.contains(place) && !is_excused(&place.0, place.1))
            .map(|(topic, partition)| format!("{topic}/{partition}"))
            .collect();
        let has_none = all.is_empty() || !missing.is_empty();
        has_none.then(|| format!("a guest (last error {error}) has not delivered to {}", missing.join(", ")))
    }

    /// Hands over what is due.
    pub fn act(&mut self, map: &Map, dice: &mut Dice, street: &mut Street<'_>) {
        if self.is_calm {
            return self.probe(map, dice, street);
        }
        if self.topics.is_empty() || !self.left.take() {
            return;
        }
        for _ in 0..dice.between(1, self.habits.burst.max(1)) {
            let name = dice.pick(&self.topics).name.clone();
            let Some(topic) = map.topic(&name).filter(|_| self.open.len() < OPEN_MAX) else { continue };
            let partitions: Vec<i32> = topic.partitions.keys().copied().collect();
            if partitions.is_empty() {
                continue;
            }
            let said = (self.habits.aim == Aim::Said).then(|| *dice.pick(&partitions));
            self.hand_over(&name, topic.id, said, dice, street);
        }
        if dice.below(8) == 0 {
            self.machine.take(now(street.now()), Event::Hurry);
        }
    }

    /// What came of what it asked.
    pub fn hear(&mut self, news: News, street: &mut Street<'_>) {
        let event = match news {
            News::Answered { ticket, answer } => {
                if let Ok(Answer::Identity(given)) = &answer {
                    street.ids.given(given.producer_id, street.verdict);
                }
                Event::Answered { ticket, answer }
            }
            News::Produced { lane, ticket, response } => Event::Produced { lane, ticket, response },
            News::Lost { lane, error } => {
                street.marks.hit("guest.lost_a_lane");
                Event::Lost { lane, error }
            }
        };
        self.machine.take(now(street.now()), event);
    }

    /// Does what the machine says. Returns when to come back although nothing happens.
    pub fn turn(&mut self, errands: &mut Errands, street: &mut Street<'_>) -> Option<Moment> {
        let mut actions = Vec::new();
        self.machine.act(now(street.now()), &mut actions);
        for action in actions {
            match action {
                Action::Ask { ticket, address, question, within } => {
                    errands.ask(ticket, &address, question, within, street);
                }
                Action::Open { lane, address } => errands.open(lane, &address, street),
                Action::Send { lane, ticket, request } => {
                    let parts = self.sign(&request, street);
                    errands.send(lane, ticket, request, parts, street);
                }
                Action::Shut { lane } => {
                    street.marks.hit("guest.gave_up_a_silent_lane");
                    errands.shut(lane, street);
                }
                Action::Settle { place, settled } => self.settle(place.as_ref(), settled, street),
            }
        }
        self.machine.wake_at(now(street.now()))
    }

    /// One record to each partition where none was delivered, once nothing else is open.
    fn probe(&mut self, map: &Map, dice: &mut Dice, street: &mut Street<'_>) {
        for topic in self.topics.clone() {
            let Some(known) = map.topic(&topic.name) else { continue };
            for partition in known.partitions.keys().copied() {
                let place = (topic.name.clone(), partition);
                let is_its = |handed: &Handed| handed.topic == place.0 && handed.said == Some(partition);
                let is_under_way = self.open.values().any(is_its);
                let is_excused = map.is_write_excused(&topic.name, partition);
                if !is_under_way && !is_excused && !self.probed.contains(&place) {
                    self.hand_over(&topic.name, known.id, Some(partition), dice, street);
                }
            }
        }
    }

    fn hand_over(
        &mut self,
        topic: &str,
        topic_id: [u8; 16],
        said: Option<i32>,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        let shelf = Shelf { topic: topic_id, partition: said.unwrap_or(NOWHERE) };
        let batch = street.ledger.intend(shelf, 1, None);
        let length = dice.between(16, self.habits.record_bytes_max.max(16) as u64) as usize;
        let mut record = Record::new(topic, Value { batch, index: 0 }.encode(length).freeze());
        record.partition = said;
        if said.is_none() && self.habits.aim == Aim::Keyed {
            record.key = Some(Bytes::from(format!("key {}", dice.below(KEYS))));
        }
        let id = self.next_record;
        self.next_record += 1;
        self.open.insert(id, Handed { batch, topic: topic.to_owned(), said });
        self.machine.take(now(street.now()), Event::Record { id, record, wall_ms: street.wall_ms() });
    }

    /// Tells the ledger what leaves: which records go together, where to, and under which sequence.
    fn sign(&self, request: &ProduceRequest, street: &mut Street<'_>) -> Vec<Part> {
        let mut parts = Vec::new();
        for part in &request.partitions {
            let Some(Data::Batch(bytes)) = &part.data else { continue };
            let Ok(batch) = Batch::parse(bytes) else { continue };
            let author = batch
                .producer()
                .map(|own| (Author { producer: own.id, epoch: own.epoch }, own.base_sequence));
            let mut decompressor = Decompressor::new();
            let records = batch.records(&mut decompressor, PLAIN_BYTES_MAX).into_iter().flatten();
            let records = records.filter_map(Result::ok);
            let named: Vec<(BatchId, i64)> = records
                .filter_map(|record| Some((Value::decode(record.value?)?.batch, record.timestamp)))
                .collect();
            let Some((first, _)) = named.first().copied() else { continue };
            let topic = street.ledger.batch(first).shelf.topic;
            let shelf = Shelf { topic, partition: part.partition };
            if named.len() > 1 {
                street.marks.hit("guest.sent_several_records_together");
            }
            street.ledger.signed(&named, shelf, author, bytes);
            let wants_all = !self.habits.is_leader_enough;
            parts.push(Part { lane: 0, batch: first, topic: part.topic.clone(), shelf, wants_all });
        }
        if parts.len() > 1 {
            street.marks.hit("guest.wrote_to_many_partitions_at_once");
        }
        parts
    }

    fn settle(&mut self, place: Option<&(String, i32)>, settled: Settled, street: &mut Street<'_>) {
        let Settled { records, outcome } = settled;
        for (id, index) in records.into_iter().zip(0..) {
            let Some(Handed { batch, topic, said }) = self.open.remove(&id) else {
                street.verdict.breach(Claim::C7, format!("a guest is told of record {id} again"));
                continue;
            };
            let there = match &outcome {
                Ok(there) => there,
                Err(error) => {
                    self.last_error = error.to_string();
                    if error.may_take_effect() {
                        street.marks.hit("guest.was_told_that_nobody_knows");
                    } else {
                        street.marks.hit("guest.was_told_that_it_failed");
                        street.ledger.refuse(batch, street.verdict);
                    }
                    continue;
                }
            };
            let shelf = street.ledger.batch(batch).shelf;
            let is_there = place.is_some_and(|(name, partition)| {
                *name == topic && *partition == shelf.partition && said.is_none_or(|said| said == *partition)
            });
            street.verdict.hold(is_there, Claim::C7, || {
                format!("record {id} of a guest, for {shelf:?}, is said to be delivered to {place:?}")
            });
            *street.completed += 1;
            self.delivered += 1;
            street.marks.hit(if self.habits.is_idempotent {
                "guest.delivered_with_sequences"
            } else {
                "guest.delivered_plainly"
            });
            if let Some(time) = there.append_time_ms {
                street.ledger.stamped(batch, time);
            }
            street.ledger.ack(batch, there.base_offset.map(|base| base + index), street.verdict);
            if self.is_calm {
                self.probed.insert((topic, shelf.partition));
            }
        }
    }
}
