//! What is known of the cluster: its nodes, who leads what, and whom to ask for more.
//!
//! Knowledge is a hint: a node that is asked and is the wrong one says so. Invariant: of two leaders of a partition the
//! one with the higher epoch is kept, so that what a node tells that lags behind does not undo what is known. A topic that
//! was deleted and made again is another one, whatever its name: its epochs begin anew.

use bytes::Bytes;
use rust_mq_proto::grpc;
use std::collections::BTreeMap;

/// A picture of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Map {
    bootstrap: Vec<String>,
    nodes: BTreeMap<i32, String>,
    controller: Option<i32>,
    topics: BTreeMap<String, Topic>,
    coordinators: BTreeMap<String, String>,
    /// What each address was last of no help for.
    troubles: BTreeMap<String, Trouble>,
    /// How many of these there were.
    last_trouble: u64,
}

/// Why an address was of no help, and the number of that: the higher, the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It could not be reached, or was silent.
    Unreachable(u64),
    /// It answered, and knew nothing of use.
    Useless(u64),
}

/// Who leads a topic's partitions.
#[derive(Clone, Debug, Default)]
struct Topic {
    /// Empty while only a leader was named.
    id: Bytes,
    leaders: BTreeMap<i32, Leader>,
}

/// Who leads a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leader {
    epoch: i32,
    /// None while there is none, or the one that was known is not.
    address: Option<String>,
}

impl Map {
    /// Nothing is known but some addresses.
    pub fn new(bootstrap: Vec<String>) -> Map {
        Map { bootstrap, ..Map::default() }
    }

    /// A node has told what it knows, of the topics that it was asked for.
    pub fn learn(&mut self, told: &grpc::GetTopicMetadataResponse) {
        self.learn_nodes(&told.nodes, told.controller_id);
        for topic in told.topics.iter().filter(|topic| topic.error.is_none()) {
            let known = self.topics.entry(topic.name.clone()).or_default();
            if known.id != topic.topic_id {
                *known = Topic { id: topic.topic_id.clone(), leaders: BTreeMap::new() };
            }
            let known = &mut known.leaders;
            known.retain(|number, _| topic.partitions.iter().any(|told| told.partition == *number));
            for told in &topic.partitions {
                let leader =
                    Leader { epoch: told.leader_epoch, address: self.nodes.get(&told.leader_id).cloned() };
                let is_older = known.get(&told.partition).is_some_and(|known| leader.epoch < known.epoch);
                if !is_older {
                    known.insert(told.partition, leader);
                }
            }
        }
    }

    /// A node has told which nodes there are.
    pub fn learn_nodes(&mut self, nodes: &[grpc::Node], controller: i32) {
        if !nodes.is_empty() {
            self.nodes = nodes.iter().map(|node| (node.node_id, address(node))).collect();
        }
        self.controller = (controller >= 0).then_some(controller);
    }

    /// A node that does not lead a partition has said who does.
    pub fn follow(&mut self, topic: &str, partition: i32, leader: &grpc::Node) {
        let known = self.topics.entry(topic.to_owned()).or_default();
        let known = known.leaders.entry(partition).or_insert(Leader { epoch: -1, address: None });
        known.address = Some(address(leader));
    }

    /// Who was said to lead a partition does not.
    pub fn doubt(&mut self, topic: &str, partition: i32) {
        if let Some(known) = self.topics.get_mut(topic).and_then(|topic| topic.leaders.get_mut(&partition)) {
            known.address = None;
        }
    }

    /// The address of the node that leads a partition, if it is known.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<&str> {
        self.topics.get(topic)?.leaders.get(&partition)?.address.as_deref()
    }

    /// The address of a node.
    pub fn node(&self, id: i32) -> Option<&str> {
        self.nodes.get(&id).map(String::as_str)
    }

    /// The address of the node that creates and deletes topics.
    pub fn controller(&self) -> Option<&str> {
        self.node(self.controller?)
    }

    /// Nobody is known to create and delete topics.
    pub fn doubt_controller(&mut self) {
        self.controller = None;
    }

    /// The address of the node that coordinates a group.
    pub fn coordinator(&self, group: &str) -> Option<&str> {
        self.coordinators.get(group).map(String::as_str)
    }

    /// That node coordinates that group.
    pub fn learn_coordinator(&mut self, group: &str, node: &grpc::Node) {
        self.coordinators.insert(group.to_owned(), address(node));
    }

    /// Nobody is known to coordinate that group.
    pub fn doubt_coordinator(&mut self, group: &str) {
        self.coordinators.remove(group);
    }

    /// Whom to ask what any node knows: of the nodes that are known and the first addresses one that was of help, or else
    /// the one that was of none longest ago. How often it was is not counted: once all have had their share, who is silent
    /// now would be asked until it has caught up with the others. Who answers and knows nothing is of no help, too: a node
    /// that is cut off from the others knows nothing for as long as that lasts.
    pub fn anyone(&self) -> &str {
        let all = self.nodes.values().chain(&self.bootstrap);
        all.min_by_key(|address| self.troubles.get(*address).map_or(0, Trouble::number))
            .map_or("", String::as_str)
    }

    /// That address answered what any node should know, and did not know it: another one may.
    pub fn knew_nothing(&mut self, address: &str) {
        self.was_no_help(address, Trouble::Useless);
    }

    /// Somebody knew what was asked for.
    pub fn was_helped(&mut self) {
        self.troubles.retain(|_, trouble| matches!(trouble, Trouble::Unreachable(_)));
    }

    /// That address answered, whatever it was.
    pub fn succeeded(&mut self, address: &str) {
        if matches!(self.troubles.get(address), Some(Trouble::Unreachable(_))) {
            self.troubles.remove(address);
        }
    }

    fn was_no_help(&mut self, address: &str, why: fn(u64) -> Trouble) {
        self.last_trouble += 1;
        self.troubles.insert(address.to_owned(), why(self.last_trouble));
    }

    /// That address could not be reached: what it was thought to lead or coordinate is asked for again.
    pub fn failed(&mut self, address: &str) {
        self.was_no_help(address, Trouble::Unreachable);
        let leaders = self.topics.values_mut().flat_map(|topic| topic.leaders.values_mut());
        for leader in leaders.filter(|leader| leader.address.as_deref() == Some(address)) {
            leader.address = None;
        }
        self.coordinators.retain(|_, coordinator| coordinator != address);
        if self.controller() == Some(address) {
            self.controller = None;
        }
        // What is neither a node nor a first address is nobody's any more.
        let is_known = |address: &String| {
            self.bootstrap.contains(address) || self.nodes.values().any(|node| node == address)
        };
        let known = self.troubles.iter().filter(|(address, _)| is_known(address));
        self.troubles = known.map(|(address, trouble)| (address.clone(), *trouble)).collect();
    }
}

impl Trouble {
    fn number(&self) -> u64 {
        let (Trouble::Unreachable(number) | Trouble::Useless(number)) = self;
        *number
    }
}

/// Where a node is reached.
pub fn address(node: &grpc::Node) -> String {
    if node.host.contains(':') {
        format!("[{}]:{}", node.host, node.port)
    } else {
        format!("{}:{}", node.host, node.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: i32) -> grpc::Node {
        grpc::Node { node_id: id, host: "n".into(), port: 9000 + id, rack: String::new() }
    }

    fn told(leader_id: i32, leader_epoch: i32) -> grpc::GetTopicMetadataResponse {
        let partition = grpc::Partition { partition: 0, leader_id, leader_epoch, ..Default::default() };
        let topic = grpc::Topic { name: "t".into(), partitions: vec![partition], ..Default::default() };
        grpc::GetTopicMetadataResponse {
            controller_id: 1,
            nodes: vec![node(1), node(2)],
            topics: vec![topic],
            ..Default::default()
        }
    }

    #[test]
    fn a_node_that_lags_behind_does_not_undo_what_is_known() {
        let mut map = Map::new(vec!["b:1".into()]);
        map.learn(&told(1, 5));
        map.learn(&told(2, 4));
        assert_eq!(map.leader("t", 0), Some("n:9001"));
        map.learn(&told(2, 6));
        assert_eq!(map.leader("t", 0), Some("n:9002"));
        map.doubt("t", 0);
        assert_eq!(map.leader("t", 0), None);
        map.follow("t", 0, &node(1));
        assert_eq!(map.leader("t", 0), Some("n:9001"));
    }

    #[test]
    fn a_topic_that_is_made_again_is_another() {
        let mut map = Map::new(vec!["b:1".into()]);
        let told = |id: &'static [u8], leader, epoch| {
            let mut told = told(leader, epoch);
            told.topics[0].topic_id = Bytes::from_static(id);
            told
        };
        map.learn(&told(b"old", 1, 5));
        map.doubt("t", 0);
        map.learn(&told(b"new", 2, 0));
        assert_eq!(map.leader("t", 0), Some("n:9002"));
    }

    #[test]
    fn who_cannot_be_reached_leads_nothing_and_is_asked_last() {
        let mut map = Map::new(vec!["b:1".into()]);
        assert_eq!(map.anyone(), "b:1");
        map.learn(&told(1, 5));
        map.learn_coordinator("g", &node(1));
        assert_eq!(
            (map.anyone(), map.controller(), map.coordinator("g")),
            ("n:9001", Some("n:9001"), Some("n:9001"))
        );
        map.failed("n:9001");
        assert_eq!((map.anyone(), map.controller(), map.coordinator("g")), ("n:9002", None, None));
        assert_eq!(map.leader("t", 0), None);
        map.failed("n:9002");
        map.failed("b:1");
        map.failed("b:1");
        assert_eq!(map.anyone(), "n:9001");
        map.succeeded("b:1");
        assert_eq!(map.anyone(), "b:1");
    }

    #[test]
    fn who_answers_and_knows_nothing_is_asked_last() {
        let mut map = Map::new(vec!["b:1".into()]);
        map.learn(&told(1, 5));
        for asked in ["n:9001", "n:9002", "b:1", "n:9001"] {
            assert_eq!(map.anyone(), asked);
            map.succeeded(asked);
            map.knew_nothing(asked);
        }
        map.was_helped();
        assert_eq!(map.anyone(), "n:9001");
    }

    #[test]
    fn who_is_silent_now_is_not_asked_again_because_others_were_long_ago() {
        let mut map = Map::new(vec!["b:1".into()]);
        map.learn(&told(1, 5));
        for gone in ["n:9001", "n:9002", "b:1", "n:9001", "n:9002", "b:1"] {
            map.failed(gone);
        }
        map.succeeded("n:9001");
        assert_eq!(map.anyone(), "n:9001");
        map.failed("n:9001");
        assert_eq!(map.anyone(), "n:9002", "it may be back");
        map.failed("n:9002");
        assert_eq!(map.anyone(), "b:1");
    }

    #[test]
    fn an_address_of_version_6_is_in_brackets() {
        let node = grpc::Node { host: "::1".into(), port: 9, ..node(1) };
        assert_eq!(address(&node), "[::1]:9");
    }
}
