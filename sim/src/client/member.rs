//! Members of classic groups: they find their coordinator, join, share the topics of the plan among themselves, commit and
//! read back. And they do what members do: pause past their session, die without a word, leave, and commit in a
//! generation that is over (C13).
//!
//! A member has one request on its way at a time. What it subscribes to is as Kafka's consumers say it; what it is
//! assigned is text: `t0/1,t0/2`.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::map::Map;
use super::plan::TopicPlan;
use super::purpose::Purpose;
use super::ration::Ration;
use crate::clock::{MILLI, Moment};
use bytes::{BufMut, Bytes, BytesMut};
use rust_mq_core::group::partition_of;
use rust_mq_proto::kafka::api::ApiKey;
use rust_mq_proto::kafka::api::find_coordinator::FindCoordinatorRequest;
use rust_mq_proto::kafka::api::heartbeat::HeartbeatRequest;
use rust_mq_proto::kafka::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use rust_mq_proto::kafka::api::leave_group::{LeaveGroupRequest, MemberIdentity};
use rust_mq_proto::kafka::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use rust_mq_proto::kafka::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use rust_mq_proto::kafka::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use std::collections::BTreeMap;

/// The topic that coordinators lead the partitions of.
pub(super) const OFFSETS: &str = "__consumer_offsets";

/// A member's session, the shortest that brokers take. Milliseconds.
const SESSION_MS: i32 = 6_000;
/// The same once all is calm, and how long the others wait for it then: where ways are slow, a member that is thrown out
/// again and again would never come to its end.
const CALM_SESSION_MS: i32 = 12_000;
const CALM_REBALANCE_MS: i32 = 6_000;

/// A member.
#[derive(Debug)]
pub struct Member {
    pub(super) group: String,
    /// What it is called, if it is a static member.
    pub(super) instance: Option<String>,
    pub(super) topics: Vec<TopicPlan>,
    pub(super) left: Ration,
    pub(super) is_calm: bool,
    pub(super) coordinator: Option<usize>,
    pub(super) id: String,
    pub(super) protocol: Option<String>,
    pub(super) stage: Stage,
    pub(super) is_asked: bool,
    /// It does nothing before.
    pub(super) not_before: Moment,
    pub(super) steps: u64,
    /// After healing: whether something was committed, and read back.
    pub(super) probed: (bool, bool),
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is no member, or is to join anew.
    Outside,
    /// It is in a generation, and does not know what it gets; who leads has to give.
    Joined(i32, Option<Vec<String>>),
    /// It has partitions.
    In(i32, Vec<(String, i32)>),
    /// It has left for good.
    Gone,
}

impl Member {
    /// Whether one that speaks these versions can say everywhere that it is a static member: who cannot is none.
    pub fn may_be_static(connections: &Connections) -> bool {
        let can = |key, from| connections.version(key) >= from;
        let others = [ApiKey::SyncGroup, ApiKey::Heartbeat, ApiKey::LeaveGroup];
        can(ApiKey::JoinGroup, 5) && can(ApiKey::OffsetCommit, 7) && others.iter().all(|key| can(*key, 3))
    }

    /// One of that group, of whom there may be several.
    pub fn new(group: String, instance: Option<String>, topics: Vec<TopicPlan>, operations: u32) -> Member {
        Member {
            group,
            instance,
            topics: topics.into_iter().chain([offsets()]).collect(),
            left: Ration::of(operations),
            is_calm: false,
            coordinator: None,
            id: String::new(),
            protocol: None,
            stage: Stage::Outside,
            is_asked: false,
            not_before: Moment(0),
            steps: 0,
            probed: (false, false),
        }
    }

    /// The topics that it knows of.
    pub fn topics(&self) -> &[TopicPlan] {
        &self.topics
    }

    /// It commits and reads once more, and leaves.
    pub fn calm(&mut self) {
        self.is_calm = true;
        self.not_before = Moment(0);
    }

    /// Answers that brought it nearer to its end.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is open.
    pub fn open_work(&self, map: &Map) -> Option<String> {
        let partitions = map.topic(OFFSETS).map_or(16, |topic| topic.partitions.len().max(1));
        let partition = partition_of(&self.group, partitions).partition.0;
        if self.stage == Stage::Gone || map.is_excused(OFFSETS, partition) {
            return None;
        }
        Some(format!("a member of {} has not committed, read and left: {:?}", self.group, self.stage))
    }

    /// Does what is next.
    pub fn act(
        &mut self,
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if self.is_asked || street.now() < self.not_before || self.stage == Stage::Gone {
            return;
        }
        if !self.is_calm && (!self.left.take() || self.behaves_badly(chance, street)) {
            return;
        }
        let Some(site) = self.coordinator else { return self.find(connections, chance, street) };
        let stage = self.stage.clone();
        match stage {
            Stage::Gone => {}
            Stage::Outside if self.probed == (true, true) => self.stage = Stage::Gone,
            Stage::Outside => self.join(site, connections, chance, street),
            Stage::Joined(generation, give) => {
                self.sync(site, generation, give.unwrap_or_default(), connections, street);
            }
            Stage::In(generation, has) => {
                self.work(site, (generation, &has), connections, map, chance, street);
            }
        }
    }

    /// Now and then it is away for longer than its session, or dies and is started anew.
    fn behaves_badly(&mut self, chance: &mut Chance, street: &mut Street<'_>) -> bool {
        let dice = chance.of(ApiKey::Heartbeat);
        match dice.below(200) {
            0 => {
                street.marks.hit("client.paused_past_its_session");
                let ms = dice.between(1_000, 9_000);
                self.not_before = street.now().after(ms * MILLI);
                true
            }
            1 => {
                street.marks.hit("client.died_as_a_member");
                self.id.clear();
                self.stage = Stage::Outside;
                true
            }
            _ => false,
        }
    }

    fn find(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        let site = connections.anyone(&mut chance.whom);
        let request = FindCoordinatorRequest {
            key: self.group.clone(),
            key_type: 0,
            coordinator_keys: vec![self.group.clone()],
        };
        self.is_asked = connections.request(site, &request, Purpose::Coordinator, street);
    }

    fn join(
        &mut self,
        site: usize,
        connections: &mut Connections,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        let dice = chance.of(ApiKey::JoinGroup);
        let names: Vec<&str> = self.subscribed().map(|topic| topic.name.as_str()).collect();
        let metadata = subscription(&names);
        let liked: &[&str] = if dice.coin() { &["range", "sticky"] } else { &["sticky", "range"] };
        let protocol =
            |name: &&str| JoinGroupRequestProtocol { name: (*name).into(), metadata: metadata.clone() };
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: if self.is_calm { CALM_SESSION_MS } else { SESSION_MS },
            rebalance_timeout_ms: if self.is_calm {
                CALM_REBALANCE_MS
            } else {
                dice.between(1_000, 5_000) as i32
            },
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "consumer".into(),
            protocols: liked.iter().map(protocol).collect(),
            reason: None,
        };
        self.is_asked = connections.request(site, &request, Purpose::Group, street);
    }

    fn sync(
        &mut self,
        site: usize,
        generation: i32,
        members: Vec<String>,
        connections: &mut Connections,
        street: &mut Street<'_>,
    ) {
        let mut parts: BTreeMap<&String, Vec<String>> = members.iter().map(|id| (id, Vec::new())).collect();
        let all = self
            .subscribed()
            .flat_map(|topic| (0..topic.partitions).map(|partition| format!("{}/{partition}", topic.name)));
        for (part, id) in all.zip(members.iter().cycle()) {
            parts.entry(id).or_default().push(part);
        }
        let assignments = parts.into_iter().map(|(id, parts)| SyncGroupRequestAssignment {
            member_id: id.clone(),
            assignment: Bytes::from(parts.join(",")),
        });
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: self.protocol.clone(),
            assignments: assignments.collect(),
        };
        self.is_asked = connections.request(site, &request, Purpose::Group, street);
    }

    fn work(
        &mut self,
        site: usize,
        (generation, has): (i32, &[(String, i32)]),
        connections: &mut Connections,
        map: &Map,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        if self.is_calm {
            return match self.probed {
                (false, _) if !has.is_empty() => {
                    self.commit(site, generation, &has[..1], connections, map, street);
                }
                (true, false) if !has.is_empty() => self.fetch(site, &has[..1], connections, map, street),
                _ => self.leave(site, connections, street),
            };
        }
        let dice = chance.of(ApiKey::OffsetCommit);
        match dice.below(20) {
            0..8 if !has.is_empty() => {
                let count = dice.between(1, has.len() as u64) as usize;
                self.commit(site, generation, &has[..count], connections, map, street);
            }
            8..12 if !has.is_empty() => self.fetch(site, has, connections, map, street),
            12 if generation > 1 && !has.is_empty() => {
                street.marks.hit("client.committed_in_an_old_generation");
                self.commit(site, generation - 1, &has[..1], connections, map, street);
            }
            13 if dice.below(10) == 0 => self.leave(site, connections, street),
            _ => {
                let request = HeartbeatRequest {
                    group_id: self.group.clone(),
                    generation_id: generation,
                    member_id: self.id.clone(),
                    group_instance_id: self.instance.clone(),
                };
                self.is_asked = connections.request(site, &request, Purpose::Group, street);
            }
        }
    }

    fn commit(
        &mut self,
        site: usize,
        generation: i32,
        has: &[(String, i32)],
        connections: &mut Connections,
        map: &Map,
        street: &mut Street<'_>,
    ) {
        let mut sent = Vec::new();
        let mut topics = Vec::new();
        for (name, partition) in has {
            let Some(id) = map.topic(name).map(|topic| topic.id) else { continue };
            let place = (self.group.clone(), id, *partition);
            let one = street.groups.commits(place, generation, street.schedule.now());
            let committed = OffsetCommitRequestPartition {
                partition_index: *partition,
                committed_offset: one.offset,
                committed_leader_epoch: -1,
                committed_metadata: None,
            };
            let (name, topic_id) = (name.clone(), id);
            topics.push(OffsetCommitRequestTopic { name, topic_id, partitions: vec![committed] });
            sent.push(one);
        }
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            retention_time_ms: -1,
            topics,
        };
        if !sent.is_empty() {
            self.is_asked = connections.request(site, &request, Purpose::Commit(sent), street);
        }
    }

    fn fetch(
        &mut self,
        site: usize,
        has: &[(String, i32)],
        connections: &mut Connections,
        map: &Map,
        street: &mut Street<'_>,
    ) {
        let known: Vec<(&String, [u8; 16], i32)> =
            has.iter().filter_map(|(name, number)| Some((name, map.topic(name)?.id, *number))).collect();
        let topics = known.iter().map(|(name, _, number)| OffsetFetchRequestTopic {
            name: (*name).clone(),
            partition_indexes: vec![*number],
        });
        let of_groups = known.iter().map(|(name, topic_id, number)| OffsetFetchRequestTopics {
            name: (*name).clone(),
            topic_id: *topic_id,
            partition_indexes: vec![*number],
        });
        let group = OffsetFetchRequestGroup {
            group_id: self.group.clone(),
            topics: Some(of_groups.collect()),
            ..Default::default()
        };
        let request = OffsetFetchRequest {
            group_id: self.group.clone(),
            topics: Some(topics.collect()),
            groups: vec![group],
            require_stable: true,
        };
        let asked = known.iter().map(|(name, id, number)| ((*name).clone(), *id, *number)).collect();
        let purpose = Purpose::Committed(street.now(), asked);
        self.is_asked = connections.request(site, &request, purpose, street);
    }

    fn leave(&mut self, site: usize, connections: &mut Connections, street: &mut Street<'_>) {
        let member = MemberIdentity {
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            reason: None,
        };
        let request = LeaveGroupRequest {
            group_id: self.group.clone(),
            member_id: self.id.clone(),
            members: vec![member],
        };
        self.is_asked = connections.request(site, &request, Purpose::Group, street);
    }

    fn subscribed(&self) -> impl Iterator<Item = &TopicPlan> {
        self.topics.iter().filter(|topic| topic.name != OFFSETS)
    }
}

/// The topic of the coordinators, as a client's map knows topics.
pub(super) fn offsets() -> TopicPlan {
    TopicPlan {
        name: OFFSETS.to_owned(),
        partitions: 16,
        replicas: 3,
        configs: BTreeMap::new(),
        is_remade: false,
    }
}

/// What it says of itself: that it wants these topics.
fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(topics.len() as i32);
    for topic in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
    }
    bytes.put_i32(-1);
    bytes.freeze()
}
