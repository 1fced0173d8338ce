//! What came of a Produce: its parts, matched with the answer's, and what an error code means to a producer.

use super::Street;
use super::draft::Draft;
use super::plan::ProducerHabits;
use crate::claims::ledger::{BatchId, Shelf};
use crate::dice::Dice;
use rust_mq_proto::kafka::api::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceResponse, TopicProduceData,
};

/// How long a broker may wait for a majority in the end, milliseconds: less than the client waits for its answer.
const CALM_TIMEOUT_MAX_MS: i32 = 10_000;
/// A partition that no topic has.
const NO_PARTITION: i32 = 999;

/// One batch of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Of which of its producer's lanes.
    pub lane: usize,
    /// Which.
    pub batch: BatchId,
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub shelf: Shelf,
    /// Whether all replicas in sync are to have it (acks=all).
    pub wants_all: bool,
}

/// What an error code means to a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It is there.
    Done,
    /// It was there before, nobody says where.
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

/// Adds a partition's batch to a request, by the topic's name or id as the version has it.
pub fn put(
    topics: &mut Vec<TopicProduceData>,
    name: &str,
    id: [u8; 16],
    data: PartitionProduceData,
    is_by_id: bool,
) {
    if let Some(topic) = topics.iter_mut().find(|topic| topic.topic_id == id) {
        return topic.partition_data.push(data);
    }
    let name = if is_by_id { String::new() } else { name.to_owned() };
    topics.push(TopicProduceData { name, topic_id: id, partition_data: vec![data] });
}

/// How long the broker may wait for a majority. In the end not for longer than the client does: answers come in order, and
/// what no majority takes would hold up again and again what was sent behind it (seed 86013663).
pub fn timeout_ms(is_calm: bool, dice: &mut Dice) -> i32 {
    let most = if is_calm { CALM_TIMEOUT_MAX_MS } else { i32::MAX };
    *dice.pick::<i32>(&[10_000, 10_000, 30_000, i32::MAX, 500]).min(&most)
}

/// Adds a part that is refused at once, ahead of those that wait for their commit.
///
/// Precondition: there is a topic.
pub fn put_refused(topics: &mut [TopicProduceData]) {
    let data = PartitionProduceData { index: NO_PARTITION, records: None };
    topics[0].partition_data.insert(0, data);
}

/// What was answered for one batch.
pub fn answer_to<'a>(part: &Part, response: &'a ProduceResponse) -> Option<&'a PartitionProduceResponse> {
    let is_its = |name: &str, id: [u8; 16]| id == part.shelf.topic || name == part.topic;
    let topics = response.responses.iter().filter(|topic| is_its(&topic.name, topic.topic_id));
    let mut answers = topics.flat_map(|topic| &topic.partition_responses);
    answers.find(|answer| answer.index == part.shelf.partition)
}

/// What that code means.
pub fn meaning_of(code: i16) -> Meaning {
    match code {
        0 => Meaning::Done,
        46 => Meaning::Duplicate,
        // NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NOT_COORDINATOR, NOT_CONTROLLER, KAFKA_STORAGE_ERROR; and
        // NOT_ENOUGH_REPLICAS_AFTER_APPEND, which says it in its name.
        6 | 7 | 16 | 20 | 41 | 56 => Meaning::Unsure,
        // Not there yet, not now: nothing was proposed.
        3 | 5 | 19 | 74 | 75 | 78 | 89 | 100 => Meaning::Again,
        45 => Meaning::OutOfOrder,
        _ => Meaning::Never,
    }
}

/// Marks what was acknowledged.
pub fn hit_done(is_calm: bool, habits: &ProducerHabits, draft: &Draft, street: &mut Street<'_>) {
    if draft.is_unsure {
        street.marks.hit("client.retried_an_unsure_produce");
    }
    let author = street.ledger.batch(draft.batch).author;
    if author.is_some_and(|(_, sequence)| i32::MAX - sequence < draft.count as i32) {
        street.marks.hit("client.wrote_beyond_the_last_sequence");
    }
    street.marks.hit(match (is_calm, habits.acks) {
        (true, _) => "client.probed",
        (false, 1) => "client.produced_with_acks_1",
        (false, _) => "client.produced_with_acks_all",
    });
    street.marks.hit(if habits.is_idempotent {
        "client.produced_with_sequences"
    } else {
        "client.produced_plainly"
    });
}
