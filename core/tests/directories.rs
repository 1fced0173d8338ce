//! Data directories as a build of each format left them: they stay, and every later build opens them and serves what
//! was acknowledged.
//!
//! `core/tests/golden/directory-FORMAT.txt` holds one each: a line for a file with its length, then what is not zero in
//! it, row by row. `RECORD=1 cargo test -p rust-mq-core --test directories` writes the one of the newest format, if it
//! is not there; it changes none.
//!
//! Not here: the bytes of single shapes (`shapes.rs`), damaged directories (`fuzz/fuzz_targets/recovery.rs`).

#![allow(clippy::disallowed_methods, reason = "the directories are files of the repository")]

use rust_mq_core::file::File;
use rust_mq_proto::kafka::api::delete_topics::DeleteTopicsRequest;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::{Request, Writer, write_request};
use rust_mq_proto::records::{BatchBuilder, Producer};
use stage::{Files, Stage, config};
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

#[path = "../../fuzz/stage/mod.rs"]
#[allow(dead_code, reason = "peers and failures are other targets' business")]
mod stage;

/// The formats that this build reads; the last is the one that it writes.
const FORMATS: [u32; 1] = [4];
const COMMAND: &str = "RECORD=1 cargo test -p rust-mq-core --test directories";
/// Batches in each directory, each with a record that says its number.
const BATCHES: i64 = 8;
const ROW_BYTES: usize = 32;
const TURNS_MAX: usize = 2_000;

fn path(format: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/directory-{format}.txt"))
}

fn written(files: &Files) -> String {
    let mut text = String::new();
    for (file, content) in files {
        writeln!(text, "{} {}", file.path(), content.len()).expect("a string grows");
        for (number, row) in content.chunks(ROW_BYTES).enumerate() {
            if row.iter().any(|byte| *byte != 0) {
                let mut hex = String::new();
                row.iter().for_each(|byte| write!(hex, "{byte:02x}").expect("a string grows"));
                writeln!(text, "  {} {hex}", number * ROW_BYTES).expect("a string grows");
            }
        }
    }
    text
}

fn read(text: &str) -> Files {
    let mut files = Files::new();
    let mut current = None;
    for line in text.lines() {
        let (what, rest) = line.trim().split_once(' ').expect("two words");
        let number = |text: &str| text.parse::<usize>().expect("a number");
        if line.starts_with(' ') {
            let file: File = current.expect("rows follow their file");
            let bytes = (0..rest.len() / 2).map(|at| u8::from_str_radix(&rest[2 * at..][..2], 16));
            let bytes: Vec<u8> = bytes.collect::<Result<_, _>>().expect("hexadecimal digits");
            let content = files.get_mut(&file).expect("it was named");
            content[number(what)..][..bytes.len()].copy_from_slice(&bytes);
        } else {
            let file = File::parse(what).expect("a file of ours");
            files.insert(file, vec![0; number(rest)]);
            current = Some(file);
        }
    }
    files
}

fn ask<R: Request>(stage: &mut Stage, version: i16, request: &R) -> Vec<u8> {
    let mut writer = Writer::new();
    write_request(&mut writer, version, 1, None, request);
    let message = writer.take().concat();
    assert_eq!(stage.receive(0, &message), message.len(), "a client that waits has credit");
    assert!(stage.settle(TURNS_MAX), "a request is answered");
    stage.take_sent(0)
}

fn served(files: Files) -> Stage {
    let mut stage = Stage::start(config(1), files);
    assert!(stage.settle(TURNS_MAX) && stage.is_serving(), "the directory is served");
    stage.read_links();
    stage.open_client();
    stage.settle(TURNS_MAX);
    stage
}

/// What a node leaves that is killed after it made two topics, deleted one, took records in, wrote checkpoints and
/// segments, and went on.
fn left() -> Files {
    let mut stage = served(Files::new());
    let topic = |name: &str| MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let topics = Some(vec![topic("kept"), topic("gone")]);
    let wanted = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
    ask(&mut stage, 9, &wanted);
    ask(&mut stage, 4, &DeleteTopicsRequest { topic_names: vec!["gone".into()], ..Default::default() });
    for number in 0..BATCHES {
        let producer = Producer { id: 9, epoch: 0, base_sequence: i32::try_from(number).expect("few") };
        let mut batch = BatchBuilder::new().producer(producer);
        batch.push(1_700_000_000_000, Some(b"key"), Some(format!("value {number}").as_bytes()), &[]);
        let partition_data = vec![PartitionProduceData { index: 0, records: Some(batch.build()) }];
        let topic_data = vec![TopicProduceData { name: "kept".into(), partition_data, ..Default::default() }];
        ask(&mut stage, 9, &ProduceRequest { acks: -1, timeout_ms: 1, topic_data, ..Default::default() });
        stage.pass(Duration::from_millis(600), 600);
        assert!(stage.settle(TURNS_MAX), "time passes");
    }
    stage.into_files()
}

#[test]
fn every_directory_is_opened_and_what_was_acknowledged_is_there() {
    for format in FORMATS {
        let path = path(format);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| {
            let is_recording = std::env::var("RECORD").is_ok_and(|value| value == "1");
            assert!(
                is_recording && Some(&format) == FORMATS.last(),
                "{path:?} is not there: {COMMAND} makes it"
            );
            let text = written(&left());
            std::fs::write(&path, &text).expect("the folder is in the repository");
            text
        });
        // Twice: what a start leaves is a directory too.
        let mut files = read(&text);
        for _ in 0..2 {
            let mut stage = served(files);
            let partitions = vec![FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() }];
            let topics = vec![FetchTopic { topic: "kept".into(), partitions, ..Default::default() }];
            let fetch = FetchRequest {
                max_wait_ms: 1,
                min_bytes: 1,
                max_bytes: 1 << 20,
                topics,
                ..Default::default()
            };
            let mut told = ask(&mut stage, 11, &fetch);
            // A cold read gives what one segment has.
            for from in 1..BATCHES {
                let partition =
                    FetchPartition { fetch_offset: from, partition_max_bytes: 1 << 20, ..Default::default() };
                let topics = vec![FetchTopic {
                    topic: "kept".into(),
                    partitions: vec![partition],
                    ..Default::default()
                }];
                told.extend(ask(&mut stage, 11, &FetchRequest { topics, ..fetch.clone() }));
            }
            for number in 0..BATCHES {
                let value = format!("value {number}");
                let is_there = told.windows(value.len()).any(|bytes| bytes == value.as_bytes());
                assert!(is_there, "format {format}: {value} was acknowledged");
            }
            let told = ask(&mut stage, 9, &MetadataRequest { topics: None, ..Default::default() });
            let names = |name: &str| told.windows(name.len()).any(|bytes| bytes == name.as_bytes());
            assert!(names("kept") && !names("gone"), "format {format}: the topics are those that there were");
            files = stage.into_files();
        }
    }
}
