//! Which address a client is told for a node. A configured name wins; without one, this node answers the address
//! that the client has reached it by, which is right behind any forwarding that keeps addresses.
//!
//! Where a node has several listeners, a client is told how members are reached by way of the one that it came to: whoever
//! comes from outside of a network of containers must not be sent to a name that is only known within.

use crate::config::{Config, Member};
use crate::connection::Client;
use crate::ids::{LinkId, NodeId};
use crate::link::Address;
use crate::node::Node;
use std::collections::BTreeSet;

/// Every node of the cluster that is not gone, by rising id, as the client of `link` should reach it.
pub fn advertised(node: &Node, link: LinkId) -> Vec<(NodeId, Address)> {
    let mut all = with_the_gone(node, link);
    all.retain(|(id, _)| !node.is_gone(*id));
    all
}

/// Every member of the cluster, by rising id.
pub fn with_the_gone(node: &Node, link: LinkId) -> Vec<(NodeId, Address)> {
    told(node.config(), node.client(link))
}

fn told(config: &Config, client: Option<&Client>) -> Vec<(NodeId, Address)> {
    let known = client.and_then(|client| config.by_listener.get(usize::from(client.listener)));
    let member = |member: &Member| {
        let own = client.filter(|_| member.node == config.node).and_then(|client| own(config, client));
        let address = own.or_else(|| known.and_then(|known| known.get(&member.node).cloned()));
        (member.node, address.unwrap_or_else(|| member.api.clone()))
    };
    config.members.iter().map(member).collect()
}

fn own(config: &Config, client: &Client) -> Option<Address> {
    let configured = config.listeners.get(usize::from(client.listener))?;
    Some(configured.clone().unwrap_or_else(|| client.local.clone()))
}

/// The node that a client shall send topic administration to. Any node takes it and passes it on, so while none
/// is known to lead the metadata this one is named: clients take an id that is not among the brokers for an
/// error (KafkaJS throws, rskafka gives up).
pub fn controller(node: &Node) -> NodeId {
    node.controller().filter(|id| !node.is_gone(*id)).unwrap_or(node.config().node)
}

/// Those of `wanted`, as [`advertised`] says them.
pub fn of(node: &Node, link: LinkId, wanted: &BTreeSet<NodeId>) -> Vec<(NodeId, Address)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    advertised(node, link).into_iter().filter(|(id, _)| wanted.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at(host: &str) -> Address {
        Address { host: host.into(), port: 9092 }
    }

    fn hosts(config: &Config, listener: u16) -> Vec<String> {
        let client = Client { listener, local: at("here"), remote: at("there"), name: String::new() };
        told(config, Some(&client)).into_iter().map(|(_, address)| address.host).collect()
    }

    #[test]
    fn a_client_is_told_the_addresses_of_the_listener_that_it_came_to() {
        let member = |id, host| Member { node: NodeId(id), api: at(host), rpc: Address::default() };
        let mut config = Config {
            node: NodeId(2),
            members: vec![member(1, "one"), member(2, "two"), member(3, "three")],
            listeners: vec![Some(at("two")), Some(at("two.outer")), None],
            ..Config::default()
        };
        assert_eq!(hosts(&config, 0), ["one", "two", "three"]);
        assert_eq!(hosts(&config, 1), ["one", "two.outer", "three"], "nothing else is known of the others");
        let outer =
            [(NodeId(1), at("one.outer")), (NodeId(2), at("two.outer")), (NodeId(3), at("three.outer"))];
        config.by_listener = vec![BTreeMap::new(), BTreeMap::from(outer)];
        assert_eq!(hosts(&config, 0), ["one", "two", "three"]);
        assert_eq!(hosts(&config, 1), ["one.outer", "two.outer", "three.outer"]);
        assert_eq!(hosts(&config, 2), ["one", "here", "three"], "the address that the client has come to");
        assert_eq!(hosts(&config, 9), ["one", "two", "three"], "a listener that is not configured");
    }
}
