//! All nodes of one side, from empty folders to their end, and what its clients have to know: where each partition
//! is led.
//!
//! Invariant: of all clusters of this program at most one lives; both sides would otherwise share the processors.

use crate::client::Client;
use crate::kernel::{CallCount, Reading};
use crate::side::kafka::{self, Ports};
use crate::side::kit::Kit;
use crate::side::process::Process;
use crate::side::{Durability, Setup, Subject, ours};
use rust_mq_proto::kafka::api::create_topics::{CreatableTopic, CreateTopicsRequest};
use rust_mq_proto::kafka::api::delete_topics::DeleteTopicsRequest;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic};
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// How long a new topic may take to have leaders.
const LEADERS_MAX: Duration = Duration::from_secs(60);

/// A running side. Killed when dropped.
pub struct Cluster {
    nodes: Vec<Process>,
    folders: Vec<PathBuf>,
    ports: Vec<Ports>,
    /// Who it is.
    pub subject: Subject,
    /// How it was set up.
    pub setup: Setup,
    /// From the start of the first process to an answer from the last.
    pub start_time: Duration,
    /// The settings of the first node.
    pub settings: String,
}

/// A topic, and who leads its partitions.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The address of each partition's leader.
    pub leaders: Vec<String>,
}

impl Cluster {
    /// Starts a side on empty folders, and waits until it has answered.
    pub fn start(kit: &Kit, subject: Subject, setup: Setup) -> io::Result<Cluster> {
        let base = if setup.durability == Durability::Memory { &kit.memory } else { &kit.disk };
        // The last run's folders; on the first run there are none.
        let _ = fs::remove_dir_all(base);
        let ports = free_ports(setup.nodes);
        let folders: Vec<PathBuf> = (1..=ports.len()).map(|number| base.join(number.to_string())).collect();
        let mut settings = String::new();
        for (at, folder) in folders.iter().enumerate() {
            fs::create_dir_all(folder)?;
            if subject == Subject::Kafka {
                let text = kafka::properties(setup, at + 1, &ports, folder);
                kafka::format(kit, folder, &text)?;
                settings = if at == 0 { text } else { settings };
            }
        }
        // What the last side left to be written must not be written at this one's expense.
        rustix::fs::sync();
        let mut cluster = Cluster {
            nodes: Vec::new(),
            folders,
            ports,
            subject,
            setup,
            start_time: Duration::ZERO,
            settings,
        };
        cluster.start_time = cluster.start_nodes(kit)?;
        Ok(cluster)
    }

    fn start_nodes(&mut self, kit: &Kit) -> io::Result<Duration> {
        let begun = Instant::now();
        for (at, folder) in self.folders.clone().iter().enumerate() {
            let command = self.command(kit, at + 1, folder)?;
            let address = format!("127.0.0.1:{}", self.ports[at].clients);
            self.nodes.push(Process::start(command, address, &folder.join("log.txt"))?);
        }
        self.nodes.iter_mut().try_for_each(|node| node.first_answer().map(drop))?;
        Ok(begun.elapsed())
    }

    fn command(&mut self, kit: &Kit, number: usize, folder: &Path) -> io::Result<Command> {
        if self.subject == Subject::Kafka {
            return Ok(kafka::command(kit, self.setup, folder));
        }
        let (command, text) = ours::command(kit, self.setup, number, &self.ports, folder)?;
        if number == 1 {
            self.settings = text;
        }
        Ok(command)
    }

    /// Kills every node at once and starts them on what is on the disk: how long to the first answers.
    pub fn crash_and_start(&mut self, kit: &Kit) -> io::Result<Duration> {
        self.nodes.iter_mut().try_for_each(Process::kill)?;
        self.nodes.clear();
        self.start_nodes(kit)
    }

    /// Where its nodes are reached, for clients that find their way alone.
    pub fn addresses(&self) -> String {
        self.nodes.iter().map(|node| node.address.as_str()).collect::<Vec<_>>().join(",")
    }

    /// The node that serves at this address.
    pub fn node_mut(&mut self, address: &str) -> Option<&mut Process> {
        self.nodes.iter_mut().find(|node| node.address == address)
    }

    /// What the kernel has counted for all nodes together.
    pub fn reading(&self) -> io::Result<Reading> {
        self.nodes.iter().try_fold(Reading::default(), |sum, node| Ok(sum.add(node.reading()?)))
    }

    /// Counts its system calls from now on.
    pub fn count_calls(&self) -> io::Result<CallCount> {
        CallCount::start(&self.nodes.iter().map(Process::id).collect::<Vec<_>>())
    }

    /// Makes topics with these names, and waits until all partitions are led.
    pub fn create_topics(&self, names: &[String], partitions: i32) -> io::Result<Vec<Topic>> {
        let deadline = Instant::now() + LEADERS_MAX;
        let mut refused = self.ask_for_topics(names, partitions);
        // A cluster that was just founded has no controller for a moment, and not all nodes have registered.
        while let Err(error) = refused {
            if Instant::now() > deadline {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(50));
            refused = self.ask_for_topics(names, partitions);
        }
        loop {
            match self.leaders(names) {
                Ok(Some(topics)) => return Ok(topics),
                Err(error) if Instant::now() > deadline => return Err(error),
                Ok(None) if Instant::now() > deadline => {
                    return Err(io::Error::other("some partitions were never led"));
                }
                Ok(None) | Err(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Makes one topic.
    pub fn create_topic(&self, name: &str, partitions: i32) -> io::Result<Topic> {
        let made = self.create_topics(&[name.to_owned()], partitions)?;
        made.into_iter().next().ok_or_else(|| io::Error::other("no topic was made"))
    }

    fn ask_for_topics(&self, names: &[String], partitions: i32) -> io::Result<()> {
        let topic = |name: &String| CreatableTopic {
            name: name.clone(),
            num_partitions: partitions,
            replication_factor: i16::try_from(self.setup.nodes).unwrap_or(1),
            ..Default::default()
        };
        let topics = names.iter().map(topic).collect();
        let request = CreateTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() };
        let response = Client::connect(&self.nodes[0].address)?.ask(5, &request)?;
        // 36: it exists; an earlier try was cut short.
        match response.topics.iter().find(|topic| ![0, 36].contains(&topic.error_code)) {
            None => Ok(()),
            Some(topic) => {
                Err(io::Error::other(format!("creating '{}' failed: {}", topic.name, topic.error_code)))
            }
        }
    }

    /// Who leads these topics' partitions; nothing if one is not led yet, or if its leader does not serve it yet:
    /// a node may name the leader before the leader knows.
    fn leaders(&self, names: &[String]) -> io::Result<Option<Vec<Topic>>> {
        for node in &self.nodes {
            let Some(topics) = leaders_seen_by(&node.address, names)? else { return Ok(None) };
            let leads = |address: &String| topics.iter().any(|topic| topic.leaders.contains(address));
            if leads(&node.address) && !is_served(&node.address, &topics)? {
                return Ok(None);
            }
        }
        leaders_seen_by(&self.nodes[0].address, names)
    }

    /// Removes a topic, so that the next work finds room.
    pub fn delete_topic(&self, name: &str) -> io::Result<()> {
        let request = DeleteTopicsRequest {
            topic_names: vec![name.to_owned()],
            timeout_ms: 30_000,
            ..Default::default()
        };
        Client::connect(&self.nodes[0].address)?.ask(4, &request).map(drop)
    }
}

/// Whether a node answers a fetch of all that it leads.
fn is_served(address: &str, topics: &[Topic]) -> io::Result<bool> {
    let fetch_topic = |topic: &Topic| {
        let led = (0..).zip(&topic.leaders).filter(|(_, leader)| *leader == address);
        let partitions = led.map(|(partition, _)| FetchPartition { partition, ..Default::default() });
        FetchTopic { topic: topic.name.clone(), partitions: partitions.collect(), ..Default::default() }
    };
    let topics: Vec<FetchTopic> = topics.iter().map(fetch_topic).collect();
    let topics = topics.into_iter().filter(|topic| !topic.partitions.is_empty()).collect();
    let request = FetchRequest { topics, ..Default::default() };
    let response = Client::connect(address)?.ask(11, &request)?;
    Ok(response
        .responses
        .iter()
        .flat_map(|topic| &topic.partitions)
        .all(|partition| partition.error_code == 0))
}

/// Who leads these topics' partitions in the eyes of one node; nothing if one is not led yet.
pub fn leaders_seen_by(address: &str, names: &[String]) -> io::Result<Option<Vec<Topic>>> {
    let topic = |name: &String| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
    let request = MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..Default::default() };
    let response = Client::connect(address)?.ask(5, &request)?;
    let topics: Vec<Topic> = response.topics.iter().filter_map(|topic| topic_of(topic, &response)).collect();
    Ok((topics.len() == names.len()).then_some(topics))
}

fn topic_of(
    topic: &rust_mq_proto::kafka::api::metadata::MetadataResponseTopic,
    response: &MetadataResponse,
) -> Option<Topic> {
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let address = |id: i32| {
        let broker = response.brokers.iter().find(|broker| broker.node_id == id)?;
        Some(format!("{}:{}", broker.host, broker.port))
    };
    let leaders: Option<Vec<String>> =
        partitions.iter().map(|partition| address(partition.leader_id)).collect();
    let leaders = leaders.filter(|leaders| !leaders.is_empty() && topic.error_code == 0)?;
    Some(Topic { name: topic.name.clone()?, leaders })
}

/// Ports that nobody listens on, and nobody is given.
fn free_ports(nodes: u16) -> Vec<Ports> {
    let numbers = tests::ports::free_ports(usize::from(nodes) * 2);
    numbers.chunks(2).map(|pair| Ports { clients: pair[0], peers: pair[1] }).collect()
}
