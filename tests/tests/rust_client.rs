//! rskafka: a Rust client that speaks exactly one version of Fetch (4), so that our lowest ones stay alive.

use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::dialogue::fetch;
use tests::folder::Folder;
use tests::node::Node;

const TOPIC: &str = "records";

/// Runs one conversation, for at most half a minute.
fn block_on<T>(conversation: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let limited = async { tokio::time::timeout(Duration::from_secs(30), conversation).await };
    runtime.block_on(limited).expect("rskafka is answered within half a minute")
}

async fn client(node: &Node) -> Client {
    ClientBuilder::new(vec![node.bootstrap()]).build().await.expect("rskafka connects")
}

fn record(value: &str) -> Record {
    let timestamp = now();
    Record { key: None, value: Some(value.as_bytes().to_vec()), headers: BTreeMap::new(), timestamp }
}

/// In milliseconds, which are what the wire carries. What is older than the topic's retention would go.
fn now() -> chrono::DateTime<chrono::Utc> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let millis = i64::try_from(since.as_millis()).expect("the year is below 292 million");
    chrono::DateTime::from_timestamp_millis(millis).expect("a date of today is valid")
}

#[test]
fn rskafka_creates_produces_and_consumes_across_a_kill() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    block_on(async {
        let client = client(&node).await;
        let controller = client.controller_client().expect("there is a controller");
        controller.create_topic(TOPIC, 1, 1, 5_000).await.expect("the topic is created");
        let partition =
            client.partition_client(TOPIC, 0, UnknownTopicHandling::Retry).await.expect("it has a leader");
        let records = vec![record("one"), record("two"), record("three")];
        let offsets =
            partition.produce(records, Compression::NoCompression).await.expect("the records are taken");
        assert_eq!(offsets, [0, 1, 2]);
    });
    node.kill();
    node.restart();
    block_on(async {
        let partition = client(&node)
            .await
            .partition_client(TOPIC, 0, UnknownTopicHandling::Retry)
            .await
            .expect("it has a leader");
        assert_eq!(partition.get_offset(OffsetAt::Latest).await.expect("the end is known"), 3);
        let (found, high_watermark) =
            partition.fetch_records(1, 1..1_000_000, 1_000).await.expect("records are there");
        let values: Vec<_> =
            found.into_iter().filter_map(|found| Some((found.offset, found.record.value?))).collect();
        assert_eq!(values, [(1, b"two".to_vec()), (2, b"three".to_vec())]);
        assert_eq!(high_watermark, 3);
    });
}

#[test]
fn rskafka_reads_each_compression_back_across_a_kill() {
    let codecs = [
        ("none", Compression::NoCompression),
        ("gzip", Compression::Gzip),
        ("snappy", Compression::Snappy),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ];
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let text = "the same again and again ".repeat(50);
    block_on(async {
        let client = client(&node).await;
        let controller = client.controller_client().expect("there is a controller");
        for (name, codec) in codecs {
            controller.create_topic(name, 1, 1, 5_000).await.expect("the topic is created");
            let unknown = UnknownTopicHandling::Retry;
            let partition = client.partition_client(name, 0, unknown).await.expect("it has a leader");
            let records = vec![record(&text), record(name)];
            assert_eq!(partition.produce(records, codec).await.expect("the records are taken"), [0, 1]);
        }
    });
    node.kill();
    node.restart();
    for (code, (name, _)) in codecs.iter().enumerate() {
        let batch = fetch(&mut node.connect(), name, 0).records.expect("records are never null");
        assert_eq!(usize::from(batch[22] & 7), code, "stored as {name}");
    }
    block_on(async {
        let client = client(&node).await;
        for (name, _) in codecs {
            let unknown = UnknownTopicHandling::Retry;
            let partition = client.partition_client(name, 0, unknown).await.expect("it has a leader");
            let (found, _) =
                partition.fetch_records(0, 1..1_000_000, 1_000).await.expect("records are there");
            let values: Vec<_> = found.into_iter().filter_map(|found| found.record.value).collect();
            assert_eq!(values, [text.clone().into_bytes(), name.as_bytes().to_vec()], "through {name}");
        }
    });
}
