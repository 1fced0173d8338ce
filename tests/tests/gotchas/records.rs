//! Produce and Fetch: what is answered, and in what shape.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::fetch_response::FetchResponse;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{BrokerId, MetadataRequest};
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE, Reply, encode};
use tests::dialogue::{
    create_topic, create_topics, fetch_request, list_offset, name, produce, produce_request, producer_id,
    topic_with,
};
use tests::node::Node;
use uuid::Uuid;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
const INVALID_FETCH_SESSION_EPOCH: i16 = 71;
const UNKNOWN_TOPIC_ID: i16 = 100;
const TOPIC: &str = "records";

/// A broker with the topic, and a connection to it.
fn broker(partitions: i32) -> (Node, Client) {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topic(&mut client, TOPIC, partitions), 0);
    (node, client)
}

fn id_of(client: &mut Client, topic: &str) -> Uuid {
    let topic = MetadataRequestTopic::default().with_name(Some(name(topic)));
    client.ask(12, &MetadataRequest::default().with_topics(Some(vec![topic]))).topics[0].topic_id
}

fn batch(values: &[&[u8]]) -> Bytes {
    Batch::of(values).bytes()
}

/// The records of the first partition of the answer.
fn records(answer: &FetchResponse) -> Bytes {
    answer.responses[0].partitions[0]
        .records
        .clone()
        .expect("records are empty where there are none, not null")
}

/// Base offsets of whole batches, back to back, to the last byte.
fn base_offsets(mut records: Bytes) -> Vec<i64> {
    let mut found = Vec::new();
    while records.has_remaining() {
        found.push(records.get_i64());
        let length = usize::try_from(records.get_i32()).expect("a batch has a length");
        records.advance(length);
    }
    found
}

#[test]
fn g12_produce_13_and_fetch_13_name_topics_by_id() {
    let (_node, mut client) = broker(1);
    let id = id_of(&mut client, TOPIC);
    let to = |id: Uuid, client: &mut Client| {
        let partition = PartitionProduceData::default().with_index(0).with_records(Some(batch(&[b"x"])));
        let data = TopicProduceData::default().with_topic_id(id).with_partition_data(vec![partition]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![data]);
        let answer = client.ask(13, &request);
        assert_eq!(answer.responses[0].topic_id, id);
        answer.responses[0].partition_responses[0].error_code
    };
    assert_eq!(to(id, &mut client), 0);
    assert_eq!(to(Uuid::from_u128(7 << 64), &mut client), UNKNOWN_TOPIC_ID);
    let from = |id: Uuid, client: &mut Client, version: i16| {
        let mut request = fetch_request("", 0);
        request.topics[0].topic_id = id;
        let answer = client.ask(version, &request);
        assert_eq!(answer.responses[0].topic_id, id);
        (answer.responses[0].partitions[0].error_code, base_offsets(records(&answer)))
    };
    for version in 13..=17 {
        assert_eq!(from(id, &mut client, version), (0, vec![0]), "version {version}");
        let unknown = from(Uuid::from_u128(7 << 64), &mut client, version);
        assert_eq!(unknown, (UNKNOWN_TOPIC_ID, Vec::new()), "version {version}");
    }
}

#[test]
fn g15_acks_0_is_never_answered() {
    let (node, mut client) = broker(1);
    for version in [3, 7, 9, 12] {
        let request = produce_request(TOPIC, 0, batch(&[b"x"]));
        client.send_message(&encode(version, 1, &request)).expect("the connection is open");
    }
    // The answer to what follows is the first that comes. Nobody was told that they are committed, so that may
    // take a moment.
    let deadline = Instant::now() + PATIENCE;
    while list_offset(&mut client, TOPIC, -1) != (0, 4) {
        assert!(Instant::now() < deadline, "not all four are in the log");
    }
    assert!(node.serves());
}

#[test]
fn g15_a_refusal_of_acks_0_closes_the_connection() {
    let (node, mut client) = broker(1);
    let request = produce_request("unknown", 0, batch(&[b"x"]));
    client.send_message(&encode(9, 1, &request)).expect("the connection is open");
    assert_eq!(client.receive(PATIENCE), Reply::Closed, "or the client would never learn of it");
    assert!(node.serves());
}

#[test]
fn g16_records_are_empty_and_not_null_and_no_replica_is_preferred() {
    let (_node, mut client) = broker(1);
    for filled in [false, true] {
        if filled {
            assert_eq!(produce(&mut client, TOPIC, batch(&[b"x"])).error, 0);
        }
        for version in 4..=12 {
            let answer = client.ask(version, &fetch_request(TOPIC, 0));
            assert_eq!(base_offsets(records(&answer)).len(), usize::from(filled), "version {version}");
            let partition = &answer.responses[0].partitions[0];
            assert_eq!(partition.preferred_read_replica, BrokerId(-1), "version {version}");
            let unknown = client.ask(version, &fetch_request("unknown", 0));
            assert_eq!(records(&unknown), Bytes::new(), "with an error too, version {version}");
            assert_eq!(unknown.responses[0].partitions[0].error_code, UNKNOWN_TOPIC_OR_PARTITION);
        }
    }
}

#[test]
fn g17_the_whole_batch_that_holds_the_offset_is_returned() {
    let (_node, mut client) = broker(1);
    let sent = [batch(&[b"a", b"b", b"c"]), batch(&[b"d", b"e"])];
    for batch in &sent {
        assert_eq!(produce(&mut client, TOPIC, batch.clone()).error, 0);
    }
    for (offset, bases) in [(0, vec![0, 3]), (1, vec![0, 3]), (2, vec![0, 3]), (3, vec![3]), (4, vec![3])] {
        let answer = client.ask(11, &fetch_request(TOPIC, offset));
        assert_eq!(base_offsets(records(&answer)), bases, "from offset {offset}");
    }
}

#[test]
fn g17_the_first_batch_ignores_the_limits_and_the_others_keep_them() {
    let (_node, mut client) = broker(2);
    let value = vec![b'x'; 1_000];
    let put = |client: &mut Client, partition: i32| {
        let mut request = produce_request(TOPIC, -1, batch(&[&value]));
        request.topic_data[0].partition_data[0].index = partition;
        assert_eq!(client.ask(9, &request).responses[0].partition_responses[0].error_code, 0);
    };
    for partition in [0, 1] {
        (0..3).for_each(|_| put(&mut client, partition));
    }
    let ask = |client: &mut Client, order: [i32; 2], max_bytes: i32, partition_max_bytes: i32| {
        let partition = |number: i32| {
            FetchPartition::default()
                .with_partition(number)
                .with_fetch_offset(0)
                .with_current_leader_epoch(-1)
                .with_partition_max_bytes(partition_max_bytes)
        };
        let topic =
            FetchTopic::default().with_topic(name(TOPIC)).with_partitions(order.map(partition).to_vec());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(max_bytes)
            .with_topics(vec![topic]);
        let answer = client.ask(11, &request);
        let partitions = answer.responses.into_iter().flat_map(|topic| topic.partitions);
        let found = partitions.map(|data| {
            (data.partition_index, base_offsets(data.records.expect("records are never null")).len())
        });
        found.collect::<Vec<_>>()
    };
    // The order is the request's: whoever stands first is never starved.
    assert_eq!(ask(&mut client, [0, 1], 1, 1 << 20), [(0, 1), (1, 0)]);
    assert_eq!(ask(&mut client, [1, 0], 1, 1 << 20), [(1, 1), (0, 0)]);
    assert_eq!(ask(&mut client, [0, 1], 1 << 20, 2_500), [(0, 2), (1, 2)], "each its own limit");
    assert_eq!(ask(&mut client, [0, 1], 1 << 20, 1), [(0, 1), (1, 0)], "one batch for the whole answer");
    assert_eq!(ask(&mut client, [0, 1], 1 << 20, 1 << 20), [(0, 3), (1, 3)]);
}

#[test]
fn g18_aborted_transactions_are_listed_for_read_committed_only() {
    let (_node, mut client) = broker(1);
    assert_eq!(produce(&mut client, TOPIC, batch(&[b"x"])).error, 0);
    for version in 4..=12 {
        let all = client.ask(version, &fetch_request(TOPIC, 0));
        assert_eq!(all.responses[0].partitions[0].aborted_transactions, None, "version {version}");
        let committed = client.ask(version, &fetch_request(TOPIC, 0).with_isolation_level(1));
        let partition = &committed.responses[0].partitions[0];
        assert_eq!(partition.aborted_transactions, Some(Vec::new()), "version {version}");
        assert_eq!(partition.last_stable_offset, 1, "without transactions all is stable");
    }
}

#[test]
fn g19_fetch_sessions_have_the_ids_and_epochs_of_kafkas() {
    let (_node, mut client) = broker(1);
    assert_eq!(produce(&mut client, TOPIC, batch(&[b"x"])).error, 0);
    for version in 7..=12 {
        let in_session = |session, epoch, request: FetchRequest| {
            request.with_session_id(session).with_session_epoch(epoch).with_max_wait_ms(0)
        };
        let whole = || fetch_request(TOPIC, 0);
        let nothing = || whole().with_topics(Vec::new());
        // Epoch -1 wants none; whatever session is left by a full fetch, it is one.
        for (session, epoch, begins) in [(0, -1, false), (9, -1, false), (9, 0, true)] {
            let answer = client.ask(version, &in_session(session, epoch, whole()));
            assert_eq!((answer.error_code, answer.session_id > 0), (0, begins), "{session} {epoch}");
            assert_eq!(base_offsets(records(&answer)), [0]);
        }
        let id = client.ask(version, &in_session(0, 0, whole())).session_id;
        let again = client.ask(version, &in_session(id, 1, nothing()));
        assert_eq!((again.session_id, base_offsets(records(&again))), (id, vec![0]), "it was not read on");
        let further = fetch_request(TOPIC, 1);
        let quiet = client.ask(version, &in_session(id, 2, further));
        assert_eq!((quiet.error_code, quiet.responses.len()), (0, 0), "nothing has changed");
        for (session, epoch, error) in [
            (0, 1, FETCH_SESSION_ID_NOT_FOUND),
            (i32::MAX, 1, FETCH_SESSION_ID_NOT_FOUND),
            (-1, 7, FETCH_SESSION_ID_NOT_FOUND),
            (id, 2, INVALID_FETCH_SESSION_EPOCH),
            (id, 4, INVALID_FETCH_SESSION_EPOCH),
        ] {
            let answer = client.ask(version, &in_session(session, epoch, whole()));
            assert_eq!(answer.error_code, error, "session {session} epoch {epoch}");
            assert!(answer.responses.is_empty());
        }
        let last = client.ask(version, &in_session(id, -1, whole()));
        assert_eq!((last.error_code, last.session_id, base_offsets(records(&last))), (0, 0, vec![0]));
        let gone = client.ask(version, &in_session(id, 3, nothing()));
        assert_eq!(gone.error_code, FETCH_SESSION_ID_NOT_FOUND);
    }
}

#[test]
fn g22_nobody_is_throttled() {
    let (_node, mut client) = broker(1);
    let produced = client.ask(9, &produce_request(TOPIC, -1, batch(&[b"x"])));
    let fetched = client.ask(11, &fetch_request(TOPIC, 0));
    let described = client.ask(9, &MetadataRequest::default().with_topics(None));
    let throttled = [produced.throttle_time_ms, fetched.throttle_time_ms, described.throttle_time_ms];
    assert_eq!(throttled, [0; 3], "clients go silent for as long as this says");
}

#[test]
fn g23_errors_of_a_produce_and_of_a_fetch_are_per_partition() {
    let (_node, mut client) = broker(1);
    let mut request = produce_request(TOPIC, -1, batch(&[b"x"]));
    let stranger = PartitionProduceData::default().with_index(5).with_records(Some(batch(&[b"x"])));
    request.topic_data[0].partition_data.push(stranger);
    let elsewhere = produce_request("unknown", -1, batch(&[b"x"])).topic_data.remove(0);
    request.topic_data.push(elsewhere);
    let answer = client.ask(9, &request);
    let codes: Vec<i16> = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partition_responses)
        .map(|partition| partition.error_code)
        .collect();
    assert_eq!(codes, [0, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_OR_PARTITION]);
    let mut request = fetch_request(TOPIC, 0);
    request.topics.push(fetch_request("unknown", 0).topics.remove(0));
    let answer = client.ask(11, &request);
    let codes: Vec<i16> = answer
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .map(|partition| partition.error_code)
        .collect();
    assert_eq!(codes, [0, UNKNOWN_TOPIC_OR_PARTITION]);
}

#[test]
fn g29_a_batch_sent_again_after_a_lost_answer_succeeds_and_is_there_once() {
    let (node, mut client) = broker(1);
    let (id, epoch) = producer_id(&mut client);
    let batches: Vec<Bytes> = (0..5)
        .map(|number| Batch::of(&[b"one", b"two"]).from_producer(id, epoch, 2 * number).bytes())
        .collect();
    for batch in &batches {
        let mut lost = node.connect();
        let request = produce_request(TOPIC, -1, batch.clone());
        lost.send_message(&encode(9, 1, &request)).expect("a fresh connection takes a request");
        // It reads no answer, and is gone.
        drop(lost);
    }
    for (number, batch) in (0..5_i64).zip(&batches) {
        // The lost ones may still be on their way; a retry finds each in its place, or puts it there.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = produce(&mut client, TOPIC, batch.clone());
            if answer.error == 0 {
                assert_eq!(answer.base_offset, 2 * number);
                break;
            }
            assert_eq!(answer.error, 45, "only its predecessor may be missing");
            assert!(Instant::now() < deadline, "batch {number} never found its place");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    assert_eq!(list_offset(&mut client, TOPIC, -1), (0, 10));
}

#[test]
fn a_fetch_waits_until_min_bytes_are_there() {
    let (node, mut client) = broker(1);
    let request = fetch_request(TOPIC, 0).with_min_bytes(1).with_max_wait_ms(10_000);
    client.send_request(11, &request).expect("the connection is open");
    assert_eq!(client.receive(Duration::from_millis(300)), Reply::Silence, "there is nothing yet");
    assert_eq!(produce(&mut node.connect(), TOPIC, batch(&[b"x"])).error, 0);
    let started = Instant::now();
    assert!(matches!(client.receive(PATIENCE), Reply::Message(_)));
    assert!(started.elapsed() < Duration::from_secs(5), "it was woken, and did not wait for its time");
    // And without news it ends in time.
    let mut late = node.connect();
    let started = Instant::now();
    let answer = late.ask(11, &fetch_request(TOPIC, 1).with_min_bytes(1).with_max_wait_ms(400));
    assert_eq!(records(&answer), Bytes::new());
    assert!(started.elapsed() >= Duration::from_millis(390), "{:?}", started.elapsed());
}

#[test]
fn answers_leave_in_the_order_of_the_requests_though_the_first_waits() {
    let (_node, mut client) = broker(1);
    let parked = fetch_request(TOPIC, 0).with_min_bytes(1).with_max_wait_ms(500);
    let mut bytes = BytesMut::new();
    for message in [
        encode(11, 1, &parked),
        encode(9, 2, &produce_request(TOPIC, -1, batch(&[b"x"]))),
        encode(9, 3, &MetadataRequest::default().with_topics(None)),
    ] {
        bytes.put_u32(u32::try_from(message.len()).expect("a test's message is small"));
        bytes.put_slice(&message);
    }
    client.send(&bytes).expect("the connection is open");
    for correlation in 1..=3 {
        let Reply::Message(mut answer) = client.receive(PATIENCE) else { panic!("no answer {correlation}") };
        assert_eq!(answer.get_i32(), correlation);
    }
}

#[test]
fn g6_timestamps_out_of_range_are_refused_record_by_record() {
    const INVALID_TIMESTAMP: i16 = 32;
    let (_node, mut client) = broker(1);
    let now = Batch::of(&[b"x"]).max_timestamp;
    let ahead = now + 2 * 3_600_000;
    for (times, bad) in [
        (vec![now, -2, now, ahead], vec![1, 3]),
        (vec![i64::MIN + now, now - 1], vec![0]),
        (vec![-5, -1], vec![0]),
    ] {
        for version in 3..=12 {
            let answer = client.ask(version, &produce_request(TOPIC, -1, Batch::at(&times).bytes()));
            let part = &answer.responses[0].partition_responses[0];
            assert_eq!(part.error_code, INVALID_TIMESTAMP, "{times:?}");
            let named: Vec<i32> = part.record_errors.iter().map(|record| record.batch_index).collect();
            assert_eq!(named, if version >= 8 { bad.clone() } else { Vec::new() }, "{times:?} in {version}");
            let has_words = |words: &Option<_>| words.is_some();
            assert!(part.record_errors.iter().all(|record| has_words(&record.batch_index_error_message)));
        }
    }
    for times in [vec![-1], vec![0, -1, now]] {
        assert_eq!(produce(&mut client, TOPIC, Batch::at(&times).bytes()).error, 0, "{times:?}");
    }
}

#[test]
fn g6_a_batch_that_claims_the_logs_timestamps_keeps_its_own() {
    const INVALID_TIMESTAMP: i16 = 32;
    const LOG_APPEND_TIME: i16 = 1 << 3;
    let (_node, mut client) = broker(1);
    let mut batch = Batch::of(&[b"x"]);
    let honest = batch.bytes();
    batch.attributes = LOG_APPEND_TIME;
    assert_eq!(produce(&mut client, TOPIC, batch.bytes()).error, 0);
    let answer = client.ask(11, &fetch_request(TOPIC, 0));
    assert_eq!(records(&answer)[16..], honest[16..], "the bit is cleared, checksum and all");
    batch.max_timestamp = -1;
    assert_eq!(produce(&mut client, TOPIC, batch.bytes()).error, INVALID_TIMESTAMP);
    let stamped = topic_with("stamped", &[("message.timestamp.type", "LogAppendTime")]);
    assert_eq!(create_topics(&mut client, vec![stamped])[0].error_code, 0);
    batch.max_timestamp = batch.first_timestamp;
    assert_eq!(produce(&mut client, "stamped", batch.bytes()).error, INVALID_TIMESTAMP);
    assert_eq!(produce(&mut client, "stamped", Batch::at(&[-7]).bytes()).error, 0, "its own do not count");
}
