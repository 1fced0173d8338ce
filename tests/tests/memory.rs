//! `--memory-limit` is a promise: a producer of four times the limit cannot make the process grow beyond the
//! limit plus 64 MiB; it is refused with a code that clients retry, and what is there stays readable.

use std::time::Duration;
use tests::batch::Batch;
use tests::client::encode;
use tests::dialogue::{create_topic, fetch, produce, produce_request};
use tests::node::Node;

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
