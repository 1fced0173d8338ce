//! Admins: the founder makes the topics of the plan; the restless one creates and deletes topics of its own, now and
//! then with settings so long that small frames do not hold them, and asks the cluster about itself.

use super::Street;
use super::connection::{Answered, Connections, Purpose};
use crate::client::plan::TopicPlan;
use crate::dice::Dice;
use rust_mq_proto::kafka::api::create_topics::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use rust_mq_proto::kafka::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use rust_mq_proto::kafka::api::describe_cluster::DescribeClusterRequest;
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use std::collections::BTreeMap;

/// Names that a restless admin plays with.
const NAMES: u64 = 4;

/// One of so many topics that it makes has long settings.
const LONG_SETTINGS_EVERY: u32 = 8;

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
    left: u32,
    asked: usize,
}

impl Admin {
    /// One who makes those topics and is done.
    pub fn founder(topics: Vec<TopicPlan>) -> Admin {
        let wanted = topics.into_iter().map(|topic| (topic.name.clone(), topic)).collect();
        Admin { wanted, is_asked: false, restless: None, answers: 0 }
    }

    /// One who creates and deletes.
    pub fn restless(number: usize, operations: u32) -> Admin {
        let restless = Some(Restless { number, left: operations, asked: 0 });
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
    pub fn act(&mut self, connections: &mut Connections, dice: &mut Dice, street: &mut Street<'_>) {
        let site = dice.index(street.listening.len());
        if !self.wanted.is_empty() && !self.is_asked {
            let topics: Vec<&TopicPlan> = self.wanted.values().collect();
            self.is_asked = create(site, &topics, &[], connections, street);
        }
        let Some(restless) = &mut self.restless else { return };
        if restless.left == 0 || restless.asked > 2 {
            return;
        }
        restless.left -= 1;
        let name = format!("a{}-{}", restless.number, dice.below(NAMES));
        let is_sent = match dice.below(5) {
            0 => connections.request(site, &DescribeClusterRequest::default(), Purpose::Nothing, street),
            1 | 2 => delete(site, &name, connections, street),
            _ => {
                let partitions = dice.between(1, 3) as i32;
                let topic = TopicPlan { name, partitions, replicas: -1 };
                let is_long = restless.left % LONG_SETTINGS_EVERY == 0;
                let settings = if is_long { long_settings() } else { Vec::new() };
                create(site, &[&topic], &settings, connections, street)
            }
        };
        restless.asked += usize::from(is_sent);
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, street: &mut Street<'_>) {
        match &answered.purpose {
            Purpose::Versions | Purpose::Map => return,
            Purpose::Create(names) if self.restless.is_none() => {
                self.is_asked = false;
                let _ = names;
            }
            _ => {}
        }
        if let Some(restless) = &mut self.restless {
            restless.asked = restless.asked.saturating_sub(1);
        }
        *street.completed += u64::from(answered.body.is_some());
        // A founder is nearer to its end by a topic only.
        self.answers += u64::from(answered.body.is_some() && self.restless.is_some());
        match answered.body {
            Some(ResponseBody::CreateTopics(response)) => {
                for topic in response.topics {
                    if topic.error_code == 0 && topic.topic_id != [0; 16] {
                        street.ids.created(&topic.name, topic.topic_id, street.verdict);
                        street.marks.hit("client.created_a_topic");
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
            _ => {}
        }
    }
}

fn create(
    site: usize,
    topics: &[&TopicPlan],
    settings: &[CreatableTopicConfig],
    connections: &mut Connections,
    street: &mut Street<'_>,
) -> bool {
    let topic = |plan: &&TopicPlan| CreatableTopic {
        name: plan.name.clone(),
        num_partitions: plan.partitions,
        replication_factor: plan.replicas,
        configs: settings.to_vec(),
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

fn delete(site: usize, name: &str, connections: &mut Connections, street: &mut Street<'_>) -> bool {
    let is_new = connections.version(ApiKey::DeleteTopics) >= 6;
    let topic = DeleteTopicState { name: Some(name.to_owned()), topic_id: [0; 16] };
    let request = DeleteTopicsRequest {
        topics: if is_new { vec![topic] } else { Vec::new() },
        topic_names: if is_new { Vec::new() } else { vec![name.to_owned()] },
        timeout_ms: 5_000,
    };
    connections.request(site, &request, Purpose::Delete(name.to_owned()), street)
}
