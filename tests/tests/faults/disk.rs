//! Writes and syncs that fail. Promise: a failing one stops the process with the reason and is never tried again;
//! a disk without space refuses records, serves reads, and takes records again by itself; what the kernel only
//! interrupts nobody sees.

use super::{KAFKA_STORAGE_ERROR, TOPIC, eventually, put};
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{PATIENCE, Reply, encode};
use tests::dialogue::{create_topic, fetch, produce_request};
use tests::folder::Folder;
use tests::node::Node;
use tests::programs::strace;

/// A broker with a disk of these faults, and a topic on it.
fn broker(folder: &Folder, rules: &[&str]) -> Node {
    let above = strace(rules);
    let above: Vec<&str> = above.iter().map(String::as_str).collect();
    let data = folder.join("data");
    let node = Node::start_under(&above, &["--listen", "127.0.0.1:0", "--data", &data]);
    assert_eq!(create_topic(&mut node.connect(), TOPIC, 1), 0);
    node
}

/// Produces until the broker is gone; it says why, fails, and has what it acknowledged when it is back.
#[track_caller]
fn stops_and_loses_nothing(rule: &str) {
    let folder = Folder::new();
    let mut node = broker(&folder, &[rule]);
    let mut client = node.connect();
    let request = produce_request(TOPIC, -1, Batch::of(&[b"x"]).bytes());
    let mut acknowledged = 0;
    while let Some(answer) = client.try_ask(9, &request) {
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
        acknowledged += 1;
        assert!(acknowledged < 10_000, "the fault never came");
    }
    let status = node.end();
    assert_eq!(status.code(), Some(1), "{status}:\n{}", node.log());
    let log = node.log();
    let last = log.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
    for word in ["the disk failed", "journal/", "Input/output error"] {
        assert!(last.contains(word), "no {word:?} in the last words {last:?}");
    }
    assert!(acknowledged > 0, "it failed before anything was acknowledged");
    node.restart();
    let found = fetch(&mut node.connect(), TOPIC, 0);
    // The last one was on its way: whether it is there nobody was told.
    let may_be_there = acknowledged..=acknowledged + 1;
    assert!(
        found.error == 0 && may_be_there.contains(&found.high_watermark),
        "{acknowledged} were acknowledged, {} are there",
        found.high_watermark
    );
    assert_eq!(put(&mut node.connect(), TOPIC).error, 0, "it takes records again");
}

#[test]
fn a_sync_that_fails_stops_the_process_with_the_reason_and_loses_nothing() {
    stops_and_loses_nothing("fdatasync:error=EIO:when=25");
}

#[test]
fn a_write_that_fails_stops_the_process_with_the_reason_and_loses_nothing() {
    stops_and_loses_nothing("pwritev,pwrite64:error=EIO:when=25");
}

#[test]
fn a_full_disk_refuses_records_serves_reads_and_takes_records_again() {
    let folder = Folder::new();
    let mut node = broker(&folder, &["pwritev,pwrite64:error=ENOSPC:when=25..26"]);
    let (mut first, mut other) = (node.connect(), node.connect());
    let request = encode(9, 1, &produce_request(TOPIC, -1, Batch::of(&[b"x"]).bytes()));
    let mut acknowledged = 0;
    // The record that meets the full disk waits there: it was proposed, so no refusal would be true.
    loop {
        first.send_message(&request).expect("the connection is open");
        match first.receive(Duration::from_millis(200)) {
            Reply::Message(_) => acknowledged += 1,
            Reply::Silence => break,
            Reply::Closed => panic!("the connection was closed after {acknowledged} records"),
        }
        assert!(acknowledged < 10_000, "the disk never was full");
    }
    assert_eq!(put(&mut other, TOPIC).error, KAFKA_STORAGE_ERROR, "while it is full");
    let found = fetch(&mut other, TOPIC, 0);
    assert_eq!((found.error, found.high_watermark), (0, acknowledged), "what is there is read");
    assert!(matches!(first.receive(PATIENCE), Reply::Message(_)), "the one that waited is answered");
    eventually("records are taken again", || put(&mut other, TOPIC).error == 0);
    for line in ["the disk is full", "there is space again"] {
        eventually("the log says so", || node.log().contains(line));
        assert_eq!(node.log().matches(line).count(), 1, "{line:?} once");
    }
    let end = fetch(&mut other, TOPIC, 0).high_watermark;
    assert!(end >= acknowledged + 2, "{end} of {acknowledged} and two more");
    node.kill();
    node.restart();
    assert_eq!(fetch(&mut node.connect(), TOPIC, 0).high_watermark, end, "and all of it is there");
}

#[test]
fn interrupted_calls_are_invisible() {
    let folder = Folder::new();
    let node = broker(&folder, &["pwritev,pwrite64:error=EINTR:when=3+3"]);
    let mut client = node.connect();
    for offset in 0..30 {
        let taken = put(&mut client, TOPIC);
        assert_eq!((taken.error, taken.base_offset), (0, offset));
    }
}

#[test]
fn a_slow_disk_costs_time_and_not_a_sync_for_each_record() {
    const SYNC: Duration = Duration::from_millis(100);
    const RECORDS: u32 = 60;
    let folder = Folder::new();
    let node = broker(&folder, &[&format!("fdatasync:delay_enter={}", SYNC.as_micros())]);
    let mut client = node.connect();
    let request = encode(9, 1, &produce_request(TOPIC, -1, Batch::of(&[b"x"]).bytes()));
    let started = Instant::now();
    for _ in 0..RECORDS {
        client.send_message(&request).expect("the connection is open");
    }
    assert!(node.serves(), "others are served meanwhile");
    for number in 0..RECORDS {
        assert!(matches!(client.receive(PATIENCE), Reply::Message(_)), "answer {number}");
    }
    // One sync for each would take ten times as long as this leaves.
    assert!(started.elapsed() < SYNC * RECORDS / 2, "{:?} for {RECORDS} records", started.elapsed());
}
