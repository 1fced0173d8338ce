//! Which nodes are gone: unheard for so long, by this node and by all whom it hears, that clients are no longer sent to
//! them. A client believes what it is told: one of Sarama's asks a dead coordinator for as long as Metadata lists it.
//!
//! A node that hears nobody may be the one that is cut off: it calls nobody gone. Who is gone stays a member, and is back
//! as soon as somebody hears it.
//!
//! Invariant: neither this node is gone, nor any that it hears.
//!
//! Source: Kafka's `broker.session.timeout.ms`, after which a broker is fenced, and what its Metadata and DescribeCluster
//! do with a fenced one (KIP-631, KIP-1073).

use super::ports::Ports;
use crate::ids::NodeId;
use crate::limits::NODE_GONE_AFTER;
use crate::mutant::Mutant;
use crate::now::Mono;
use std::collections::BTreeMap;

/// For how long nobody has heard the nodes that nobody hears.
#[derive(Debug, Default)]
pub(super) struct Gone {
    unheard: BTreeMap<NodeId, Unheard>,
}

/// A node that nobody hears.
#[derive(Debug)]
struct Unheard {
    /// When that was found.
    since: Mono,
    is_gone: bool,
}

impl Gone {
    /// Looks who is heard, of all `members`.
    pub fn look(&mut self, members: impl Iterator<Item = NodeId>, ports: &Ports, now: Mono) {
        let peers = &ports.peers;
        if peers.hears().next().is_none() {
            return self.unheard.clear();
        }
        let says_to_hear =
            |peer: NodeId, node| peers.sign_of(peer).is_some_and(|sign| sign.hears.contains(&node));
        for node in members {
            if ports.is_alive(node) || peers.hears().any(|peer| says_to_hear(peer, node)) {
                self.unheard.remove(&node);
                continue;
            }
            let unheard = self.unheard.entry(node).or_insert(Unheard { since: now, is_gone: false });
            unheard.is_gone = now >= unheard.since + NODE_GONE_AFTER && !ports.is_planted(Mutant::GoneIsTold);
        }
    }

    /// Whether a node is.
    pub fn is_gone(&self, node: NodeId, ports: &Ports) -> bool {
        self.unheard.get(&node).is_some_and(|unheard| unheard.is_gone) && !ports.is_alive(node)
    }
}
