//! The fixed scripts: what the core does most, each often enough that a single turn's luck does not matter. Every
//! answer is looked at, because a refusal costs few instructions.

use crate::client::{fetch_request, message};
use crate::instructions::world::World;
use crate::workload::pipelined::{error_code, request};
use bytes::BytesMut;
use rust_mq_core::ids::LinkId;
use rust_mq_proto::kafka::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchResponse};
use rust_mq_proto::kafka::{Reader, Response, read_response_start};
use rust_mq_proto::records::BatchBuilder;
use std::time::Duration;

/// The topic of every script.
pub const TOPIC: &str = "script";
/// How often the measured thing is done.
const TIMES: usize = 100;

/// A script and its name.
type Script = (&'static str, fn() -> Result<(), String>);

const SCRIPTS: [Script; 6] = [
    ("produce-one-record", || produce(1, 100)),
    ("produce-large-batch", || produce(1_000, 1_000)),
    ("fetch", fetch),
    ("fetch-in-a-session", fetch_in_a_session),
    ("three-node-round", three_nodes),
    ("journal-recovery", recovery),
];

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    SCRIPTS.iter().map(|(name, _)| *name)
}

/// Runs one.
pub fn run(name: &str) -> Result<(), String> {
    let script = SCRIPTS.iter().find(|(known, _)| *known == name);
    script.ok_or_else(|| format!("there is no script '{name}'"))?.1()
}

fn produce(records: usize, bytes: usize) -> Result<(), String> {
    let (mut world, link) = with_topic(1)?;
    let batch = batch(records, bytes);
    appended(&mut world, 0, link, &batch, 10)?;
    world.measure();
    appended(&mut world, 0, link, &batch, TIMES)
}

fn fetch() -> Result<(), String> {
    let (mut world, link) = with_topic(1)?;
    appended(&mut world, 0, link, &batch(10, 100), TIMES)?;
    world.measure();
    for offset in 0..TIMES {
        let offset = i64::try_from(offset * 10).unwrap_or(0);
        fetched(&mut world, link, &fetch_request(TOPIC, offset))?;
    }
    Ok(())
}

/// The same of one partition of a thousand that a fetch session is about.
fn fetch_in_a_session() -> Result<(), String> {
    let (mut world, link) = with_topics(1, &[TOPIC.into()], 1_000)?;
    appended(&mut world, 0, link, &batch(10, 100), TIMES)?;
    let mut whole = fetch_request(TOPIC, 0);
    let first = whole.topics[0].partitions[0].clone();
    let all = (0..1_000).map(|partition| FetchPartition { partition, ..first.clone() });
    (whole.topics[0].partitions, whole.session_epoch) = (all.collect(), 0);
    let session_id = fetched(&mut world, link, &whole)?.session_id;
    world.measure();
    for turn in 1..=TIMES {
        let (offset, session_epoch) = ((turn - 1) * 10, i32::try_from(turn).unwrap_or(0));
        let request = fetch_request(TOPIC, i64::try_from(offset).unwrap_or(0));
        fetched(&mut world, link, &FetchRequest { session_id, session_epoch, ..request })?;
    }
    Ok(())
}

/// The answer to a fetch that brings records.
fn fetched(world: &mut World, link: LinkId, request: &FetchRequest) -> Result<FetchResponse, String> {
    let answer = world.ask(0, link, &message(11, request));
    let mut reader = Reader::new(answer.ok_or("a fetch waits")?, usize::MAX);
    read_response_start(&mut reader, FetchResponse::API, 11).map_err(|error| error.to_string())?;
    let response = FetchResponse::decode(&mut reader, 11).map_err(|error| error.to_string())?;
    let partition = response.responses.first().and_then(|topic| topic.partitions.first());
    let records = partition.and_then(|partition| partition.records.as_ref()).ok_or("a fetch is empty")?;
    match records.parts().concat().is_empty() {
        true => Err("a fetch is empty".into()),
        false => Ok(response),
    }
}

fn three_nodes() -> Result<(), String> {
    let (mut world, first) = with_topic(3)?;
    let batch = batch(1, 100);
    let links = [first, world.connect(1), world.connect(2)];
    let is_leader = |world: &mut World, node: usize| appended(world, node, links[node], &batch, 1).is_ok();
    let leader = (0..3).find(|node| is_leader(&mut world, *node)).ok_or("nobody leads")?;
    appended(&mut world, leader, links[leader], &batch, 10)?;
    world.measure();
    appended(&mut world, leader, links[leader], &batch, TIMES)
}

fn recovery() -> Result<(), String> {
    let (mut world, link) = with_topic(1)?;
    appended(&mut world, 0, link, &batch(10, 100), 5 * TIMES)?;
    world.measure();
    world.restart();
    let link = world.connect(0);
    appended(&mut world, 0, link, &batch(10, 100), 1)
}

/// A world in which the topic is led, and a connection to its first node.
fn with_topic(nodes: u16) -> Result<(World, LinkId), String> {
    with_topics(nodes, &[TOPIC.into()], 1)
}

/// A world in which all topics, of so many partitions each, are led, and a connection to its first node.
pub fn with_topics(nodes: u16, names: &[String], partitions: usize) -> Result<(World, LinkId), String> {
    let mut world = World::start(nodes);
    let link = world.connect(0);
    let topic = |name: &String| CreatableTopic {
        name: name.clone(),
        num_partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(nodes).unwrap_or(1),
        ..Default::default()
    };
    let topics = names.iter().map(topic).collect();
    let body = CreateTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    world.ask(0, link, &message(5, &body)).ok_or("making a topic waits")?;
    world.pass(Duration::from_secs(10));
    Ok((world, link))
}

/// Appends a batch so many times, each after the last was acknowledged.
fn appended(
    world: &mut World,
    node: usize,
    link: LinkId,
    batch: &BytesMut,
    times: usize,
) -> Result<(), String> {
    let request = request(TOPIC, 0, batch.clone());
    for _ in 0..times {
        let answer = world.ask(node, link, &request).ok_or("a produce waits")?;
        if error_code(&answer, TOPIC) != Some(0) {
            return Err(format!("a produce was refused: {:?}", error_code(&answer, TOPIC)));
        }
    }
    Ok(())
}

/// Records stamped as of the script's own time: the same bytes in every run.
pub fn batch(records: usize, bytes: usize) -> BytesMut {
    let value = vec![b'x'; bytes];
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push(1_700_000_000_000, None, Some(&value), &[]);
    }
    builder.build()
}
