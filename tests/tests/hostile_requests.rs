//! Bytes no client would send, on the client port: each is answered as Kafka answers it, which for anything
//! unparsable is to close the connection without a word. The process lives, stays small, and serves others.
//!
//! Hostile record batches have a file of their own, `hostile_records.rs`; the codec's own tests and fuzz
//! targets go through every field. Here the whole path is tried, a test for each kind of lie.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::time::Duration;
use tests::batch::Batch;
use tests::client::{PATIENCE, Reply, encode};
use tests::dialogue::{create_topic, fetch_request, fetch_with, produce};
use tests::node::Node;

const API_VERSIONS: i16 = 18;
const METADATA: i16 = 3;
const PRODUCE: i16 = 0;

/// What a lie may cost in memory: far below any length that was claimed.
const GROWTH_MAX: u64 = 32 << 20;

/// A request header without client id; flexible ones end in an empty list of tags.
fn header(key: i16, version: i16, is_flexible: bool) -> BytesMut {
    let mut bytes = BytesMut::new();
    bytes.put_i16(key);
    bytes.put_i16(version);
    bytes.put_i32(7); // correlation id
    bytes.put_i16(-1); // no client id
    if is_flexible {
        bytes.put_u8(0);
    }
    bytes
}

fn message(mut head: BytesMut, body: &[u8]) -> Vec<u8> {
    head.put_slice(body);
    let length = u32::try_from(head.len()).expect("a test's message is small");
    [&length.to_be_bytes()[..], &head].concat()
}

/// Sends the bytes to a new broker; the connection is closed, the broker lives and has not grown.
#[track_caller]
fn is_closed(bytes: &[u8]) {
    let node = Node::in_memory();
    let before = node.peak_memory_bytes();
    let mut client = node.connect();
    client.send(bytes).expect("a fresh connection takes a few bytes");
    assert_eq!(client.receive(PATIENCE), Reply::Closed);
    assert!(node.serves(), "others are no longer served");
    let grown = node.peak_memory_bytes() - before;
    assert!(grown < GROWTH_MAX, "it took {grown} bytes for a lie of {}", bytes.len());
}

/// Sends the bytes to a new broker; they are answered.
#[track_caller]
fn is_answered(bytes: &[u8]) -> Bytes {
    let node = Node::in_memory();
    let mut client = node.connect();
    client.send(bytes).expect("a fresh connection takes a few bytes");
    match client.receive(PATIENCE) {
        Reply::Message(answer) => answer,
        other => panic!("{other:?} instead of an answer"),
    }
}

#[test]
fn a_negative_length_is_closed() {
    is_closed(&(-1_i32).to_be_bytes());
}

#[test]
fn a_length_above_the_limit_is_closed_before_it_arrives() {
    is_closed(&i32::MAX.to_be_bytes());
}

#[test]
fn a_length_of_zero_is_closed() {
    is_closed(&[0; 4]);
}

#[test]
fn a_header_cut_short_is_closed() {
    is_closed(&message(BytesMut::new(), &[0, 18, 0, 0]));
}

#[test]
fn a_tls_hello_is_closed() {
    is_closed(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0]);
}

#[test]
fn a_browser_is_closed() {
    is_closed(b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n");
}

#[test]
fn an_unknown_api_is_closed() {
    is_closed(&message(header(9_999, 0, false), &[]));
}

#[test]
fn apis_between_brokers_are_closed() {
    for key in [4, 5, 6, 7, 27, 52, 53, 54, 55, 56, 57, 58, 59, 62, 63, 67] {
        is_closed(&message(header(key, 0, false), &[]));
    }
}

#[test]
fn an_unsupported_version_is_closed() {
    is_closed(&message(header(METADATA, 99, true), &[0; 16]));
    is_closed(&message(header(METADATA, -1, false), &[0; 16]));
}

#[test]
fn api_versions_of_the_future_is_answered_in_version_0_and_the_connection_lives() {
    let node = Node::in_memory();
    let mut client = node.connect();
    // The body is none that any version would have: it must not be parsed.
    client
        .send(&message(header(API_VERSIONS, 127, true), &[0xff; 9]))
        .expect("a fresh connection takes a few bytes");
    let Reply::Message(mut answer) = client.receive(PATIENCE) else { panic!("no answer") };
    assert_eq!(answer.get_i32(), 7, "the correlation id, in header version 0");
    assert_eq!(answer.get_i16(), 35, "UNSUPPORTED_VERSION");
    let ranges: Vec<[i16; 3]> =
        (0..answer.get_i32()).map(|_| [answer.get_i16(), answer.get_i16(), answer.get_i16()]).collect();
    assert!(!answer.has_remaining(), "version 0 has nothing more");
    assert!(ranges.iter().any(|range| range[0] == API_VERSIONS && range[2] < 127), "{ranges:?}");
    client.send(&message(header(API_VERSIONS, 0, false), &[])).expect("the connection is open");
    assert!(matches!(client.receive(PATIENCE), Reply::Message(_)), "the next request is answered");
}

#[test]
fn an_array_longer_than_the_message_is_closed_without_memory_for_it() {
    is_closed(&message(header(METADATA, 1, false), &0x7fff_ffff_i32.to_be_bytes()));
    is_closed(&message(header(METADATA, 1, false), &0x0fff_ffff_i32.to_be_bytes()));
}

#[test]
fn a_negative_array_length_that_is_not_null_is_closed() {
    is_closed(&message(header(METADATA, 1, false), &(-2_i32).to_be_bytes()));
}

#[test]
fn a_string_longer_than_the_message_is_closed() {
    is_closed(&message(header(METADATA, 1, false), &[0, 0, 0, 1, 0x7f, 0xff, b'x']));
}

#[test]
fn records_longer_than_the_message_are_closed() {
    let mut body = BytesMut::new();
    body.put_i16(-1); // no transactional id
    body.put_i16(1); // acks
    body.put_i32(1_000);
    body.put_i32(1);
    body.put_slice(&[0, 1, b't']);
    body.put_i32(1);
    body.put_i32(0);
    body.put_i32(i32::MAX); // length of the records
    is_closed(&message(header(PRODUCE, 7, false), &body));
}

#[test]
fn a_varint_without_end_is_closed() {
    is_closed(&message(header(METADATA, 9, true), &[0xff; 12]));
}

#[test]
fn bytes_after_the_request_are_left_unread() {
    // Kafka does not look at them, and librdkafka 2.16 relies on it: asking Metadata 13 for all topics, it writes
    // the null list in four bytes where one is right. Creation is then not allowed, and no tag is unknown.
    assert!(is_answered(&message(header(METADATA, 1, false), &[0, 0, 0, 0, 1, 2, 3])).len() > 10);
    assert!(is_answered(&message(header(METADATA, 13, true), &[0, 0, 0, 0, 1, 0, 0])).len() > 10);
}

#[test]
fn an_unknown_tag_is_skipped() {
    // No topics, no creation, no authorized operations; then one tag, 77, of three bytes.
    let answer = is_answered(&message(header(METADATA, 9, true), &[1, 0, 0, 0, 1, 77, 3, 1, 2, 3]));
    assert!(answer.len() > 10, "metadata is answered");
}

#[test]
fn tags_that_repeat_or_fall_are_closed() {
    for tags in [[2, 9, 0, 9, 0], [2, 9, 0, 8, 0]] {
        is_closed(&message(header(METADATA, 9, true), &[&[1, 0, 0, 0][..], &tags].concat()));
    }
}

#[test]
fn a_million_tags_are_bounded_by_their_bytes() {
    is_closed(&message(header(METADATA, 9, true), &[1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]));
}

#[test]
fn a_client_id_that_is_no_text_is_taken() {
    let mut head = BytesMut::new();
    head.put_i16(API_VERSIONS);
    head.put_i16(0);
    head.put_i32(7);
    head.put_i16(3);
    head.put_slice(&[0xff, 0xfe, 0x1b]);
    assert!(is_answered(&message(head, &[])).len() > 10);
}

#[test]
fn half_a_request_holds_up_nobody() {
    let node = Node::in_memory();
    let request = message(header(METADATA, 1, false), &[0, 0, 0, 0]);
    let mut slow: Vec<_> = (0..20).map(|_| node.connect()).collect();
    for client in &mut slow {
        client.send(&request[..9]).expect("a fresh connection takes a few bytes");
    }
    assert!(node.serves());
    for client in &mut slow {
        client.send(&request[9..]).expect("the connection is open");
        assert!(matches!(client.receive(PATIENCE), Reply::Message(_)), "the rest came, so the answer comes");
    }
}

#[test]
fn a_request_byte_by_byte_is_a_request() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for byte in message(header(METADATA, 1, false), &[0, 0, 0, 0]) {
        client.send(&[byte]).expect("the connection is open");
    }
    assert!(matches!(client.receive(PATIENCE), Reply::Message(_)));
}

#[test]
fn pipelined_requests_are_answered_in_order_and_the_lie_behind_them_closes() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let mut bytes = Vec::new();
    for _ in 0..50 {
        bytes.extend(message(header(METADATA, 1, false), &[0, 0, 0, 0]));
    }
    bytes.extend((-1_i32).to_be_bytes());
    client.send(&bytes).expect("a fresh connection takes a few bytes");
    for number in 0..50 {
        assert!(matches!(client.receive(PATIENCE), Reply::Message(_)), "answer {number}");
    }
    assert_eq!(client.receive(PATIENCE), Reply::Closed);
}

#[test]
fn topics_with_bad_names_are_refused() {
    let node = Node::in_memory();
    let mut client = node.connect();
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a/b", "a b", "\u{1f600}", &long] {
        assert_eq!(create_topic(&mut client, name, 1), 17, "INVALID_TOPIC_EXCEPTION for {name:?}");
    }
    assert_eq!(create_topic(&mut client, &long[1..], 1), 0, "249 characters are the most");
    assert_eq!(create_topic(&mut client, "a.b", 1), 0);
    assert_eq!(create_topic(&mut client, "a_b", 1), 17, "collides with a.b in metric names");
    assert_eq!(create_topic(&mut client, "a.b", 1), 36, "TOPIC_ALREADY_EXISTS");
}

#[test]
fn impossible_partition_counts_are_refused() {
    let node = Node::in_memory();
    let mut client = node.connect();
    for count in [0, -2, i32::MIN] {
        assert_eq!(create_topic(&mut client, "none", count), 37, "INVALID_PARTITIONS for {count}");
    }
    assert_eq!(create_topic(&mut client, "all", 10_001), 44, "POLICY_VIOLATION above 10,000 a request");
    assert_eq!(create_topic(&mut client, "all", i32::MAX), 44, "POLICY_VIOLATION above 10,000 a request");
    assert!(node.serves());
}

#[test]
fn internal_topics_cannot_be_written() {
    let node = Node::in_memory();
    for topic in ["__cluster_metadata", "__consumer_offsets", "__transaction_state"] {
        let answer = produce(&mut node.connect(), topic, Batch::of(&[b"x"]).bytes());
        assert_ne!(answer.error, 0, "{topic} was written");
    }
}

#[test]
fn extreme_limits_of_a_fetch_still_bring_the_first_batch() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "limits", 1), 0);
    assert_eq!(produce(&mut client, "limits", Batch::of(&[b"x"]).bytes()).error, 0);
    for bytes in [0, -1, i32::MIN, i32::MAX] {
        let mut request = fetch_request("limits", 0).with_max_bytes(bytes).with_max_wait_ms(i32::MAX);
        request.topics[0].partitions[0].partition_max_bytes = bytes;
        let found = fetch_with(&mut client, &request);
        assert_eq!(found.error, 0, "max_bytes {bytes}");
        assert!(found.records.is_some_and(|records| !records.is_empty()), "max_bytes {bytes}");
    }
}

#[test]
fn an_empty_answer_has_empty_records_and_not_null() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "empty", 1), 0);
    assert_eq!(produce(&mut client, "empty", Batch::of(&[b"x"]).bytes()).error, 0);
    let at_the_end = fetch_with(&mut client, &fetch_request("empty", 1));
    assert_eq!((at_the_end.error, at_the_end.records), (0, Some(Bytes::new())));
    assert_eq!(fetch_with(&mut client, &fetch_request("empty", 2)).error, 1, "OFFSET_OUT_OF_RANGE");
    assert_eq!(fetch_with(&mut client, &fetch_request("empty", -1)).error, 1, "OFFSET_OUT_OF_RANGE");
}

#[test]
fn a_produce_without_acks_is_never_answered() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, "silent", 1), 0);
    let request = tests::dialogue::produce_request("silent", 0, Batch::of(&[b"x"]).bytes());
    client.send_message(&encode(9, 99, &request)).expect("the connection is open");
    assert_eq!(client.receive(Duration::from_millis(300)), Reply::Silence);
    let mut again = node.connect();
    assert_eq!(
        tests::dialogue::fetch(&mut again, "silent", 0).high_watermark,
        1,
        "it was taken all the same"
    );
}
