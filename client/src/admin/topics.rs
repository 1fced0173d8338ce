//! Topics: which there are, and to make, widen and delete them.

use super::Admin;
use crate::client::To;
use crate::machine::error::Error;
use rust_mq_proto::grpc;
use std::collections::BTreeMap;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id: another topic of the same name has another one.
    pub id: [u8; 16],
    /// Whether it is the broker's own, which clients cannot write to.
    pub is_internal: bool,
    /// Its partitions, rising by number.
    pub partitions: Vec<Partition>,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0.
    pub number: i32,
    /// The node that leads it; none while there is none.
    pub leader: Option<i32>,
    /// The leader's epoch.
    pub leader_epoch: i32,
    /// The nodes that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that have all that is committed.
    pub in_sync: Vec<i32>,
    /// Those of them that are not there.
    pub offline: Vec<i32>,
}

/// A topic to make. What is not said is the brokers' default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    name: String,
    partitions: Option<i32>,
    replication_factor: Option<i32>,
    settings: BTreeMap<String, String>,
    is_trial: bool,
}

/// A topic that was made, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// How many partitions it has.
    pub partitions: i32,
    /// How many replicas each has.
    pub replication_factor: i32,
}

impl NewTopic {
    /// A topic of that name.
    pub fn new(name: impl Into<String>) -> NewTopic {
        NewTopic {
            name: name.into(),
            partitions: None,
            replication_factor: None,
            settings: BTreeMap::new(),
            is_trial: false,
        }
    }

    /// With so many partitions.
    pub fn partitions(self, partitions: i32) -> NewTopic {
        NewTopic { partitions: Some(partitions), ..self }
    }

    /// With so many replicas of each partition.
    pub fn replication_factor(self, replication_factor: i32) -> NewTopic {
        NewTopic { replication_factor: Some(replication_factor), ..self }
    }

    /// With that setting: `retention.ms`, say.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> NewTopic {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Only says what would come of it.
    pub fn trial(self, is_trial: bool) -> NewTopic {
        NewTopic { is_trial, ..self }
    }
}

impl Admin {
    /// All topics by name, the broker's own among them.
    ///
    /// # Errors
    /// No node answered.
    pub async fn topics(&self) -> Result<Vec<Topic>, Error> {
        let mut topics: Vec<Topic> = self.told(Vec::new()).await?.topics.into_iter().map(topic).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }

    /// One topic.
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION if it is not there; no node answered.
    pub async fn topic(&self, name: &str) -> Result<Topic, Error> {
        let told = self.told(vec![name.to_owned()]).await?;
        Ok(topic(Admin::only(told.topics, name)?))
    }

    /// Makes a topic, and waits until it is there.
    ///
    /// # Errors
    /// TOPIC_ALREADY_EXISTS, also if an earlier attempt took effect of which nothing was heard; INVALID_CONFIG,
    /// INVALID_REPLICATION_FACTOR and their like.
    pub async fn create_topic(&self, new: NewTopic) -> Result<CreatedTopic, Error> {
        let name = new.name.clone();
        let asked = grpc::CreateTopicsRequest {
            topics: vec![grpc::NewTopic {
                name: new.name,
                partitions: new.partitions,
                replication_factor: new.replication_factor,
                configs: new.settings,
                assignments: Vec::new(),
            }],
            timeout_ms: 0,
            validate_only: new.is_trial,
        };
        let made = Admin::only(self.ask(To::Controller, asked).await?.topics, &name)?;
        Ok(CreatedTopic { partitions: made.partitions, replication_factor: made.replication_factor })
    }

    /// Deletes a topic with all its records, and waits until it is gone.
    ///
    /// # Errors
    /// UNKNOWN_TOPIC_OR_PARTITION if it is not there.
    pub async fn delete_topic(&self, name: &str) -> Result<(), Error> {
        let asked = grpc::DeleteTopicsRequest { topics: vec![name.to_owned()], ..Default::default() };
        self.ask(To::Controller, asked).await.map(drop)
    }

    /// Gives a topic more partitions: so many with those that it has. Keys go to other partitions from then on. As a
    /// trial it only says what would come of it.
    ///
    /// # Errors
    /// INVALID_PARTITIONS if it has as many or more.
    pub async fn create_partitions(&self, name: &str, count: i32, is_trial: bool) -> Result<(), Error> {
        let topic = grpc::WiderTopic { name: name.to_owned(), partitions: count, ..Default::default() };
        let asked =
            grpc::CreatePartitionsRequest { topics: vec![topic], timeout_ms: 0, validate_only: is_trial };
        self.ask(To::Controller, asked).await.map(drop)
    }

    /// What a node tells of topics, remembered: all of them if none is named.
    pub(super) async fn told(&self, names: Vec<String>) -> Result<grpc::GetTopicMetadataResponse, Error> {
        let asked = grpc::GetTopicMetadataRequest { topics: names, allow_auto_topic_creation: false };
        let told = self.ask(To::Anyone, asked).await?;
        self.client.learn_topics(&told);
        Ok(told)
    }
}

/// Topics of which a node tells an error have no partitions to show.
fn topic(told: grpc::Topic) -> Topic {
    Topic {
        name: told.name,
        id: <[u8; 16]>::try_from(&told.topic_id[..]).unwrap_or_default(),
        is_internal: told.is_internal,
        partitions: told.partitions.into_iter().map(partition).collect(),
    }
}

fn partition(told: grpc::Partition) -> Partition {
    Partition {
        number: told.partition,
        leader: (told.leader_id >= 0).then_some(told.leader_id),
        leader_epoch: told.leader_epoch,
        replicas: told.replica_ids,
        in_sync: told.in_sync_ids,
        offline: told.offline_ids,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_without_a_leader_says_so() {
        let told =
            grpc::Partition { partition: 3, leader_id: -1, replica_ids: vec![1, 2], ..Default::default() };
        let partition = partition(told);
        assert_eq!((partition.number, partition.leader, partition.replicas), (3, None, vec![1, 2]));
    }
}
