//! Consumers: they follow every partition of their topics from a place on, and have each answer checked on the way
//! (C9). How far each is read is a `reading`.
//!
//! The auditor is a consumer that waits until everybody else is done, then reads every log from its start to its
//! high watermark, and asks the ledger what is missing (C7).
//!
//! A topic that is remade has another id each time, and ListOffsets names none: it is read from 0 on, or from where its
//! log starts, and only by those whose fetches name ids.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::fetch_session::{self, FetchSession};
use super::map::Map;
use super::plan::{ConsumerHabits, From, TopicPlan};
use super::purpose::{Answered, Asked, Beginning, Purpose};
use super::reading::Reading;
use crate::claims::Claim;
use crate::claims::c09_readers_see_one_log;
use crate::claims::ledger::Shelf;
use crate::clock::MILLI;
use crate::dice::Dice;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use rust_mq_proto::kafka::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use std::collections::{BTreeMap, BTreeSet};

/// ListOffsets' words for the ends of a log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    habits: ConsumerHabits,
    topics: Vec<TopicPlan>,
    places: BTreeMap<(String, i32), Reading>,
    /// With each site.
    sessions: BTreeMap<usize, FetchSession>,
    fetching: BTreeSet<usize>,
    is_auditor: bool,
    is_released: bool,
    is_calm: bool,
    /// Answers that came, and for the auditor only those that took it further.
    steps: u64,
}

impl Consumer {
    /// A consumer of those topics.
    pub fn new(habits: ConsumerHabits, topics: Vec<TopicPlan>) -> Consumer {
        Consumer {
            habits,
            topics,
            places: BTreeMap::new(),
            sessions: BTreeMap::new(),
            fetching: BTreeSet::new(),
            is_auditor: false,
            is_released: true,
            is_calm: false,
            steps: 0,
        }
    }

    /// The one who reads everything in the end.
    pub fn auditor(topics: Vec<TopicPlan>) -> Consumer {
        let habits = ConsumerHabits {
            from: From::Earliest,
            max_wait_ms: 100,
            min_bytes: 1,
            max_bytes: 1 << 20,
            slow_ms: 0,
            knows_epochs: true,
            is_committed_only: false,
            odd_ppm: 0,
            session_ends_ppm: None,
        };
        Consumer { is_auditor: true, is_released: false, ..Consumer::new(habits, topics) }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[TopicPlan] {
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
            // A site that stands still for ever takes connections and answers nothing: nobody promises more.
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
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if !self.is_released || (self.is_calm && !self.is_auditor) {
            return;
        }
        for topic in &self.topics {
            let Some(known) = map.topic(&topic.name) else { continue };
            for partition in known.partitions.keys() {
                let reading = self.places.entry((topic.name.clone(), *partition)).or_default();
                if reading.id != known.id {
                    *reading = Reading::of(known.id, Some(0).filter(|_| topic.is_remade));
                }
            }
        }
        for site in 0..street.listening.len() {
            self.ask_places(site, connections, map, chance.of(ApiKey::ListOffsets), street);
            if !self.fetching.contains(&site) {
                self.fetch(site, connections, map, chance.of(ApiKey::Fetch), street);
            }
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, map: &mut Map, street: &mut Street<'_>) {
        self.steps += u64::from(answered.body.is_some() && !self.is_auditor);
        match (answered.purpose, answered.body) {
            (Purpose::Beginnings(places), body) => {
                let response = match body {
                    Some(ResponseBody::ListOffsets(response)) => Some(response),
                    _ => None,
                };
                places.iter().for_each(|place| self.placed(place, response.as_ref(), map, street));
            }
            (Purpose::Fetch { site, from, max_bytes }, body) => {
                self.fetching.remove(&site);
                if let Some(session) = self.sessions.get_mut(&site) {
                    let response = match &body {
                        Some(ResponseBody::Fetch(response)) => Some(response),
                        _ => None,
                    };
                    if session.answered(response) {
                        street.marks.hit("client.went_on_with_a_fetch_session");
                    }
                }
                match body {
                    Some(ResponseBody::Fetch(response)) => {
                        c09_readers_see_one_log::is_no_more(&response, max_bytes, site, street.verdict);
                        self.fetched(site, &from, &response, map, street);
                    }
                    _ => self.topics.iter().for_each(|topic| map.doubt(&topic.name, -1)),
                }
            }
            _ => {}
        }
    }

    /// Asks a leader where to begin, where that is not known.
    fn ask_places(
        &mut self,
        site: usize,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        let timestamp = match self.habits.from {
            From::Earliest => EARLIEST,
            From::Latest => LATEST,
            From::Time { ago_ms } => street.wall_ms() - ago_ms as i64,
        };
        let fences = self.habits.knows_epochs && connections.version(ApiKey::ListOffsets) >= 4;
        let mut places = Vec::new();
        let mut topics: Vec<ListOffsetsTopic> = Vec::new();
        for ((name, partition), reading) in &mut self.places {
            if reading.offset.is_some() || reading.is_asked || street.now() < reading.hold_until {
                continue;
            }
            let Some(leader) = map.leader(name, *partition).filter(|leader| leader.site == Some(site)) else {
                continue;
            };
            let epoch = Some(leader.epoch).filter(|epoch| fences && *epoch >= 0);
            places.push(Beginning { topic: name.clone(), partition: *partition, timestamp, epoch });
            let asked = ListOffsetsPartition {
                partition_index: *partition,
                timestamp,
                current_leader_epoch: epoch.unwrap_or(-1),
            };
            match topics.last_mut() {
                Some(last) if last.name == *name => last.partitions.push(asked),
                _ => topics.push(ListOffsetsTopic { name: name.clone(), partitions: vec![asked] }),
            }
        }
        if places.is_empty() {
            return;
        }
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: i8::from(self.habits.is_committed_only),
            topics,
            timeout_ms: *dice.pick(&[5_000, 0, i32::MAX]),
        };
        let all = places.clone();
        if connections.request(site, &request, Purpose::Beginnings(places), street) {
            for place in all {
                self.places.entry((place.topic, place.partition)).or_default().is_asked = true;
            }
        }
    }

    /// A place to begin at has come.
    fn placed(
        &mut self,
        place: &Beginning,
        response: Option<&ListOffsetsResponse>,
        map: &mut Map,
        street: &mut Street<'_>,
    ) {
        let topics = response.into_iter().flat_map(|response| &response.topics);
        let mut answers =
            topics.filter(|topic| topic.name == place.topic).flat_map(|topic| &topic.partitions);
        let answer = answers.find(|answer| answer.partition_index == place.partition);
        let reading = self.places.entry((place.topic.clone(), place.partition)).or_default();
        reading.is_asked = false;
        reading.hold_until = street.now().after(50 * MILLI);
        let Some(answer) = answer.filter(|answer| answer.error_code == 0) else {
            map.doubt(&place.topic, place.partition);
            return;
        };
        *street.completed += 1;
        if answer.offset >= 0 {
            reading.begins(answer.offset, place.epoch);
            street.marks.hit(match place.timestamp {
                EARLIEST => "client.consumed_from_the_start",
                LATEST => "client.consumed_from_the_end",
                _ => "client.consumed_by_time",
            });
            if place.timestamp >= 0 {
                reading.not_older_than = Some(place.timestamp);
            }
        } else {
            // Nothing is so new: begin at the end.
            c09_readers_see_one_log::check_end(
                &place.topic,
                place.partition,
                place.timestamp,
                street.verdict,
            );
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
        let version = connections.version(ApiKey::Fetch);
        let habits = &self.habits;
        let is_odd = dice.chance(habits.odd_ppm);
        let (from, mut topics) = self.wanted((site, version), is_odd, map, dice, street);
        if from.is_empty() {
            return;
        }
        if dice.coin() {
            topics.reverse();
        }
        if topics.len() > 1 {
            street.marks.hit("client.fetched_many_topics");
        }
        let mut request = FetchRequest {
            max_wait_ms: habits.max_wait_ms,
            min_bytes: habits.min_bytes,
            max_bytes: habits.max_bytes,
            isolation_level: i8::from(habits.is_committed_only),
            topics,
            ..Default::default()
        };
        if is_odd {
            street.marks.hit("client.fetched_oddly");
            request = odd(request, dice);
        }
        if let Some(ends_ppm) = habits.session_ends_ppm.filter(|_| version >= 7) {
            let ends = fetch_session::ends(ends_ppm, dice);
            request = self.sessions.entry(site).or_default().request(request, ends);
        }
        let purpose = Purpose::Fetch { site, from, max_bytes: request.max_bytes };
        if connections.request(site, &request, purpose, street) {
            self.fetching.insert(site);
        } else if let Some(session) = self.sessions.get_mut(&site) {
            session.answered(None);
        }
    }

    /// What is to be read of the partitions that a site leads, for us and as it is asked in that version.
    fn wanted(
        &self,
        (site, version): (usize, i16),
        is_odd: bool,
        map: &Map,
        dice: &mut Dice,
        street: &Street<'_>,
    ) -> (Vec<Asked>, Vec<FetchTopic>) {
        let habits = &self.habits;
        let mut topics: Vec<FetchTopic> = Vec::new();
        let mut from = Vec::new();
        for ((name, partition), reading) in &self.places {
            let (Some(offset), Some(topic)) = (reading.offset, map.topic(name)) else { continue };
            let Some(leader) = topic.partitions.get(partition).filter(|leader| leader.site == Some(site))
            else {
                continue;
            };
            if street.now() < reading.hold_until || reading.read_to_end.is_some() || topic.id != reading.id {
                continue;
            }
            // As real clients do: not of a leader older than the one that the position is of.
            if habits.knows_epochs && reading.known_in.is_some_and(|known| known > leader.epoch) {
                continue;
            }
            let known = Some(leader.epoch).filter(|epoch| habits.knows_epochs && *epoch >= 0);
            let one = Asked {
                id: topic.id,
                partition: *partition,
                offset,
                epoch: known.filter(|_| version >= 9),
                last_epoch: reading.last_epoch.filter(|_| known.is_some() && version >= 12),
            };
            from.push(one);
            let asked = part(&one, habits.max_bytes, is_odd, dice);
            match topics.last_mut() {
                Some(last) if last.topic_id == topic.id => last.partitions.push(asked),
                _ => topics.push(FetchTopic {
                    topic: name.clone(),
                    topic_id: topic.id,
                    partitions: vec![asked],
                }),
            }
        }
        (from, topics)
    }

    fn fetched(
        &mut self,
        site: usize,
        from: &[Asked],
        response: &FetchResponse,
        map: &mut Map,
        street: &mut Street<'_>,
    ) {
        for topic in &response.responses {
            for answer in &topic.partitions {
                let asked = from.iter().find(|asked| {
                    asked.partition == answer.partition_index
                        && (asked.id == topic.topic_id || map.name_of(asked.id) == Some(topic.topic.as_str()))
                });
                let Some(asked) = asked else {
                    let is_left =
                        street.ids.name_of(topic.topic_id).is_some_and(|name| map.topic(name).is_some());
                    let words = format!("site {site} answered a fetch of a partition that nobody asked");
                    street.verdict.hold(is_left, Claim::C9, || words);
                    continue;
                };
                let Some(name) = map.name_of(asked.id).map(str::to_owned) else { continue };
                let shelf = Shelf { topic: asked.id, partition: asked.partition };
                let reading = self.places.entry((name.clone(), asked.partition)).or_default();
                if reading.id != asked.id || reading.offset != Some(asked.offset) {
                    continue;
                }
                match answer.error_code {
                    0 => {
                        *street.completed += 1;
                        reading.advance(shelf, asked, answer, street);
                        if self.is_auditor {
                            self.steps += u64::from(reading.is_further());
                            reading.audit_if_at_end(shelf, &name, answer, street);
                            self.steps += u64::from(reading.read_to_end.is_some());
                        }
                    }
                    1 => {
                        reading.out_of_range(shelf, asked, answer, self.is_auditor, street);
                        let is_remade = self.topics.iter().any(|topic| topic.name == name && topic.is_remade);
                        if is_remade && reading.offset.is_none() {
                            reading.begins(answer.log_start_offset, None);
                        }
                    }
                    74 | 75 => {
                        street.marks.hit("client.was_fenced_as_a_reader");
                        reading.hold_until = street.now().after(50 * MILLI);
                        map.doubt(&name, asked.partition);
                    }
                    _ => {
                        reading.hold_until = street.now().after(50 * MILLI);
                        map.doubt(&name, asked.partition);
                    }
                }
            }
        }
    }
}

/// The request with what no client in its senses asks for.
fn odd(request: FetchRequest, dice: &mut Dice) -> FetchRequest {
    FetchRequest {
        max_wait_ms: *dice.pick(&[0, -1, 3_000]),
        min_bytes: *dice.pick(&[0, -1, i32::MAX]),
        max_bytes: *dice.pick(&[0, -1, 1, i32::MAX]),
        rack_id: "a rack".into(),
        ..request
    }
}

/// What is asked of one partition.
fn part(asked: &Asked, max_bytes: i32, is_odd: bool, dice: &mut Dice) -> FetchPartition {
    let plain = FetchPartition {
        partition: asked.partition,
        fetch_offset: asked.offset,
        current_leader_epoch: asked.epoch.unwrap_or(-1),
        last_fetched_epoch: asked.last_epoch.unwrap_or(-1),
        partition_max_bytes: max_bytes,
        ..Default::default()
    };
    if !is_odd {
        return plain;
    }
    FetchPartition {
        log_start_offset: *dice.pick(&[-1, 0, i64::MAX, i64::MIN]),
        partition_max_bytes: *dice.pick(&[0, 1, 100, i32::MAX, -1]),
        ..plain
    }
}
