//! Rough clients: the mute one asks for much and never reads an answer; the vandal sends requests with bytes
//! changed, cut, doubled or made up. Neither may hurt anybody else, nor the node's memory.
//!
//! Invariant: nothing that they send can succeed in writing to a topic of the plan, so the ledger knows nothing
//! of them: a changed Produce fails its CRC, and topics they name are their own.

use super::Street;
use super::connection::{Connections, Purpose};
use super::map::Map;
use crate::dice::Dice;
use bytes::{BufMut, Bytes, BytesMut};
use rust_mq_proto::kafka::api::api_versions::ApiVersionsRequest;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use rust_mq_proto::kafka::api::metadata::MetadataRequest;
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::kafka::{Request, Writer, write_request};
use rust_mq_proto::records::BatchBuilder;

/// One who never reads.
#[derive(Debug)]
pub struct Mute {
    topics: Vec<String>,
    left: u32,
}

/// One who breaks things.
#[derive(Debug)]
pub struct Vandal {
    topics: Vec<String>,
    left: u32,
}

impl Mute {
    /// Asks about those topics.
    pub fn new(topics: Vec<String>, operations: u32) -> Mute {
        Mute { topics, left: operations }
    }

    /// The topics it uses.
    pub fn topics(&self) -> &[String] {
        &self.topics
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left = 0;
    }

    /// Asks for everything from the start, again.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let site = dice.index(street.listening.len());
        let name = dice.pick(&self.topics);
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
    pub fn new(topics: Vec<String>, operations: u32) -> Vandal {
        Vandal { topics, left: operations }
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left = 0;
    }

    /// Sends one more damaged request.
    pub fn act(&mut self, connections: &mut Connections, dice: &mut Dice, street: &mut Street<'_>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let site = dice.index(street.listening.len());
        let bytes = damage(self.whole(dice), dice);
        street.marks.hit("client.sent_damaged_bytes");
        connections.send_raw(site, bytes, street);
    }

    fn whole(&self, dice: &mut Dice) -> BytesMut {
        let name = dice.pick(&self.topics).clone();
        match dice.below(5) {
            0 => framed(&ApiVersionsRequest::default(), dice),
            1 => framed(&MetadataRequest { allow_auto_topic_creation: false, ..Default::default() }, dice),
            2 => {
                let partitions = vec![FetchPartition { partition_max_bytes: 1000, ..Default::default() }];
                let topic = FetchTopic { topic: name, topic_id: [0; 16], partitions };
                framed(&FetchRequest { max_wait_ms: 100, topics: vec![topic], ..Default::default() }, dice)
            }
            3 => {
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
