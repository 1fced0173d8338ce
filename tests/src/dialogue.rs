//! The handful of things a test says to a broker in Kafka's words, each a function of plain values.

use crate::client::Client;
use bytes::Bytes;
use kafka_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{BrokerId, DeleteTopicsRequest, InitProducerIdRequest, TopicName};
use kafka_protocol::protocol::StrBytes;

/// A request's time limit at the broker, milliseconds.
const TIMEOUT_MS: i32 = 10_000;

/// What a partition said to records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Produced {
    /// 0 is success.
    pub error: i16,
    /// Where the first record went.
    pub base_offset: i64,
}

/// What a partition said to a fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// 0 is success.
    pub error: i16,
    /// The high watermark.
    pub high_watermark: i64,
    /// Whole batches; nothing if the field was null, which clients cannot read.
    pub records: Option<Bytes>,
}

/// A topic's name on the wire.
pub fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

/// Asks for a topic; its error code.
pub fn create_topic(client: &mut Client, topic: &str, partitions: i32) -> i16 {
    let wanted = topic_with(topic, &[]).with_num_partitions(partitions);
    create_topics(client, vec![wanted])[0].error_code
}

/// A topic of one partition with these settings, to be made.
pub fn topic_with(topic: &str, settings: &[(&str, &str)]) -> CreatableTopic {
    let setting = |(name, value): &(&str, &str)| {
        CreatableTopicConfig::default()
            .with_name(StrBytes::from_string((*name).to_owned()))
            .with_value(Some(StrBytes::from_string((*value).to_owned())))
    };
    CreatableTopic::default()
        .with_name(name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1)
        .with_configs(settings.iter().map(setting).collect())
}

/// Asks for topics; what became of each.
pub fn create_topics(client: &mut Client, topics: Vec<CreatableTopic>) -> Vec<CreatableTopicResult> {
    client.ask(7, &CreateTopicsRequest::default().with_topics(topics).with_timeout_ms(TIMEOUT_MS)).topics
}

/// Deletes a topic; the error code.
pub fn delete_topic(client: &mut Client, topic: &str) -> i16 {
    let request =
        DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(TIMEOUT_MS);
    client.ask(4, &request).responses[0].error_code
}

/// A Produce request for partition 0 of `topic`.
pub fn produce_request(topic: &str, acks: i16, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData::default().with_index(0).with_records(Some(records));
    let data = TopicProduceData::default().with_name(name(topic)).with_partition_data(vec![partition]);
    ProduceRequest::default().with_acks(acks).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![data])
}

/// A Produce request for some partitions of `topic`.
pub fn produce_to(partitions: impl Iterator<Item = (i32, Bytes)>, topic: &str, acks: i16) -> ProduceRequest {
    let data = partitions.map(|(index, records)| {
        PartitionProduceData::default().with_index(index).with_records(Some(records))
    });
    let data = TopicProduceData::default().with_name(name(topic)).with_partition_data(data.collect());
    ProduceRequest::default().with_acks(acks).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![data])
}

/// Produces to partition 0 of `topic` with acks=all.
pub fn produce(client: &mut Client, topic: &str, records: Bytes) -> Produced {
    let answer = client.ask(9, &produce_request(topic, -1, records));
    let partition = &answer.responses[0].partition_responses[0];
    Produced { error: partition.error_code, base_offset: partition.base_offset }
}

/// A Fetch request of partition 0 of `topic` that waits for nothing.
pub fn fetch_request(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(16 << 20)
        .with_current_leader_epoch(-1);
    let topics = vec![FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition])];
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(16 << 20)
        .with_min_bytes(0)
        .with_topics(topics)
}

/// Sends a fetch of one partition.
pub fn fetch_with(client: &mut Client, request: &FetchRequest) -> Fetched {
    let answer = client.ask(11, request);
    let partition = &answer.responses[0].partitions[0];
    Fetched {
        error: partition.error_code,
        high_watermark: partition.high_watermark,
        records: partition.records.clone(),
    }
}

/// Fetches from `offset` of partition 0 of `topic`.
pub fn fetch(client: &mut Client, topic: &str, offset: i64) -> Fetched {
    fetch_with(client, &fetch_request(topic, offset))
}

/// The offset for a timestamp (-1 latest, -2 earliest) in partition 0 of `topic`, and the error code.
pub fn list_offset(client: &mut Client, topic: &str, timestamp: i64) -> (i16, i64) {
    let partition = ListOffsetsPartition::default().with_partition_index(0).with_timestamp(timestamp);
    let topics = vec![ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![partition])];
    let answer =
        client.ask(5, &ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics));
    let partition = &answer.topics[0].partitions[0];
    (partition.error_code, partition.offset)
}

/// A producer's id and epoch, for idempotent batches.
pub fn producer_id(client: &mut Client) -> (i64, i16) {
    let request =
        InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    let answer = client.ask(2, &request);
    assert_eq!(answer.error_code, 0, "an idempotent producer gets an id");
    (answer.producer_id.0, answer.producer_epoch)
}
