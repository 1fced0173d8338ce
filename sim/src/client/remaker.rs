//! Remakers: delete topics that others write to and read, by name or by id, and make them again, with other settings.
//! Nothing of the old one may appear in the new one (C14), nor stay on a disk (C19).

use super::Street;
use super::admin;
use super::chance::Chance;
use super::connection::Connections;
use super::plan::TopicPlan;
use super::purpose::{Answered, Purpose};
use crate::clock::{MILLI, Moment};
use rust_mq_proto::kafka::api::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

/// A topic is left alone so long at least, so that something gets into it. Milliseconds.
const REST_MS: u64 = 1_000;

/// A remaker.
#[derive(Debug)]
pub struct Remaker {
    topics: Vec<Remade>,
    left: u32,
    is_calm: bool,
    steps: u64,
}

/// One topic.
#[derive(Debug)]
struct Remade {
    plan: TopicPlan,
    stage: Stage,
    is_asked: bool,
    not_before: Moment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It is there, under this id if that is known.
    There(Option<[u8; 16]>),
    Gone,
}

impl Remaker {
    /// One who remakes those of the topics that are for it.
    pub fn new(topics: Vec<TopicPlan>, operations: u32) -> Remaker {
        let remade = |plan: TopicPlan| Remade {
            plan,
            stage: Stage::There(None),
            is_asked: false,
            not_before: Moment(4 * REST_MS * MILLI),
        };
        let topics = topics.into_iter().filter(|topic| topic.is_remade).map(remade).collect();
        Remaker { topics, left: operations, is_calm: false, steps: 0 }
    }

    /// It only makes what is gone, and goes on asking for it: a deletion whose answer was lost may still be under way.
    pub fn calm(&mut self) {
        self.left = 0;
        self.is_calm = true;
    }

    /// Answers that brought it nearer to its end.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What is open.
    pub fn open_work(&self) -> Option<String> {
        let is_open = |topic: &&Remade| topic.stage == Stage::Gone;
        let topic = self.topics.iter().find(is_open)?;
        Some(format!("topic {} is not made again", topic.plan.name))
    }

    /// Does what is next.
    pub fn act(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        let now = street.now();
        for topic in &mut self.topics {
            if topic.is_asked || now < topic.not_before {
                continue;
            }
            let site = connections.anyone(&mut chance.whom);
            topic.is_asked = match topic.stage {
                Stage::Gone => admin::create(site, &[&topic.plan], connections, street),
                Stage::There(_) if self.is_calm => admin::create(site, &[&topic.plan], connections, street),
                Stage::There(_) if self.left == 0 => continue,
                Stage::There(id) => {
                    self.left -= 1;
                    let id = id.filter(|_| chance.of(ApiKey::DeleteTopics).coin());
                    delete(site, &topic.plan.name, id, connections, street)
                }
            };
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: Answered, street: &mut Street<'_>) {
        let name = match &answered.purpose {
            Purpose::Create(names) => names.first().cloned(),
            Purpose::Delete(name) => Some(name.clone()),
            _ => None,
        };
        let Some(topic) = self.topics.iter_mut().find(|topic| Some(&topic.plan.name) == name.as_ref()) else {
            return;
        };
        topic.is_asked = false;
        topic.not_before = street.now().after(20 * MILLI);
        *street.completed += u64::from(answered.body.is_some());
        if answered.body.is_none() && matches!(answered.purpose, Purpose::Delete(_)) {
            topic.stage = Stage::Gone;
        }
        match answered.body {
            Some(ResponseBody::CreateTopics(response)) => {
                for made in response.topics {
                    // 36: made by an attempt whose answer was lost.
                    if !matches!(made.error_code, 0 | 36) {
                        continue;
                    }
                    let id = Some(made.topic_id).filter(|id| made.error_code == 0 && *id != [0; 16]);
                    if let Some(id) = id {
                        admin::made(&topic.plan, id, street);
                        street.marks.hit("client.made_a_topic_again");
                    }
                    topic.stage = Stage::There(id);
                    topic.not_before = street.now().after(REST_MS * MILLI);
                    self.steps += 1;
                }
            }
            Some(ResponseBody::DeleteTopics(response)) => {
                for gone in response.responses {
                    if gone.error_code == 0 {
                        street.ids.deleted(gone.topic_id);
                        street.marks.hit("client.deleted_a_topic_with_data");
                    }
                    // Unknown by name or id: gone by an attempt whose answer was lost.
                    if matches!(gone.error_code, 0 | 3 | 100) {
                        topic.stage = Stage::Gone;
                        self.steps += 1;
                    }
                }
            }
            _ => {}
        }
    }
}

fn delete(
    site: usize,
    name: &str,
    id: Option<[u8; 16]>,
    connections: &mut Connections,
    street: &mut Street<'_>,
) -> bool {
    if id.is_some() {
        street.marks.hit("client.deleted_a_topic_by_id");
    }
    let named = Some(name.to_owned()).filter(|_| id.is_none());
    let topic = DeleteTopicState { name: named, topic_id: id.unwrap_or_default() };
    let request = DeleteTopicsRequest { topics: vec![topic], topic_names: Vec::new(), timeout_ms: 5_000 };
    connections.request(site, &request, Purpose::Delete(name.to_owned()), street)
}
