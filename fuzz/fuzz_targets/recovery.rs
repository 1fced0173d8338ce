//! A node's start over a damaged disk: the files of a node that had served a few clients, changed by a script
//! of damages, then, if the script says so, with the checksums of the journal's frames put right again.
//!
//! Laws: nothing panics; the start comes to an end, serving or saying why not; so does a start over what it left.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
#[path = "../stage/mod.rs"]
mod stage;

use crate::stage::{Files, Stage, config};
use rust_mq_core::file::File;
use rust_mq_proto::kafka::api::init_producer_id::InitProducerIdRequest;
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::{Request, Writer, write_request};
use rust_mq_proto::records::BatchBuilder;
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// Turns in which a start must have come to an end. Chosen.
const TURNS_MAX: usize = 2_000;
/// What journal frames are aligned to, and where in them the checksums stand (`storage/journal/frame.rs`).
const BLOCK_BYTES: usize = 4096;
const HEADER_BYTES: usize = 40;

/// Damages the disk and starts a node over it, twice.
pub fn run(bytes: &[u8]) {
    static SERVED: OnceLock<Files> = OnceLock::new();
    let mut files = SERVED.get_or_init(served).clone();
    let Some((is_mended, mut script)) = bytes.split_first() else { return };
    while let Some((damage, rest)) = script.split_first_chunk::<6>() {
        script = rest;
        let length = script.len().min(usize::from(damage[5] >> 3));
        let (new, rest) = script.split_at(length);
        script = rest;
        change(&mut files, *damage, new);
    }
    if is_mended % 2 == 1 {
        mend(&mut files);
    }
    let left = start(files);
    start(left);
}

fn start(files: Files) -> Files {
    let mut stage = Stage::start(config(1), files);
    assert!(stage.settle(TURNS_MAX), "a start comes to an end");
    if !stage.is_halted() {
        stage.pass(Duration::from_secs(60), 60_000);
        assert!(stage.settle(TURNS_MAX), "and so does what it puts off");
    }
    stage.into_files()
}

/// The files of a node that created a topic, gave out a producer id, and took batches in until checkpoints and
/// segments were written; left as a kill would.
fn served() -> Files {
    let mut stage = Stage::start(config(1), Files::new());
    assert!(stage.settle(TURNS_MAX) && stage.is_serving(), "an empty disk is served");
    stage.open_client();
    stage.settle(TURNS_MAX);
    let topic = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let topics = Some(vec![topic]);
    ask(&mut stage, 9, &MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() });
    ask(&mut stage, 0, &InitProducerIdRequest { transaction_timeout_ms: 1, ..Default::default() });
    for number in 0..16 {
        let mut batch = BatchBuilder::new();
        batch.push(1_700_000_000_000 + number, Some(b"key"), Some(&[b'v'; 300]), &[]);
        let partition_data = vec![PartitionProduceData { index: 0, records: Some(batch.build()) }];
        let topic = TopicProduceData { name: "t".into(), partition_data, ..Default::default() };
        let topic_data = vec![topic];
        ask(&mut stage, 9, &ProduceRequest { acks: -1, timeout_ms: 1, topic_data, ..Default::default() });
        stage.pass(Duration::from_secs(1), 1_000);
        stage.settle(TURNS_MAX);
    }
    stage.into_files()
}

fn ask<R: Request>(stage: &mut Stage, version: i16, request: &R) {
    let mut writer = Writer::new();
    write_request(&mut writer, version, 1, None, request);
    let message = writer.take().concat();
    assert_eq!(stage.receive(0, &message), message.len(), "a client that waits has credit");
    assert!(stage.settle(TURNS_MAX), "a request is answered");
}

/// One damage: which file, where, how.
fn change(files: &mut Files, [file, at_high, at_low, fine_high, fine_low, kind]: [u8; 6], new: &[u8]) {
    let count = files.len().max(1);
    let Some(file) = files.keys().nth(usize::from(file) % count).copied() else { return };
    let Some(content) = files.get_mut(&file) else { return };
    let wanted = usize::from(u16::from_be_bytes([at_high, at_low])) * 16 + usize::from(fine_low % 16);
    let at = wanted % content.len().max(1);
    let end = (at + new.len()).min(content.len());
    match kind % 8 {
        0..=2 => content[at..end].copy_from_slice(&new[..end - at]),
        3 => content[at..end].iter_mut().zip(new).for_each(|(byte, new)| *byte ^= new),
        4 => content.truncate(at),
        5 => content[at..].fill(0),
        // An old block in a new place, as a disk that lost a write would show.
        6 => {
            let blocks = (content.len() / BLOCK_BYTES).max(1);
            let (from, to) = (usize::from(fine_high) % blocks, usize::from(at_low) % blocks);
            let end = ((from + 1) * BLOCK_BYTES).min(content.len());
            let block = content[from * BLOCK_BYTES..end].to_vec();
            let room = content.len() - to * BLOCK_BYTES;
            content[to * BLOCK_BYTES..][..block.len().min(room)]
                .copy_from_slice(&block[..block.len().min(room)]);
        }
        _ => drop(files.remove(&file)),
    }
}

/// Puts the checksums right of every frame that still looks like one, and the chain that they form.
fn mend(files: &mut Files) {
    let mut frames: Vec<(u64, File, usize)> = Vec::new();
    for (file, content) in files.iter().filter(|(file, _)| matches!(file, File::Journal(_))) {
        for at in (0..content.len()).step_by(BLOCK_BYTES) {
            if let Some(header) =
                content.get(at..at + HEADER_BYTES).filter(|header| header.starts_with(b"RMQj"))
            {
                frames.push((u64::from_be_bytes(*array(&header[8..])), *file, at));
            }
        }
    }
    frames.sort_unstable();
    let mut last: Option<(u64, [u8; 4])> = None;
    for (sequence, file, at) in frames {
        let Some(frame) = files.get_mut(&file).and_then(|content| content.get_mut(at..)) else { continue };
        if let Some((before, crc)) = last.filter(|(before, _)| before.checked_add(1) == Some(sequence)) {
            assert!(before < sequence, "frames are sorted");
            frame[32..36].copy_from_slice(&crc);
        }
        let body = u32::from_be_bytes(*array(&frame[24..])) as usize;
        let Some(body) = frame.get(HEADER_BYTES..).and_then(|rest| rest.get(..body)) else { continue };
        let crc = crc_fast::crc32_iscsi(&[&frame[..36], body].concat()).to_be_bytes();
        frame[36..40].copy_from_slice(&crc);
        last = Some((sequence, crc));
    }
}

fn array<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    bytes.first_chunk().expect("the header was found whole")
}
