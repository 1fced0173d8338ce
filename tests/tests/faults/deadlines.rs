//! Clients that are slow. Promise: where there is room nobody is cut off for it, however long the first bytes, the end of
//! a request or the reading of an answer take (ten minutes, as by Kafka, are not waited for here); where connections are
//! scarce, one without its first bytes has ten seconds. Who sends whole requests is served all the while.

use bytes::Bytes;
use kafka_protocol::messages::ApiVersionsRequest;
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE, Reply, encode};
use tests::dialogue::{create_topic, fetch_request, produce};
use tests::node::Node;

/// Longer than any wait where something is scarce.
const SLOW: Duration = Duration::from_secs(36);
/// `FIRST_BYTES_WAIT` and the sweep that looks for it, with room for a busy machine.
const FIRST_BYTES: [Duration; 2] = [Duration::from_secs(9), Duration::from_secs(25)];

fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("below 4 GiB");
    [&length.to_be_bytes(), message].concat()
}

#[test]
fn slow_clients_are_served_where_there_is_room() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "slow", 1), 0);
    let value = vec![b'x'; 900 << 10];
    assert_eq!(produce(&mut client, "slow", Batch::of(&[&value]).bytes()).error, 0);
    let request = with_length(&encode(0, 1, &ApiVersionsRequest::default()));
    let (mut silent, mut hesitant, mut half, mut deaf) =
        (node.connect(), node.connect(), node.connect(), node.connect());
    hesitant.send(&request[..2]).expect("a fresh connection takes two bytes");
    half.send(&request[..request.len() - 1]).expect("a fresh connection takes a few bytes");
    // More than the kernel keeps for it.
    let fetches = (0..20).map(|_| deaf.send_message(&encode(11, 1, &fetch_request("slow", 0))));
    assert!(fetches.into_iter().all(|sent| sent.is_ok()));
    std::thread::sleep(SLOW);
    silent.send(&request).expect("it is still open");
    hesitant.send(&request[2..]).expect("it is still open");
    half.send(&request[request.len() - 1..]).expect("it is still open");
    for slow in [&mut silent, &mut hesitant, &mut half] {
        assert!(matches!(slow.receive(PATIENCE), Reply::Message(_)), "a slow client is served");
    }
    let is_whole = |answer: &Reply| matches!(answer, Reply::Message(bytes) if has_records(bytes));
    assert!((0..20).all(|_| is_whole(&deaf.receive(PATIENCE))), "who reads late reads all");
}

fn has_records(answer: &Bytes) -> bool {
    answer.len() > 900 << 10
}

#[test]
fn silence_is_closed_in_its_time_where_connections_are_scarce() {
    // The broker takes as many connections as its descriptors leave it: few.
    let node = Node::start_under(&["prlimit", "--nofile=64:64"], &["--listen", "127.0.0.1:0"]);
    let since = Instant::now();
    let mut silent: Vec<Client> = (0..20).map(|_| node.connect()).collect();
    let [least, most] = FIRST_BYTES;
    assert_eq!(silent[0].receive(most), Reply::Closed);
    let waited = since.elapsed();
    assert!((least..most).contains(&waited), "closed after {waited:?}");
    assert!(node.serves(), "others are served");
}
