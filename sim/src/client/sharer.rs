//! Members of consumer groups (KIP-848): they find their coordinator, join, let go of what they are told to, commit, and
//! tell what they have. They pause past their session, die without a word, leave, say an epoch that is over, take their
//! time to let go, and lose answers (C13). In the end one leaves only when it has seen that each partition is with somebody
//! (C17).
//!
//! A member has one request on its way at a time. Some subscribe by a pattern, and by nothing else; each of those makes a
//! topic, once it is a member, that the pattern means too.

use super::Street;
use super::admin;
use super::chance::Chance;
use super::connection::Connections;
use super::map::Map;
use super::plan::TopicPlan;
use super::purpose::{Answered, Purpose};
use super::ration::Ration;
use crate::claims::c13_commits_are_current::Sent;
use crate::claims::c13_one_holder::Part;
use crate::clock::{MILLI, Moment, SECOND};
use rust_mq_core::group::partition_of;
use rust_mq_proto::kafka::api::consumer_group_describe::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
};
use rust_mq_proto::kafka::api::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use rust_mq_proto::kafka::api::find_coordinator::FindCoordinatorRequest;
use rust_mq_proto::kafka::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use std::collections::{BTreeMap, BTreeSet};

/// The topic that coordinators lead the partitions of.
const OFFSETS: &str = "__consumer_offsets";

/// The brokers' session for consumer groups, milliseconds.
pub const SESSION_MS: i32 = 6_000;

/// A member.
#[derive(Debug)]
pub struct Sharer {
    group: String,
    /// What its ids begin with.
    name: String,
    lives: u32,
    topics: Vec<TopicPlan>,
    has_pattern: bool,
    /// A topic that it has yet to make.
    late: Option<TopicPlan>,
    left: Ration,
    is_calm: bool,
    coordinator: Option<usize>,
    /// 0 is to join.
    epoch: i32,
    /// What it was told that it has, with the epoch at which that was; and what of it is to be let go.
    has: BTreeMap<Part, i32>,
    to_let_go: BTreeSet<Part>,
    is_leaving: bool,
    /// An answer was lost: it says all, and is told all.
    is_unsure: bool,
    is_gone: bool,
    asked: Option<Moment>,
    not_before: Moment,
    steps: u64,
    has_committed: bool,
    /// Whether it has seen that each partition is with somebody.
    has_seen_all: bool,
}

impl Sharer {
    /// One of that group, in a cluster of so many sites.
    pub fn new(
        (number, sites): (usize, usize),
        group: String,
        has_pattern: bool,
        topics: Vec<TopicPlan>,
        operations: u32,
    ) -> Sharer {
        let topic = |name: String, partitions| TopicPlan {
            name,
            partitions,
            replicas: if sites < 3 { 1 } else { 3 },
            configs: BTreeMap::new(),
            is_remade: false,
        };
        let offsets = topic(OFFSETS.to_owned(), 16);
        Sharer {
            group,
            name: format!("sharer-{number}"),
            lives: 0,
            topics: topics.into_iter().chain([offsets]).collect(),
            has_pattern,
            late: has_pattern.then(|| topic(format!("s{number}"), 1)),
            left: Ration::of(operations),
            is_calm: false,
            coordinator: None,
            epoch: 0,
            has: BTreeMap::new(),
            to_let_go: BTreeSet::new(),
            is_leaving: false,
            is_unsure: false,
            is_gone: false,
            asked: None,
            not_before: Moment(0),
            steps: 0,
            has_committed: false,
            has_seen_all: false,
        }
    }

    /// The topics that it knows of.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// It commits once more, waits until each partition is with somebody, and leaves.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.not_before = Moment(0);
        (self.has_committed, self.has_seen_all) = (false, false);
    }

    /// Answers that brought it nearer to its end.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is open.
    pub fn open_work(&self, map: &Map) -> Option<String> {
        let partitions = map.topic(OFFSETS).map_or(16, |topic| topic.partitions.len().max(1));
        let partition = partition_of(&self.group, partitions).partition.0;
        if self.is_gone || map.is_excused(OFFSETS, partition) {
            return None;
        }
        let what =
            if self.has_seen_all { "has not left" } else { "has not seen each partition with somebody" };
        Some(format!("{} of {} is at epoch {} and {what}", self.name, self.group, self.epoch))
    }

    /// Does what is next.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if self.asked.is_some() || street.now() < self.not_before || self.is_gone {
            return;
        }
        if !self.is_calm && (!self.left.take() || self.behaves_badly(chance, street)) {
            return;
        }
        let Some(site) = self.coordinator else { return self.find(connections, chance, street) };
        let dice = chance.of(ApiKey::ConsumerGroupHeartbeat);
        if let Some(topic) = &self.late
            && self.epoch > 0
            && !self.is_calm
            && dice.below(8) == 0
        {
            let any = connections.anyone(&mut chance.whom);
            let is_asked = admin::create(any, &[topic], connections, street);
            return self.ask(is_asked, street);
        }
        let is_committing = if self.is_calm { !self.has_committed } else { dice.below(3) == 0 };
        let named = self.has.iter().find_map(|(part, given)| Some((map.name_of(part.0)?, *part, *given)));
        self.has_committed |= self.is_calm && self.epoch > 0 && named.is_none();
        if let Some((name, part, given)) = named.filter(|_| self.epoch > 0 && is_committing) {
            // Now and then at the epoch before it had it.
            let is_old = !self.is_calm && dice.below(4) == 0 && given > 0;
            let said = if is_old { given - 1 } else { self.epoch };
            return self.commit(site, (name, part, said), connections, street);
        }
        let is_looking = self.is_calm && self.epoch > 0 && self.has_committed && !self.has_seen_all;
        if if is_looking { dice.coin() } else { dice.below(20) == 0 } {
            let request = ConsumerGroupDescribeRequest {
                group_ids: vec![self.group.clone()],
                include_authorized_operations: false,
            };
            return self.ask(connections.request(site, &request, Purpose::Group, street), street);
        }
        let may_leave = if self.is_calm { self.has_seen_all } else { dice.below(100) == 0 };
        self.is_leaving = self.epoch > 0 && may_leave;
        self.beat(site, connections, chance, street);
    }

    fn ask(&mut self, is_asked: bool, street: &Street<'_>) {
        self.asked = is_asked.then(|| street.now());
    }

    /// Now and then it is away for longer than its session, or dies and is started anew.
    fn behaves_badly(&mut self, chance: &mut Chance, street: &mut Street<'_>) -> bool {
        let dice = chance.of(ApiKey::ConsumerGroupHeartbeat);
        match dice.below(200) {
            0 => {
                street.marks.hit("client.paused_past_its_consumer_session");
                self.not_before = street.now().after(dice.between(1_000, 9_000) * MILLI);
                true
            }
            1 => {
                street.marks.hit("client.died_as_a_sharer");
                // Nobody says so: it has what it had until it may be taken for dead.
                self.anew();
                true
            }
            _ => false,
        }
    }

    fn anew(&mut self) {
        self.lives += 1;
        self.epoch = 0;
        self.has.clear();
        self.to_let_go.clear();
    }

    fn id(&self) -> String {
        format!("{}-{}", self.name, self.lives)
    }

    fn find(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        let site = connections.anyone(&mut chance.whom);
        let request = FindCoordinatorRequest {
            key: self.group.clone(),
            key_type: 0,
            coordinator_keys: vec![self.group.clone()],
        };
        self.ask(connections.request(site, &request, Purpose::Coordinator, street), street);
    }

    fn beat(
        &mut self,
        site: usize,
        connections: &mut Connections,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        let dice = chance.of(ApiKey::ConsumerGroupHeartbeat);
        let is_joining = self.epoch == 0;
        // It may be in the midst of something.
        if self.is_calm || dice.below(3) == 0 {
            let to_let_go = std::mem::take(&mut self.to_let_go);
            self.has.retain(|part, _| !to_let_go.contains(part));
        }
        let has: BTreeSet<Part> = self.has.keys().copied().collect();
        let says_all = is_joining || self.is_unsure;
        let says_what_it_has = says_all || dice.below(4) > 0;
        if says_what_it_has {
            street.holders.says(&self.group, &self.id(), &has);
        }
        if self.is_leaving {
            street.holders.gone(&self.group, &self.id());
        }
        let mut topics: BTreeMap<[u8; 16], Vec<i32>> = BTreeMap::new();
        for (id, number) in &has {
            topics.entry(*id).or_default().push(*number);
        }
        let owned = topics.into_iter().map(|(topic_id, partitions)| TopicPartitions { topic_id, partitions });
        let names = self.topics.iter().filter(|topic| topic.name != OFFSETS).map(|topic| topic.name.clone());
        let names = says_all.then(|| if self.has_pattern { Vec::new() } else { names.collect() });
        let pattern = (says_all && self.has_pattern).then(|| "[rst][0-9]*".to_owned());
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.clone(),
            member_id: self.id(),
            member_epoch: if self.is_leaving { -1 } else { self.epoch },
            rebalance_timeout_ms: if says_all { 60_000 } else { -1 },
            subscribed_topic_names: names,
            subscribed_topic_regex: pattern,
            server_assignor: (is_joining && dice.below(4) == 0).then(|| "range".to_owned()),
            topic_partitions: says_what_it_has.then(|| owned.collect()),
            ..Default::default()
        };
        self.ask(connections.request(site, &request, Purpose::Group, street), street);
    }

    /// Commits one partition.
    fn commit(
        &mut self,
        site: usize,
        (name, (id, partition), said): (&str, Part, i32),
        connections: &mut Connections,
        street: &mut Street<'_>,
    ) {
        let one = street.groups.commits((self.group.clone(), id, partition), said, street.schedule.now());
        let partitions = vec![OffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: one.offset,
            committed_leader_epoch: -1,
            committed_metadata: None,
        }];
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: said,
            member_id: self.id(),
            topics: vec![OffsetCommitRequestTopic { name: name.to_owned(), topic_id: id, partitions }],
            ..Default::default()
        };
        self.ask(connections.request(site, &request, Purpose::Commit(vec![one]), street), street);
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, street: &mut Street<'_>) {
        let Answered { purpose, body, .. } = answered;
        if matches!(purpose, Purpose::Versions | Purpose::Map) {
            return;
        }
        let asked = self.asked.take().unwrap_or_else(|| street.now());
        let Some(body) = body else {
            (self.coordinator, self.is_unsure) = (None, true);
            return;
        };
        *street.completed += 1;
        match (body, purpose) {
            (ResponseBody::FindCoordinator(found), _) => {
                let first = found.coordinators.first();
                let (code, node) =
                    first.map_or((found.error_code, found.node_id), |one| (one.error_code, one.node_id));
                self.coordinator = usize::try_from(node - 1).ok().filter(|_| code == 0);
                if self.coordinator.is_none() {
                    self.not_before = street.now().after(50 * MILLI);
                }
            }
            (ResponseBody::ConsumerGroupHeartbeat(beaten), _) => self.beaten(&beaten, asked, street),
            (ResponseBody::CreateTopics(created), _) => {
                // It may be there already.
                let is_made = created.topics.first().is_some_and(|topic| matches!(topic.error_code, 0 | 36));
                if is_made {
                    street.marks.hit("client.made_a_topic_that_a_pattern_means");
                    self.topics.extend(self.late.take());
                } else {
                    self.not_before = street.now().after(50 * MILLI);
                }
            }
            (ResponseBody::ConsumerGroupDescribe(described), _) => self.described(&described, street),
            (ResponseBody::OffsetCommit(committed), Purpose::Commit(sent)) => {
                let code =
                    committed.topics.first().and_then(|topic| Some(topic.partitions.first()?.error_code));
                self.committed(&sent, code.unwrap_or(-1), street);
            }
            _ => {}
        }
    }

    fn beaten(&mut self, beaten: &ConsumerGroupHeartbeatResponse, asked: Moment, street: &mut Street<'_>) {
        if std::mem::take(&mut self.is_leaving) && matches!(beaten.error_code, 0 | 25 | 69) {
            street.marks.hit("client.left_a_consumer_group");
            self.steps += 1;
            self.is_gone = self.is_calm;
            return self.anew();
        }
        match beaten.error_code {
            0 => {}
            14 => return self.not_before = street.now().after(20 * MILLI),
            15 | 16 => {
                // What it said may have counted all the same, as with an answer that is lost.
                (self.coordinator, self.is_unsure) = (None, true);
                return self.not_before = street.now().after(20 * MILLI);
            }
            25 | 110 => {
                street.marks.hit("client.was_fenced_from_a_consumer_group");
                street.holders.gone(&self.group, &self.id());
                return self.anew();
            }
            _ => return self.not_before = street.now().after(100 * MILLI),
        }
        self.steps += 1;
        if self.epoch > 0 {
            street.holders.served(&self.group, &self.id(), asked, street.verdict);
        }
        self.epoch = beaten.member_epoch;
        let told = beaten.assignment.as_ref().map(|assignment| {
            let parts = assignment
                .topic_partitions
                .iter()
                .flat_map(|topic| topic.partitions.iter().map(|number| (topic.topic_id, *number)));
            parts.collect::<BTreeSet<Part>>()
        });
        let (id, half_session) = (self.id(), SESSION_MS as u64 / 2 * MILLI);
        let when = (asked, street.now());
        street.holders.told((&self.group, &id), when, told.as_ref(), half_session, street.verdict);
        if let Some(told) = told {
            street.marks.hit("client.was_assigned_by_its_coordinator");
            // What it is not told of it lets go, at its own pace.
            self.to_let_go = self.has.keys().filter(|part| !told.contains(*part)).copied().collect();
            // What was lost with an answer was given at an epoch that it does not know.
            let given = if self.is_unsure { i32::MIN } else { self.epoch };
            for part in told {
                self.has.entry(part).or_insert(given);
            }
        }
        self.is_unsure = false;
        if !self.is_calm {
            self.not_before = street.now().after(SECOND / 4);
        }
    }

    /// Whether each partition is with somebody, by what the coordinator says.
    fn described(&mut self, described: &ConsumerGroupDescribeResponse, street: &mut Street<'_>) {
        let Some(group) = described.groups.first() else { return };
        match group.error_code {
            0 => {}
            15 | 16 => return self.coordinator = None,
            _ => return self.not_before = street.now().after(20 * MILLI),
        }
        let given = group.members.iter().flat_map(|member| &member.assignment.topic_partitions);
        let mut given_of: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
        for topic in given {
            given_of.entry(&topic.topic_name).or_default().extend(&topic.partitions);
        }
        let is_given = |topic: &TopicPlan| {
            let given = given_of.get(topic.name.as_str());
            (0..topic.partitions).all(|number| given.is_some_and(|given| given.contains(&number)))
        };
        if self.topics.iter().filter(|topic| topic.name != OFFSETS).all(is_given) {
            street.marks.hit("client.saw_each_partition_with_somebody");
            self.steps += u64::from(self.is_calm && !self.has_seen_all);
            self.has_seen_all = true;
        }
    }

    fn committed(&mut self, sent: &[Sent], code: i16, street: &mut Street<'_>) {
        let Some(one) = sent.first() else { return };
        let now = street.now();
        match code {
            0 => street.groups.settled(one, true, now, street.verdict),
            15 | 16 => {}
            _ => street.groups.settled(one, false, now, street.verdict),
        }
        let (_, id, number) = &one.place;
        if let Some(given) = self.has.get(&(*id, *number)) {
            street.holders.committed(&self.group, (one.generation, *given), code == 0, street.verdict);
        }
        self.has_committed = true;
        match code {
            0 => {
                street.marks.hit("client.committed_as_a_sharer");
                self.steps += 1;
            }
            14 => self.not_before = now.after(20 * MILLI),
            15 | 16 => {
                self.coordinator = None;
                self.not_before = now.after(20 * MILLI);
            }
            113 => street.marks.hit("client.was_refused_at_an_old_epoch"),
            25 => {
                street.holders.gone(&self.group, &self.id());
                self.anew();
            }
            _ => {}
        }
    }
}
