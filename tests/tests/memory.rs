//! `--memory-limit` is a promise: whatever clients send, the process stays below it and 64 MiB more, in memory and on a
//! disk, and serves others afterwards (`rust-mq-bench memory` says the same of larger limits). A producer of four times the limit cannot make the process grow beyond the
//! limit plus 64 MiB; it is refused with a code that clients retry, and what is there stays readable.

use std::time::Duration;
use tests::batch::Batch;
use tests::client::encode;
use tests::dialogue::{create_topic, fetch, produce, produce_request, produce_to};
use tests::folder::Folder;
use tests::node::Node;
use tests::traffic::TRAFFIC;

const MEBIBYTE: usize = 1 << 20;
const LIMIT: usize = 64 * MEBIBYTE;
/// What a process costs besides the data it was given.
const SLACK: usize = 64 * MEBIBYTE;
/// Errors after which a client tries again: not enough room, not now, too fast.
const RETRIABLE: [i16; 5] = [7, 19, 51, 56, 89];

fn peak(node: &Node) -> usize {
    usize::try_from(node.peak_memory_bytes()).expect("memory fits the address space")
}

#[test]
fn a_producer_of_four_times_the_limit_is_refused_and_the_process_stays_small() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "64MiB"]);
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "big", 1), 0);
    let value = vec![b'x'; 900 << 10];
    let batch = Batch::of(&[&value]).bytes();
    let (mut taken, mut refused) = (0, Vec::new());
    for _ in 0..4 * LIMIT / batch.len() {
        match produce(&mut client, "big", batch.clone()).error {
            0 => taken += 1,
            code => refused.push(code),
        }
    }
    println!("taken {taken}, refused {}, peak {} MiB", refused.len(), peak(&node) / MEBIBYTE);
    assert!(taken > 0, "nothing was taken");
    assert!(!refused.is_empty(), "four times the limit was taken");
    assert!(refused.iter().all(|code| RETRIABLE.contains(code)), "refused with {refused:?}");
    assert!(peak(&node) <= LIMIT + SLACK, "{} MiB at the peak", peak(&node) / MEBIBYTE);
    let log = node.log();
    assert!(log.contains("--memory-limit"), "one line says how to raise it:\n{log}");
    let found = fetch(&mut client, "big", 0);
    assert_eq!((found.error, found.high_watermark), (0, taken), "what was taken is readable");
}

#[test]
fn clients_that_never_read_cost_a_bounded_buffer() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "64MiB"]);
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "big", 1), 0);
    let value = vec![b'x'; 900 << 10];
    assert_eq!(produce(&mut client, "big", Batch::of(&[&value]).bytes()).error, 0);
    let before = peak(&node);
    // Each asks for 900 KiB as often as the broker lets it, and reads none of it.
    let mut deaf: Vec<_> = (0..50).map(|_| node.connect()).collect();
    let request = encode(11, 1, &tests::dialogue::fetch_request("big", 0));
    for client in &mut deaf {
        client.limit_writes(Duration::from_millis(20));
        for _ in 0..200 {
            // No longer taken, or cut off: both are the broker's way to protect itself.
            if client.send_message(&request).is_err() {
                break;
            }
        }
    }
    assert_eq!(fetch(&mut node.connect(), "big", 0).error, 0, "others are served");
    let grown = peak(&node) - before;
    assert!(peak(&node) <= LIMIT + SLACK, "grew by {} MiB", grown / MEBIBYTE);
}

#[test]
fn many_half_requests_cost_no_more_than_the_limit() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "64MiB"]);
    let value = vec![b'x'; 900 << 10];
    let message = encode(9, 1, &produce_request("half", -1, Batch::of(&[&value]).bytes()));
    let mut halves: Vec<_> = (0..200).map(|_| node.connect()).collect();
    for client in &mut halves {
        client.limit_writes(Duration::from_millis(20));
        // A write that is not taken is the broker's way to protect itself.
        let _ = client.send(&u32::try_from(message.len()).expect("below 4 GiB").to_be_bytes());
        let _ = client.send(&message[..message.len() - 1]);
    }
    assert!(node.serves(), "others are served");
    assert!(peak(&node) <= LIMIT + SLACK, "{} MiB at the peak", peak(&node) / MEBIBYTE);
}

#[test]
fn a_request_of_many_large_batches_is_taken() {
    const PARTITIONS: i32 = 40;
    let folder = Folder::new();
    let data = folder.join("data");
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "256MiB", "--data", &data]);
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "many", PARTITIONS), 0);
    let value = vec![b'x'; 900 << 10];
    let batch = Batch::of(&[&value]).bytes();
    let request = produce_to((0..PARTITIONS).map(|index| (index, batch.clone())), "many", -1);
    for base in 0..3 {
        let answer = client.ask(9, &request);
        let parts = &answer.responses[0].partition_responses;
        assert_eq!(parts.len(), 40);
        assert!(parts.iter().all(|part| (part.error_code, part.base_offset) == (0, base)), "{parts:?}");
    }
}

/// Lets one kind of traffic at a broker, in memory and on a disk, and weighs both.
#[track_caller]
fn holds_against(kind: &str) {
    let traffic = TRAFFIC.iter().find(|traffic| traffic.name == kind).expect("a kind of traffic");
    let folder = Folder::new();
    let data = folder.join("data");
    let start = ["--listen", "127.0.0.1:0", "--memory-limit", "64MiB"];
    for more in [&[][..], &["--data", &data]] {
        let node = Node::start(&[&start[..], more].concat());
        (traffic.run)(node.address());
        let peak = peak(&node);
        println!("{kind} {}: {} MiB", more.join(" "), peak / MEBIBYTE);
        assert!(node.serves(), "others are served");
        assert!(peak <= LIMIT + SLACK, "{} MiB at the peak {}", peak / MEBIBYTE, more.join(" "));
    }
}

#[test]
fn a_topic_that_is_named_again_and_again() {
    holds_against("one large topic, named again and again");
}

#[test]
fn producers_that_wait_for_nothing() {
    holds_against("large batches that nobody waits for");
}

#[test]
fn topics_that_are_filled_and_deleted() {
    holds_against("topics full of records, deleted");
}

#[test]
fn a_batch_keeps_no_request_with_it() {
    holds_against("small batches in large requests");
}

#[test]
fn times_that_are_asked_again_and_again() {
    holds_against("times of one partition, asked again and again");
}

#[test]
fn cold_records_that_nobody_reads() {
    holds_against("cold records for who reads nothing");
}

#[test]
fn forged_producers() {
    holds_against("producers that nobody knows");
}

#[test]
fn polls_of_idle_partitions() {
    holds_against("polls of idle partitions");
}

#[test]
fn half_requests_of_very_many() {
    holds_against("half requests");
}

#[test]
fn requests_that_wait_behind_a_poll() {
    holds_against("small requests of very many, held back");
}

#[test]
fn names_of_nothing() {
    holds_against("names and partitions that are not there");
}
