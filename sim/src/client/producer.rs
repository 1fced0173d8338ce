//! Producers: batches of unique values, plain or idempotent, with acks 0, 1 or all, of one partition or of many in a
//! request. Each partition is a `lane`; a `draft` is one batch.
//!
//! A plain producer never sends a value twice, so that every duplicate is the broker's. An idempotent one whose batch
//! was refused for good begins a new epoch of its id, as today's clients do (KIP-360), or takes a new id.
//!
//! A fate is told to the ledger once. "Refused" is only said when every attempt was refused by a definite error.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::draft::{self, Order, State};
use super::ghosts::Ghosts;
use super::lane::Lane;
use super::map::Map;
use super::plan::{ProducerHabits, Stamps, TopicPlan};
use super::produced::{Meaning, Part, answer_to, hit_done, meaning_of, put, put_refused, timeout_ms};
use super::purpose::{Answered, Purpose};
use crate::claims::c20_never_panics;
use crate::claims::ledger::{Author, BatchId, Shelf};
use crate::clock::MILLI;
use crate::dice::Dice;
use rust_mq_proto::kafka::api::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use rust_mq_proto::kafka::api::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use rust_mq_proto::records::Producer as BatchProducer;
use std::collections::BTreeSet;

/// A producer.
#[derive(Debug)]
pub struct Producer {
    habits: ProducerHabits,
    topics: Vec<TopicPlan>,
    lanes: Vec<Lane>,
    identity: Option<Author>,
    ghosts: Ghosts,
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

impl Producer {
    /// A producer that writes to those topics.
    pub fn new(habits: ProducerHabits, topics: Vec<TopicPlan>, operations: u32) -> Producer {
        Producer {
            habits,
            topics,
            lanes: Vec::new(),
            identity: None,
            ghosts: Ghosts::default(),
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
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// No more but one probe a partition, which must succeed.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.left = 0;
        let habits = &mut self.habits;
        habits.stamps = Stamps::Now;
        (habits.acks, habits.dies_ppm, habits.spoils_ppm, habits.fills_ppm, habits.bumps_ppm) =
            (-1, 0, 0, 0, 0);
        habits.haunts_ppm = 0;
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
        let is_excused = |lane: &Lane| map.is_write_excused(&lane.topic, lane.shelf.partition);
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
        let has_none = self.topics.is_empty();
        (self.is_calm && self.probed.is_empty() && !is_all_excused && !has_none).then(|| {
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
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        self.speaks_zstd = connections.version(ApiKey::Produce) >= 7;
        self.leave_dead_topics(map, street);
        if self.habits.is_idempotent && self.identity.is_none() {
            self.ask_identity(connections, chance, street);
        } else if self.is_calm {
            self.probe(map, chance.of(ApiKey::Produce), street);
        } else if self.left > 0 {
            self.write_some(map, chance.of(ApiKey::Produce), street);
            self.haunt(connections, map, chance.of(ApiKey::Produce), street);
        }
        self.push(connections, map, chance, street);
    }

    /// An answer, or the loss of one.
    pub fn settle(
        &mut self,
        answered: Answered,
        map: &mut Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        match (answered.purpose, answered.body) {
            (Purpose::Identity, Some(ResponseBody::InitProducerId(response))) => {
                self.identified(&response, street);
            }
            (Purpose::Identity, _) => self.is_identity_asked = false,
            (Purpose::Produce { parts }, Some(ResponseBody::Produce(response))) => {
                for part in parts {
                    match answer_to(&part, &response) {
                        Some(answer) => self.answered(&part, answer, map, chance, street),
                        None => {
                            let words = format!("the answer to batch {} names no partition", part.batch);
                            return c20_never_panics::strange_answer(words, street.verdict);
                        }
                    }
                }
            }
            (Purpose::Produce { parts }, _) => {
                let meaning = if answered.was_sent { Meaning::Unsure } else { Meaning::Again };
                if meaning == Meaning::Unsure {
                    street.marks.hit("client.lost_the_answer_to_a_produce");
                }
                for part in parts {
                    self.settle_batch(part.lane, part.batch, meaning, None, map, chance, street);
                }
            }
            _ => {}
        }
    }

    /// Sends what each lane may send, lanes of one leader together.
    pub fn push(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        for number in 0..self.lanes.len() {
            while let Some(site) = self.site_for(number, map, street) {
                let mut lanes = vec![number];
                let others = (0..self.lanes.len())
                    .filter(|other| *other != number && self.site_for(*other, map, street) == Some(site));
                lanes.extend(others.take(self.habits.spread.saturating_sub(1)));
                if !self.send(&lanes, site, connections, chance, street) {
                    let until = street.now().after(30 * MILLI);
                    lanes.iter().for_each(|lane| self.lanes[*lane].hold_until = until);
                    break;
                }
            }
        }
    }

    /// The site that a lane's next batch goes to, if it has one to send.
    fn site_for(&self, number: usize, map: &Map, street: &Street<'_>) -> Option<usize> {
        let lane = &self.lanes[number];
        lane.next_to_send(self.habits.in_flight, street.now())?;
        map.topic(&lane.topic)?.partitions.get(&lane.shelf.partition)?.site
    }

    fn ask_identity(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        if self.is_identity_asked {
            return;
        }
        let site = connections.anyone(&mut chance.whom);
        let transaction_timeout_ms = *chance.of(ApiKey::InitProducerId).pick(&[60_000, 0, i32::MAX]);
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms, ..Default::default() };
        self.is_identity_asked = connections.request(site, &request, Purpose::Identity, street);
    }

    fn identified(&mut self, response: &InitProducerIdResponse, street: &mut Street<'_>) {
        self.is_identity_asked = false;
        if response.error_code == 0 {
            street.ids.given(response.producer_id, street.verdict);
            let epoch = std::mem::take(&mut self.habits.first_epoch).max(response.producer_epoch);
            self.identity = Some(Author { producer: response.producer_id, epoch });
        }
    }

    /// One batch, or one for each of several partitions.
    fn write_some(&mut self, map: &Map, dice: &mut Dice, street: &mut Street<'_>) {
        if self.identity.is_some() && dice.chance(self.habits.bumps_ppm) {
            self.start_anew(street);
            // After an id's last epoch it needs another id first: a batch without one is not known again.
            if self.identity.is_none() {
                return;
            }
        }
        for _ in 0..dice.between(1, (self.habits.spread * self.habits.bursts) as u64) {
            if let Some((topic, partition)) = self.choose(map, dice) {
                let lane = self.lane(&topic, partition, map);
                if self.lanes[lane].has_room() {
                    self.left = self.left.saturating_sub(1);
                    self.draft(lane, dice, street);
                }
            }
        }
    }

    /// Now and then it comes back in an epoch that it has left.
    fn haunt(&mut self, connections: &mut Connections, map: &Map, dice: &mut Dice, street: &mut Street<'_>) {
        if self.habits.haunts_ppm == 0 || !dice.chance(self.habits.haunts_ppm) {
            return;
        }
        let Some((name, partition)) = self.choose(map, dice) else { return };
        let lane = self.lane(&name, partition, map);
        let shelf = self.lanes[lane].shelf;
        let Some(site) = map.leader(&name, partition).and_then(|leader| leader.site) else { return };
        let topic = self.topics.iter().find(|topic| topic.name == name).expect("chosen among its own");
        let (habits, speaks_zstd) = (&self.habits, self.speaks_zstd);
        let order = Order { habits, topic, shelf, author: None, speaks_zstd };
        self.ghosts.haunt(order, site, connections, dice, street);
    }

    /// One batch on each partition it knows, once faults are over.
    fn probe(&mut self, map: &Map, dice: &mut Dice, street: &mut Street<'_>) {
        for topic in self.topics.clone() {
            let name = topic.name;
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
        if self.topics.is_empty() {
            return None;
        }
        let name = &dice.pick(&self.topics).name;
        let topic = map.topic(name)?;
        let partitions: Vec<i32> = topic.partitions.keys().copied().collect();
        (!partitions.is_empty()).then(|| (name.clone(), *dice.pick(&partitions)))
    }

    /// The lane of a partition. One of a topic that was made anew goes on with the sequences of the one before it, as
    /// real clients do.
    fn lane(&mut self, topic: &str, partition: i32, map: &Map) -> usize {
        let id = map.topic(topic).expect("chosen from the map").id;
        let shelf = Shelf { topic: id, partition };
        if let Some(number) = self.lanes.iter().position(|lane| lane.shelf == shelf) {
            return number;
        }
        let is_before = |lane: &&Lane| lane.topic == topic && lane.shelf.partition == partition;
        let before = self.lanes.iter().rev().find(is_before);
        let sequence = before.map_or(self.habits.first_sequence, |lane| lane.next_sequence);
        self.lanes.push(Lane::new(topic, shelf, sequence));
        self.lanes.len() - 1
    }

    /// What was for an incarnation of a topic that is gone is given up.
    fn leave_dead_topics(&mut self, map: &Map, street: &mut Street<'_>) {
        for lane in &mut self.lanes {
            let is_dead = map.topic(&lane.topic).is_some_and(|topic| topic.id != lane.shelf.topic);
            if is_dead && !lane.drafts.is_empty() {
                street.marks.hit("client.left_a_topic_that_was_remade");
                lane.give_up(street);
                if self.is_calm {
                    self.probed.remove(&(lane.topic.clone(), lane.shelf.partition));
                }
            }
        }
    }

    fn draft(&mut self, number: usize, dice: &mut Dice, street: &mut Street<'_>) {
        let lane = &mut self.lanes[number];
        let topic = self.topics.iter().find(|topic| topic.name == lane.topic).expect("a topic of its own");
        let order = Order {
            habits: &self.habits,
            topic,
            shelf: lane.shelf,
            author: self.identity.map(|author| (author, lane.next_sequence)),
            speaks_zstd: self.speaks_zstd,
        };
        let draft = draft::write(order, dice, street);
        if self.identity.is_some() {
            let next = BatchProducer::sequence_after(lane.next_sequence, draft.count as i32);
            lane.next_sequence = next;
        }
        lane.drafts.push_back(draft);
    }

    /// Sends the next batch of each of those lanes. False if the site cannot be reached now.
    fn send(
        &mut self,
        lanes: &[usize],
        site: usize,
        connections: &mut Connections,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) -> bool {
        let now = street.now();
        let next = |lane: usize| self.lanes[lane].next_to_send(self.habits.in_flight, now);
        let places: Vec<(usize, usize)> =
            lanes.iter().filter_map(|lane| Some((*lane, next(*lane)?))).collect();
        let is_by_id = connections.version(ApiKey::Produce) >= 13;
        let mut parts = Vec::with_capacity(places.len());
        let mut topic_data: Vec<TopicProduceData> = Vec::new();
        for (number, place) in &places {
            let lane = &self.lanes[*number];
            let draft = &lane.drafts[*place];
            let (batch, shelf) = (draft.batch, lane.shelf);
            let (topic, wants_all) = (lane.topic.clone(), self.habits.acks == -1);
            parts.push(Part { lane: *number, batch, topic, shelf, wants_all });
            let data = PartitionProduceData { index: shelf.partition, records: Some(draft.bytes.clone()) };
            put(&mut topic_data, &lane.topic, shelf.topic, data, is_by_id);
        }
        let dice = chance.of(ApiKey::Produce);
        let (acks, timeout_ms) = (self.habits.acks, timeout_ms(self.is_calm, dice));
        if self.habits.spread > 1 && acks != 0 && dice.below(4) == 0 {
            put_refused(&mut topic_data);
            street.marks.hit("client.sent_a_part_that_is_refused");
        }
        let request = ProduceRequest { transactional_id: None, acks, timeout_ms, topic_data };
        if dice.chance(self.habits.dies_ppm) {
            for lost in connections.die_within(site, &request, chance.of(ApiKey::Produce), street) {
                self.settle(lost, &mut Map::nowhere(), chance, street);
            }
            return false;
        }
        if parts.len() > 1 {
            street.marks.hit("client.produced_to_many_partitions");
        }
        if acks == 0 {
            if !connections.tell(site, &request, &parts, street) {
                return false;
            }
            street.marks.hit("client.produced_with_acks_0");
            for (lane, place) in places {
                // Nobody will ever say what became of it; a sequence goes on as if it had come in.
                self.lanes[lane].drafts.remove(place);
            }
            return true;
        }
        if !connections.request(site, &request, Purpose::Produce { parts }, street) {
            return false;
        }
        for (lane, place) in places {
            self.lanes[lane].drafts[place].state = State::Flying;
        }
        true
    }

    /// The answer to one batch.
    fn answered(
        &mut self,
        part: &Part,
        answer: &PartitionProduceResponse,
        map: &mut Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        let meaning = meaning_of(answer.error_code);
        if answer.error_code != 0 {
            let message = answer.error_message.as_deref().unwrap_or_default();
            self.last_error = format!("{} {message}", answer.error_code);
        } else if answer.log_append_time_ms >= 0 {
            street.ledger.stamped(part.batch, answer.log_append_time_ms);
            street.marks.hit("client.was_stamped_by_a_leader");
        }
        if meaning == Meaning::Never {
            street.marks.hit("client.was_refused_for_good");
        }
        self.settle_batch(part.lane, part.batch, meaning, Some(answer.base_offset), map, chance, street);
    }

    #[expect(clippy::too_many_arguments, reason = "an answer, and all that it can touch")]
    fn settle_batch(
        &mut self,
        number: usize,
        batch: BatchId,
        meaning: Meaning,
        base_offset: Option<i64>,
        map: &mut Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        let lane = &mut self.lanes[number];
        let Some((position, is_first)) = lane.find(batch) else {
            // Given up meanwhile; but what is acknowledged is there all the same.
            if matches!(meaning, Meaning::Done) {
                street.ledger.ack(batch, base_offset, street.verdict);
            }
            return;
        };
        let draft = &mut lane.drafts[position];
        draft.is_unsure |= meaning == Meaning::Unsure;
        let is_again = match meaning {
            Meaning::Done | Meaning::Duplicate => {
                *street.completed += 1;
                self.settled += 1;
                hit_done(self.is_calm, &self.habits, draft, street);
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
                draft.refuse(street);
                if self.habits.is_idempotent {
                    return self.start_anew(street);
                }
                self.settled += 1;
            }
        }
        if self.lanes[number].clear(self.habits.is_idempotent) {
            let wait = 20 * MILLI + chance.of(ApiKey::Produce).below(100 * MILLI);
            self.lanes[number].hold_until = street.now().after(wait);
        }
    }

    /// The sequences are broken for good: what is not acknowledged is given up, and a new epoch begins, or after the
    /// last of an id a new identity.
    fn start_anew(&mut self, street: &mut Street<'_>) {
        let bumped =
            self.identity.and_then(|author| Some(Author { epoch: author.epoch.checked_add(1)?, ..author }));
        let left = self.identity;
        // One that bumps its epoch at will does so here, too; the others take a new id, as older clients do.
        self.identity = bumped.filter(|_| self.habits.bumps_ppm > 0);
        street.marks.hit(match self.identity {
            Some(_) => "client.began_a_new_epoch",
            None => "client.took_a_new_producer_id",
        });
        self.habits.first_sequence = 0;
        for lane in &mut self.lanes {
            if let Some(author) = left {
                self.ghosts.leave(lane.shelf, author, lane.next_sequence);
            }
            lane.give_up(street);
            lane.next_sequence = 0;
        }
        if self.is_calm {
            self.probed.clear();
        }
    }
}
