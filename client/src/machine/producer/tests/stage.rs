//! A producer and what it has said, with few words for what stories need.

use super::super::lane::LaneId;
use super::super::{Action, Event, Machine, Sealing, Settings, There};
use crate::machine::backoff::Pauses;
use crate::machine::error::Error;
use crate::machine::moment::Moment;
use crate::machine::question::{Question, Ticket};
use crate::machine::record::Record;
use bytes::Bytes;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{
    self, Acks, GetTopicMetadataResponse, InitProducerIdResponse, ProduceRequest, ProduceResponse,
    ProducedPartition,
};
use rust_mq_proto::records::{Batch, Codec, Producer};
use std::time::Duration;

pub fn settings() -> Settings {
    Settings {
        acks: Acks::All,
        is_idempotent: true,
        makes_topics: true,
        sealing: Sealing {
            batch_bytes: 1_000,
            linger: Duration::from_millis(5),
            delivery_timeout: Duration::from_secs(120),
            codec: Codec::None,
            mutant: None,
        },
        request_timeout: Duration::from_secs(30),
        metadata_age_max: Duration::from_secs(300),
        pauses: Pauses::default(),
    }
}

pub fn node(id: i32) -> grpc::Node {
    grpc::Node { node_id: id, host: "n".into(), port: id, rack: String::new() }
}

/// Topic `t` has those leaders, by partition; 0 is nobody.
pub fn topic(epoch: i32, leaders: &[i32]) -> GetTopicMetadataResponse {
    let partition = |(number, leader): (usize, &i32)| grpc::Partition {
        partition: number as i32,
        leader_id: if *leader == 0 { -1 } else { *leader },
        leader_epoch: epoch,
        ..Default::default()
    };
    let partitions = leaders.iter().enumerate().map(partition).collect();
    GetTopicMetadataResponse {
        controller_id: 1,
        nodes: vec![node(1), node(2), node(3)],
        topics: vec![grpc::Topic { name: "t".into(), partitions, ..Default::default() }],
        ..Default::default()
    }
}

pub fn refusal(code: i32, is_retriable: bool, may_take_effect: bool) -> grpc::Error {
    let name = format!("CODE_{code}");
    grpc::Error { code, name, is_retriable, may_take_effect, ..Default::default() }
}

/// A request that was sent.
#[derive(Debug)]
pub struct Sent {
    pub lane: LaneId,
    pub ticket: Ticket,
    pub request: ProduceRequest,
}

impl Sent {
    /// Its batches by partition.
    pub fn batches(&self) -> Vec<(i32, Bytes)> {
        let batch = |part: &grpc::PartitionRecords| match &part.data {
            Some(Data::Batch(batch)) => (part.partition, batch.clone()),
            other => panic!("not a batch: {other:?}"),
        };
        self.request.partitions.iter().map(batch).collect()
    }

    /// Its only batch's producer, and how many records.
    pub fn author(&self) -> (Producer, i32) {
        let batches = self.batches();
        assert_eq!(batches.len(), 1, "{batches:?}");
        let batch = Batch::parse(&batches[0].1).expect("whole");
        (batch.producer().expect("idempotent"), batch.count())
    }
}

/// The producer, and what it has said and nobody has looked at.
pub struct Stage {
    pub machine: Machine,
    pub now: Moment,
    next: u64,
    pub opened: Vec<(LaneId, String)>,
    pub shut: Vec<LaneId>,
    pub asked: Vec<(Ticket, String, Question)>,
    pub sent: Vec<Sent>,
    pub settled: Vec<(u64, Result<There, Error>)>,
}

impl Stage {
    pub fn new(settings: Settings) -> Stage {
        Stage {
            machine: Machine::new(settings, vec!["b:1".into()], 1),
            now: Moment::default(),
            next: 0,
            opened: Vec::new(),
            shut: Vec::new(),
            asked: Vec::new(),
            sent: Vec::new(),
            settled: Vec::new(),
        }
    }

    /// One that knows that topic `t` has those leaders, and who it is: producer 9, epoch 0.
    pub fn knowing(settings: Settings, leaders: &[i32]) -> Stage {
        let mut stage = Stage::new(settings);
        stage.record(Record::new("t", "first").partition(0));
        stage.act();
        stage.tell_topic(0, leaders);
        stage.act();
        if stage.machine.settings.is_idempotent {
            stage.tell_identity(9);
            stage.act();
        }
        stage.pass(5);
        let first = stage.sent();
        stage.acknowledge(&first, 0);
        stage.act();
        stage.settled.clear();
        stage
    }

    pub fn record(&mut self, record: Record) -> u64 {
        let id = self.next;
        self.next += 1;
        self.machine.take(self.now, Event::Record { id, record, wall_ms: 1_000 });
        id
    }

    /// A record to partition 0 that is sent at once.
    pub fn hurried(&mut self, value: &'static str) -> u64 {
        let id = self.record(Record::new("t", value).partition(0));
        self.machine.take(self.now, Event::Hurry);
        self.act();
        id
    }

    pub fn act(&mut self) {
        let mut actions = Vec::new();
        self.machine.act(self.now, &mut actions);
        for action in actions {
            match action {
                Action::Ask { ticket, address, question, .. } => self.asked.push((ticket, address, question)),
                Action::Open { lane, address } => self.opened.push((lane, address)),
                Action::Send { lane, ticket, request } => self.sent.push(Sent { lane, ticket, request }),
                Action::Shut { lane } => self.shut.push(lane),
                Action::Settle { settled, .. } => {
                    for (number, id) in settled.records.into_iter().enumerate() {
                        let there = settled.outcome.clone().map(|there| There {
                            base_offset: there.base_offset.map(|base| base + number as i64),
                            ..there
                        });
                        self.settled.push((id, there));
                    }
                }
            }
        }
    }

    /// Time passes, with a turn whenever the machine wants one.
    pub fn pass(&mut self, milliseconds: u64) {
        let until = self.now.after(Duration::from_millis(milliseconds));
        while let Some(next) = self.machine.wake_at(self.now).filter(|next| *next <= until) {
            assert!(next > self.now, "it never wants to be woken in the past");
            self.now = next;
            self.act();
        }
        self.now = until;
        self.act();
    }

    /// The only request that was sent since the last look.
    #[track_caller]
    pub fn sent(&mut self) -> Sent {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        self.sent.remove(0)
    }

    #[track_caller]
    pub fn question(&mut self) -> (Ticket, String, Question) {
        assert_eq!(self.asked.len(), 1, "{:?}", self.asked);
        self.asked.remove(0)
    }

    #[track_caller]
    pub fn tell_topic(&mut self, epoch: i32, leaders: &[i32]) {
        let (ticket, _, question) = self.question();
        assert!(matches!(question, Question::Topics(_)), "{question:?}");
        self.machine.take(self.now, Event::Answered { ticket, answer: Ok(topic(epoch, leaders).into()) });
    }

    #[track_caller]
    pub fn tell_identity(&mut self, producer_id: i64) {
        let (ticket, _, question) = self.question();
        assert!(matches!(question, Question::Identity(_)), "{question:?}");
        let answer = Ok(InitProducerIdResponse { producer_id, producer_epoch: 0 }.into());
        self.machine.take(self.now, Event::Answered { ticket, answer });
    }

    /// All batches of a request are there, from that offset on.
    pub fn acknowledge(&mut self, sent: &Sent, base_offset: i64) {
        let part = |part: &grpc::PartitionRecords| ProducedPartition {
            topic: "t".into(),
            partition: part.partition,
            base_offset,
            ..Default::default()
        };
        let response = ProduceResponse { partitions: sent.request.partitions.iter().map(part).collect() };
        self.machine.take(self.now, Event::Produced { lane: sent.lane, ticket: sent.ticket, response });
        self.act();
    }

    /// All batches of a request are refused.
    pub fn refuse(&mut self, sent: &Sent, error: &grpc::Error) {
        let part = |part: &grpc::PartitionRecords| ProducedPartition {
            topic: "t".into(),
            partition: part.partition,
            base_offset: -1,
            error: Some(error.clone()),
            ..Default::default()
        };
        let response = ProduceResponse { partitions: sent.request.partitions.iter().map(part).collect() };
        self.machine.take(self.now, Event::Produced { lane: sent.lane, ticket: sent.ticket, response });
        self.act();
    }

    pub fn lose(&mut self, lane: LaneId, was_sent: bool) {
        let error = Error::Unreachable { node: "n:1".into(), why: "gone".into(), was_sent };
        self.machine.take(self.now, Event::Lost { lane, error });
        self.act();
    }

    /// What was settled since the last look, with offsets.
    pub fn offsets(&mut self) -> Vec<(u64, Option<i64>)> {
        let all = std::mem::take(&mut self.settled).into_iter();
        all.map(|(id, there)| (id, there.expect("it is there").base_offset)).collect()
    }
}
