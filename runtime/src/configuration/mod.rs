//! What a node is told by its user: defaults, a YAML file, the environment and the command line, in this order; the later
//! wins, and each value knows where it was said.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`keys`] | the table of all settings |
//! | [`tree`](self), [`layers`] | a text with its places; what was said, layer over layer |
//! | [`environment`] | the variables, and which of them are ours |
//! | [`source`], [`mistake`] | where something was said, and how it is shown that it is wrong |
//! | `values`, [`listener`], [`member`] | what one value may be; what they mean together |
//! | [`show`], [`example`] | what holds, and who said so; a file to begin with |
//!
//! A node with `cluster.initial_members` is one of a cluster, which must say who it is, where it is, and where its data
//! lies; any other is alone, and nothing must be said.
//!
//! Here a configuration is checked against itself. Whether its addresses resolve, its ports are free and its directory can
//! be used is `start`'s, and `check`'s before it.

pub mod environment;
pub mod example;
pub mod keys;
pub mod layers;
pub mod listener;
pub mod member;
pub mod mistake;
pub mod show;
pub mod source;
mod tree;
mod values;

use crate::foreign_text::escaped;
use crate::log::LogFormat;
use crate::log_levels::LogLevels;
use crate::memory_limit;
use keys::{Key, Kind};
use layers::{Layers, Said};
use listener::Listener;
use member::{Cluster, Raft};
use mistake::{Mistake, Wrong};
use rust_mq_core::config::{Config, Member, Secrets};
use rust_mq_core::ids::NodeId;
use rust_mq_core::limits::{GROUP_INITIAL_REBALANCE_DELAY_MS, SCRUB_BYTES_PER_SECOND};
use rust_mq_core::link::Address;
use source::Source;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use tree::Place;
pub use values::{BadAddress, address};

/// A node's configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    /// What was said, and where.
    pub layers: Layers,
    /// Which node it is.
    pub node: NodeId,
    /// Where to serve Kafka clients: the one without a name first, if there is one, then by name. At least one.
    pub listeners: Vec<Listener>,
    /// Where to serve the other nodes.
    pub rpc_addr: Option<Placed<Address>>,
    /// Where to be watched over HTTP, if anywhere.
    pub admin_addr: Option<Placed<Address>>,
    /// Where to keep data; otherwise in memory.
    pub storage_path: Option<PathBuf>,
    /// Memory for data and buffers, bytes.
    pub memory_limit: u64,
    /// How fast to read through cold data, bytes a second.
    pub scrub_rate: u64,
    /// Whether to serve others than this machine without encryption and login.
    pub insecure: bool,
    /// What is logged.
    pub log_levels: LogLevels,
    /// How the log looks; otherwise by where it goes.
    pub log_format: Option<LogFormat>,
    /// Its cluster, if it is not alone.
    pub cluster: Option<Cluster>,
    raft: Raft,
}

/// A value, and where it was said.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where.
    pub source: Source,
}

impl Configuration {
    /// What a command line and an environment say, and the file that one of them names. A flag stands with its dashes.
    pub fn read(
        file: Option<&Path>,
        variables: impl Iterator<Item = (OsString, OsString)>,
        flags: Vec<(&'static str, String)>,
    ) -> Result<Configuration, Mistake> {
        let mut layers = Layers::default();
        let variables: Vec<_> = variables.collect();
        let named = variables.iter().find(|(name, path)| name == environment::CONFIG && !path.is_empty());
        let file = file.or(named.map(|(_, path)| Path::new(path))).map(Path::to_path_buf);
        if let Some(path) = &file {
            layers.read_file(path)?;
        }
        layers.add_environment(variables.into_iter())?;
        layers.add_flags(flags)?;
        Ok(Configuration { file, ..Configuration::of(layers)? })
    }

    /// What the text of a file called `name` says alone.
    pub fn parse(name: &str, text: &str) -> Result<Configuration, Mistake> {
        let mut layers = Layers::default();
        layers.add_file(name.to_owned(), text.to_owned())?;
        Configuration::of(layers)
    }

    fn of(layers: Layers) -> Result<Configuration, Mistake> {
        let listeners = listener::all(&layers)?;
        let cluster = Cluster::of(&layers, &listeners)?;
        let node = layers.value("node_id", values::number)?;
        let rpc_addr = layers.address("rpc_addr")?;
        match &cluster {
            Some(cluster) => {
                layers.demand("node_id")?;
                if layers.names("listeners").is_empty() {
                    layers.demand("api_addr")?;
                }
                layers.demand("rpc_addr")?;
                layers.demand("storage_path")?;
                if let Some(node) = &node {
                    cluster.check(node)?;
                }
            }
            None => {
                if let Some(rpc_addr) = &rpc_addr {
                    let wrong = Wrong::new(
                        "a node without `cluster.initial_members` is alone, and has no other nodes",
                    );
                    return Err(wrong.hint("leave `rpc_addr` out, or list the members").at(&rpc_addr.source));
                }
            }
        }
        Ok(Configuration {
            file: None,
            node: NodeId(node.map_or(1, |node| node.value)),
            listeners,
            rpc_addr,
            admin_addr: layers.address("admin_addr")?,
            storage_path: layers.said("storage_path").map(|said| PathBuf::from(&said.text)),
            memory_limit: match layers.value("memory_limit", values::limit)? {
                Some(said) => said.value,
                None => memory_limit::default_limit(),
            },
            scrub_rate: layers
                .value("scrub_rate", values::size)?
                .map_or(SCRUB_BYTES_PER_SECOND, |said| said.value),
            insecure: layers.value("insecure", values::truth)?.is_some_and(|said| said.value),
            log_levels: log_levels(&layers)?,
            log_format: layers.value("log_format", values::log_format)?.map(|said| said.value),
            raft: Raft::of(&layers)?,
            cluster,
            layers,
        })
    }

    /// The settings that hold otherwise here than in another configuration, by their paths.
    pub fn differs_in(&self, other: &Configuration) -> Vec<String> {
        let holds = |of: &Configuration, key: &Key, path: &str| {
            of.layers.said(path).map(|said| said.text.clone()).or(key.default.map(str::to_owned))
        };
        let mut paths: Vec<(&Key, String)> = self.layers.paths().chain(other.layers.paths()).collect();
        paths.sort_by(|(_, one), (_, other)| one.cmp(other));
        paths.dedup_by(|(_, one), (_, other)| one == other);
        paths.retain(|(key, path)| holds(self, key, path) != holds(other, key, path));
        paths.into_iter().map(|(_, path)| path).collect()
    }

    /// What the nodes of its cluster know and strangers do not, wherever it stands; none if nothing was said of it.
    pub fn secrets(&self) -> Result<Secrets, Mistake> {
        self.cluster.as_ref().map_or(Ok(Secrets::default()), Cluster::secrets)
    }

    /// The core's configuration, without its secrets.
    pub fn config(&self) -> Config {
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let mut config = Config {
            node: self.node,
            listeners: self.listeners.iter().map(|listener| listener.advertise.clone()).collect(),
            memory_limit: self.memory_limit,
            heartbeat_interval: ms(self.raft.heartbeat_interval_ms),
            election_timeout_min: ms(self.raft.election_timeout_min_ms),
            election_timeout_max: ms(self.raft.election_timeout_max_ms),
            ..Config::default()
        };
        let Some(cluster) = &self.cluster else {
            return config;
        };
        let Some(first) = self.listeners.first() else { return config };
        let members: Vec<Member> = cluster.members(first);
        // Members have an address for each listener.
        config.by_listener = self.listeners.iter().map(|listener| cluster.found_by(listener)).collect();
        config.listeners = config.by_listener.iter().map(|found| found.get(&self.node).cloned()).collect();
        if self.listeners.len() == 1 {
            config.by_listener.clear();
        }
        config.bootstrap = cluster.bootstrap;
        config.topics.replication_factor = i16::try_from(members.len().min(3)).unwrap_or(3);
        if members.len() > 1 {
            // Kafka's `group.initial.rebalance.delay.ms`: consumers that start together share one rebalance. Alone, they are
            // likely tests, and waiting is all it would do.
            config.groups.initial_rebalance_delay_ms = GROUP_INITIAL_REBALANCE_DELAY_MS;
        }
        config.members = members;
        config
    }
}

impl Layers {
    /// A value, if it was said.
    fn value<T>(
        &self,
        path: &str,
        meaning: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Result<Option<Placed<T>>, Mistake> {
        let Some(Said { text, source }) = self.said(path) else { return Ok(None) };
        let value = meaning(text).map_err(|wrong| wrong.at(source))?;
        Ok(Some(Placed { value, source: source.clone() }))
    }

    /// An address, if it was said.
    fn address(&self, path: &str) -> Result<Option<Placed<Address>>, Mistake> {
        self.value(path, |text| values::address(text).map_err(Wrong::of))
    }

    /// What a node of a cluster must say.
    fn demand(&self, path: &str) -> Result<(), Mistake> {
        if self.said(path).is_some() {
            return Ok(());
        }
        let variable = environment::variable(path);
        let flag = keys::KEYS.iter().find(|key| key.path == path).and_then(|key| key.flag);
        let flag = flag.map(|flag| format!(" or {flag}")).unwrap_or_default();
        let what = format!("`{path}` is missing: a node of a cluster needs it");
        let hint = format!("say it in the file, or by {variable}{flag}");
        Err(Mistake::new("", &what, Some(&hint)))
    }

    /// Adds what the command line says: a flag of an address may name the listener that it is for.
    fn add_flags(&mut self, flags: Vec<(&'static str, String)>) -> Result<(), Mistake> {
        let mut seen = BTreeSet::new();
        for (flag, value) in flags {
            let Some(key) = keys::by_flag(flag) else { continue };
            let source = Source::Flag(flag);
            let (path, value) = match value.split_once("://").filter(|_| key.kind == Kind::Address) {
                Some((name, address)) => (listener::path(name, key.path, &source)?, address.to_owned()),
                None => (key.path.to_owned(), value),
            };
            if !seen.insert(path.clone()) {
                let wrong = Wrong::new(format!("`{}` is a second one of the same name", escaped(&value)));
                return Err(wrong.hint("name each: inner://HOST:PORT,outer://HOST:PORT").at(&source));
            }
            self.say(&path, value, source);
        }
        Ok(())
    }
}

/// What is logged: by RUST_LOG only where nobody says it in our own words.
fn log_levels(layers: &Layers) -> Result<LogLevels, Mistake> {
    let Some(Said { text, source }) = layers.said("log_level") else { return Ok(LogLevels::default()) };
    if *source == Source::Environment(environment::RUST_LOG.to_owned()) {
        return Ok(LogLevels::parse_rust_log(text));
    }
    LogLevels::parse(text).map_err(|bad| Wrong::of(bad).at(source))
}
