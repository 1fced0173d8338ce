//! The machine against three made-up nodes that lose requests, lose answers, refuse, move leaders and forget nothing: after
//! each of many seeds, every record was settled exactly once; what was acknowledged lies where it was said, once, and in
//! the order of its partition; what was definitely refused lies nowhere.

use super::super::lane::LaneId;
use super::super::{Action, Event, Machine, Settings, There};
use super::stage::{node, refusal, settings, topic};
use crate::machine::chance::Chance;
use crate::machine::error::{Error, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::Mutant;
use crate::machine::question::{Question, Ticket};
use crate::machine::record::Record;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{
    self, InitProducerIdResponse, PartitionRecords, ProduceRequest, ProduceResponse, ProducedPartition,
};
use rust_mq_proto::records::{Batch, Decompressor, Producer};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const PARTITIONS: usize = 2;
const RECORDS: u64 = 60;

/// A partition's log: the values of its records, and what is known of the producer.
#[derive(Default)]
struct Log {
    values: Vec<u64>,
    /// (epoch, first sequence, count, base offset) of its batches.
    batches: Vec<(i16, i32, i32, i64)>,
    leader: i32,
    epoch: i32,
}

impl Log {
    /// As the broker judges (KIP-98).
    fn append(&mut self, bytes: &[u8]) -> Result<i64, i32> {
        let batch = Batch::parse(bytes).expect("whole");
        batch.check_crc().expect("sound");
        let Producer { epoch, base_sequence, .. } = batch.producer().expect("idempotent");
        let newest = self.batches.last().copied();
        if let Some((newest_epoch, first, count, _)) = newest {
            if epoch < newest_epoch {
                return Err(code::INVALID_PRODUCER_EPOCH);
            }
            let known = self.batches.iter().rev().take(5);
            let mut known = known.filter(|known| known.0 == epoch);
            if let Some(same) = known.find(|known| (known.1, known.2) == (base_sequence, batch.count())) {
                return Ok(same.3);
            }
            let next = if epoch > newest_epoch { 0 } else { first + count };
            if base_sequence != next {
                return Err(code::OUT_OF_ORDER_SEQUENCE_NUMBER);
            }
        } else if base_sequence != 0 {
            return Err(code::OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
        let base = self.values.len() as i64;
        let mut decompressor = Decompressor::new();
        for record in batch.records(&mut decompressor, 1 << 20).expect("readable") {
            let value = record.expect("readable").value.expect("a value");
            self.values.push(u64::from_be_bytes(value.try_into().expect("eight bytes")));
        }
        self.batches.push((epoch, base_sequence, batch.count(), base));
        Ok(base)
    }
}

struct Way {
    id: LaneId,
    node: i32,
    /// What was sent and did not arrive, and what was answered and did not.
    requests: VecDeque<(Ticket, ProduceRequest)>,
    answers: VecDeque<(Ticket, ProduceResponse)>,
}

struct World {
    machine: Machine,
    now: Moment,
    chance: Chance,
    logs: Vec<Log>,
    ways: Vec<Way>,
    questions: VecDeque<(Ticket, Question)>,
    identities: i64,
    settled: BTreeMap<u64, (Option<i32>, Result<There, Error>)>,
    is_calm: bool,
}

impl World {
    fn new(seed: u64, settings: Settings) -> World {
        let logs = (0..PARTITIONS).map(|_| Log { leader: 1, ..Log::default() }).collect();
        World {
            machine: Machine::new(settings, vec!["b:1".into()], seed),
            now: Moment::default(),
            chance: Chance::new(seed ^ 0xABCD),
            logs,
            ways: Vec::new(),
            questions: VecDeque::new(),
            identities: 0,
            settled: BTreeMap::new(),
            is_calm: false,
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        !self.is_calm && self.chance.below(100) < percent
    }

    fn act(&mut self) {
        let mut actions = Vec::new();
        self.machine.act(self.now, &mut actions);
        for action in actions {
            match action {
                Action::Ask { ticket, question, .. } => self.questions.push_back((ticket, question)),
                Action::Open { lane, address } => {
                    let node = address.rsplit(':').next().and_then(|port| port.parse().ok());
                    let node = node.expect("n:1 and so on");
                    let (requests, answers) = Default::default();
                    self.ways.push(Way { id: lane, node, requests, answers });
                }
                Action::Send { lane, ticket, request } => {
                    if let Some(way) = self.ways.iter_mut().find(|way| way.id == lane) {
                        way.requests.push_back((ticket, request));
                    }
                }
                Action::Shut { lane } => self.ways.retain(|way| way.id != lane),
                Action::Settle { place, settled } => {
                    let partition = place.map(|(_, partition)| partition);
                    for (number, id) in settled.records.into_iter().enumerate() {
                        let there = settled.outcome.clone().map(|there| There {
                            base_offset: there.base_offset.map(|base| base + number as i64),
                            ..there
                        });
                        let before = self.settled.insert(id, (partition, there));
                        assert_eq!(before, None, "record {id} is settled once");
                    }
                }
            }
        }
    }

    /// One thing happens.
    fn step(&mut self) {
        match self.chance.below(10) {
            0 if self.chance(30) => {
                let partition = self.chance.below(PARTITIONS as u64) as usize;
                let leader = 1 + self.chance.below(3) as i32;
                let log = &mut self.logs[partition];
                (log.leader, log.epoch) = (leader, log.epoch + 1);
            }
            1 if !self.ways.is_empty() && self.chance(40) => {
                let number = self.chance.below(self.ways.len() as u64) as usize;
                let mut way = self.ways.remove(number);
                // Some of what was on its way arrives although nobody will hear.
                let arrive = self.chance.below(way.requests.len() as u64 + 1) as usize;
                for (_, request) in way.requests.drain(..arrive) {
                    self.arrive(way.node, request);
                }
                let error = Error::Unreachable { node: "n".into(), why: "gone".into(), was_sent: true };
                self.machine.take(self.now, Event::Lost { lane: way.id, error });
            }
            2 | 3 => self.answer_question(),
            4..=6 => self.arrive_on_a_way(),
            7 | 8 => self.answer_on_a_way(),
            _ => {
                let wait = 1 + self.chance.below(60);
                self.now = self.now.after(Duration::from_millis(wait));
            }
        }
        self.act();
    }

    fn answer_question(&mut self) {
        let Some((ticket, question)) = self.questions.pop_front() else { return };
        let answer = match question {
            _ if self.chance(20) => {
                Err(Error::Unreachable { node: "n".into(), why: "gone".into(), was_sent: true })
            }
            Question::Identity(_) => {
                self.identities += 1;
                Ok(InitProducerIdResponse { producer_id: self.identities, producer_epoch: 0 }.into())
            }
            _ => {
                let mut told = topic(0, &self.logs.iter().map(|log| log.leader).collect::<Vec<_>>());
                for (partition, log) in told.topics[0].partitions.iter_mut().zip(&self.logs) {
                    partition.leader_epoch = log.epoch;
                }
                Ok(told.into())
            }
        };
        self.machine.take(self.now, Event::Answered { ticket, answer });
    }

    fn arrive_on_a_way(&mut self) {
        let number = self.chance.below(self.ways.len().max(1) as u64) as usize;
        let Some(way) = self.ways.get_mut(number) else { return };
        let (node, Some((ticket, request))) = (way.node, way.requests.pop_front()) else { return };
        let response = self.arrive(node, request);
        self.ways[number].answers.push_back((ticket, response));
    }

    fn answer_on_a_way(&mut self) {
        let number = self.chance.below(self.ways.len().max(1) as u64) as usize;
        let Some(way) = self.ways.get_mut(number) else { return };
        let (lane, Some((ticket, response))) = (way.id, way.answers.pop_front()) else { return };
        self.machine.take(self.now, Event::Produced { lane, ticket, response });
    }

    fn arrive(&mut self, node: i32, request: ProduceRequest) -> ProduceResponse {
        ProduceResponse {
            partitions: request.partitions.into_iter().map(|part| self.judge(node, part)).collect(),
        }
    }

    fn judge(&mut self, at: i32, part: PartitionRecords) -> ProducedPartition {
        let Some(Data::Batch(batch)) = part.data else { panic!("a batch") };
        let number = part.partition as usize;
        let leader = self.logs[number].leader;
        let outcome = if at != leader {
            let leader = Some(node(leader)).filter(|_| self.chance(50));
            Err(grpc::Error { leader, ..refusal(code::NOT_LEADER_OR_FOLLOWER, true, true) })
        } else if self.chance(5) {
            Err(refusal(10, false, false))
        } else if self.chance(10) {
            Err(refusal(19, true, false))
        } else {
            let appended = self.logs[number].append(&batch);
            match appended {
                Ok(_) if self.chance(10) => Err(refusal(7, true, true)),
                Ok(base) => Ok(base),
                Err(code) => Err(refusal(code, false, false)),
            }
        };
        ProducedPartition {
            topic: "t".into(),
            partition: part.partition,
            base_offset: *outcome.as_ref().unwrap_or(&-1),
            error: outcome.err(),
            ..Default::default()
        }
    }

    fn check(&self, seed: u64) {
        for id in 0..RECORDS {
            let Some((partition, outcome)) = self.settled.get(&id) else {
                panic!("seed {seed}: {id} is open")
            };
            let at: Vec<(usize, usize)> = (0..PARTITIONS)
                .flat_map(|log| {
                    let values = self.logs[log].values.iter().enumerate();
                    values.filter(|(_, value)| **value == id).map(move |(offset, _)| (log, offset))
                })
                .collect();
            assert!(at.len() <= 1, "seed {seed}: {id} is there more than once: {at:?}");
            match outcome {
                Ok(there) => {
                    let said = (partition.expect("known"), there.base_offset);
                    let is: Vec<_> =
                        at.iter().map(|(log, offset)| (*log as i32, Some(*offset as i64))).collect();
                    assert_eq!(is, [said], "seed {seed}: {id} is acknowledged");
                }
                Err(error) if !error.may_take_effect() => {
                    assert_eq!(at, [], "seed {seed}: {id} was refused: {error}");
                }
                Err(_) => {}
            }
        }
        for log in &self.logs {
            assert!(log.values.windows(2).all(|two| two[0] < two[1]), "seed {seed}: {:?}", log.values);
        }
    }
}

fn run(seed: u64, mutant: Option<Mutant>) -> World {
    let mut settings = settings();
    settings.sealing.mutant = mutant;
    settings.sealing.batch_bytes = 200;
    let mut world = World::new(seed, settings);
    let mut id = 0;
    while id < RECORDS {
        for _ in 0..world.chance.below(4) {
            if id < RECORDS {
                let partition = world.chance.below(PARTITIONS as u64) as i32;
                let record = Record::new("t", id.to_be_bytes().to_vec()).partition(partition);
                world.machine.take(world.now, Event::Record { id, record, wall_ms: 1 });
                id += 1;
            }
        }
        for _ in 0..world.chance.below(20) {
            world.step();
        }
    }
    world.is_calm = true;
    for _ in 0..20_000 {
        if world.settled.len() as u64 == RECORDS {
            break;
        }
        world.step();
    }
    world
}

#[test]
fn nothing_is_lost_doubled_or_told_twice_under_any_weather() {
    let (mut acknowledged, mut refused, mut unsure) = (0, 0, 0);
    for seed in 0..400 {
        let world = run(seed, None);
        world.check(seed);
        for (_, outcome) in world.settled.values() {
            match outcome {
                Ok(_) => acknowledged += 1,
                Err(error) if error.may_take_effect() => unsure += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(acknowledged > 15_000 && refused > 200 && unsure > 20, "{acknowledged} {refused} {unsure}");
}

#[test]
fn mutants_are_caught() {
    let mutants = [
        Mutant::RetryUnderNewSequence,
        Mutant::AckOfAnother,
        Mutant::UnsureSentAgain,
        Mutant::LostTakenForRefused,
    ];
    for mutant in mutants {
        let is_caught =
            (0..400).any(|seed| std::panic::catch_unwind(|| run(seed, Some(mutant)).check(seed)).is_err());
        assert!(is_caught, "{mutant:?}");
    }
}
