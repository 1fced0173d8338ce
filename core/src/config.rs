//! What a node is told at its start. Plain data: the driver fills it from the command line or a YAML file and
//! has already refused what makes no sense there; the simulator draws its knobs at extremes.

use crate::ids::NodeId;
use crate::level::Levels;
use crate::limits::{
    CONSUMER_ASSIGNMENT_MS, CONSUMER_HEARTBEAT_MS, CONSUMER_SESSION_MS, GROUP_MEMBERS_MAX, GROUP_SESSION_MS,
    OFFSET_METADATA_MAX, TURN_WORK_BYTES,
};
use crate::link::Address;
use crate::mutant::Mutant;
use crate::settings::{self, Layers, Settings, Table, TopicDefaults};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

mod secret;

pub use secret::{SECRETS_MAX, Secret, SecretFault, Secrets};

/// A node's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Who this node is.
    pub node: NodeId,
    /// The fixed members of the cluster, this node among them, by rising id. One member: single mode.
    pub members: Vec<Member>,
    /// Whether this node founds the cluster when its disk is empty. Exactly one member has it.
    pub bootstrap: bool,
    /// One per Kafka listener, in the order of `LinkKind::Kafka::listener`: what to advertise there.
    /// `None`: the address the client connected to.
    pub listeners: Vec<Option<Address>>,
    /// One per Kafka listener, in the same order, or none at all: where its clients find the members. Who is not in it is
    /// found at [`Member::api`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_listener: Vec<BTreeMap<NodeId, Address>>,
    /// Between two heartbeats of a leader.
    pub heartbeat_interval: Duration,
    /// Shortest time without a leader before a replica stands for election.
    pub election_timeout_min: Duration,
    /// Longest such time.
    pub election_timeout_max: Duration,
    /// Memory this node may take for data and buffers, bytes.
    pub memory_limit: u64,
    /// Of that, for requests, answers, reads, and what waits for the disk.
    pub budget_bytes: u64,
    /// What a turn does for clients before it leaves the rest to the next one, bytes that are looked at.
    pub turn_work_bytes: usize,
    /// How often leaders look for records that may go, as long as space is not short; Kafka's
    /// `log.retention.check.interval.ms`, which there is 5 minutes, and 30 s after a start.
    pub retention_interval: Duration,
    /// Where the data lies, as people are told: the directory; empty in memory.
    #[serde(default)]
    pub data_dir: String,
    /// What topics are made of when a request does not say.
    pub topics: TopicDefaults,
    /// What consumer groups may, and how their offsets are kept.
    #[serde(default)]
    pub groups: GroupSettings,
    /// Sizes on the disk.
    pub storage: StorageConfig,
    /// What the members of the cluster know and strangers do not. It has no written form: whoever reads a
    /// configuration back gives it anew.
    #[serde(skip)]
    pub secrets: Secrets,
    /// The feature levels that this build reads; the simulator has nodes of a build that is one newer.
    #[serde(default)]
    pub levels: Levels,
    /// The bug that the simulator has planted; without effect in a build that is not its own.
    pub mutant: Option<Mutant>,
}

/// A fixed member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub node: NodeId,
    /// Where it advertises its Kafka listener.
    pub api: Address,
    /// Where it listens for peers.
    pub rpc: Address,
}

/// Kafka's broker-wide settings of consumer groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// `offsets.topic.num.partitions`: in how many partitions groups lie, once the topic is made.
    pub offsets_partitions: i32,
    /// `offsets.topic.replication.factor`; as many as there are nodes, if they are fewer.
    pub offsets_replication_factor: i16,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_check_interval_ms: u64,
    /// `offset.metadata.max.bytes`.
    pub offset_metadata_max: usize,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: u32,
    /// `group.min.session.timeout.ms`.
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_max_ms: i32,
    /// `group.max.size`.
    pub members_max: usize,
    /// `group.consumer.session.timeout.ms`.
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`.
    pub consumer_heartbeat_interval_ms: i32,
    /// `group.consumer.assignment.interval.ms`.
    pub consumer_assignment_interval_ms: i32,
    /// `group.consumer.max.size`.
    pub consumer_members_max: usize,
    /// `group.consumer.migration.policy`.
    pub consumer_migration: Migration,
}

/// Which way groups may change between the classic protocol and KIP-848's while they have members. Kafka's default is both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Migration {
    /// Neither.
    Disabled,
    /// From classic to consumer group.
    Upgrade,
    /// From consumer to classic group.
    Downgrade,
    /// Both.
    #[default]
    Bidirectional,
}

impl Migration {
    /// By Kafka's name for it.
    pub fn parse(name: &str) -> Option<Migration> {
        match name.trim() {
            "disabled" => Some(Migration::Disabled),
            "upgrade" => Some(Migration::Upgrade),
            "downgrade" => Some(Migration::Downgrade),
            "bidirectional" => Some(Migration::Bidirectional),
            _ => None,
        }
    }

    /// Whether a classic group may become a consumer group.
    pub fn is_up(self) -> bool {
        matches!(self, Migration::Upgrade | Migration::Bidirectional)
    }

    /// Whether a consumer group may become a classic one.
    pub fn is_down(self) -> bool {
        matches!(self, Migration::Downgrade | Migration::Bidirectional)
    }

    /// Whether members of both may share a group.
    pub fn is_any(self) -> bool {
        self != Migration::Disabled
    }
}

impl GroupSettings {
    /// Kafka's, but for fewer partitions, and no delay: a node alone is to be quick.
    pub const DEFAULT: GroupSettings = GroupSettings {
        offsets_partitions: 16,
        offsets_replication_factor: 3,
        offsets_retention_ms: 7 * 24 * 3_600_000,
        offsets_check_interval_ms: 600_000,
        offset_metadata_max: OFFSET_METADATA_MAX,
        initial_rebalance_delay_ms: 0,
        session_timeout_min_ms: GROUP_SESSION_MS.0,
        session_timeout_max_ms: GROUP_SESSION_MS.1,
        members_max: GROUP_MEMBERS_MAX,
        consumer_session_timeout_ms: CONSUMER_SESSION_MS,
        consumer_heartbeat_interval_ms: CONSUMER_HEARTBEAT_MS,
        consumer_assignment_interval_ms: CONSUMER_ASSIGNMENT_MS,
        consumer_members_max: GROUP_MEMBERS_MAX,
        consumer_migration: Migration::Bidirectional,
    };

    /// What holds for a group that has these settings, on a node whose configuration says this.
    pub fn set(&self, by: &Layers<'_>) -> GroupSettings {
        let ms = |name, otherwise| by.group_ms(name).unwrap_or(otherwise);
        let migration = by.set(Table::Broker, settings::MIGRATION).and_then(Migration::parse);
        GroupSettings {
            consumer_session_timeout_ms: ms(settings::SESSION, self.consumer_session_timeout_ms),
            consumer_heartbeat_interval_ms: ms(settings::HEARTBEAT, self.consumer_heartbeat_interval_ms),
            consumer_assignment_interval_ms: ms(settings::ASSIGNMENT, self.consumer_assignment_interval_ms),
            consumer_migration: migration.unwrap_or(self.consumer_migration),
            ..*self
        }
    }

    /// `offsets.retention.check.interval.ms`.
    pub fn offsets_check_interval(&self) -> Duration {
        Duration::from_millis(self.offsets_check_interval_ms.max(1))
    }
}

impl Default for GroupSettings {
    fn default() -> GroupSettings {
        GroupSettings::DEFAULT
    }
}

/// Sizes on the disk. The simulator draws them small, so that rare states are common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageConfig {
    /// Size of a file of the journal's ring, bytes; a multiple of 4 KiB, at least two frames.
    pub journal_file_bytes: u64,
    /// Size that the first one starts at.
    pub first_journal_file_bytes: u64,
    /// Largest group commit, bytes; at most `limits::FRAME_BYTES_MAX`.
    pub frame_bytes_max: u64,
    /// Journal growth that brings a checkpoint, bytes.
    pub checkpoint_bytes: u64,
    /// Unwritten bytes of one partition that are written to its segment.
    pub segment_write_bytes: u64,
    /// Age of the oldest unwritten byte that brings the same.
    pub segment_write_age: Duration,
    /// Size of a segment, bytes; Kafka's `segment.bytes` default is 1 GiB.
    pub segment_bytes: u64,
    /// Distance between two entries of a segment's index, bytes.
    pub index_interval_bytes: u64,
    /// Free bytes of the disk below which records are refused.
    pub free_bytes_floor: u64,
    /// Free bytes of the disk below which retention looks, and removes, at once.
    #[serde(default)]
    pub free_bytes_short: u64,
    /// Committed bytes kept in memory for reads at the tail, besides what is not yet in a segment.
    pub tail_bytes_max: u64,
    /// Bytes of a replica's log that its leader keeps beyond a checkpoint for followers that are not far behind.
    pub window_kept_bytes_max: u64,
    /// How fast segments are read through in the background, bytes a second; 0: not at all.
    #[serde(default)]
    pub scrub_bytes_per_second: u64,
    /// State that one turn encodes for a checkpoint, bytes, besides one page more; and that one turn of a start decodes.
    #[serde(default = "gathered_bytes")]
    pub gathered_bytes: u64,
    /// Size at which a file of state is followed by another, bytes.
    #[serde(default = "state_file_bytes")]
    pub state_file_bytes: u64,
    /// State below this is in the checkpoint itself, bytes, and not in pages.
    #[serde(default = "state_inline_bytes")]
    pub state_inline_bytes: u64,
}

fn gathered_bytes() -> u64 {
    crate::limits::GATHERED_BYTES_MAX
}

fn state_file_bytes() -> u64 {
    64 << 20
}

fn state_inline_bytes() -> u64 {
    2 << 10
}

impl Default for StorageConfig {
    fn default() -> Self {
        StorageConfig {
            journal_file_bytes: 64 << 20,
            first_journal_file_bytes: 1 << 20,
            frame_bytes_max: crate::limits::FRAME_BYTES_MAX as u64,
            checkpoint_bytes: 64 << 20,
            segment_write_bytes: 1 << 20,
            segment_write_age: Duration::from_secs(30),
            segment_bytes: 1 << 30,
            index_interval_bytes: 16 << 10,
            free_bytes_floor: 16 << 20,
            free_bytes_short: 32 << 20,
            tail_bytes_max: 64 << 20,
            window_kept_bytes_max: crate::limits::WINDOW_KEPT_BYTES_MAX as u64,
            scrub_bytes_per_second: 0,
            gathered_bytes: gathered_bytes(),
            state_file_bytes: state_file_bytes(),
            state_inline_bytes: state_inline_bytes(),
        }
    }
}

impl Default for Config {
    /// Single mode on 127.0.0.1.
    fn default() -> Self {
        let api = Address { host: "127.0.0.1".into(), port: 9092 };
        Config {
            node: NodeId(1),
            members: vec![Member { node: NodeId(1), api, rpc: Address::default() }],
            bootstrap: true,
            listeners: vec![None],
            by_listener: Vec::new(),
            heartbeat_interval: Duration::from_millis(500),
            election_timeout_min: Duration::from_millis(1500),
            election_timeout_max: Duration::from_millis(3000),
            memory_limit: 1 << 30,
            budget_bytes: 1 << 28,
            turn_work_bytes: TURN_WORK_BYTES,
            retention_interval: Duration::from_secs(15),
            data_dir: String::new(),
            topics: TopicDefaults { partitions: 1, replication_factor: 1, auto_create: true },
            groups: GroupSettings::default(),
            storage: StorageConfig::default(),
            secrets: Secrets::default(),
            levels: Levels::BUILD,
            mutant: None,
        }
    }
}

impl Config {
    /// What it says, by Kafka's names.
    pub fn settings(&self) -> Settings {
        let own = self.members.iter().find(|member| member.node == self.node).map(|member| &member.api);
        let advertised = self.listeners.iter().map(|listener| listener.as_ref().or(own));
        let advertised: Vec<String> = advertised
            .flatten()
            .map(|address| format!("PLAINTEXT://{}:{}", address.host, address.port))
            .collect();
        let TopicDefaults { partitions, replication_factor, auto_create } = &self.topics;
        let told = [
            ("advertised.listeners", advertised.join(",")),
            ("broker.id", self.node.0.to_string()),
            ("log.dirs", self.data_dir.clone()),
            ("log.retention.check.interval.ms", self.retention_interval.as_millis().to_string()),
            ("node.id", self.node.0.to_string()),
            (settings::AUTO_CREATE, auto_create.to_string()),
            (settings::PARTITIONS, partitions.to_string()),
            (settings::REPLICATION_FACTOR, replication_factor.to_string()),
        ];
        told.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Whether this node is its own cluster.
    pub fn is_single(&self) -> bool {
        self.members.len() == 1
    }
}
