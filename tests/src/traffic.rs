//! Traffic that costs a broker much for little: what `--memory-limit` has to hold against, whoever sends it. Each kind
//! runs against an address and takes some seconds; who runs it weighs the process afterwards. The tests of
//! `tests/tests/memory.rs` and the rows of `rust-mq-bench memory` are these.
//!
//! Whatever the broker does to protect itself, be it to close, not to read or to refuse, is its right here; that others
//! are served in the end is asked of it after each kind.

use crate::batch::Batch;
use crate::client::{Client, encode};
use crate::dialogue::{create_topic, delete_topic, name, produce_to as to};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{BrokerId, MetadataRequest};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// One kind.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// What it is called.
    pub name: &'static str,
    /// Does it to the broker there.
    pub run: fn(SocketAddr),
}

/// All kinds there are.
pub const TRAFFIC: [Traffic; 12] = [
    Traffic { name: "one large topic, named again and again", run: name_again_and_again },
    Traffic { name: "large batches that nobody waits for", run: produce_unwaited },
    Traffic { name: "topics full of records, deleted", run: fill_and_delete },
    Traffic { name: "small batches in large requests", run: batches_in_junk },
    Traffic { name: "times of one partition, asked again and again", run: ask_times },
    Traffic { name: "cold records for who reads nothing", run: fetch_cold_and_read_nothing },
    Traffic { name: "producers that nobody knows", run: forge_producers },
    Traffic { name: "polls of idle partitions", run: poll_idle },
    Traffic { name: "half requests", run: half_requests },
    Traffic { name: "small requests of very many, held back", run: requests_behind_a_poll },
    Traffic { name: "names and partitions that are not there", run: name_nothing },
    Traffic { name: "partitions, as many as there may be", run: many_partitions },
];

/// How long a kind goes on that could go on for ever.
const FOR: Duration = Duration::from_secs(6);
const ALL: i16 = -1;
const NONE: i16 = 0;

fn large_batch() -> Bytes {
    Batch::of(&[&vec![b'x'; 900 << 10]]).bytes()
}

/// A connection to a broker that others keep busy.
fn patient(address: SocketAddr) -> Client {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match Client::try_connect(address) {
            Ok(client) => return client,
            Err(error) => assert!(Instant::now() < deadline, "cannot connect: {error}"),
        }
    }
}

/// A connection that gives up early what the broker does not take.
fn hasty(address: SocketAddr) -> Client {
    let mut client = patient(address);
    client.limit_writes(Duration::from_millis(50));
    client
}

fn name_again_and_again(address: SocketAddr) {
    let mut client = patient(address);
    assert_eq!(create_topic(&mut client, "wide", 2_000), 0);
    let topic = MetadataRequestTopic::default().with_name(Some(name("wide")));
    for times in [1, 100, 10_000] {
        let request = MetadataRequest::default().with_topics(Some(vec![topic.clone(); times]));
        assert_eq!(client.ask(9, &request).topics.len(), 1, "as Kafka answers it");
    }
    let mut deaf: Vec<Client> = (0..200).map(|_| hasty(address)).collect();
    for client in &mut deaf {
        for _ in 0..64 {
            let request = MetadataRequest::default().with_topics(None);
            if client.send_request(9, &request).is_err() {
                break;
            }
        }
    }
}

fn produce_unwaited(address: SocketAddr) {
    const PARTITIONS: i32 = 400;
    assert_eq!(create_topic(&mut patient(address), "unwaited", PARTITIONS), 0);
    let batch = large_batch();
    let send = || {
        let mut client = patient(address);
        let until = Instant::now() + FOR;
        for partition in (0..PARTITIONS).cycle() {
            let request = to([(partition, batch.clone())].into_iter(), "unwaited", NONE);
            if Instant::now() > until || client.send_request(9, &request).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(send);
        }
    });
}

fn fill_and_delete(address: SocketAddr) {
    const PARTITIONS: i32 = 200;
    let batch = large_batch();
    let until = Instant::now() + FOR;
    let mut client = patient(address);
    for round in 0.. {
        let topic = format!("filled-{round}");
        if Instant::now() > until || create_topic(&mut client, &topic, PARTITIONS) != 0 {
            return;
        }
        for partition in 0..PARTITIONS {
            // Refused for want of space, in memory.
            let _ = client.try_ask(9, &to([(partition, batch.clone())].into_iter(), &topic, ALL));
        }
        let _ = delete_topic(&mut client, &topic);
    }
}

fn batches_in_junk(address: SocketAddr) {
    let mut client = patient(address);
    assert_eq!(create_topic(&mut client, "junk", 1), 0);
    // The batch is a small part of its request; then a little less, and a little more, than half and three quarters.
    for (value, junk) in [
        (17 << 10, 6 << 20),
        (900 << 10, 920 << 10),
        (900 << 10, 880 << 10),
        (900 << 10, 310 << 10),
        (900 << 10, 290 << 10),
    ] {
        let batch = Batch::of(&[&vec![b'x'; value]]).bytes();
        let request = to([(0, batch), (77, Bytes::from(vec![0; junk]))].into_iter(), "junk", ALL);
        let end = Instant::now() + FOR / 2;
        // In memory, until one is refused for want of space: only then is all of the limit held by these.
        while Instant::now() < end
            && let Some(answer) = client.try_ask(9, &request)
            && answer.responses[0].partition_responses[0].error_code == 0
        {}
        assert_eq!(delete_topic(&mut client, "junk"), 0);
        assert_eq!(create_topic(&mut client, "junk", 1), 0);
    }
}

/// A topic whose records are not in memory any more.
fn cold(address: SocketAddr, topic: &str, partitions: i32, batches: usize) {
    let mut client = patient(address);
    assert_eq!(create_topic(&mut client, topic, partitions), 0);
    let batch = large_batch();
    for _ in 0..batches {
        for partition in 0..partitions {
            let _ = client.try_ask(9, &to([(partition, batch.clone())].into_iter(), topic, ALL));
        }
    }
}

fn ask_times(address: SocketAddr) {
    cold(address, "times", 4, 10);
    let mut deaf: Vec<Client> = (0..8).map(|_| hasty(address)).collect();
    for client in &mut deaf {
        let asked = |index| ListOffsetsPartition::default().with_partition_index(index).with_timestamp(5);
        let partitions = (0..4).cycle().take(100_000).map(asked).collect();
        let topic = ListOffsetsTopic::default().with_name(name("times")).with_partitions(partitions);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let _ = client.send_request(5, &request);
    }
    thread::sleep(FOR / 2);
}

/// A Fetch of partitions `0..partitions` that wants so many bytes of each.
fn fetch_of(topic: &str, partitions: i32, bytes: i32, wait_ms: i32) -> FetchRequest {
    let of = |index| {
        FetchPartition::default()
            .with_partition(index)
            .with_partition_max_bytes(bytes)
            .with_current_leader_epoch(-1)
    };
    let topic =
        FetchTopic::default().with_topic(name(topic)).with_partitions((0..partitions).map(of).collect());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(i32::MAX)
        .with_min_bytes(1)
        .with_max_wait_ms(wait_ms)
        .with_topics(vec![topic])
}

fn fetch_cold_and_read_nothing(address: SocketAddr) {
    cold(address, "cold", 8, 12);
    let mut deaf: Vec<Client> = (0..60).map(|_| hasty(address)).collect();
    for client in &mut deaf {
        let _ = client.send_request(11, &fetch_of("cold", 8, 8 << 20, 0));
    }
    thread::sleep(FOR / 2);
}

fn forge_producers(address: SocketAddr) {
    const PARTITIONS: i32 = 50;
    let mut client = patient(address);
    assert_eq!(create_topic(&mut client, "forged", PARTITIONS), 0);
    let until = Instant::now() + 2 * FOR;
    for round in 0.. {
        let first = i64::from(PARTITIONS) * 40 * round;
        for request in 0..40 {
            let id = |index: i32| first + i64::from(PARTITIONS) * request + i64::from(index);
            let batch = |index| (index, Batch::of(&[b"x"]).from_producer(id(index), 0, 0).bytes());
            if client.send_request(9, &to((0..PARTITIONS).map(batch), "forged", NONE)).is_err() {
                return;
            }
        }
        if Instant::now() > until {
            return;
        }
    }
}

fn poll_idle(address: SocketAddr) {
    const PARTITIONS: i32 = 1_000;
    let mut client = patient(address);
    assert_eq!(create_topic(&mut client, "idle", PARTITIONS), 0);
    for _ in 0..300 {
        let _ = client.try_ask(11, &fetch_of("idle", PARTITIONS, 1 << 20, 1));
    }
}

fn half_requests(address: SocketAddr) {
    assert_eq!(create_topic(&mut patient(address), "half", 1), 0);
    let message = encode(9, 1, &to([(0, large_batch())].into_iter(), "half", ALL));
    let length = u32::try_from(message.len()).expect("below 4 GiB").to_be_bytes();
    let mut whole = BytesMut::from(&length[..]);
    whole.extend_from_slice(&message);
    let mut halves: Vec<Client> = (0..800).map(|_| patient(address)).collect();
    for client in &mut halves {
        client.limit_writes(Duration::from_millis(2));
        let _ = client.send(&whole[..whole.len() - 1]);
    }
}

fn requests_behind_a_poll(address: SocketAddr) {
    assert_eq!(create_topic(&mut patient(address), "waiting", 1), 0);
    // As much as one read brings, and with it more small requests than are taken up at once.
    let refused = encode(9, 1, &to([(77, Bytes::from(vec![0; 200 << 10]))].into_iter(), "waiting", ALL));
    let poll = encode(11, 1, &fetch_of("waiting", 1, 1 << 20, 20_000));
    let mut all: Vec<Client> = (0..800).map(|_| patient(address)).collect();
    for client in &mut all {
        client.limit_writes(Duration::from_millis(5));
        let mut bytes = BytesMut::new();
        for message in std::iter::once(&refused).chain(std::iter::repeat_n(&poll, 70)) {
            bytes.extend_from_slice(&u32::try_from(message.len()).expect("below 4 GiB").to_be_bytes());
            bytes.extend_from_slice(message);
        }
        let _ = client.send(&bytes);
    }
    thread::sleep(FOR / 2);
}

fn name_nothing(address: SocketAddr) {
    let mut deaf: Vec<Client> = (0..20).map(|_| hasty(address)).collect();
    for client in &mut deaf {
        let none = (0..100_000).map(|index| (index, Bytes::new()));
        let _ = client.send_request(9, &to(none, "nothing", ALL));
        let _ = client.send_request(11, &fetch_of("nothing", 19_000, 1 << 20, 20_000));
        let names = (0..9_000).map(|number| name(&format!("nothing-{number}")));
        let topics = names.map(|topic| MetadataRequestTopic::default().with_name(Some(topic))).collect();
        let request =
            MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
        let _ = client.send_request(9, &request);
    }
}

fn many_partitions(address: SocketAddr) {
    let mut client = patient(address);
    let made = (0..20).take_while(|round| create_topic(&mut client, &format!("many-{round}"), 2_000) == 0);
    assert!(made.count() > 0, "some are made");
}
