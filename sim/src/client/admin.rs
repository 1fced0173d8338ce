//! Admins: the founder makes the topics of the plan; the restless one creates and deletes topics of its own, with all
//! that a request can say about them, settings so long that small frames do not hold them among it, and asks the
//! cluster about itself. Its hand on settings is `tuning`. Each API has a die of its own.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::plan::TopicPlan;
use super::purpose::{Answered, Purpose};
use super::tuning;
use crate::dice::Dice;
use rust_mq_core::level::Levels;
use rust_mq_proto::kafka::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use rust_mq_proto::kafka::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use rust_mq_proto::kafka::api::describe_cluster::DescribeClusterRequest;
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};
use rust_mq_proto::kafka::api::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use std::collections::BTreeMap;

/// Names that a restless admin plays with.
const NAMES: u64 = 4;
/// Requests that a restless admin may have open.
const OPEN_MAX: usize = 2;

/// Settings at their extremes, good ones and bad ones.
const CONFIGS: [(&str, &str); 14] = [
    ("retention.ms", "0"),
    ("retention.ms", "-1"),
    ("retention.ms", "9223372036854775807"),
    ("retention.bytes", "0"),
    ("retention.bytes", "-2"),
    ("max.message.bytes", "0"),
    ("max.message.bytes", "99999999999"),
    ("min.insync.replicas", "0"),
    ("min.insync.replicas", "2147483647"),
    ("message.timestamp.type", "LogAppendTime"),
    ("message.timestamp.type", "log"),
    ("segment.bytes", "1048576"),
    ("cleanup.policy", "compact"),
    ("no.such.setting", ""),
];

/// An admin.
#[derive(Debug)]
pub struct Admin {
    wanted: BTreeMap<String, TopicPlan>,
    is_asked: bool,
    restless: Option<Restless>,
    answers: u64,
}

#[derive(Debug)]
struct Restless {
    number: usize,
    sites: usize,
    left: u32,
    asked: usize,
}

impl Admin {
    /// One who makes those topics and is done.
    pub fn founder(topics: Vec<TopicPlan>) -> Admin {
        let wanted = topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
        Admin { wanted, is_asked: false, restless: None, answers: 0 }
    }

    /// One who creates and deletes, in a cluster of so many sites.
    pub fn restless(number: usize, operations: u32, sites: usize) -> Admin {
        let restless = Some(Restless { number, sites, left: operations, asked: 0 });
        Admin { wanted: BTreeMap::new(), is_asked: false, restless, answers: 0 }
    }

    /// No more of its own accord.
    pub fn calm(&mut self) {
        if let Some(restless) = &mut self.restless {
            restless.left = 0;
        }
    }

    /// Answers that brought it nearer to its end.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// What is open.
    pub fn open_work(&self) -> Option<String> {
        let asked = self.restless.as_ref().map_or(0, |restless| restless.asked);
        if asked > 0 {
            return Some(format!("an admin waits for {asked} answers"));
        }
        let names: Vec<&str> = self.wanted.keys().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("topics are not created: {}", names.join(", ")))
    }

    /// Does what is next.
    pub fn act(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        let site = chance.whom.index(street.listening.len());
        if !self.wanted.is_empty() && !self.is_asked {
            let topics: Vec<&TopicPlan> = self.wanted.values().collect();
            self.is_asked = create(site, &topics, connections, street);
        }
        let Some(restless) = &mut self.restless else { return };
        if restless.left == 0 || restless.asked > OPEN_MAX {
            return;
        }
        restless.left -= 1;
        restless.describe(site, connections, chance, street);
        restless.create(site, connections, chance.of(ApiKey::CreateTopics), street);
        restless.delete(site, connections, chance.of(ApiKey::DeleteTopics), street);
        restless.raise(site, connections, chance.of(ApiKey::UpdateFeatures), street);
        restless.asked += tuning::act(restless.number, site, connections, chance, street);
        restless.want(site, connections, chance.of(ApiKey::Metadata), street);
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, street: &mut Street<'_>) {
        match &answered.purpose {
            Purpose::Versions | Purpose::Map => return,
            Purpose::Create(_) if self.restless.is_none() => self.is_asked = false,
            _ => {}
        }
        if let Some(restless) = &mut self.restless {
            restless.asked = restless.asked.saturating_sub(1);
        }
        *street.completed += u64::from(answered.body.is_some());
        // A founder is nearer to its end by a topic only.
        self.answers += u64::from(answered.body.is_some() && self.restless.is_some());
        let is_real = answered.purpose != Purpose::Create(Vec::new());
        match answered.body {
            Some(ResponseBody::CreateTopics(response)) => {
                for topic in response.topics {
                    if topic.error_code == 0 && !is_real {
                        street.marks.hit("client.validated_a_topic");
                    } else if topic.error_code == 0 && topic.topic_id != [0; 16] {
                        match self.wanted.get(&topic.name) {
                            Some(plan) => made(plan, topic.topic_id, street),
                            None => street.ids.created(&topic.name, topic.topic_id, street.verdict),
                        }
                        street.marks.hit("client.created_a_topic");
                    }
                    if topic.error_code == 40 {
                        street.marks.hit("client.was_refused_a_setting");
                    }
                    // 36: made by an attempt whose answer was lost.
                    if matches!(topic.error_code, 0 | 36) {
                        self.answers += u64::from(self.wanted.remove(&topic.name).is_some());
                    }
                }
            }
            Some(ResponseBody::DeleteTopics(response)) => {
                for _ in response.responses.iter().filter(|topic| topic.error_code == 0) {
                    street.marks.hit("client.deleted_a_topic");
                }
            }
            Some(body) => tuning::settled(&body, answered.purpose == Purpose::Tuning, street),
            None => {}
        }
    }
}

impl Restless {
    fn describe(
        &mut self,
        site: usize,
        connections: &mut Connections,
        chance: &mut Chance,
        street: &mut Street<'_>,
    ) {
        let dice = chance.of(ApiKey::DescribeCluster);
        if dice.below(5) > 0 {
            return;
        }
        let request = DescribeClusterRequest {
            include_cluster_authorized_operations: dice.coin(),
            endpoint_type: *dice.pick(&[1, 1, 2, 0, -1]),
            include_fenced_brokers: dice.coin(),
        };
        self.asked += usize::from(connections.request(site, &request, Purpose::Nothing, street));
    }

    /// The feature level, to one that builds of a run read, now and then to nonsense.
    fn raise(
        &mut self,
        site: usize,
        connections: &mut Connections,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        if dice.below(8) > 0 {
            return;
        }
        let now = i16::try_from(Levels::BUILD.newest.0).unwrap_or(i16::MAX);
        let update = FeatureUpdateKey {
            feature: (*dice.pick(&["rust-mq.level", "rust-mq.level", "metadata.version", ""])).into(),
            max_version_level: *dice.pick(&[now + 1, now + 1, now, now - 1, 0, i16::MAX]),
            allow_downgrade: dice.coin(),
            upgrade_type: *dice.pick(&[1, 1, 1, 3, 0]),
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: *dice.pick(&[5_000, 0, i32::MAX]),
            feature_updates: vec![update; usize::from(dice.below(9) > 0)],
            validate_only: dice.below(4) == 0,
        };
        self.asked += usize::from(connections.request(site, &request, Purpose::Nothing, street));
    }

    fn create(
        &mut self,
        site: usize,
        connections: &mut Connections,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        if dice.below(5) < 2 {
            return;
        }
        let is_check = dice.below(5) == 0;
        let count = *dice.pick(&[1, 1, 2, 3]);
        let topics: Vec<CreatableTopic> = (0..count).map(|_| self.topic(dice)).collect();
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let request = CreateTopicsRequest {
            topics,
            timeout_ms: *dice.pick(&[5_000, 0, i32::MAX]),
            validate_only: is_check,
        };
        let purpose = Purpose::Create(if is_check { Vec::new() } else { names });
        self.asked += usize::from(connections.request(site, &request, purpose, street));
    }

    /// A topic, now and then one that cannot be.
    fn topic(&self, dice: &mut Dice) -> CreatableTopic {
        let name = format!("a{}-{}", self.number, dice.below(NAMES));
        let mut topic = CreatableTopic {
            name,
            num_partitions: dice.between(1, 3) as i32,
            replication_factor: -1,
            ..Default::default()
        };
        match dice.below(6) {
            0 => topic.num_partitions = *dice.pick(&[0, -1, -2, i32::MIN]),
            1 => topic.replication_factor = *dice.pick(&[1, 0, -2, i16::MAX]),
            2 => {
                // Where each partition goes; numbers of sites begin at 1, so that one of them may be a stranger.
                (topic.num_partitions, topic.replication_factor) = (-1, -1);
                let somebody = |dice: &mut Dice| {
                    let strangers = usize::from(dice.below(8) == 0);
                    1 + dice.index(self.sites + strangers) as i32
                };
                topic.assignments = (0..dice.between(1, 3) as i32)
                    .map(|partition_index| CreatableReplicaAssignment {
                        partition_index,
                        broker_ids: vec![somebody(dice)],
                    })
                    .collect();
            }
            3 => {
                let (name, value) = *dice.pick(&CONFIGS);
                let value = Some(value.to_owned()).filter(|_| dice.below(8) > 0);
                topic.configs = vec![CreatableTopicConfig { name: name.to_owned(), value }];
            }
            4 if dice.coin() => topic.configs = long_settings(),
            _ => {}
        }
        topic
    }

    fn delete(
        &mut self,
        site: usize,
        connections: &mut Connections,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        if dice.below(5) < 3 {
            return;
        }
        let name = format!("a{}-{}", self.number, dice.below(NAMES));
        let is_new = connections.version(ApiKey::DeleteTopics) >= 6;
        let topic_id = street.ids.newest(&name).filter(|_| is_new && dice.below(3) == 0);
        let by_name = Some(name.clone()).filter(|_| topic_id.is_none());
        let topic = DeleteTopicState { name: by_name, topic_id: topic_id.unwrap_or_default() };
        let request = DeleteTopicsRequest {
            topics: if is_new { vec![topic] } else { Vec::new() },
            topic_names: if is_new { Vec::new() } else { vec![name.clone()] },
            timeout_ms: *dice.pick(&[5_000, 0, i32::MAX]),
        };
        self.asked += usize::from(connections.request(site, &request, Purpose::Delete(name), street));
    }

    /// Wants a topic that is made on the way, where the cluster does that.
    fn want(&mut self, site: usize, connections: &mut Connections, dice: &mut Dice, street: &mut Street<'_>) {
        if dice.below(5) > 0 {
            return;
        }
        let name = format!("w{}-{}", self.number, dice.below(NAMES));
        let topic = MetadataRequestTopic { name: Some(name), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: true,
            ..Default::default()
        };
        street.marks.hit("client.wanted_a_topic_made");
        self.asked += usize::from(connections.request(site, &request, Purpose::Nothing, street));
    }
}

/// A topic of the plan was made, under that id.
pub fn made(plan: &TopicPlan, id: [u8; 16], street: &mut Street<'_>) {
    street.ids.created(&plan.name, id, street.verdict);
    if plan.is_stamped_by_leaders() {
        street.ledger.stamped_by_leaders(id);
    }
}

/// Asks for topics to be made.
pub fn create(
    site: usize,
    topics: &[&TopicPlan],
    connections: &mut Connections,
    street: &mut Street<'_>,
) -> bool {
    let config = |(name, value): (&String, &String)| CreatableTopicConfig {
        name: name.clone(),
        value: Some(value.clone()),
    };
    let topic = |plan: &&TopicPlan| CreatableTopic {
        name: plan.name.clone(),
        num_partitions: plan.partitions,
        replication_factor: plan.replicas,
        configs: plan.configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: topics.iter().map(topic).collect(),
        timeout_ms: 5_000,
        validate_only: false,
    };
    let names = topics.iter().map(|plan| plan.name.clone()).collect();
    connections.request(site, &request, Purpose::Create(names), street)
}

/// As long as Kafka lets them be, and without effect.
fn long_settings() -> Vec<CreatableTopicConfig> {
    let setting = |side: &str| CreatableTopicConfig {
        name: format!("{side}.replication.throttled.replicas"),
        value: Some("1:1,".repeat(8_191)),
    };
    ["leader", "follower"].map(setting).into()
}
