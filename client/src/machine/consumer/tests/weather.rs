//! Three members of a group against made-up nodes that lose questions, lose answers, move coordinators and leaders, and a
//! group that is shared out again and again: after each of many seeds every record was handed out, nothing was committed
//! that nobody had dealt with, and what a member was handed of a partition came without gaps from where it began.

use super::super::{Action, Event, Machine, Place, protocol};
use super::stage::{batch, node, place, refused, settings};
use crate::machine::chance::Chance;
use crate::machine::error::{Error, code};
use crate::machine::moment::Moment;
use crate::machine::mutant::Mutant;
use crate::machine::question::{Answer, Question, Ticket};
use bytes::Bytes;
use rust_mq_proto::grpc;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

const MEMBERS: usize = 3;
const PARTITIONS: i32 = 4;
const RECORDS: i64 = 40;

/// The group, as its coordinator keeps it.
#[derive(Default)]
struct Group {
    generation: i32,
    members: BTreeMap<String, Bytes>,
    /// Who has joined the next generation, and the questions that wait for it.
    joining: BTreeMap<String, (usize, Ticket)>,
    is_changing: bool,
    assignments: BTreeMap<String, Bytes>,
    syncing: Vec<(usize, Ticket, String)>,
    committed: BTreeMap<Place, i64>,
    next_member: u32,
}

struct Member {
    machine: Machine,
    questions: VecDeque<(Ticket, Question)>,
    /// What it was handed last of each partition that it has.
    handed: BTreeMap<Place, i64>,
    /// What its application has, and has not dealt with.
    in_hand: Option<(Place, i64)>,
}

struct World {
    members: Vec<Member>,
    group: Group,
    now: Moment,
    chance: Chance,
    /// The offsets of each partition that some application has dealt with.
    seen: BTreeMap<Place, BTreeSet<i64>>,
    is_calm: bool,
    seed: u64,
}

impl World {
    fn new(seed: u64, mutant: Option<Mutant>) -> World {
        let machine = |number: u64| {
            let mut settings = settings(Some("g"));
            settings.mutant = mutant;
            settings.commits_every = Some(Duration::from_millis(300));
            settings.heartbeat_every = Duration::from_millis(200);
            let mut machine = Machine::new(settings, vec!["b:1".into()], seed ^ number);
            machine.take(Moment::default(), Event::Subscribe(vec!["t".into()]));
            Member { machine, questions: VecDeque::new(), handed: BTreeMap::new(), in_hand: None }
        };
        World {
            members: (0..MEMBERS as u64).map(machine).collect(),
            group: Group::default(),
            now: Moment::default(),
            chance: Chance::new(seed),
            seen: BTreeMap::new(),
            is_calm: false,
            seed,
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        !self.is_calm && self.chance.below(100) < percent
    }

    fn step(&mut self) {
        let number = self.chance.below(MEMBERS as u64) as usize;
        match self.chance.below(8) {
            0..=2 => self.answer(number),
            3 | 4 => self.take_some(number),
            5 if self.chance(2) => {
                // It goes without a word, and another one comes.
                let fresh = World::new(self.chance.next(), self.members[number].machine.settings.mutant);
                self.members[number] = fresh.members.into_iter().next().expect("there are some");
                self.group.is_changing = true;
                self.forget_absent();
            }
            5 if self.chance(5) => self.group.is_changing = true,
            _ => self.now = self.now.after(Duration::from_millis(1 + self.chance.below(50))),
        }
        self.act(number);
    }

    fn act(&mut self, number: usize) {
        let mut actions = Vec::new();
        self.members[number].machine.act(self.now, &mut actions);
        for action in actions {
            match action {
                Action::Ask { ticket, question, .. } => {
                    self.members[number].questions.push_back((ticket, question));
                }
                Action::Assigned(_) | Action::Revoked(_) | Action::Lost(_) => {
                    self.members[number].handed.clear();
                }
                Action::Committed { .. } | Action::Closed => {}
            }
        }
    }

    /// The application takes what there is.
    fn take_some(&mut self, number: usize) {
        for _ in 0..self.chance.below(4) {
            let member = &mut self.members[number];
            if let Some((place, offset)) = member.in_hand.take() {
                self.seen.entry(place).or_default().insert(offset);
            }
            let Ok(Some(message)) = member.machine.hand_out(self.now) else { return };
            let place = place(message.partition);
            if let Some(before) = member.handed.insert(place.clone(), message.offset) {
                assert_eq!(message.offset, before + 1, "seed {}: without gaps", self.seed);
            }
            member.in_hand = Some((place, message.offset));
        }
    }

    /// Some question of a member is answered, or lost before or after it had effect.
    fn answer(&mut self, number: usize) {
        let Some((ticket, question)) = self.members[number].questions.pop_front() else { return };
        if self.chance(8) {
            return self.tell(number, ticket, Err(lost()));
        }
        let is_lost = self.chance(8);
        if let Some(answer) = self.judge(number, ticket, question) {
            self.tell(number, ticket, if is_lost { Err(lost()) } else { answer });
        }
    }

    fn tell(&mut self, number: usize, ticket: Ticket, answer: Result<Answer, Error>) {
        self.members[number].machine.take(self.now, Event::Answered { ticket, answer });
        self.act(number);
    }

    /// None where the answer comes later.
    fn judge(&mut self, number: usize, ticket: Ticket, question: Question) -> Option<Result<Answer, Error>> {
        let is_moved = self.chance(4);
        let group = &mut self.group;
        Some(match question {
            Question::Topics(_) => Ok(self.topics().into()),
            Question::Coordinator(_) => {
                Ok(grpc::FindCoordinatorResponse { coordinator: Some(node(3)) }.into())
            }
            _ if is_moved => Err(refused(code::NOT_COORDINATOR, true)),
            Question::Join(asked) => {
                if !asked.member_id.is_empty() && !group.members.contains_key(&asked.member_id) {
                    return Some(Err(refused(code::UNKNOWN_MEMBER_ID, false)));
                }
                group.next_member += 1;
                let fresh = format!("m{}", group.next_member);
                let id = if asked.member_id.is_empty() { fresh } else { asked.member_id };
                group.members.insert(id.clone(), asked.protocols[0].metadata.clone());
                group.joining.insert(id, (number, ticket));
                group.is_changing = true;
                for (number, ticket, _) in std::mem::take(&mut group.syncing) {
                    self.tell(number, ticket, Err(refused(code::REBALANCE_IN_PROGRESS, true)));
                }
                self.complete_join();
                return None;
            }
            Question::Sync(asked) => match self.stands(&asked.member_id, asked.generation_id) {
                Some(error) => Err(error),
                None => {
                    let own = asked.member_id.clone();
                    let group = &mut self.group;
                    for given in asked.assignments {
                        group.assignments.insert(given.member_id, given.assignment);
                    }
                    group.syncing.push((number, ticket, own));
                    self.complete_sync();
                    return None;
                }
            },
            Question::Heartbeat(asked) => match self.stands(&asked.member_id, asked.generation_id) {
                Some(error) => Err(error),
                None => Ok(grpc::HeartbeatResponse {}.into()),
            },
            Question::Commit(asked) => self.commit(asked),
            Question::Committed(asked) => {
                let one = |wanted: &grpc::TopicPartition| grpc::CommittedOffset {
                    topic: wanted.topic.clone(),
                    partition: wanted.partition,
                    offset: group.committed.get(&place(wanted.partition)).copied().unwrap_or(-1),
                    ..Default::default()
                };
                Ok(grpc::FetchOffsetResponse { offsets: asked.partitions.iter().map(one).collect() }.into())
            }
            Question::Offsets(asked) => {
                let one = |wanted: &grpc::OffsetQuery| grpc::FoundOffset {
                    topic: wanted.topic.clone(),
                    partition: wanted.partition,
                    ..Default::default()
                };
                Ok(grpc::ListOffsetsResponse { offsets: asked.queries.iter().map(one).collect() }.into())
            }
            Question::Fetch(asked) => Ok(self.fetch(&asked).into()),
            Question::Leave(_) | Question::Identity(_) => Err(refused(15, true)),
        })
    }

    /// Keeps how far the group has come, which must not be further than its applications have dealt with.
    fn commit(&mut self, asked: grpc::CommitOffsetRequest) -> Result<Answer, Error> {
        let generation = asked.generation_id.expect("a member's");
        if generation != self.group.generation || !self.group.members.contains_key(&asked.member_id) {
            return Err(refused(code::ILLEGAL_GENERATION, false));
        }
        for one in asked.offsets {
            let place = (one.topic, one.partition);
            let seen = self.seen.get(&place).map_or(0, BTreeSet::len) as i64;
            assert!(one.offset <= seen, "seed {}: {} of {seen} are committed", self.seed, one.offset);
            self.group.committed.insert(place, one.offset);
        }
        Ok(grpc::CommitOffsetResponse::default().into())
    }

    /// Why a member of that generation is not one now.
    fn stands(&self, member: &str, generation: i32) -> Option<Error> {
        if !self.group.members.contains_key(member) {
            Some(refused(code::UNKNOWN_MEMBER_ID, false))
        } else if generation != self.group.generation {
            Some(refused(code::ILLEGAL_GENERATION, false))
        } else {
            self.group.is_changing.then(|| refused(code::REBALANCE_IN_PROGRESS, true))
        }
    }

    /// Members whom no living one of ours calls its own are given up, as by their session.
    fn forget_absent(&mut self) {
        let alive: BTreeSet<String> =
            self.members.iter().map(|member| member.machine.membership.id().to_owned()).collect();
        self.group.members.retain(|id, _| alive.contains(id) || self.group.joining.contains_key(id));
    }

    fn complete_join(&mut self) {
        // Whoever waits and was replaced meanwhile is no member.
        let waits =
            |(number, ticket): &(usize, Ticket)| self.members[*number].machine.asked.contains_key(ticket);
        self.group.joining.retain(|_, waiting| waits(waiting));
        self.forget_absent();
        let group = &mut self.group;
        group.members.retain(|id, _| group.joining.contains_key(id) || !id.is_empty());
        let missing = group.members.keys().any(|id| !group.joining.contains_key(id));
        if group.joining.is_empty() || (missing && !self.is_calm && self.chance.below(10) > 0) {
            return;
        }
        let group = &mut self.group;
        group.members.retain(|id, _| group.joining.contains_key(id));
        group.generation += 1;
        (group.is_changing, group.assignments) = (false, BTreeMap::new());
        let leader = group.members.keys().next().cloned().unwrap_or_default();
        let members = group.members.iter().map(|(id, metadata)| grpc::JoinedMember {
            member_id: id.clone(),
            metadata: metadata.clone(),
            ..Default::default()
        });
        let members: Vec<grpc::JoinedMember> = members.collect();
        for (id, (number, ticket)) in std::mem::take(&mut group.joining) {
            let joined = grpc::JoinGroupResponse {
                generation_id: self.group.generation,
                protocol_type: "consumer".into(),
                protocol_name: "range".into(),
                leader_id: leader.clone(),
                members: if id == leader { members.clone() } else { Vec::new() },
                member_id: id,
                skip_assignment: false,
            };
            let is_lost = self.chance(5);
            self.tell(number, ticket, if is_lost { Err(lost()) } else { Ok(joined.into()) });
        }
    }

    fn complete_sync(&mut self) {
        if self.group.assignments.is_empty() {
            return;
        }
        for (number, ticket, id) in std::mem::take(&mut self.group.syncing) {
            let assignment = self.group.assignments.get(&id).cloned().unwrap_or_default();
            assert!(protocol::places_of(&assignment).is_some());
            let shared = grpc::SyncGroupResponse { assignment, ..Default::default() };
            self.tell(number, ticket, Ok(shared.into()));
        }
    }

    fn fetch(&mut self, asked: &grpc::FetchRequest) -> grpc::FetchResponse {
        let mut partitions = Vec::new();
        for wanted in &asked.partitions {
            let (from, left) = (wanted.offset, RECORDS - wanted.offset);
            let count = if left > 0 { 1 + self.chance.below(left.min(5) as u64) as i64 } else { 0 };
            // Batches are of five: one may begin before the offset that is asked for.
            let start = from - from % 5;
            let values = vec!["v"; (from + count - start) as usize];
            let error = self.chance(5).then(|| grpc::Error {
                code: code::NOT_LEADER_OR_FOLLOWER,
                is_retriable: true,
                ..Default::default()
            });
            let is_empty = count == 0 || error.is_some();
            partitions.push(grpc::FetchedPartition {
                topic: "t".into(),
                partition: wanted.partition,
                next_offset: if is_empty { from } else { from + count },
                batches: if is_empty { Bytes::new() } else { batch(start, &values) },
                error,
                ..Default::default()
            });
        }
        grpc::FetchResponse { partitions }
    }

    fn topics(&mut self) -> grpc::GetTopicMetadataResponse {
        let partition = |number: i32| grpc::Partition {
            partition: number,
            leader_id: 1 + number % 3,
            leader_epoch: 0,
            ..Default::default()
        };
        let partitions = (0..PARTITIONS).map(partition).collect();
        grpc::GetTopicMetadataResponse {
            controller_id: 1,
            nodes: vec![node(1), node(2), node(3)],
            topics: vec![grpc::Topic { name: "t".into(), partitions, ..Default::default() }],
            ..Default::default()
        }
    }

    fn is_done(&self) -> bool {
        let all = |number| self.seen.get(&place(number)).is_some_and(|seen| seen.len() as i64 == RECORDS);
        (0..PARTITIONS).all(all)
    }
}

fn lost() -> Error {
    Error::Unreachable { node: "n".into(), why: "gone".into(), was_sent: true }
}

/// Runs a seed to its end: how many generations the group had.
fn run(seed: u64, mutant: Option<Mutant>) -> i32 {
    let mut world = World::new(seed, mutant);
    for _ in 0..1_500 {
        world.step();
    }
    world.is_calm = true;
    for step in 0..60_000 {
        if world.is_done() {
            break;
        }
        world.step();
        // Whoever is not heard is given up when its session is over.
        let before = world.group.members.len();
        if step % 1_000 == 999 {
            world.forget_absent();
            world.group.is_changing |= world.group.members.len() < before;
        }
        if world.group.is_changing {
            world.complete_join();
        }
    }
    assert!(world.is_done(), "seed {seed}: not all was handed out: {:?}", world.seen);
    world.group.generation
}

#[test]
fn nothing_is_skipped_and_nothing_committed_that_nobody_dealt_with() {
    let generations: i32 = (0..50).map(|seed| run(seed, None)).sum();
    assert!(generations > 300, "{generations}");
}

#[test]
fn mutants_are_caught() {
    for mutant in [Mutant::CommitAhead, Mutant::CommitInHand] {
        let is_caught = (0..50).any(|seed| std::panic::catch_unwind(|| run(seed, Some(mutant))).is_err());
        assert!(is_caught, "{mutant:?}");
    }
}
