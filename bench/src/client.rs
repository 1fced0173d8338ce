//! One blocking connection that speaks Kafka's protocol with the broker's own codec.

use bytes::{Bytes, BytesMut};
use rust_mq_proto::kafka::api::api_versions::ApiVersionsRequest;
use rust_mq_proto::kafka::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic, PartitionData};
use rust_mq_proto::kafka::api::metadata::MetadataRequest;
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::{Reader, Request, Response, Writer, read_response_start, write_request};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A broker that is silent for longer has failed; a run must not wait for it for ever.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// A connection.
pub struct Client {
    stream: TcpStream,
}

impl Client {
    /// Connects.
    pub fn connect(address: &str) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        Ok(Client { stream })
    }

    /// Sends a request and reads its answer.
    pub fn ask<R: Request>(&mut self, version: i16, body: &R) -> io::Result<R::Response> {
        self.stream.write_all(&message(version, body))?;
        let answer = self.message()?;
        let mut reader = Reader::new(answer, usize::MAX);
        read_response_start(&mut reader, R::API, version).map_err(io::Error::other)?;
        R::Response::decode(&mut reader, version).map_err(io::Error::other)
    }

    /// The next message, without its length.
    pub fn message(&mut self) -> io::Result<BytesMut> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut message = BytesMut::zeroed(u32::from_be_bytes(length) as usize);
        self.stream.read_exact(&mut message)?;
        Ok(message)
    }

    /// Sends a whole request and reads the bytes of its answer.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<BytesMut> {
        self.stream.write_all(request)?;
        self.message()
    }

    /// From now on an answer that takes longer is an error.
    pub fn answer_within(&self, most: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(most))
    }

    /// What a fetch says of its one partition; an error code is an error.
    pub fn fetch_partition(&mut self, body: &FetchRequest) -> io::Result<PartitionData> {
        let response = self.ask(11, body)?;
        let mut partitions = response.responses.into_iter().flat_map(|topic| topic.partitions);
        let partition = partitions.next().filter(|partition| partition.error_code == 0);
        partition.ok_or_else(|| io::Error::other("a fetch was refused"))
    }

    /// The stream below, for whoever counts messages only.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Asks what is served.
    pub fn api_versions(&mut self) -> io::Result<()> {
        let body = ApiVersionsRequest {
            client_software_name: "rust-mq-bench".into(),
            client_software_version: "0".into(),
            ..Default::default()
        };
        self.ask(3, &body).map(drop)
    }

    /// Asks for all topics: answered once the broker is recovered and somebody leads.
    pub fn metadata(&mut self) -> io::Result<()> {
        self.ask(8, &MetadataRequest { topics: None, ..Default::default() }).map(drop)
    }

    /// Makes a topic.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> io::Result<()> {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..Default::default()
        };
        let response = self.ask(5, &CreateTopicsRequest { topics: vec![topic], ..Default::default() })?;
        match response.topics.first().map(|topic| topic.error_code) {
            Some(0) => Ok(()),
            code => Err(io::Error::other(format!("creating '{name}' failed: {code:?}"))),
        }
    }

    /// Reads from an offset of a topic's partition 0: what came, and the offset after it.
    pub fn fetch(&mut self, topic: &str, offset: i64) -> io::Result<Bytes> {
        let response = self.ask(11, &fetch_request(topic, offset))?;
        let partition =
            response.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next());
        let records = partition.and_then(|partition| partition.records);
        Ok(records.and_then(|records| records.parts().first().cloned()).unwrap_or_default())
    }
}

/// A whole request with its length.
pub fn message<R: Request>(version: i16, body: &R) -> Vec<u8> {
    let mut writer = Writer::new();
    write_request(&mut writer, version, 7, Some("bench"), body);
    writer.take().concat()
}

/// A request that appends one batch to a topic's partition, acks=all.
pub fn produce_request(topic: &str, partition: i32, batch: BytesMut) -> ProduceRequest {
    let partition_data = vec![PartitionProduceData { index: partition, records: Some(batch) }];
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data }
}

/// A request that reads a topic's partition 0.
pub fn fetch_request(topic: &str, offset: i64) -> FetchRequest {
    let partition =
        FetchPartition { fetch_offset: offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    FetchRequest {
        max_wait_ms: 1_000,
        min_bytes: 1,
        max_bytes: 50 << 20,
        replica_id: -1,
        topics: vec![topic],
        ..Default::default()
    }
}
