//! What a client that means harm can make the core execute with one request: each attack runs at a size and at twice
//! that size, and what the second half costs is held against two bounds. No path may be worse than n log n in a
//! request's size, and no entry of a request may cost more than a few look-ups, whatever it names.
//!
//! Where an attack fills one turn with many requests they are sent together, so that they meet each other.

use crate::client::message;
use crate::instructions::scripts::{TOPIC, batch, with_topics};
use crate::instructions::world::World;
use rust_mq_core::ids::LinkId;
use rust_mq_proto::kafka::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use rust_mq_proto::kafka::api::delete_topics::DeleteTopicsRequest;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use rust_mq_proto::kafka::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use rust_mq_proto::kafka::api::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use rust_mq_proto::kafka::{Reader, Response, read_response_start};
use rust_mq_proto::records::{BatchBuilder, Codec, Producer};

/// How much more twice the size may cost: n log n, and some for what is fixed.
const RATIO_MAX: f64 = 2.4;
/// Requests of one connection that are sent together: below what a connection may have unanswered.
const TOGETHER: usize = 32;

/// One attack.
pub struct Attack {
    /// Its name.
    pub name: &'static str,
    /// The smaller of its sizes.
    pub size: usize,
    /// Instructions that one more entry may cost.
    each_max: u64,
    run: fn(usize) -> Result<(), String>,
}

/// All of them.
pub const ATTACKS: [Attack; 12] = [
    attack("produce-repeated-partition", 4_000, 3_000, |size| produce(1, [size, 1], 1)),
    attack("produce-repeated-topic", 4_000, 4_000, |size| produce(1, [1, size], 1)),
    attack("produce-wide", 500, 60_000, |size| produce(size, [1, 1], size)),
    attack("produce-bombs", 8, 400_000, bombs),
    attack("fetch-repeated", 4_000, 3_000, |size| fetch(1, size)),
    attack("fetch-wide", 500, 8_000, |size| fetch(size, 1)),
    attack("list-offsets-repeated", 1_000, 2_000, |size| list_offsets(1, size, 1_700_000_000_000)),
    attack("list-offsets-wide", 500, 40_000, |size| list_offsets(size, 1, -1)),
    attack("offset-for-leader-epoch", 4_000, 4_000, leader_epochs),
    attack("producers-in-flight", 500, 120_000, producers),
    attack("create-topics", 250, 300_000, create_topics),
    attack("delete-topics", 250, 150_000, delete_topics),
];

const fn attack(
    name: &'static str,
    size: usize,
    each_max: u64,
    run: fn(usize) -> Result<(), String>,
) -> Attack {
    Attack { name, size, each_max, run }
}

/// Runs one at a size.
pub fn run(name: &str, size: usize) -> Result<(), String> {
    let attack = ATTACKS.iter().find(|attack| attack.name == name);
    (attack.ok_or_else(|| format!("there is no attack '{name}'"))?.run)(size)
}

impl Attack {
    /// A line about what it costs at its size and at twice that, and whether that is within bounds.
    pub fn judge(&self, once: u64, twice: u64) -> (String, bool) {
        let ratio = twice as f64 / once.max(1) as f64;
        let each = twice.saturating_sub(once) / self.size as u64;
        let is_within = ratio <= RATIO_MAX && each <= self.each_max;
        let verdict = if is_within { "" } else { "  too much" };
        let (name, size, most) = (self.name, self.size, self.each_max);
        let line = format!(
            "{name:<28} {size:>6} {once:>14} {twice:>14} {ratio:>6.2} {each:>10} {most:>9}{verdict}\n"
        );
        (line, is_within)
    }
}

/// One Produce of a topic of `partitions`: so many times the topic, in it so many times each of the first `named`.
fn produce(partitions: usize, [entries, topics]: [usize; 2], named: usize) -> Result<(), String> {
    let (mut world, link) = with_topics(1, &[TOPIC.into()], partitions)?;
    let batch = batch(1, 10);
    let partition_data: Vec<PartitionProduceData> = (0..named)
        .flat_map(|index| std::iter::repeat_n(index, entries))
        .map(|index| PartitionProduceData { index: number(index), records: Some(batch.clone()) })
        .collect();
    let topic = TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() };
    let topic_data = vec![topic; topics];
    let body = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
    answered(&mut world, link, &message(9, &body))
}

/// One Produce of so many batches, each of a few hundred bytes that become 15 MiB: some are taken, the rest is to come
/// again.
fn bombs(size: usize) -> Result<(), String> {
    const RETRIED: i16 = 56;
    let (mut world, link) = with_topics(1, &[TOPIC.into()], size)?;
    let mut builder = BatchBuilder::new().codec(Codec::Zstd);
    builder.push(1_700_000_000_000, None, Some(&vec![0; 15 << 20]), &[]);
    let records = builder.build();
    let one = |index| PartitionProduceData { index: number(index), records: Some(records.clone()) };
    let partition_data = (0..size).map(one).collect();
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let body = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
    world.measure();
    let answer = world.ask(0, link, &message(9, &body)).ok_or("a produce waits")?;
    let mut reader = Reader::new(answer, usize::MAX);
    read_response_start(&mut reader, ProduceResponse::API, 9).map_err(|error| error.to_string())?;
    let response = ProduceResponse::decode(&mut reader, 9).map_err(|error| error.to_string())?;
    let parts = response.responses.into_iter().flat_map(|topic| topic.partition_responses);
    let codes: Vec<i16> = parts.map(|part| part.error_code).collect();
    let taken = codes.iter().take_while(|code| **code == 0).count();
    let is_rest_retried = codes[taken..].iter().all(|code| *code == RETRIED);
    if taken > 0 && is_rest_retried { Ok(()) } else { Err(format!("bombs were answered {codes:?}")) }
}

fn fetch(partitions: usize, entries: usize) -> Result<(), String> {
    let (mut world, link) = with_topics(1, &[TOPIC.into()], partitions)?;
    let one = |index| FetchPartition {
        partition: number(index),
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let asked = (0..partitions).flat_map(|index| std::iter::repeat_n(one(index), entries)).collect();
    let topics = vec![FetchTopic { topic: TOPIC.into(), partitions: asked, ..Default::default() }];
    let body = FetchRequest { max_bytes: 50 << 20, replica_id: -1, topics, ..Default::default() };
    answered(&mut world, link, &message(11, &body))
}

/// Times are looked up in a batch that grows when it is decompressed.
fn list_offsets(partitions: usize, entries: usize, timestamp: i64) -> Result<(), String> {
    let (mut world, link) = with_topics(1, &[TOPIC.into()], partitions)?;
    let mut builder = BatchBuilder::new().codec(Codec::Gzip);
    (0..1_000).for_each(|_| builder.push(1_700_000_000_000, None, Some(&[b'x'; 100]), &[]));
    let records = Some(builder.build());
    let partition_data = vec![PartitionProduceData { index: 0, records }];
    let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
    let filled = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
    world.ask(0, link, &message(9, &filled)).ok_or("a produce waits")?;
    let one =
        |index| ListOffsetsPartition { partition_index: number(index), timestamp, ..Default::default() };
    let asked = (0..partitions).flat_map(|index| std::iter::repeat_n(one(index), entries)).collect();
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions: asked }];
    let body = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    answered(&mut world, link, &message(7, &body))
}

fn leader_epochs(size: usize) -> Result<(), String> {
    let (mut world, link) = with_topics(1, &[TOPIC.into()], 1)?;
    let one = OffsetForLeaderPartition { leader_epoch: 1, ..Default::default() };
    let topics = vec![OffsetForLeaderTopic { topic: TOPIC.into(), partitions: vec![one; size] }];
    let body = OffsetForLeaderEpochRequest { replica_id: -1, topics };
    answered(&mut world, link, &message(4, &body))
}

/// So many idempotent producers, each with a batch in flight on one partition.
fn producers(size: usize) -> Result<(), String> {
    let (mut world, _) = with_topics(1, &[TOPIC.into()], 1)?;
    let links: Vec<LinkId> = (0..size.div_ceil(TOGETHER)).map(|_| world.connect(0)).collect();
    for id in 0..size {
        let producer = Producer { id: id as i64, epoch: 0, base_sequence: 0 };
        let mut builder = BatchBuilder::new().producer(producer);
        builder.push(1_700_000_000_000, None, Some(b"x"), &[]);
        let records = Some(builder.build());
        let partition_data = vec![PartitionProduceData { index: 0, records }];
        let topic_data = vec![TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() }];
        let body = ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
        world.send(0, links[id / TOGETHER], &message(9, &body));
    }
    world.measure();
    world.settle();
    let answers: usize = links.iter().map(|link| world.answers(0, *link)).sum();
    if answers == size { Ok(()) } else { Err(format!("{answers} of {size} producers were answered")) }
}

fn create_topics(size: usize) -> Result<(), String> {
    let mut world = World::start(1);
    let link = world.connect(0);
    let topic = |number| CreatableTopic {
        name: format!("{TOPIC}-{number}"),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let topics = (0..size).map(topic).collect();
    answered(
        &mut world,
        link,
        &message(5, &CreateTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() }),
    )
}

fn delete_topics(size: usize) -> Result<(), String> {
    let topic_names: Vec<String> = (0..size).map(|number| format!("{TOPIC}-{number}")).collect();
    let (mut world, link) = with_topics(1, &topic_names, 1)?;
    let body = DeleteTopicsRequest { topic_names, timeout_ms: 10_000, ..Default::default() };
    answered(&mut world, link, &message(5, &body))
}

/// Counts from here on, until the answer is there.
fn answered(world: &mut World, link: LinkId, request: &[u8]) -> Result<(), String> {
    world.measure();
    world.send(0, link, request);
    world.settle();
    world.pass(std::time::Duration::from_secs(1));
    match world.answers(0, link) {
        1 => Ok(()),
        answers => Err(format!("a request of {} bytes has {answers} answers", request.len())),
    }
}

fn number(index: usize) -> i32 {
    i32::try_from(index).expect("an attack is small")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_with_the_square_is_too_much_and_what_is_dear_from_the_start() {
        let attack = attack("any", 100, 1_000, |_| Ok(()));
        assert!(attack.judge(90_000, 189_000).1, "n log n");
        assert!(!attack.judge(10_000, 40_000).1, "n squared, at any price");
        assert!(!attack.judge(200_000, 400_000).1, "each costs too much");
    }

    #[test]
    fn every_attack_is_answered() {
        for attack in &ATTACKS {
            run(attack.name, attack.size.div_ceil(10)).unwrap_or_else(|why| panic!("{}: {why}", attack.name));
        }
    }
}
