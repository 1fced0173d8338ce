//! gRPC on the clients' port, through a client that is not ours to invent: tonic's, of the same `.proto` files. What one
//! door wrote the other reads.

mod deadlines;
mod groups;
mod health;
mod hostile;
mod other_languages;
mod records;
mod refusals;
mod settings;
mod streams;
mod topics;
mod wire;

use rust_mq_proto::grpc::{
    Acks, FetchPartition, FetchRequest, FetchedPartition, NewTopic, PartitionRecords, ProduceRequest, Record,
    Records, partition_records::Data,
};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tests::node::Node;
use tonic::transport::{Channel, Endpoint};

#[allow(
    clippy::all,
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::wildcard_imports,
    reason = "generated"
)]
mod stub {
    tonic::include_proto!("rustmq.v1");

    pub mod health {
        tonic::include_proto!("grpc.health.v1");
    }
}

type Client = stub::kafka_broker_client::KafkaBrokerClient<Channel>;

/// Runs one conversation, for at most a minute.
#[track_caller]
fn block_on<T>(conversation: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let limited = async { tokio::time::timeout(Duration::from_secs(60), conversation).await };
    runtime.block_on(limited).expect("the broker answers within a minute")
}

async fn connect(address: SocketAddr) -> Client {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address is a URI");
    Client::new(endpoint.connect().await.expect("the port speaks HTTP/2"))
}

async fn client(node: &Node) -> Client {
    connect(node.address()).await
}

/// A topic of one partition.
async fn create(client: &mut Client, name: &str) {
    let topic = NewTopic { name: name.into(), partitions: Some(1), ..Default::default() };
    let request = rust_mq_proto::grpc::CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let made = client.create_topics(request).await.expect("the topic is created").into_inner();
    assert_eq!((made.topics[0].name.as_str(), made.topics[0].partitions), (name, 1));
}

fn record(value: &str) -> Record {
    Record { value: Some(value.to_owned().into()), ..Default::default() }
}

/// These values, in fields, to partition 0.
fn values(topic: &str, values: &[&str]) -> ProduceRequest {
    let records = values.iter().map(|value| record(value)).collect();
    let data = Data::Records(Records { records, ..Default::default() });
    let partition = PartitionRecords { topic: topic.into(), partition: 0, data: Some(data) };
    ProduceRequest { acks: Acks::All as i32, timeout_ms: 0, partitions: vec![partition] }
}

fn from(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition { topic: topic.into(), offset, ..Default::default() };
    FetchRequest { partitions: vec![partition], ..Default::default() }
}

/// What partition 0 holds from that offset on.
async fn fetch(client: &mut Client, topic: &str, offset: i64) -> FetchedPartition {
    let answer = client.fetch(from(topic, offset)).await.expect("the partition can be read");
    answer.into_inner().partitions.pop().expect("one partition was asked for")
}

fn texts(found: &FetchedPartition) -> Vec<(i64, String)> {
    let text =
        |record: &Record| String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
    found.records.iter().map(|record| (record.offset, text(record))).collect()
}
