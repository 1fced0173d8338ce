//! Watchers: ask now and again where logs begin and end, what is the first record of a time, and where a leader epoch
//! ended, of many partitions at once, of whom they take for the leader or of anybody. A log's end that is told must not
//! lie below what was known to be in it when the question was sent: only a leader that has made sure that it still
//! leads can say it. The rest must be exact (`c09_lookups_are_exact`).
//!
//! With some questions goes a leader epoch, as today's clients send it: the one they know, one before, or one that there
//! never will be, for which nobody leads.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::map::Map;
use super::plan::TopicPlan;
use super::purpose::{Answered, Ask, Purpose};
use super::ration::Ration;
use crate::claims::Claim;
use crate::claims::c09_lookups_are_exact::{Lookup, Question, Stand};
use crate::claims::ledger::Shelf;
use crate::dice::Dice;
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use rust_mq_proto::kafka::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

/// ListOffsets' words for what is no time.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIME: i64 = -3;
/// From this version on ListOffsets knows the last (KIP-734).
const MAX_TIME_SINCE: i16 = 7;
/// An epoch that no leader comes to.
const NEVER: i32 = i32::MAX;

/// A watcher.
#[derive(Debug)]
pub struct Watcher {
    topics: Vec<TopicPlan>,
    left: Ration,
}

impl Watcher {
    /// One who asks about those topics.
    pub fn new(topics: Vec<TopicPlan>, operations: u32) -> Watcher {
        Watcher { topics, left: Ration::of(operations) }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Asks about some partitions.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if self.left.is_used_up() {
            return;
        }
        let site = if chance.whom.below(3) == 0 {
            chance.whom.index(street.listening.len())
        } else {
            let leads = self.topics.iter().filter_map(|topic| map.topic(&topic.name));
            let sites: Vec<usize> =
                leads.flat_map(|topic| topic.partitions.values()).filter_map(|leader| leader.site).collect();
            if sites.is_empty() {
                return;
            }
            *chance.whom.pick(&sites)
        };
        let is_sent = match chance.whom.below(3) {
            0 => {
                let dice = chance.of(ApiKey::OffsetForLeaderEpoch);
                let asks = self.asks(site, map, dice, street, |_, epoch, dice| {
                    Question::Epoch(
                        dice.between(0, epoch.unsigned_abs().into()) as i32 + dice.below(2) as i32,
                    )
                });
                ask_epochs(site, asks, connections, street)
            }
            _ => {
                let knows_max = connections.version(ApiKey::ListOffsets) >= MAX_TIME_SINCE;
                let wall_ms = street.wall_ms();
                let dice = chance.of(ApiKey::ListOffsets);
                let asks = self.asks(site, map, dice, street, |known, _, dice| match dice.below(8) {
                    0..3 => Question::Latest { known },
                    3 => Question::Earliest,
                    4 if knows_max => Question::MaxTime,
                    _ => {
                        let away = dice.log_uniform(1, 60_000) as i64;
                        Question::Time(if dice.below(6) == 0 { wall_ms + away } else { wall_ms - away })
                    }
                });
                let timeout_ms = *dice.pick(&[5_000, 0, i32::MAX]);
                let isolation_level = i8::from(dice.coin());
                ask_offsets(site, asks, (isolation_level, timeout_ms), connections, street)
            }
        };
        if is_sent {
            self.left.take();
        }
    }

    /// A question for each of some partitions, all of them there by what the map says, unless anybody is asked.
    fn asks(
        &self,
        site: usize,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
        question: impl Fn(i64, i32, &mut Dice) -> Question,
    ) -> Vec<Ask> {
        let mut asks = Vec::new();
        let is_anybody = dice.below(4) == 0;
        for topic in &self.topics {
            let Some(known) = map.topic(&topic.name) else { continue };
            for (partition, leader) in &known.partitions {
                if !is_anybody && leader.site != Some(site) || dice.below(3) == 0 {
                    continue;
                }
                let shelf = Shelf { topic: known.id, partition: *partition };
                let epoch = match dice.below(8) {
                    0 => NEVER,
                    1 => leader.epoch - 1,
                    2..5 => leader.epoch,
                    _ => -1,
                };
                asks.push(Ask {
                    shelf,
                    topic: topic.name.clone(),
                    question: question(street.ledger.known_end(shelf), leader.epoch, dice),
                    epoch,
                    asked: Stand::default(),
                    said: None,
                });
            }
        }
        asks
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, map: &mut Map, street: &mut Street<'_>) {
        let Purpose::Lookups(asks) = answered.purpose else { return };
        let Some(body) = answered.body else { return };
        if asks.len() > 1 {
            street.marks.hit("client.looked_up_many_partitions");
        }
        for ask in &asks {
            let Some((code, found)) = found(ask, &body) else { continue };
            if code != 0 {
                street.marks.hit(match code {
                    74 | 75 => "client.was_fenced_as_a_watcher",
                    _ => "client.was_told_nothing",
                });
                map.doubt(&ask.topic, ask.shelf.partition);
                continue;
            }
            *street.completed += 1;
            street.marks.hit(match ask.question {
                Question::Earliest => "client.was_told_the_start",
                Question::Latest { .. } => "client.was_told_the_end",
                Question::Time(_) if found.0 < 0 => "client.was_told_that_nothing_is_so_new",
                Question::Time(_) => "client.was_told_what_is_at_a_time",
                Question::MaxTime => "client.was_told_the_largest_time",
                Question::Epoch(_) => "client.was_told_the_end_of_an_epoch",
            });
            street.verdict.hold(ask.epoch != NEVER, Claim::C9, || {
                format!("{:?}: somebody answers as the leader of epoch {NEVER}", ask.shelf)
            });
            let Some(said) = ask.said else { continue };
            let (offset, timestamp, epoch) = found;
            let lookup = Lookup {
                shelf: ask.shelf,
                question: ask.question,
                offset,
                timestamp,
                epoch,
                asked: ask.asked,
                said,
            };
            street.lookups.answered(lookup, street.ledger, street.verdict);
        }
    }
}

/// What was answered to a question: an error code, then offset, time and epoch.
fn found(ask: &Ask, body: &ResponseBody) -> Option<(i16, (i64, i64, i32))> {
    match body {
        ResponseBody::ListOffsets(response) => {
            let topic = response.topics.iter().find(|topic| topic.name == ask.topic)?;
            let is_its = |index: i32| index == ask.shelf.partition;
            let answer = topic.partitions.iter().find(|answer| is_its(answer.partition_index))?;
            Some((answer.error_code, (answer.offset, answer.timestamp, answer.leader_epoch)))
        }
        ResponseBody::OffsetForLeaderEpoch(response) => {
            let topic = response.topics.iter().find(|topic| topic.topic == ask.topic)?;
            let answer = topic.partitions.iter().find(|answer| answer.partition == ask.shelf.partition)?;
            Some((answer.error_code, (answer.end_offset, -1, answer.leader_epoch)))
        }
        _ => None,
    }
}

fn ask_offsets(
    site: usize,
    asks: Vec<Ask>,
    (isolation_level, timeout_ms): (i8, i32),
    connections: &mut Connections,
    street: &mut Street<'_>,
) -> bool {
    let mut topics: Vec<ListOffsetsTopic> = Vec::new();
    for ask in &asks {
        let timestamp = match ask.question {
            Question::Earliest => EARLIEST,
            Question::Latest { .. } => LATEST,
            Question::MaxTime => MAX_TIME,
            Question::Time(time) => time,
            Question::Epoch(_) => continue,
        };
        let asked = ListOffsetsPartition {
            partition_index: ask.shelf.partition,
            timestamp,
            current_leader_epoch: ask.epoch,
        };
        match topics.last_mut() {
            Some(last) if last.name == ask.topic => last.partitions.push(asked),
            _ => topics.push(ListOffsetsTopic { name: ask.topic.clone(), partitions: vec![asked] }),
        }
    }
    if topics.is_empty() {
        return false;
    }
    let request = ListOffsetsRequest { replica_id: -1, isolation_level, topics, timeout_ms };
    // Versions before 4 tell no epoch.
    let fences = connections.version(ApiKey::ListOffsets) >= 4;
    connections.request(site, &request, Purpose::Lookups(fenced(asks, fences)), street)
}

fn ask_epochs(site: usize, asks: Vec<Ask>, connections: &mut Connections, street: &mut Street<'_>) -> bool {
    let mut topics: Vec<OffsetForLeaderTopic> = Vec::new();
    for ask in &asks {
        let Question::Epoch(leader_epoch) = ask.question else { continue };
        let asked = OffsetForLeaderPartition {
            partition: ask.shelf.partition,
            current_leader_epoch: ask.epoch,
            leader_epoch,
        };
        match topics.last_mut() {
            Some(last) if last.topic == ask.topic => last.partitions.push(asked),
            _ => topics.push(OffsetForLeaderTopic { topic: ask.topic.clone(), partitions: vec![asked] }),
        }
    }
    if topics.is_empty() {
        return false;
    }
    let request = OffsetForLeaderEpochRequest { replica_id: -1, topics };
    connections.request(site, &request, Purpose::Lookups(asks), street)
}

/// As they are asked by a client that tells no epoch, if it does not.
fn fenced(mut asks: Vec<Ask>, fences: bool) -> Vec<Ask> {
    if !fences {
        asks.iter_mut().for_each(|ask| ask.epoch = -1);
    }
    asks
}
