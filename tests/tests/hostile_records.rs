//! Record batches that lie, through Produce: each gets Kafka's error code, none enters the log, and the next
//! good one does.

use bytes::{BufMut, Bytes, BytesMut};
use tests::batch::{Batch, put_varint};
use tests::client::Client;
use tests::dialogue::{Produced, create_topic, fetch, list_offset, produce, produce_request, producer_id};
use tests::node::Node;

const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_REQUIRED_ACKS: i16 = 21;
const INVALID_TIMESTAMP: i16 = 32;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
const UNSUPPORTED_COMPRESSION_TYPE: i16 = 76;
const INVALID_RECORD: i16 = 87;

const TOPIC: &str = "records";
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// A broker with the topic, and a connection to it.
fn broker() -> (Node, Client) {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, 1), 0);
    (node, client)
}

fn good() -> Batch {
    Batch::of(&[b"one", b"two"])
}

/// Produces the bytes to a new broker: refused with `code`, not in the log, and a good batch follows.
#[track_caller]
fn is_refused(bytes: Bytes, code: i16) {
    let (_node, mut client) = broker();
    assert_eq!(produce(&mut client, TOPIC, bytes).error, code);
    assert_eq!(list_offset(&mut client, TOPIC, -1), (0, 0), "nothing entered the log");
    assert_eq!(produce(&mut client, TOPIC, good().bytes()), Produced { error: 0, base_offset: 0 });
}

/// Like [`is_refused`], for one thing that is changed in a good batch.
#[track_caller]
fn lie(code: i16, change: impl FnOnce(&mut Batch)) {
    let mut batch = good();
    change(&mut batch);
    is_refused(batch.bytes(), code);
}

#[test]
fn a_good_batch_is_taken_and_comes_back_as_it_was() {
    let (_node, mut client) = broker();
    let sent = good().bytes();
    assert_eq!(produce(&mut client, TOPIC, sent.clone()), Produced { error: 0, base_offset: 0 });
    let found = fetch(&mut client, TOPIC, 0).records.expect("records are never null");
    // Base offset and leader epoch are the broker's; what the checksum covers is the producer's.
    assert_eq!(found[16..], sent[16..]);
    assert_eq!(found.len(), sent.len());
}

#[test]
fn no_batch_and_two_batches_are_refused() {
    is_refused(Bytes::new(), INVALID_RECORD);
    is_refused([good().bytes(), good().bytes()].concat().into(), INVALID_RECORD);
}

#[test]
fn other_magics_are_refused() {
    for magic in [-1, 0, 1, 3] {
        lie(INVALID_RECORD, |batch| batch.magic = magic);
    }
}

#[test]
fn a_batch_whose_length_lies_is_refused() {
    for added in [-1, 1, i32::MAX - 1_000, -1_000] {
        lie(CORRUPT_MESSAGE, |batch| batch.length_lie = added);
    }
}

#[test]
fn a_batch_cut_short_is_refused() {
    let bytes = good().bytes();
    for length in [1, 11, 12, 17, 60] {
        is_refused(bytes.slice(..length), CORRUPT_MESSAGE);
    }
}

#[test]
fn a_wrong_checksum_is_refused() {
    lie(CORRUPT_MESSAGE, |batch| batch.checksum_lie = 1);
}

#[test]
fn a_base_offset_is_the_brokers_to_give() {
    lie(INVALID_RECORD, |batch| batch.base_offset = 5);
}

#[test]
fn counts_that_do_not_match_are_refused() {
    for count in [0, -1, 1, 3, i32::MAX] {
        lie(INVALID_RECORD, |batch| batch.count = count);
    }
    lie(INVALID_RECORD, |batch| batch.last_offset_delta = 5);
    // Header and delta agree with each other, and both lie.
    lie(INVALID_RECORD, |batch| (batch.count, batch.last_offset_delta) = (i32::MAX, i32::MAX - 1));
}

#[test]
fn a_control_batch_from_a_client_is_refused() {
    lie(INVALID_RECORD, |batch| batch.attributes = CONTROL);
}

#[test]
fn a_producer_without_a_sequence_is_refused() {
    lie(INVALID_RECORD, |batch| (batch.producer_id, batch.producer_epoch, batch.base_sequence) = (1, 0, -1));
}

#[test]
fn a_transactional_batch_without_a_transaction_is_refused() {
    lie(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, |batch| {
        batch.attributes = TRANSACTIONAL;
        (batch.producer_id, batch.producer_epoch, batch.base_sequence) = (1, 0, 0);
    });
}

#[test]
fn codecs_that_do_not_exist_are_refused() {
    for codec in [5, 6, 7] {
        lie(UNSUPPORTED_COMPRESSION_TYPE, |batch| batch.attributes = codec);
    }
}

#[test]
fn bytes_that_are_not_of_their_codec_are_refused() {
    for codec in 1..=4 {
        let (node, mut client) = broker();
        let mut batch = good();
        batch.attributes = codec;
        let answer = produce(&mut client, TOPIC, batch.bytes());
        assert!([CORRUPT_MESSAGE, INVALID_RECORD].contains(&answer.error), "codec {codec}: {answer:?}");
        assert!(node.serves());
    }
}

#[test]
fn records_that_do_not_add_up_are_refused() {
    let varint = |value: i64| {
        let mut bytes = BytesMut::new();
        put_varint(&mut bytes, value);
        bytes.freeze()
    };
    let records = [
        // A record longer than the batch; one of negative length; one of no end.
        varint(1_000),
        varint(-5),
        Bytes::from_static(&[0xff; 12]),
        // Attributes, timestamp and offset deltas, then a key of a gigabyte.
        [&[16, 0, 0, 0][..], &varint(1 << 30)].concat().into(),
        // No key, no value, and a million headers.
        [&[16, 0, 0, 0, 1, 1][..], &varint(1_000_000)].concat().into(),
    ];
    for records in records {
        lie(INVALID_RECORD, |batch| (batch.records, batch.count, batch.last_offset_delta) = (records, 1, 0));
    }
    lie(INVALID_RECORD, |batch| batch.records = [&batch.records[..], b"tail"].concat().into());
}

#[test]
fn a_newest_timestamp_that_lies_is_mended() {
    // Kafka's LogValidator walks the records and writes what it found into the header, checksum and all.
    let (_node, mut client) = broker();
    let honest = good();
    for lie in [1, -1, 1 << 40] {
        let mut batch = honest.clone();
        batch.max_timestamp += lie;
        assert_eq!(produce(&mut client, TOPIC, batch.bytes()).error, 0);
    }
    let found = fetch(&mut client, TOPIC, 0).records.expect("records are never null");
    let expected = honest.bytes();
    for stored in found.chunks(expected.len()) {
        assert_eq!(stored[16..], expected[16..]);
    }
}

#[test]
fn a_timestamp_more_than_an_hour_ahead_is_refused() {
    lie(INVALID_TIMESTAMP, |batch| {
        batch.first_timestamp += 2 * 3_600_000;
        batch.max_timestamp = batch.first_timestamp;
    });
}

#[test]
fn a_batch_above_the_limit_is_refused() {
    let value = vec![b'x'; 2 << 20];
    is_refused(Batch::of(&[&value]).bytes(), MESSAGE_TOO_LARGE);
}

/// A gzip stream of `mebibytes` of zeros, stored blocks replaced by the best that deflate can do.
fn bomb(mebibytes: usize) -> Bytes {
    use std::io::Write;
    let mut child = std::process::Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip is part of every system");
    let mut input = child.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || {
        let block = vec![0; 1 << 20];
        (0..mebibytes).for_each(|_| input.write_all(&block).expect("gzip reads all it is given"));
    });
    let output = child.wait_with_output().expect("gzip ends when its input does");
    writer.join().expect("the writer does not panic");
    output.stdout.into()
}

#[test]
fn a_decompression_bomb_costs_a_bounded_buffer() {
    let (node, mut client) = broker();
    let before = node.peak_memory_bytes();
    let mut batch = good();
    (batch.attributes, batch.records) = (1, bomb(512));
    let answer = produce(&mut client, TOPIC, batch.bytes());
    assert!([MESSAGE_TOO_LARGE, CORRUPT_MESSAGE, INVALID_RECORD].contains(&answer.error), "{answer:?}");
    let grown = node.peak_memory_bytes() - before;
    assert!(grown < 64 << 20, "512 MiB of zeros took {grown} bytes");
}

#[test]
fn acks_other_than_0_1_and_all_are_refused() {
    let (node, _) = broker();
    for acks in [2, -2, i16::MAX] {
        let answer = node.connect().ask(9, &produce_request(TOPIC, acks, good().bytes()));
        assert_eq!(
            answer.responses[0].partition_responses[0].error_code, INVALID_REQUIRED_ACKS,
            "acks {acks}"
        );
    }
}

fn send(client: &mut Client, batch: Batch) -> Produced {
    produce(client, TOPIC, batch.bytes())
}

#[test]
fn a_repeated_batch_is_answered_as_the_first_time_and_a_gap_is_refused() {
    let (_node, mut client) = broker();
    let (id, epoch) = producer_id(&mut client);
    let first = good().from_producer(id, epoch, 0);
    assert_eq!(send(&mut client, first.clone()), Produced { error: 0, base_offset: 0 });
    assert_eq!(send(&mut client, first), Produced { error: 0, base_offset: 0 }, "a retry");
    assert_eq!(list_offset(&mut client, TOPIC, -1), (0, 2), "and it is there once");
    assert_eq!(send(&mut client, good().from_producer(id, epoch, 7)).error, OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(send(&mut client, good().from_producer(id, epoch, 2)), Produced { error: 0, base_offset: 2 });
}

#[test]
fn an_old_epoch_is_refused() {
    let (_node, mut client) = broker();
    let (id, epoch) = producer_id(&mut client);
    assert_eq!(send(&mut client, good().from_producer(id, epoch + 1, 0)).error, 0);
    assert_eq!(send(&mut client, good().from_producer(id, epoch, 0)).error, INVALID_PRODUCER_EPOCH);
}

#[test]
fn duplicate_headers_of_a_record_are_kept() {
    let (_node, mut client) = broker();
    // Attributes, deltas, no key, an empty value, two headers "k" with the values "1" and "2".
    let body = [0, 0, 0, 1, 0, 4, 2, b'k', 2, b'1', 2, b'k', 2, b'2'];
    let mut records = BytesMut::new();
    put_varint(&mut records, i64::try_from(body.len()).expect("small"));
    records.put_slice(&body);
    let mut batch = Batch::of(&[b""]);
    batch.records = records.freeze();
    let sent = batch.bytes();
    assert_eq!(produce(&mut client, TOPIC, sent.clone()).error, 0);
    let found = fetch(&mut client, TOPIC, 0).records.expect("records are never null");
    assert_eq!(found[16..], sent[16..]);
}
