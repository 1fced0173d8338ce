//! A run as data: topology, knobs, weather, clients, and the faults as a timed list. A plan and a build are
//! all that a run needs; a seed is only a short name for the plan that `swarm` draws from it.
//!
//! Everything here is plain and serialisable, so that a failing run can be shrunk by taking things away, and
//! what is left can be stored and run for ever.

use crate::claims::Demands;
use crate::client::plan::{ClientPlan, TopicPlan};
use crate::network::{LinkWeather, Weather};
use crate::trouble::Trouble;
use rust_mq_client::machine::mutant::Mutant as ClientMutant;
use rust_mq_core::config::StorageConfig;
use rust_mq_core::level::Levels;
use rust_mq_core::mutant::Mutant;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Roots every stream and die of the run.
    pub seed: u64,
    /// The sites: the computers that nodes run on.
    pub sites: Vec<SitePlan>,
    /// How long faults come, milliseconds.
    pub chaos_ms: u64,
    /// The network.
    pub weather: Weather,
    /// Links with a weather of their own.
    #[serde(default)]
    pub links: Vec<LinkWeather>,
    /// What the nodes are told.
    pub knobs: Knobs,
    /// The topics that the clients use.
    pub topics: Vec<TopicPlan>,
    /// The clients.
    pub clients: Vec<ClientPlan>,
    /// The sites that are healed when the faults freeze: a majority.
    pub core: Vec<usize>,
    /// What goes wrong, by rising time.
    pub faults: Vec<Fault>,
    /// The planted bug.
    pub mutant: Option<Mutant>,
    /// The bug that is planted in the clients of our own crate.
    #[serde(default)]
    pub client_mutant: Option<ClientMutant>,
    /// At every so many syncs a start on what a loss of power would leave is rehearsed; 0: never.
    #[serde(default)]
    pub rehearse_every: u64,
    /// What must hold.
    #[serde(default)]
    pub demands: Demands,
}

/// What differs between clusters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knobs {
    /// Between two heartbeats, milliseconds.
    pub heartbeat_ms: u64,
    /// Shortest election timeout, milliseconds.
    pub election_min_ms: u64,
    /// Longest election timeout, milliseconds.
    pub election_max_ms: u64,
    /// Memory of a node, bytes.
    pub memory_limit: u64,
    /// Sizes on the disk.
    pub storage: StorageConfig,
    /// Events that a turn may batch.
    pub turn_events_max: u64,
    /// Longest wait of an event for its turn, nanoseconds.
    pub turn_wait_ns: u64,
    /// Whether a topic is made when somebody wants it.
    #[serde(default)]
    pub auto_create: bool,
    /// What a turn does for clients, bytes.
    #[serde(default = "whole_turn")]
    pub turn_work_bytes: usize,
}

fn whole_turn() -> usize {
    rust_mq_core::limits::TURN_WORK_BYTES
}

/// One site, a computer: its clocks and its disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SitePlan {
    /// Where its monotonic clock starts, nanoseconds.
    pub offset_ns: u64,
    /// How wrong its clock runs.
    pub drift_ppm: i64,
    /// How wrong its wall clock is, milliseconds.
    pub skew_ms: i64,
    /// Bytes its disk holds.
    pub capacity: u64,
    /// Mean time of a write or a read.
    pub touch_ns: u64,
    /// Mean time of a sync.
    pub sync_ns: u64,
    /// Time of a byte, picoseconds.
    pub byte_ps: u64,
    /// From which of its starts on its node is of a build that is one newer, which reads a feature level more and speaks
    /// a version more; 0: from the first; none: never.
    #[serde(default)]
    pub newer_from: Option<u32>,
}

impl SitePlan {
    /// What its node reads, after so many starts before.
    pub fn levels(&self, starts: u32) -> Levels {
        let is_newer = self.newer_from.is_some_and(|from| starts >= from);
        Levels { newest: if is_newer { Levels::READABLE } else { Levels::BUILD.newest }, ..Levels::BUILD }
    }
}

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When, milliseconds after the start.
    pub at_ms: u64,
    /// For how long; what is still wrong outside the core when the faults freeze stays so for ever.
    pub lasts_ms: u64,
    /// What.
    pub what: Trouble,
}
