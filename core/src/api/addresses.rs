//! Which address a client is told for a node. A configured name wins; without one, this node answers the address
//! that the client has reached it by, which is right behind any forwarding that keeps addresses.

use crate::ids::{LinkId, NodeId};
use crate::link::Address;
use crate::node::Node;
use std::collections::BTreeSet;

/// Every node of the cluster, by rising id, as the client of `link` should reach it.
pub fn advertised(node: &Node, link: LinkId) -> Vec<(NodeId, Address)> {
    node.config()
        .members
        .iter()
        .map(|member| {
            let address = if member.node == node.config().node { own(node, link) } else { None };
            (member.node, address.unwrap_or_else(|| member.api.clone()))
        })
        .collect()
}

fn own(node: &Node, link: LinkId) -> Option<Address> {
    let client = node.client(link)?;
    let configured = node.config().listeners.get(usize::from(client.listener))?;
    Some(configured.clone().unwrap_or_else(|| client.local.clone()))
}

/// The node that a client shall send topic administration to. Any node takes it and passes it on, so while none
/// is known to lead the metadata this one is named: clients take an id that is not among the brokers for an
/// error (KafkaJS throws, rskafka gives up).
pub fn controller(node: &Node) -> NodeId {
    node.controller().unwrap_or(node.config().node)
}

/// Those of `wanted`, as [`advertised`] says them.
pub fn of(node: &Node, link: LinkId, wanted: &BTreeSet<NodeId>) -> Vec<(NodeId, Address)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    advertised(node, link).into_iter().filter(|(id, _)| wanted.contains(id)).collect()
}
