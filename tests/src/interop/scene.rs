//! Where the play is given: one broker on a disk, or three of which some may die. What the broker keeps is looked up
//! here through a codec that is not the client's.

use super::{Outcome, wrong};
use crate::client::Client;
use crate::cluster::{Cluster, metadata};
use crate::dialogue::{create_topics, name, topic_with};
use crate::folder::Folder;
use crate::node::Node;
use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FindCoordinatorRequest, GroupId, ListOffsetsRequest, MetadataRequest,
    OffsetFetchRequest,
};
use kafka_protocol::protocol::StrBytes;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// How long the broker may take for a topic, an election or a coordinator.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The brokers of a play.
#[derive(Debug)]
pub enum Scene {
    /// One node, with its data.
    One(Box<Node>, Folder),
    /// Three nodes.
    Three(Cluster),
}

impl Scene {
    /// A node alone, on a disk.
    pub fn one() -> Scene {
        let folder = Folder::new();
        Scene::One(Box::new(Node::on_disk(&folder.join("data"))), folder)
    }

    /// Three nodes.
    pub fn three() -> Scene {
        Scene::Three(Cluster::start())
    }

    /// What the matrix calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Scene::One(..) => "one node",
            Scene::Three(_) => "three nodes",
        }
    }

    /// How many copies a topic may have.
    pub fn replicas(&self) -> i16 {
        match self {
            Scene::One(..) => 1,
            Scene::Three(_) => 3,
        }
    }

    /// A client's bootstrap list.
    pub fn bootstrap(&self) -> String {
        match self {
            Scene::One(node, _) => node.bootstrap(),
            Scene::Three(cluster) => cluster.bootstrap(),
        }
    }

    /// The three nodes, if it is three.
    pub fn cluster(&mut self) -> Option<&mut Cluster> {
        match self {
            Scene::One(..) => None,
            Scene::Three(cluster) => Some(cluster),
        }
    }

    /// Makes a topic, and waits until each partition has a leader.
    pub fn make(&self, topic: &str, partitions: i32) -> Outcome<()> {
        let wanted =
            topic_with(topic, &[]).with_num_partitions(partitions).with_replication_factor(self.replicas());
        self.until(&format!("a topic {topic} of ours"), || {
            let made = create_topics(&mut self.connect().ok()?, vec![wanted.clone()]);
            // Made, or made by an attempt whose answer was another. A node that has no controller says so meanwhile.
            matches!(made[0].error_code, 0 | 36).then_some(())
        })?;
        (0..partitions).try_for_each(|partition| self.leader(topic, partition).map(|_| ()))
    }

    /// Waits until the topic is known, or until it is not.
    pub fn comes_to_know(&self, topic: &str, is_known: bool) -> Outcome<()> {
        let what = if is_known { "made" } else { "deleted" };
        self.until(&format!("it was told that {topic} is {what}, and it is not"), || {
            let request = MetadataRequest::default().with_topics(None);
            let all = self.connect().ok()?.try_ask(9, &request)?;
            let mut names = all.topics.iter().filter_map(|known| known.name.as_ref());
            (names.any(|name| name.as_str() == topic) == is_known).then_some(())
        })
    }

    /// Where each partition ends.
    pub fn ends(&self, topic: &str, partitions: i32) -> Outcome<Vec<i64>> {
        (0..partitions).map(|partition| self.edge(topic, partition, -1)).collect()
    }

    /// Where a partition ends (-1) or begins (-2).
    pub fn edge(&self, topic: &str, partition: i32, timestamp: i64) -> Outcome<i64> {
        let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
        let topics = vec![ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![asked])];
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics);
        self.until(&format!("an end of {topic}/{partition}"), || {
            let answer = connect(self.leader(topic, partition).ok()?)?.try_ask(5, &request)?;
            let said = answer.topics.first()?.partitions.first()?.clone();
            (said.error_code == 0).then_some(said.offset)
        })
    }

    /// What was committed for each partition; -1 where nothing was.
    pub fn committed(&self, group: &str, topic: &str, partitions: i32) -> Outcome<Vec<i64>> {
        let asked = OffsetFetchRequestTopics::default()
            .with_name(name(topic))
            .with_partition_indexes((0..partitions).collect());
        let group_id = GroupId(StrBytes::from_string(group.to_owned()));
        let asked = OffsetFetchRequestGroup::default().with_group_id(group_id).with_topics(Some(vec![asked]));
        let request = OffsetFetchRequest::default().with_groups(vec![asked]).with_require_stable(true);
        self.until(&format!("the commits of {group}"), || {
            let answer = connect(self.coordinator(group).ok()?)?.try_ask(8, &request)?;
            let said = answer.groups.first().filter(|said| said.error_code == 0)?;
            let mut found: Vec<(i32, i64)> = said
                .topics
                .first()?
                .partitions
                .iter()
                .map(|known| (known.partition_index, known.committed_offset))
                .collect();
            found.sort_unstable();
            Some(found.into_iter().map(|(_, offset)| offset).collect())
        })
    }

    /// The first batches of partition 0, as they are kept.
    pub fn stored(&self, topic: &str, partition: i32) -> Outcome<Bytes> {
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_partition_max_bytes(1 << 20)
            .with_current_leader_epoch(-1);
        let topics = vec![FetchTopic::default().with_topic(name(topic)).with_partitions(vec![asked])];
        let request =
            FetchRequest::default().with_replica_id(BrokerId(-1)).with_max_bytes(1 << 20).with_topics(topics);
        self.until(&format!("the records of {topic}/{partition}"), || {
            let answer = connect(self.leader(topic, partition).ok()?)?.try_ask(11, &request)?;
            answer.responses.first()?.partitions.first()?.records.clone()
        })
    }

    /// Who leads a partition.
    pub fn leader(&self, topic: &str, partition: i32) -> Outcome<SocketAddr> {
        self.until(&format!("a leader of {topic}/{partition}"), || {
            let answer = metadata(&mut self.connect().ok()?, topic)?;
            let mut known = answer.topics.first()?.partitions.iter();
            let leader = known.find(|known| known.partition_index == partition)?.leader_id;
            let broker = answer.brokers.iter().find(|broker| broker.node_id == leader)?;
            let address = format!("{}:{}", broker.host, broker.port).parse().ok()?;
            connect(address).map(|_| address)
        })
    }

    /// Who coordinates a group.
    pub fn coordinator(&self, group: &str) -> Outcome<SocketAddr> {
        let key = StrBytes::from_string(group.to_owned());
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![key]);
        self.until(&format!("a coordinator of {group}"), || {
            let answer = self.connect().ok()?.try_ask(4, &request)?;
            let said = answer.coordinators.first().filter(|said| said.error_code == 0)?;
            let address = format!("{}:{}", said.host, said.port).parse().ok()?;
            connect(address).map(|_| address)
        })
    }

    /// A connection to a node that lives.
    fn connect(&self) -> Outcome<Client> {
        let bootstrap = self.bootstrap();
        let mut nodes = bootstrap.split(',');
        let found = nodes.find_map(|address| connect(address.parse().ok()?));
        found.map_or_else(|| wrong("no node of ours answers"), Ok)
    }

    fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> Outcome<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if Instant::now() > deadline {
                return wrong(format!("{what}: not within {PATIENCE:?}"));
            }
            thread::sleep(LOOK);
        }
    }
}

fn connect(address: SocketAddr) -> Option<Client> {
    Client::try_connect(address).ok()
}
