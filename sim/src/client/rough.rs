//! Rough clients: the mute one asks for much and never reads an answer; the glutton writes much, many requests ahead,
//! and never reads one either; the vandal sends requests with bytes changed, cut, doubled or made up. None may hurt
//! anybody else, nor the node's memory.
//!
//! Invariant: nothing that the vandal sends can succeed in writing to a topic of the plan, so the ledger knows nothing
//! of it: a changed Produce fails its CRC. What becomes of the glutton's batches nobody is told.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::draft::{self, Order};
use super::map::Map;
use super::plan::{ProducerHabits, TopicPlan};
use super::purpose::Purpose;
use super::ration::Ration;
use crate::claims::ledger::Shelf;
use crate::dice::Dice;
use bytes::{BufMut, Bytes, BytesMut};
use rust_mq_proto::kafka::api::ApiKey;
use rust_mq_proto::kafka::api::api_versions::ApiVersionsRequest;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use rust_mq_proto::kafka::api::init_producer_id::InitProducerIdRequest;
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use rust_mq_proto::kafka::api::metadata::MetadataRequest;
use rust_mq_proto::kafka::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::{Request, Writer, write_request};
use rust_mq_proto::records::BatchBuilder;

/// What a vandal damages.
const DAMAGED: [ApiKey; 7] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::ApiVersions,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
];
/// Requests of a glutton that may be unanswered: more than a broker lets in at a time.
const GLUTTON_REQUESTS_MAX: usize = 200;

/// One who never reads.
#[derive(Debug)]
pub struct Mute {
    topics: Vec<TopicPlan>,
    left: Ration,
}

/// One who breaks things.
#[derive(Debug)]
pub struct Vandal {
    topics: Vec<TopicPlan>,
    left: Ration,
}

/// One who writes and never reads.
#[derive(Debug)]
pub struct Glutton {
    topics: Vec<TopicPlan>,
    habits: ProducerHabits,
    left: Ration,
}

impl Mute {
    /// Asks about those topics.
    pub fn new(topics: Vec<TopicPlan>, operations: u32) -> Mute {
        Mute { topics, left: Ration::of(operations) }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Asks for everything from the start, again.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if !self.left.take() {
            return;
        }
        let site = chance.whom.index(street.listening.len());
        let name = &chance.of(ApiKey::Fetch).pick(&self.topics).name;
        let id = map.topic(name).map_or([7; 16], |topic| topic.id);
        let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
        let request = FetchRequest {
            max_wait_ms: 100,
            topics: vec![FetchTopic { topic: name.clone(), topic_id: id, partitions: vec![partition] }],
            ..Default::default()
        };
        if connections.request(site, &request, Purpose::Nothing, street) {
            street.marks.hit("client.never_read");
        }
    }
}

impl Vandal {
    /// Damages requests about those topics.
    pub fn new(topics: Vec<TopicPlan>, operations: u32) -> Vandal {
        Vandal { topics, left: Ration::of(operations) }
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Sends some more damaged requests: each API on a die of its own.
    pub fn act(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        if !self.left.take() {
            return;
        }
        let site = chance.whom.index(street.listening.len());
        for key in DAMAGED {
            let dice = chance.of(key);
            if dice.below(4) == 0 {
                let bytes = damage(self.whole(key, dice), dice);
                street.marks.hit("client.sent_damaged_bytes");
                connections.send_raw(site, bytes, street);
            }
        }
    }

    fn whole(&self, key: ApiKey, dice: &mut Dice) -> BytesMut {
        let name = dice.pick(&self.topics).name.clone();
        match key {
            ApiKey::ApiVersions => framed(&ApiVersionsRequest::default(), dice),
            ApiKey::Metadata => {
                framed(&MetadataRequest { allow_auto_topic_creation: false, ..Default::default() }, dice)
            }
            ApiKey::InitProducerId => framed(&InitProducerIdRequest::default(), dice),
            ApiKey::OffsetForLeaderEpoch => {
                let partitions = vec![OffsetForLeaderPartition::default()];
                let topics = vec![OffsetForLeaderTopic { topic: name, partitions }];
                framed(&OffsetForLeaderEpochRequest { replica_id: -1, topics }, dice)
            }
            ApiKey::Fetch => {
                let partitions = vec![FetchPartition { partition_max_bytes: 1000, ..Default::default() }];
                let topic = FetchTopic { topic: name, topic_id: [0; 16], partitions };
                framed(&FetchRequest { max_wait_ms: 100, topics: vec![topic], ..Default::default() }, dice)
            }
            ApiKey::ListOffsets => {
                let partitions = vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }];
                let topics = vec![ListOffsetsTopic { name, partitions }];
                framed(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, dice)
            }
            _ => {
                let mut builder = BatchBuilder::new();
                builder.push(0, None, Some(b"vandal"), &[]);
                let mut records = builder.build();
                // Its CRC is wrong from the start, by more bytes than further damage could mend.
                let from = records.len() - 6;
                records[from..].iter_mut().for_each(|byte| *byte ^= 0x55);
                let data = PartitionProduceData { index: 0, records: Some(records) };
                let topic = TopicProduceData { name, topic_id: [0; 16], partition_data: vec![data] };
                framed(
                    &ProduceRequest {
                        acks: -1,
                        timeout_ms: 100,
                        topic_data: vec![topic],
                        ..Default::default()
                    },
                    dice,
                )
            }
        }
    }
}

impl Glutton {
    /// Writes to those topics.
    pub fn new(topics: Vec<TopicPlan>, operations: u32) -> Glutton {
        Glutton { topics, habits: large_batches(), left: Ration::of(operations) }
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Sends one more request, whatever became of those before, until too many are under way.
    pub fn act(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        if self.left.is_used_up() || connections.pending(|_| true) > GLUTTON_REQUESTS_MAX {
            return;
        }
        let site = chance.whom.index(street.listening.len());
        let dice = chance.of(ApiKey::Produce);
        let topic = dice.pick(&self.topics);
        // It reads nothing, not even who leads.
        let Some(id) = street.ids.newest(&topic.name) else { return };
        let partition = dice.below(topic.partitions.unsigned_abs().into()) as i32;
        self.left.take();
        let shelf = Shelf { topic: id, partition };
        let speaks_zstd = connections.version(ApiKey::Produce) >= 7;
        let order = Order { habits: &self.habits, topic, shelf, author: None, speaks_zstd };
        let draft = draft::write(order, dice, street);
        let data = PartitionProduceData { index: partition, records: Some(draft.bytes) };
        let topic = TopicProduceData { name: topic.name.clone(), topic_id: id, partition_data: vec![data] };
        let request =
            ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data: vec![topic] };
        if connections.request(site, &request, Purpose::Nothing, street) {
            street.marks.hit("client.wrote_and_never_read");
        }
    }
}

/// What a glutton is wont to: nothing but large batches.
fn large_batches() -> ProducerHabits {
    ProducerHabits {
        in_flight: usize::MAX,
        records_max: 4,
        record_bytes_max: 8_000,
        ..ProducerHabits::default()
    }
}

fn framed<R: Request>(body: &R, dice: &mut Dice) -> BytesMut {
    let served = R::API.versions;
    let version = served.first + dice.between(0, (served.last - served.first) as u64) as i16;
    let mut writer = Writer::new();
    write_request(&mut writer, version, 7, Some("vandal"), body);
    writer.take().iter().fold(BytesMut::new(), |mut all, part| {
        all.extend_from_slice(part);
        all
    })
}

fn damage(mut bytes: BytesMut, dice: &mut Dice) -> Bytes {
    match dice.below(6) {
        0 => {
            let noise = dice.between(1, 200);
            bytes.clear();
            (0..noise).for_each(|_| bytes.put_u8(dice.word() as u8));
        }
        1 => bytes.truncate(1 + dice.index(bytes.len())),
        2 => bytes[..4].copy_from_slice(&(dice.word() as u32).to_be_bytes()),
        _ => {
            for _ in 0..dice.between(1, 4) {
                // The length is left alone, so that the damage gets behind the delimiter.
                let place = 4 + dice.index(bytes.len() - 4);
                bytes[place] = dice.word() as u8;
            }
        }
    }
    bytes.freeze()
}
