//! Watchers: ask now and again where a log ends, of whom they take for the leader or of anybody. A log's end that
//! is told must not lie below what was known to be in it when the question was sent (C9): only a leader that has
//! made sure that it still leads can say it.

use super::Street;
use super::connection::{Answered, Connections, Purpose};
use super::map::Map;
use crate::claims::Claim;
use crate::claims::ledger::Shelf;
use crate::dice::Dice;
use rust_mq_proto::kafka::api::ResponseBody;
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

/// ListOffsets' word for the end of a log.
const LATEST: i64 = -1;

/// A watcher.
#[derive(Debug)]
pub struct Watcher {
    topics: Vec<String>,
    left: u32,
}

impl Watcher {
    /// One who asks about those topics.
    pub fn new(topics: Vec<String>, operations: u32) -> Watcher {
        Watcher { topics, left: operations }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left = 0;
    }

    /// Asks for the end of some partition.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        let name = dice.pick(&self.topics).clone();
        let Some(topic) = map.topic(&name).filter(|_| self.left > 0) else { return };
        let partitions: Vec<i32> = topic.partitions.keys().copied().collect();
        if partitions.is_empty() {
            return;
        }
        let partition = *dice.pick(&partitions);
        let believed = topic.partitions[&partition].site;
        let anybody = dice.index(street.listening.len());
        let site = if dice.below(3) == 0 { anybody } else { believed.unwrap_or(anybody) };
        let shelf = Shelf { topic: topic.id, partition };
        let asked =
            ListOffsetsPartition { partition_index: partition, timestamp: LATEST, current_leader_epoch: -1 };
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 0,
            topics: vec![ListOffsetsTopic { name, partitions: vec![asked] }],
            timeout_ms: 5_000,
        };
        let purpose = Purpose::End { shelf, known: street.ledger.known_end(shelf) };
        if connections.request(site, &request, purpose, street) {
            self.left -= 1;
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: &Answered, map: &mut Map, street: &mut Street<'_>) {
        let (Purpose::End { shelf, known }, Some(ResponseBody::ListOffsets(response))) =
            (&answered.purpose, &answered.body)
        else {
            return;
        };
        let Some(answer) = response.topics.first().and_then(|topic| topic.partitions.first()) else { return };
        if answer.error_code != 0 {
            if let Some(name) = map.name_of(shelf.topic).map(str::to_owned) {
                map.doubt(&name, shelf.partition);
            }
            return;
        }
        street.marks.hit("client.was_told_the_end");
        *street.completed += 1;
        street.verdict.hold(answer.offset >= *known, Claim::C9, || {
            format!(
                "{shelf:?} is said to end at {}, and {known} was known before the question",
                answer.offset
            )
        });
    }
}
