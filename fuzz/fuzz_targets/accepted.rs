//! Accept, stop, start: whatever a node has answered without an error can be written and read back. A script of
//! requests about topics, each as large and as odd as the script says, records into some of them, and stops and kills
//! between; frames and so all bounds are small.
//!
//! ```text
//! steps, a byte each and what follows it: topics to make (a few, each three bytes), a topic to delete, one to be made
//! on the way, records, time, a stop or a kill and a start
//! ```
//!
//! Laws: every request is answered, for good or with something other than "ask again"; a stop comes to its end; a start
//! comes to serve; and what clients are told of the topics is the same before and after.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
#[path = "../stage/mod.rs"]
mod stage;

use crate::stage::{Files, Stage, config};
use bytes::BytesMut;
use rust_mq_proto::kafka::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use rust_mq_proto::kafka::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::{Reader, Request, Response, Writer, read_response_start, write_request};
use rust_mq_proto::records::BatchBuilder;
use std::collections::BTreeMap;
use std::time::Duration;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Steps of one script. Chosen.
const STEPS_MAX: usize = 60;
/// Turns in which a node at rest must have come to rest. Chosen.
const TURNS_MAX: usize = 5_000;
/// What an answer may take, decoded.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Kafka's NOT_CONTROLLER: a client asks again, and again.
const NOT_CONTROLLER: i16 = 41;

/// What a client is told of a topic: its id and its partitions.
type Told = BTreeMap<String, ([u8; 16], usize)>;

/// Plays one script.
pub fn run(bytes: &[u8]) {
    let mut script = bytes;
    let mut stage = serve(Files::new());
    for _ in 0..STEPS_MAX {
        let Some(step) = byte(&mut script) else { break };
        match step % 8 {
            0..=2 => create(&mut stage, &mut script),
            3 => delete(&mut stage, &mut script),
            4 => drop(told(&mut stage, Some(name(byte(&mut script).unwrap_or(0))))),
            5 => produce(&mut stage, &mut script),
            6 => stage.pass(Duration::from_millis(1 << (step >> 4)), 1 << (step >> 4)),
            _ => stage = restart(stage, step >= 128),
        }
    }
    let stage = restart(stage, true);
    restart(stage, false);
}

/// A node over these files, that serves.
fn serve(files: Files) -> Stage {
    let mut stage = Stage::start(config(1), files);
    assert!(stage.settle(TURNS_MAX), "a start comes to an end");
    assert!(stage.is_serving(), "what was accepted can be started from");
    stage.read_links();
    stage.open_client();
    assert!(stage.settle(TURNS_MAX), "a client is let in");
    stage
}

fn restart(mut stage: Stage, is_stop: bool) -> Stage {
    let before = told(&mut stage, None);
    if is_stop {
        stage.stop();
        for _ in 0..60 {
            assert!(stage.settle(TURNS_MAX), "a node that stops comes to rest");
            if stage.is_halted() {
                break;
            }
            stage.pass(Duration::from_secs(1), 1_000);
        }
        assert!(stage.is_halted(), "a stop comes to an end");
    }
    let mut stage = serve(stage.into_files());
    assert_eq!(told(&mut stage, None), before, "what clients are told after a start");
    stage
}

fn byte(script: &mut &[u8]) -> Option<u8> {
    let (first, rest) = script.split_first()?;
    *script = rest;
    Some(*first)
}

/// One of a few names, the shortest and the longest that there may be among them, and one that is too long.
fn name(number: u8) -> String {
    match number % 16 {
        0 => "x".repeat(250),
        few @ 1..=4 => format!("{few}").repeat(249),
        few => format!("t{few}"),
    }
}

fn create(stage: &mut Stage, script: &mut &[u8]) {
    let count = byte(script).unwrap_or(0) % 6;
    let topics: Vec<CreatableTopic> = (0..count).map(|_| topic(script)).collect();
    let request = CreateTopicsRequest { topics, timeout_ms: 1_000, validate_only: false };
    let answer = ask(stage, 7, &request);
    for topic in &answer.topics {
        assert!(topic.error_code != NOT_CONTROLLER, "the controller has to say something for good");
    }
    let known = told(stage, None);
    for topic in answer.topics.iter().filter(|topic| topic.error_code == 0) {
        let partitions = usize::try_from(topic.num_partitions).expect("a topic has partitions");
        assert_eq!(known.get(&topic.name), Some(&(topic.topic_id, partitions)), "a topic is there");
    }
}

/// A topic of a name, a size and a setting of a length.
fn topic(script: &mut &[u8]) -> CreatableTopic {
    let [which, size, set] = std::array::from_fn(|_| byte(script).unwrap_or(0));
    let partitions = match size % 8 {
        0 => -1,
        1..=4 => 1,
        5 => i32::from(size),
        6 => i32::from(size) * 16,
        _ => i32::MAX,
    };
    let length = usize::from(set >> 3) << (set % 8 + 1);
    let (name_of, value) = match set % 4 {
        0 => ("retention.ms", format!(" {} ", "0".repeat(length) + "7")),
        1 => ("leader.replication.throttled.replicas", "1:1,".repeat(length)),
        2 => ("min.cleanable.dirty.ratio", "0.".to_owned() + &"0".repeat(length)),
        _ => ("segment.ms", "x".repeat(length)),
    };
    let configs = if set == 0 { Vec::new() } else { vec![setting(name_of, value)] };
    let place = |partition_index| CreatableReplicaAssignment { partition_index, broker_ids: vec![1] };
    let is_assigned = which >= 200;
    CreatableTopic {
        name: name(which),
        num_partitions: if is_assigned { -1 } else { partitions },
        replication_factor: -1,
        assignments: if is_assigned { (0..i32::from(size)).map(place).collect() } else { Vec::new() },
        configs,
    }
}

fn setting(name: &str, value: String) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: Some(value) }
}

fn delete(stage: &mut Stage, script: &mut &[u8]) {
    let name = Some(name(byte(script).unwrap_or(0)));
    let topics = vec![DeleteTopicState { name, topic_id: [0; 16] }];
    let request = DeleteTopicsRequest { topics, topic_names: Vec::new(), timeout_ms: 1_000 };
    let answer = ask(stage, 6, &request);
    assert!(answer.responses.iter().all(|topic| topic.error_code != NOT_CONTROLLER));
}

/// All that is told of topics; the one named is made on the way.
fn told(stage: &mut Stage, make: Option<String>) -> Told {
    let wanted = |name| MetadataRequestTopic { name: Some(name), topic_id: [0; 16] };
    let request = MetadataRequest {
        allow_auto_topic_creation: make.is_some(),
        topics: make.map(|name| vec![wanted(name)]),
        ..Default::default()
    };
    let topics = ask(stage, 12, &request).topics.into_iter().filter(|topic| topic.error_code == 0);
    topics.filter_map(|topic| Some((topic.name?, (topic.topic_id, topic.partitions.len())))).collect()
}

fn produce(stage: &mut Stage, script: &mut &[u8]) {
    let [which, size] = std::array::from_fn(|_| byte(script).unwrap_or(0));
    let mut batch = BatchBuilder::new();
    batch.push(1_700_000_000_000, None, Some(&vec![b'v'; usize::from(size) * 16]), &[]);
    let partition_data = vec![PartitionProduceData { index: 0, records: Some(batch.build()) }];
    let topic = TopicProduceData { name: name(which), partition_data, ..Default::default() };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 1_000, topic_data: vec![topic], ..Default::default() };
    ask(stage, 9, &request);
}

/// Sends a request as far as there is credit, until all of it is sent, and gives its answer.
fn ask<R: Request>(stage: &mut Stage, version: i16, request: &R) -> R::Response {
    let mut writer = Writer::new();
    write_request(&mut writer, version, 1, None, request);
    let message = writer.take().concat();
    let mut left = &message[..];
    while !left.is_empty() {
        let taken = stage.receive(0, left);
        assert!(taken > 0, "a client that waits has credit");
        left = &left[taken..];
        assert!(stage.settle(TURNS_MAX), "a request is taken");
    }
    let mut answer = Vec::new();
    // Until new topics have leaders, and those who wait a while for something have waited long enough.
    for _ in 0..50 {
        answer.extend(stage.take_sent(0));
        if answer.len() >= 4 {
            break;
        }
        stage.pass(Duration::from_millis(100), 100);
        assert!(stage.settle(TURNS_MAX), "a request is answered");
    }
    assert!(answer.len() > 4, "every request is answered");
    let mut reader = Reader::new(BytesMut::from(&answer[4..]), ANSWER_BYTES_MAX);
    read_response_start(&mut reader, R::API, version).expect("an answer has a header");
    R::Response::decode(&mut reader, version).expect("an answer can be read")
}
