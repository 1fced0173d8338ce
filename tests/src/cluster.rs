//! Three brokers on this machine, each from its own configuration file, as a user would write it.

use crate::client::Client;
use crate::folder::Folder;
use crate::node::Node;
use crate::ports::free_ports;
use kafka_protocol::messages::{
    DescribeClusterRequest, MetadataRequest, MetadataResponse, TopicName,
    metadata_request::MetadataRequestTopic,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How many brokers.
pub const SIZE: usize = 3;

/// How long the three may take for anything: founding, an election, a topic.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster, some of whose nodes may be down.
#[derive(Debug)]
pub struct Cluster {
    configs: Vec<PathBuf>,
    addresses: Vec<SocketAddr>,
    peers: Vec<SocketAddr>,
    admins: Vec<SocketAddr>,
    nodes: Vec<Option<Node>>,
    /// Stopped in their tracks.
    frozen: BTreeSet<usize>,
    /// Last, so that it is removed after the nodes are dead.
    _folder: Folder,
}

impl Cluster {
    /// Writes three files and starts them all at once, the founder last: any order must do.
    pub fn start() -> Cluster {
        let folder = Folder::new();
        let ports = free_ports(3 * SIZE);
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let addresses: Vec<SocketAddr> = ports[..SIZE].iter().map(|port| address(*port)).collect();
        let peers: Vec<SocketAddr> = ports[SIZE..2 * SIZE].iter().map(|port| address(*port)).collect();
        let admins: Vec<SocketAddr> = ports[2 * SIZE..].iter().map(|port| address(*port)).collect();
        let mut configs = Vec::new();
        for (number, admin) in admins.iter().enumerate() {
            let path = folder.path().join(format!("node-{}.yaml", number + 1));
            let storage = folder.join(&format!("data-{}", number + 1));
            std::fs::write(
                &path,
                config(number, &addresses, &peers, &storage) + &format!("admin_addr: {admin}\n"),
            )
            .expect("a temporary file can be written");
            configs.push(path);
        }
        let nodes = (0..SIZE).map(|_| None).collect();
        let mut cluster =
            Cluster { configs, addresses, peers, admins, nodes, frozen: BTreeSet::new(), _folder: folder };
        for number in (0..SIZE).rev() {
            cluster.revive(number);
        }
        cluster
    }

    /// All client addresses, as a client's bootstrap list.
    pub fn bootstrap(&self) -> String {
        self.addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
    }

    /// The number of the node whose clients come to this address.
    pub fn number_at(&self, address: SocketAddr) -> Option<usize> {
        self.addresses.iter().position(|known| *known == address)
    }

    /// Where a node listens for the other nodes.
    pub fn peer_address(&self, number: usize) -> SocketAddr {
        self.peers[number]
    }

    /// Where a node is watched.
    pub fn admin_address(&self, number: usize) -> SocketAddr {
        self.admins[number]
    }

    /// Kills a node as `kill -9` does.
    pub fn kill(&mut self, number: usize) {
        // Dropping it kills it.
        self.nodes[number] = None;
    }

    /// Starts a node that is down.
    pub fn revive(&mut self, number: usize) {
        let config = self.configs[number].to_str().expect("temporary paths are UTF-8");
        let started = Node::start_at(&["--config", config], self.addresses[number]);
        let node = started.unwrap_or_else(|refusal| {
            panic!("node {} ended with {}:\n{}", number + 1, refusal.status, refusal.log)
        });
        self.nodes[number] = Some(node);
    }

    /// Stops a node in its tracks: it holds its sockets and answers nobody.
    pub fn freeze(&mut self, number: usize) {
        self.node(number).freeze();
        self.frozen.insert(number);
    }

    /// Lets a frozen node go on, as if no time had passed.
    pub fn thaw(&mut self, number: usize) {
        self.node(number).thaw();
        self.frozen.remove(&number);
    }

    /// A running node.
    #[track_caller]
    pub fn node(&self, number: usize) -> &Node {
        self.nodes[number].as_ref().unwrap_or_else(|| panic!("node {} is down", number + 1))
    }

    /// The number of the node that leads partition 0 of `topic`, as two of the running nodes see it.
    pub fn leader(&self, topic: &str) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let views: Vec<usize> =
                (0..SIZE).filter_map(|number| self.leader_seen_by(number, topic)).collect();
            for number in 0..SIZE {
                let is_running = self.nodes[number].is_some() && !self.frozen.contains(&number);
                if views.iter().filter(|view| **view == number).count() >= 2 && is_running {
                    return number;
                }
            }
            assert!(
                Instant::now() < deadline,
                "no leader for {topic} within {PATIENCE:?}; the nodes see {views:?}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn leader_seen_by(&self, number: usize, topic: &str) -> Option<usize> {
        let node = self.nodes[number].as_ref().filter(|_| !self.frozen.contains(&number))?;
        let answer = metadata(&mut Client::try_connect(node.address()).ok()?, topic)?;
        let leader = answer.topics.first()?.partitions.first()?.leader_id.0;
        usize::try_from(leader - 1).ok().filter(|index| *index < SIZE)
    }
}

/// What a node says about one topic, which is made if it does not exist.
pub fn metadata(client: &mut Client, topic: &str) -> Option<MetadataResponse> {
    let name = TopicName(StrBytes::from_string(topic.to_owned()));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![MetadataRequestTopic::default().with_name(Some(name))]))
        .with_allow_auto_topic_creation(true);
    client.try_ask(9, &request)
}

/// Where a client is told that the nodes are, by their ids: by Metadata and by DescribeCluster, which agree.
#[track_caller]
pub fn told(client: &mut Client) -> Vec<String> {
    let answer = metadata(client, "any").expect("metadata is answered");
    let broker = |id: i32, host: &str, port: i32| (id, format!("{host}:{port}"));
    let brokers = answer.brokers.iter().map(|known| broker(known.node_id.0, &known.host, known.port));
    let mut brokers: Vec<(i32, String)> = brokers.collect();
    let cluster = client.ask(0, &DescribeClusterRequest::default());
    let again = cluster.brokers.iter().map(|known| broker(known.broker_id.0, &known.host, known.port));
    let mut again: Vec<(i32, String)> = again.collect();
    brokers.sort();
    again.sort();
    assert_eq!(brokers, again, "all of the API says the same");
    brokers.into_iter().map(|(_, address)| address).collect()
}

/// The configuration file of one node; node 1 founds the cluster.
fn config(number: usize, addresses: &[SocketAddr], peers: &[SocketAddr], storage: &str) -> String {
    let mut text = format!(
        "node_id: {}\napi_addr: {}\nrpc_addr: {}\nstorage_path: {storage}\n\
         cluster:\n  bootstrap: {}\n  initial_members:\n",
        number + 1,
        addresses[number],
        peers[number],
        number == 0
    );
    for member in 0..addresses.len() {
        let (id, api, rpc) = (member + 1, addresses[member], peers[member]);
        writeln!(text, "    - node_id: {id}\n      api_addr: {api}\n      rpc_addr: {rpc}")
            .expect("writing to a string cannot fail");
    }
    text
}
