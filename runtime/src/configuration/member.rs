//! A node of a cluster: who its members are, what they know together, and Raft's times.
//!
//! Invariants: ids are distinct and not negative; 2 * heartbeat <= shortest election timeout < longest.

use super::layers::Layers;
use super::listener::{self, Listener};
use super::mistake::{Mistake, Wrong, likely};
use super::source::{Layer, Source};
use super::{Placed, values};
use crate::secrets;
use rust_mq_core::config::{Member, Secret, Secrets};
use rust_mq_core::ids::NodeId;
use rust_mq_core::link::Address;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

const MEMBERS: &str = "cluster.initial_members";

/// The cluster of a node.
#[derive(Debug)]
pub struct Cluster {
    /// Whether this node founds it.
    pub bootstrap: bool,
    members: Vec<Listed>,
    secret: Known,
}

/// A member as it is listed.
#[derive(Debug)]
struct Listed {
    node: Placed<i32>,
    /// Where clients find it, by the name of the listener that they came to; the one without a name has an empty one.
    found: BTreeMap<String, Placed<Address>>,
    rpc: Address,
}

/// Where it stands what the nodes know and strangers do not.
#[derive(Debug)]
enum Known {
    Nothing,
    Here(Secrets),
    InFile(PathBuf),
}

/// Raft's times, ms.
#[derive(Debug)]
pub(super) struct Raft {
    pub(super) heartbeat_interval_ms: u32,
    pub(super) election_timeout_min_ms: u32,
    pub(super) election_timeout_max_ms: u32,
}

impl Cluster {
    /// What is said of it; none if no member is.
    pub(super) fn of(layers: &Layers, listeners: &[Listener]) -> Result<Option<Cluster>, Mistake> {
        let places = layers.names(MEMBERS);
        if places.is_empty() {
            return match layers.below("cluster").next() {
                None => Ok(None),
                Some((_, said)) => {
                    let wrong = Wrong::new("`cluster.initial_members` is missing: a cluster has members");
                    Err(wrong
                        .hint("list all of them, this node too, or leave out all of `cluster`")
                        .at(&said.source))
                }
            };
        }
        let members: Result<Vec<Listed>, Mistake> =
            places.iter().map(|place| listed(layers, place)).collect();
        let mut seen = BTreeSet::new();
        let members = members?;
        for Listed { node: Placed { value: node, source }, .. } in &members {
            if *node < 0 {
                return Err(Wrong::new(format!("a node id is not negative, {node} is")).at(source));
            }
            if !seen.insert(*node) {
                return Err(Wrong::new(format!("node {node} stands here twice")).at(source));
            }
        }
        for member in &members {
            member.check(listeners)?;
        }
        let bootstrap = layers.value("cluster.bootstrap", values::truth)?.is_some_and(|said| said.value);
        Ok(Some(Cluster { bootstrap, members, secret: known(layers)? }))
    }

    /// Whether `node` is one of them.
    pub(super) fn check(&self, node: &Placed<i32>) -> Result<(), Mistake> {
        if self.members.iter().any(|member| member.node.value == node.value) {
            return Ok(());
        }
        Err(Wrong::new(format!("node {} is not among cluster.initial_members", node.value)).at(&node.source))
    }

    /// Its members, by rising id, where the clients of a listener find them.
    pub(super) fn members(&self, by: &Listener) -> Vec<Member> {
        let member = |listed: &Listed| Member {
            node: NodeId(listed.node.value),
            api: listed.found.get(&by.name).map(|found| found.value.clone()).unwrap_or_default(),
            rpc: listed.rpc.clone(),
        };
        let mut members: Vec<Member> = self.members.iter().map(member).collect();
        members.sort_by_key(|member| member.node);
        members
    }

    /// Where the clients of a listener find the members.
    pub(super) fn found_by(&self, listener: &Listener) -> BTreeMap<NodeId, Address> {
        let found = |member: &Listed| {
            let address = member.found.get(&listener.name)?.value.clone();
            Some((NodeId(member.node.value), address))
        };
        self.members.iter().filter_map(found).collect()
    }

    /// What the nodes know and strangers do not.
    pub(super) fn secrets(&self) -> Result<Secrets, Mistake> {
        match &self.secret {
            Known::Nothing => Ok(Secrets::default()),
            Known::Here(secrets) => Ok(secrets.clone()),
            Known::InFile(path) => {
                secrets::read(path).map_err(|bad| Mistake::new("", &bad.to_string(), None))
            }
        }
    }
}

fn listed(layers: &Layers, place: &str) -> Result<Listed, Mistake> {
    let here = format!("{MEMBERS}.{place}");
    let missing = |name: &str| {
        let first = layers.below(&here).next().map_or(Source::Default, |(_, said)| said.source.clone());
        let hint = format!("add `{name}:` to this member");
        Wrong::new(format!("`{name}` is missing")).hint(hint).at(&first)
    };
    let node = layers.value(&format!("{here}.node_id"), values::number)?.ok_or_else(|| missing("node_id"))?;
    let rpc = layers.address(&format!("{here}.rpc_addr"))?.ok_or_else(|| missing("rpc_addr"))?;
    let mut found = BTreeMap::new();
    if let Some(address) = layers.address(&format!("{here}.api_addr"))? {
        found.insert(String::new(), address);
    }
    for name in layers.names(&format!("{here}.listeners")) {
        if let Some(address) = layers.value(&format!("{here}.listeners.{name}"), listener::told)? {
            found.insert(name, address);
        }
    }
    Ok(Listed { node, found, rpc: rpc.value })
}

impl Listed {
    /// Whether it has an address for each listener that there is, and for no other.
    fn check(&self, listeners: &[Listener]) -> Result<(), Mistake> {
        if let Some(listener) = listeners.iter().find(|listener| !self.found.contains_key(&listener.name)) {
            let key = if listener.name.is_empty() { "api_addr".into() } else { listener.to_string() };
            let wrong = Wrong::new(format!("`{key}` is missing"));
            let hint = format!("add to this member where the clients of `{listener}` find it");
            return Err(wrong.hint(hint).at(&self.node.source));
        }
        let is_known =
            |name: &&String| name.is_empty() || listeners.iter().any(|listener| listener.name == **name);
        match self.found.keys().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                let there: Vec<&str> = listeners.iter().map(|listener| listener.name.as_str()).collect();
                let wrong = Wrong::new(format!("there is no listener `{name}` on this node"));
                let hint = match likely(name, there.iter().copied()) {
                    Some(likely) => format!("did you mean `{likely}`?"),
                    None => {
                        format!("all nodes have the same ones: add `listeners.{name}.addr`, or leave it out")
                    }
                };
                Err(wrong.hint(hint).at(&self.found[name].source))
            }
        }
    }
}

/// Of a secret here and one in a file that counts which was said later; said at once, neither does.
fn known(layers: &Layers) -> Result<Known, Mistake> {
    let (path, secret) = ("cluster.secret_file", "cluster.secret");
    let texts: Vec<_> =
        layers.said(secret).into_iter().chain(layers.below(secret).map(|(_, said)| said)).collect();
    let file = layers.said(path);
    let here: Layer = texts.first().map_or(Layer::Default, |said| said.source.layer());
    let there = file.map_or(Layer::Default, |said| said.source.layer());
    if let Some(file) = file {
        if there > here {
            return Ok(Known::InFile(PathBuf::from(&file.text)));
        }
        if there == here {
            let wrong = Wrong::new("cluster.secret and cluster.secret_file: only one can be");
            return Err(wrong.hint("leave one of them out").at(&file.source));
        }
    }
    let Some(first) = texts.first() else { return Ok(Known::Nothing) };
    let all: Result<Vec<Secret>, _> = texts.iter().map(|said| Secret::new(said.text.as_bytes())).collect();
    let secrets = all.and_then(Secrets::new);
    secrets.map(Known::Here).map_err(|fault| Wrong::of(fault).at(&first.source))
}

impl Raft {
    /// What is said of them.
    pub(super) fn of(layers: &Layers) -> Result<Raft, Mistake> {
        let ms = |name: &str, otherwise: u32| {
            let said = layers.value(&format!("raft.{name}"), values::number::<u32>)?;
            Ok(said.unwrap_or(Placed { value: otherwise, source: Source::Default }))
        };
        let heartbeat = ms("heartbeat_interval_ms", 500)?;
        let min = ms("election_timeout_min_ms", 1500)?;
        let max = ms("election_timeout_max_ms", 3000)?;
        // Of two values that do not fit, the one to blame is one that somebody said.
        let blame = |one: &Placed<u32>, other: &Placed<u32>| match one.source {
            Source::Default => other.source.clone(),
            _ => one.source.clone(),
        };
        if heartbeat.value == 0 {
            return Err(Wrong::new("the heartbeat interval must not be 0").at(&heartbeat.source));
        }
        if min.value < heartbeat.value.saturating_mul(2) {
            let what = format!(
                "an election timeout of {} ms is less than two heartbeats of {} ms",
                min.value, heartbeat.value
            );
            return Err(Wrong::new(what).at(&blame(&min, &heartbeat)));
        }
        if max.value <= min.value {
            let what = format!(
                "the longest election timeout, {} ms, must exceed the shortest, {} ms",
                max.value, min.value
            );
            return Err(Wrong::new(what).at(&blame(&max, &min)));
        }
        Ok(Raft {
            heartbeat_interval_ms: heartbeat.value,
            election_timeout_min_ms: min.value,
            election_timeout_max_ms: max.value,
        })
    }
}
