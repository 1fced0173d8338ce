//! Erasers: delete records from the front of the logs that others write and read. What was asked to go may go from then
//! on; what is said to be gone stays gone (C7), whoever leads.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::map::Map;
use super::plan::TopicPlan;
use super::purpose::{Answered, Erasure, Purpose};
use super::ration::Ration;
use crate::claims::Claim;
use crate::claims::ledger::Shelf;
use rust_mq_proto::kafka::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use rust_mq_proto::kafka::api::describe_producers::{DescribeProducersRequest, TopicRequest};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

/// As far as there is anything.
const ALL: i64 = -1;

/// An eraser.
#[derive(Debug)]
pub struct Eraser {
    topics: Vec<TopicPlan>,
    left: Ration,
}

impl Eraser {
    /// One who deletes from those topics so often. Of one that is made anew a name does not say which is meant.
    pub fn new(topics: Vec<TopicPlan>, operations: u32) -> Eraser {
        let topics = topics.into_iter().filter(|topic| !topic.is_remade).collect();
        Eraser { topics, left: Ration::of(operations) }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Deletes from one partition, or two of the same leader.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if self.topics.is_empty() || !self.left.take() {
            return;
        }
        self.look(connections, map, chance, street);
        let dice = chance.of(ApiKey::DeleteRecords);
        let topic = dice.pick(&self.topics);
        let Some(known) = map.topic(&topic.name) else { return };
        let leaders = || known.partitions.iter().filter_map(|(number, leader)| Some((*number, leader.site?)));
        let sites: Vec<usize> = leaders().map(|(_, site)| site).collect();
        if sites.is_empty() {
            return;
        }
        let site = *dice.pick(&sites);
        let mut erasures = Vec::new();
        for (partition, _) in leaders().filter(|(_, leader)| *leader == site).take(2) {
            let shelf = Shelf { topic: known.id, partition };
            let end = street.ledger.known_end(shelf).max(0);
            let offset = match dice.below(16) {
                0 => ALL,
                1 => end + 1 + dice.below(1_000) as i64,
                _ => dice.between(0, end.unsigned_abs()) as i64,
            };
            street.ledger.may_delete(shelf, if offset == ALL { i64::MAX } else { offset });
            erasures.push(Erasure { topic: topic.name.clone(), shelf, offset });
        }
        let partition = |erasure: &Erasure| DeleteRecordsPartition {
            partition_index: erasure.shelf.partition,
            offset: erasure.offset,
        };
        let name = topic.name.clone();
        let topics = vec![DeleteRecordsTopic { name, partitions: erasures.iter().map(partition).collect() }];
        let request = DeleteRecordsRequest { topics, timeout_ms: *dice.pick(&[5_000, 0, i32::MAX]) };
        connections.request(site, &request, Purpose::Erase(erasures), street);
    }

    /// Now and then asks who is remembered as a producer.
    fn look(&self, connections: &mut Connections, map: &Map, chance: &mut Chance, street: &mut Street<'_>) {
        let dice = chance.of(ApiKey::DescribeProducers);
        if dice.below(4) > 0 {
            return;
        }
        let topic = dice.pick(&self.topics);
        let Some(known) = map.topic(&topic.name) else { return };
        let partition_indexes = known.partitions.keys().copied().collect();
        let site = dice.index(street.listening.len());
        let topics = vec![TopicRequest { name: topic.name.clone(), partition_indexes }];
        connections.request(site, &DescribeProducersRequest { topics }, Purpose::Nothing, street);
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, map: &mut Map, street: &mut Street<'_>) {
        let Purpose::Erase(erasures) = answered.purpose else { return };
        let Some(ResponseBody::DeleteRecords(response)) = answered.body else { return };
        let answers = response.topics.iter().flat_map(|topic| &topic.partitions);
        for (erasure, answer) in erasures.iter().zip(answers) {
            let Erasure { topic, shelf, offset } = erasure;
            if answer.error_code != 0 {
                street.marks.hit("client.was_refused_a_deletion");
                map.doubt(topic, shelf.partition);
                continue;
            }
            *street.completed += 1;
            street.marks.hit("client.deleted_records");
            let start = answer.low_watermark;
            street.verdict.hold(start >= *offset, Claim::C7, || {
                format!("{shelf:?}: what lies below {offset} was to go, and the log begins at {start}")
            });
            street.ledger.deleted(*shelf, start);
        }
    }
}
