//! A consumer and what it has said, and the answers that nodes would give.

use super::super::assignor::Assignor;
use super::super::{Action, Event, Goal, Machine, Message, Place, Settings, protocol};
use crate::machine::backoff::Pauses;
use crate::machine::error::Error;
use crate::machine::moment::Moment;
use crate::machine::question::{Answer, Question, Ticket};
use bytes::Bytes;
use rust_mq_proto::grpc;
use rust_mq_proto::records::BatchBuilder;
use std::time::Duration;

pub fn settings(group: Option<&str>) -> Settings {
    Settings {
        group: group.map(str::to_owned),
        instance: String::new(),
        session_timeout: Duration::from_secs(45),
        rebalance_timeout: Duration::from_secs(300),
        heartbeat_every: Duration::from_secs(3),
        assignors: vec![Assignor::Range, Assignor::RoundRobin],
        commits_every: Some(Duration::from_secs(5)),
        reset: Some(Goal::Earliest),
        prefetch_bytes: 1 << 20,
        partition_bytes: 100 << 10,
        fetch_wait: Duration::from_millis(500),
        call_timeout: Duration::from_secs(30),
        commit_timeout: Duration::from_secs(60),
        metadata_age_max: Duration::from_secs(300),
        pauses: Pauses::default(),
        mutant: None,
    }
}

pub fn place(partition: i32) -> Place {
    ("t".to_owned(), partition)
}

pub fn node(id: i32) -> grpc::Node {
    grpc::Node { node_id: id, host: "n".into(), port: id, rack: String::new() }
}

pub fn refused(code: i32, is_retriable: bool) -> Error {
    let error = grpc::Error { code, name: format!("CODE_{code}"), is_retriable, ..Default::default() };
    Error::refused("n:1", Some(error)).expect_err("it is one")
}

/// One batch of values from that offset on.
pub fn batch(offset: i64, values: &[&str]) -> Bytes {
    let mut batch = BatchBuilder::new().place(offset, 0);
    for value in values {
        batch.push(7, None, Some(value.as_bytes()), &[]);
    }
    batch.build().freeze()
}

/// A question that was asked.
#[derive(Debug)]
pub struct Asked {
    pub ticket: Ticket,
    pub address: String,
    pub question: Question,
}

pub struct Stage {
    pub machine: Machine,
    pub now: Moment,
    pub asked: Vec<Asked>,
    /// What the application was told.
    pub told: Vec<Action>,
    /// How many records more each partition has than a fetch is answered with.
    pub more: i64,
}

impl Stage {
    pub fn new(settings: Settings) -> Stage {
        let machine = Machine::new(settings, vec!["b:1".into()], 1);
        Stage { machine, now: Moment::default(), asked: Vec::new(), told: Vec::new(), more: 0 }
    }

    /// Without a group: these partitions of `t`, each from its offset, all led by node 1.
    pub fn assigned(settings: Settings, offsets: &[i64]) -> Stage {
        let mut stage = Stage::new(settings);
        let places = offsets.iter().enumerate();
        let places = places.map(|(number, offset)| (place(number as i32), Some(Goal::Offset(*offset))));
        stage.tell(Event::Assign(places.collect()));
        stage.answer_topics(0, &vec![1; offsets.len()]);
        stage
    }

    /// The only member of group `g`, with all partitions of `t`, of which `committed` is kept.
    pub fn member(settings: Settings, committed: &[i64]) -> Stage {
        let mut stage = Stage::new(settings);
        stage.tell(Event::Subscribe(vec!["t".into()]));
        stage.join(committed.len());
        stage.answer_committed(committed);
        stage.answer_topics(0, &vec![1; committed.len()]);
        stage
    }

    /// From looking for the coordinator to being told what is its own.
    pub fn join(&mut self, partitions: usize) {
        if self.asked.iter().any(|asked| matches!(asked.question, Question::Coordinator(_))) {
            let found = grpc::FindCoordinatorResponse { coordinator: Some(node(3)) };
            self.answer(|question| matches!(question, Question::Coordinator(_)), Ok(found.into()));
        }
        self.answer_join(1);
        if self.asked.iter().any(|asked| matches!(asked.question, Question::Topics(_))) {
            self.answer_topics(0, &vec![1; partitions]);
        }
        self.answer_sync();
    }

    pub fn answer_join(&mut self, generation_id: i32) {
        let joined = grpc::JoinGroupResponse {
            generation_id,
            protocol_type: "consumer".into(),
            protocol_name: "range".into(),
            leader_id: "m".into(),
            member_id: "m".into(),
            skip_assignment: false,
            members: vec![grpc::JoinedMember {
                member_id: "m".into(),
                metadata: protocol::subscription(&["t".to_owned()]).into(),
                ..Default::default()
            }],
        };
        self.answer(|question| matches!(question, Question::Join(_)), Ok(joined.into()));
    }

    /// Gives the leader what it gave itself.
    pub fn answer_sync(&mut self) {
        let asked = self.take(|question| matches!(question, Question::Sync(_)));
        let Question::Sync(sync) = &asked.question else { panic!("{asked:?}") };
        let assignment = sync.assignments.first().map(|given| given.assignment.clone()).unwrap_or_default();
        let answer = grpc::SyncGroupResponse { assignment, ..Default::default() };
        self.tell(Event::Answered { ticket: asked.ticket, answer: Ok(answer.into()) });
    }

    pub fn answer_topics(&mut self, epoch: i32, leaders: &[i32]) {
        let partition = |(number, leader): (usize, &i32)| grpc::Partition {
            partition: number as i32,
            leader_id: *leader,
            leader_epoch: epoch,
            ..Default::default()
        };
        let partitions = leaders.iter().enumerate().map(partition).collect();
        let told = grpc::GetTopicMetadataResponse {
            controller_id: 1,
            nodes: vec![node(1), node(2), node(3)],
            topics: vec![grpc::Topic { name: "t".into(), partitions, ..Default::default() }],
            ..Default::default()
        };
        while self.asked.iter().any(|asked| matches!(asked.question, Question::Topics(_))) {
            self.answer(|question| matches!(question, Question::Topics(_)), Ok(told.clone().into()));
        }
    }

    pub fn answer_committed(&mut self, offsets: &[i64]) {
        let offset = |(number, offset): (usize, &i64)| grpc::CommittedOffset {
            topic: "t".into(),
            partition: number as i32,
            offset: *offset,
            ..Default::default()
        };
        let told = grpc::FetchOffsetResponse { offsets: offsets.iter().enumerate().map(offset).collect() };
        self.answer(|question| matches!(question, Question::Committed(_)), Ok(told.into()));
    }

    /// Answers a fetch: of each partition that it is of, what is given for it.
    pub fn answer_fetch(&mut self, parts: &[(i32, Bytes, i64)]) {
        let asked = self.take(|question| matches!(question, Question::Fetch(_)));
        let Question::Fetch(fetch) = &asked.question else { panic!("{asked:?}") };
        let part = |wanted: &grpc::FetchPartition| {
            let given = parts.iter().find(|(partition, ..)| *partition == wanted.partition);
            grpc::FetchedPartition {
                topic: "t".into(),
                partition: wanted.partition,
                next_offset: given.map_or(wanted.offset, |(_, _, next)| *next),
                high_watermark: given.map_or(wanted.offset, |(_, _, next)| *next + self.more),
                batches: given.map(|(_, bytes, _)| bytes.clone()).unwrap_or_default(),
                ..Default::default()
            }
        };
        let answer = grpc::FetchResponse { partitions: fetch.partitions.iter().map(part).collect() };
        self.tell(Event::Answered { ticket: asked.ticket, answer: Ok(answer.into()) });
    }

    /// Answers the first question of that kind.
    #[track_caller]
    pub fn answer(&mut self, is: impl Fn(&Question) -> bool, answer: Result<Answer, Error>) {
        let asked = self.take(is);
        self.tell(Event::Answered { ticket: asked.ticket, answer });
    }

    #[track_caller]
    pub fn take(&mut self, is: impl Fn(&Question) -> bool) -> Asked {
        let number = self.asked.iter().position(|asked| is(&asked.question));
        let number = number.unwrap_or_else(|| panic!("not asked, but {:?}", self.asked));
        self.asked.remove(number)
    }

    pub fn tell(&mut self, event: Event) {
        self.machine.take(self.now, event);
        self.act();
    }

    /// As the driver: until there is nothing more to be done.
    pub fn act(&mut self) {
        loop {
            let mut actions = Vec::new();
            self.machine.act(self.now, &mut actions);
            if actions.is_empty() {
                return;
            }
            for action in actions {
                match action {
                    Action::Ask { ticket, address, question, .. } => {
                        self.asked.push(Asked { ticket, address, question });
                    }
                    told => self.told.push(told),
                }
            }
        }
    }

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

    pub fn next(&mut self) -> Option<Message> {
        let message = self.machine.hand_out(self.now).expect("nothing stands in the way");
        self.act();
        message
    }

    /// What there is, as `partition:offset=value`.
    pub fn all(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(message) = self.next() {
            let value = String::from_utf8_lossy(message.value.as_deref().unwrap_or_default()).into_owned();
            found.push(format!("{}:{}={value}", message.partition, message.offset));
        }
        found
    }

    /// The offsets of the commit that is asked for, which is answered.
    #[track_caller]
    pub fn answer_commit(&mut self) -> Vec<(i32, i64)> {
        let asked = self.take(|question| matches!(question, Question::Commit(_)));
        let Question::Commit(commit) = &asked.question else { panic!("{asked:?}") };
        let offsets = commit.offsets.iter().map(|one| (one.partition, one.offset)).collect();
        let answer = grpc::CommitOffsetResponse::default();
        self.tell(Event::Answered { ticket: asked.ticket, answer: Ok(answer.into()) });
        offsets
    }

    pub fn is_asked(&self, is: impl Fn(&Question) -> bool) -> bool {
        self.asked.iter().any(|asked| is(&asked.question))
    }
}

pub fn is_fetch(question: &Question) -> bool {
    matches!(question, Question::Fetch(_))
}

pub fn is_commit(question: &Question) -> bool {
    matches!(question, Question::Commit(_))
}

pub fn is_join(question: &Question) -> bool {
    matches!(question, Question::Join(_))
}

pub fn is_beat(question: &Question) -> bool {
    matches!(question, Question::Heartbeat(_))
}
