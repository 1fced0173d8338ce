//! Well-formed requests, and too much of them: names by the hundred thousand, producers by the ten thousand,
//! partitions named again and again, connections without end. Each costs the broker a bounded amount of memory
//! and of its other clients' time.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, InitProducerIdRequest, MetadataRequest, MetadataResponse,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE, Reply, encode};
use tests::dialogue::{
    Produced, create_topic, fetch, fetch_request, name, produce, produce_request, producer_id,
};
use tests::node::Node;

const LEADER_NOT_AVAILABLE: i16 = 5;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const POLICY_VIOLATION: i16 = 44;
const INVALID_RECORD: i16 = 87;
const MEBIBYTE: u64 = 1 << 20;
const TOPIC: &str = "amounts";

/// A broker with the topic, and how much it took for it.
fn broker() -> (Node, Client, u64) {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, 1), 0);
    let before = node.peak_memory_bytes();
    (node, client, before)
}

#[track_caller]
fn has_grown_by_at_most(node: &Node, before: u64, most: u64) {
    assert!(node.serves(), "others are no longer served");
    let grown = node.peak_memory_bytes() - before;
    assert!(grown <= most, "it grew by {} KiB", grown >> 10);
}

fn metadata_of(names: impl Iterator<Item = String>) -> MetadataRequest {
    let topics = names.map(|topic| MetadataRequestTopic::default().with_name(Some(name(&topic))));
    MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(true)
}

fn errors(answer: &MetadataResponse) -> Vec<i16> {
    answer.topics.iter().map(|topic| topic.error_code).collect()
}

#[test]
fn a_hundred_thousand_names_are_closed_and_make_nothing() {
    let (node, mut client, before) = broker();
    let request = metadata_of((0..100_000).map(|number| format!("topic-{number}")));
    client.send_request(9, &request).expect("the connection is open");
    assert_eq!(client.receive(PATIENCE), Reply::Closed);
    has_grown_by_at_most(&node, before, 48 * MEBIBYTE);
    let all = node.connect().ask(9, &MetadataRequest::default().with_topics(None));
    assert_eq!(all.topics.len(), 1, "no topic was made");
}

#[test]
fn millions_of_empty_names_cost_no_more_than_the_limit_of_one_request() {
    let (node, mut client, before) = broker();
    let count = 7_000_000;
    let mut message = BytesMut::new();
    message.put_slice(&[0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff]); // Metadata version 1, no client id
    message.put_i32(count);
    message.put_bytes(0, 2 * usize::try_from(count).expect("a count is positive"));
    client.send_message(&message).expect("the connection is open");
    assert_eq!(client.receive(PATIENCE), Reply::Closed);
    has_grown_by_at_most(&node, before, 128 * MEBIBYTE);
}

#[test]
fn many_topics_are_made_on_the_way_and_no_more_than_a_thousand_at_a_time() {
    let (_node, mut client, _) = broker();
    let all =
        |from: usize, count: usize| metadata_of((from..from + count).map(|number| format!("new-{number}")));
    let is_made = |errors: &[i16]| errors.iter().filter(|error| **error == 0).count();
    // As kafkajs and Sarama name them: all at once, or one after the other.
    assert_eq!(is_made(&errors(&client.ask(9, &all(0, 150)))), 150);
    for number in 150..190 {
        assert_eq!(errors(&client.ask(9, &all(number, 1))), [0], "topic {number}");
    }
    let first = errors(&client.ask(9, &all(190, 1_200)));
    assert_eq!(is_made(&first), 1_000);
    assert_eq!(first.iter().filter(|error| **error == LEADER_NOT_AVAILABLE).count(), 200);
    assert_eq!(is_made(&errors(&client.ask(9, &all(190, 1_200)))), 1_200, "the rest, as clients ask again");
}

#[test]
fn partition_counts_are_added_up_without_overflow() {
    let (node, mut client, _) = broker();
    let wanted = |topic: &str, partitions: i32| {
        let wanted = CreatableTopic::default().with_name(name(topic)).with_replication_factor(1);
        wanted.with_num_partitions(partitions)
    };
    for counts in [[i32::MAX, i32::MAX, 2], [9_999, 1, 1]] {
        let topics = counts.iter().enumerate().map(|(at, count)| wanted(&format!("sum-{at}"), *count));
        let request = CreateTopicsRequest::default().with_topics(topics.collect()).with_timeout_ms(5_000);
        let answer = client.ask(5, &request);
        let errors: Vec<i16> = answer.topics.iter().map(|topic| topic.error_code).collect();
        assert!(errors.contains(&POLICY_VIOLATION), "{counts:?} gave {errors:?}");
    }
    assert!(node.serves());
}

#[test]
fn twenty_thousand_producer_ids_cost_nothing() {
    let (node, mut client, before) = broker();
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let mut given = BTreeSet::new();
    for _ in 0..200 {
        for _ in 0..50 {
            client.send_request(2, &request).expect("the connection is open");
        }
        for _ in 0..50 {
            let Reply::Message(answer) = client.receive(PATIENCE) else { panic!("no answer") };
            // Header version 1: correlation id and tags; throttle time, error, id.
            assert_eq!(answer[9..11], [0, 0], "no error");
            assert!(given.insert(Bytes::copy_from_slice(&answer[11..19])), "an id was given twice");
        }
    }
    has_grown_by_at_most(&node, before, 8 * MEBIBYTE);
}

#[test]
fn a_producer_for_each_batch_costs_a_bounded_table() {
    const PRODUCERS: i64 = 12_000;
    let (node, mut client, before) = broker();
    let batch = |id: i64, sequence: i32| Batch::of(&[b"x"]).from_producer(id, 0, sequence).bytes();
    for first in (0..PRODUCERS).step_by(50) {
        for id in first..first + 50 {
            let request = produce_request(TOPIC, -1, batch(id, 0));
            client.send_request(9, &request).expect("the connection is open");
        }
        for _ in 0..50 {
            assert!(matches!(client.receive(PATIENCE), Reply::Message(_)));
        }
    }
    // A batch of one byte takes its 70 bytes on the disk that is memory; a producer's entry is what is left.
    has_grown_by_at_most(&node, before, 40 * MEBIBYTE);
    let newest = PRODUCERS - 1;
    assert_eq!(produce(&mut client, TOPIC, batch(newest, 0)).base_offset, newest, "a retry is known");
    let forgotten = produce(&mut client, TOPIC, batch(0, 1));
    assert_eq!(forgotten.error, OUT_OF_ORDER_SEQUENCE_NUMBER, "the longest idle was let go");
    assert_eq!(fetch(&mut client, TOPIC, 0).high_watermark, PRODUCERS);
}

#[test]
fn epochs_end_at_their_last_number() {
    let (_node, mut client, _) = broker();
    let (id, _) = producer_id(&mut client);
    let mut send = |epoch: i16, sequence: i32| {
        produce(&mut client, TOPIC, Batch::of(&[b"x"]).from_producer(id, epoch, sequence).bytes())
    };
    assert_eq!(send(i16::MAX, 0), Produced { error: 0, base_offset: 0 });
    assert_eq!(send(i16::MAX, 1), Produced { error: 0, base_offset: 1 });
    // What an addition that wraps would make of it, and what is older.
    assert_eq!(send(i16::MIN, 0).error, INVALID_RECORD);
    assert_eq!(send(-1, 0).error, INVALID_RECORD);
    assert_eq!(send(0, 0).error, INVALID_PRODUCER_EPOCH);
    assert_eq!(send(i16::MAX, 2), Produced { error: 0, base_offset: 2 });
    // The way on is a new id, as for Kafka's idempotent producers.
    assert_ne!(producer_id(&mut client).0, id);
}

#[test]
fn forged_producer_ids_harm_only_the_id_they_forge() {
    let (_node, mut client, _) = broker();
    let mut send = |id: i64, epoch: i16, sequence: i32| {
        produce(&mut client, TOPIC, Batch::of(&[b"x"]).from_producer(id, epoch, sequence).bytes()).error
    };
    // Never given to anyone. Kafka takes them too; there are no principals yet to bind them to.
    assert_eq!(send(i64::MAX, 0, 0), 0);
    assert_eq!(send(i64::MAX, 0, 1), 0);
    assert_eq!(send(123_456_789, 7, 0), 0);
    // Below -1 there is no producer: an ordinary batch, whatever it says of sequences.
    assert_eq!(send(i64::MIN, 0, 5), 0);
    assert_eq!(send(i64::MIN, 0, 5), 0);
    let (own, epoch) = producer_id(&mut client);
    let mut send = |id: i64, epoch: i16, sequence: i32| {
        produce(&mut client, TOPIC, Batch::of(&[b"x"]).from_producer(id, epoch, sequence).bytes()).error
    };
    assert_eq!(send(own, epoch, 0), 0);
    assert_eq!(send(i64::MAX, 0, 2), 0);
    assert_eq!(send(own, epoch, 1), 0, "another producer is not disturbed");
}

/// A parked fetch of one empty partition, named so often.
fn fetch_again_and_again(times: usize) -> Bytes {
    let mut request = fetch_request(TOPIC, 0).with_min_bytes(1).with_max_wait_ms(60_000);
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![partition; times];
    encode(4, 1, &request)
}

#[test]
fn fetches_that_name_a_partition_again_and_again_cost_no_more_than_the_limit() {
    const LIMIT: u64 = 64 * MEBIBYTE;
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "64MiB"]);
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, 1), 0);
    let request = fetch_again_and_again(20_000);
    let mut crowd: Vec<Client> = (0..20).map(|_| node.connect()).collect();
    for hungry in &mut crowd {
        hungry.limit_writes(Duration::from_millis(50));
        for _ in 0..64 {
            // No longer taken: the broker's way to protect itself.
            if hungry.send_message(&request).is_err() {
                break;
            }
        }
    }
    assert!(node.serves(), "others are served");
    assert_eq!(produce(&mut client, TOPIC, Batch::of(&[b"x"]).bytes()).error, 0);
    let peak = node.peak_memory_bytes();
    assert!(peak <= LIMIT + 64 * MEBIBYTE, "{} MiB at the peak", peak / MEBIBYTE);
}

#[test]
fn a_fetch_of_more_partitions_than_there_can_be_is_closed() {
    let (node, mut client, before) = broker();
    let mut request = fetch_request(TOPIC, 0);
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions =
        (0..500_000).map(|number| partition.clone().with_partition(number)).collect();
    client.send_message(&encode(4, 1, &request)).expect("the connection is open");
    assert_eq!(client.receive(PATIENCE), Reply::Closed);
    has_grown_by_at_most(&node, before, 128 * MEBIBYTE);
}

#[test]
fn a_fetch_that_names_one_partition_a_hundred_thousand_times_is_answered_once() {
    let (node, mut client, before) = broker();
    let mut request = fetch_request(TOPIC, 0);
    let partition = request.topics[0].partitions[0].clone();
    request.topics[0].partitions = vec![partition; 100_000];
    let answer = client.ask(4, &request);
    assert_eq!(answer.responses[0].partitions.len(), 1);
    has_grown_by_at_most(&node, before, 128 * MEBIBYTE);
}

/// This machine's address towards others. Nothing is sent to find it.
fn own_address() -> Ipv4Addr {
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket can be bound");
    let found = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    match found {
        Ok(SocketAddr::V4(address)) => *address.ip(),
        other => panic!("this test needs an address besides loopback (any network will do): {other:?}"),
    }
}

#[test]
fn one_address_holds_a_thousand_connections_and_others_are_let_in() {
    const PER_ADDRESS: usize = 1_000;
    let own = own_address();
    // As many descriptors as this test's own end of it needs.
    let allowed = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: allowed.maximum, maximum: allowed.maximum })
        .expect("a limit may be raised to its maximum");
    let node = Node::start(&["--listen", "0.0.0.0:0", "--insecure"]);
    let port = node.address().port();
    let through_the_network = SocketAddr::from((own, port));
    let mut flood: Vec<Client> =
        (0..PER_ADDRESS + 20).map(|_| Client::connect(through_the_network)).collect();
    for one in &mut flood[PER_ADDRESS..] {
        assert_eq!(one.receive(PATIENCE), Reply::Closed, "above a thousand");
    }
    let mut loopback = Client::connect(SocketAddr::from(([127, 0, 0, 1], port)));
    assert_eq!(create_topic(&mut loopback, TOPIC, 1), 0, "another address is served");
    assert_eq!(flood[0].receive(Duration::from_millis(10)), Reply::Silence, "those before are kept");
    drop(flood);
    let deadline = Instant::now() + PATIENCE;
    while Client::connect(through_the_network).try_ask(0, &ApiVersionsRequest::default()).is_none() {
        assert!(Instant::now() < deadline, "the address is never let in again");
    }
}
