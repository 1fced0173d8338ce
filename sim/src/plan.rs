//! A run as data: topology, knobs, weather, clients, and the faults as a timed list. A plan and a build are
//! all that a run needs; a seed is only a short name for the plan that `swarm` draws from it.
//!
//! Everything here is plain and serialisable, so that a failing run can be shrunk by taking things away, and
//! what is left can be stored and run for ever.

use crate::client::plan::{ClientPlan, TopicPlan};
use crate::network::{Spot, Weather};
use rust_mq_core::config::StorageConfig;
use rust_mq_core::mutant::Mutant;
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Roots every stream and die of the run.
    pub seed: u64,
    /// How many machines.
    pub sites: usize,
    /// How long faults come, milliseconds.
    pub chaos_ms: u64,
    /// The network.
    pub weather: Weather,
    /// What the nodes are told.
    pub knobs: Knobs,
    /// The machines.
    pub machines: Vec<Machine>,
    /// The topics that the clients use.
    pub topics: Vec<TopicPlan>,
    /// The clients.
    pub clients: Vec<ClientPlan>,
    /// The machines that are healed when the faults freeze: a majority.
    pub core: Vec<usize>,
    /// What goes wrong, by rising time.
    pub faults: Vec<Fault>,
    /// The planted bug.
    pub mutant: Option<Mutant>,
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
}

/// One machine: its clocks and its disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
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

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// The process is killed; the page cache lives on.
    Kill {
        /// Where.
        site: usize,
    },
    /// The power fails.
    PowerLoss {
        /// Where.
        site: usize,
        /// Unsynced sectors that are kept, of a million.
        kept_ppm: u64,
    },
    /// The power fails while something of that kind is being written, as soon as that is so.
    PowerLossAtWrite {
        /// Where.
        site: usize,
        /// A checkpoint; else a frame of the journal.
        is_checkpoint: bool,
        /// Unsynced sectors that are kept, of a million.
        kept_ppm: u64,
    },
    /// The process is killed during a sync, as soon as there is one, and that fails: nobody is told.
    KillAtSync {
        /// Where.
        site: usize,
    },
    /// The power fails everywhere.
    Blackout {
        /// Unsynced sectors that are kept, of a million.
        kept_ppm: u64,
    },
    /// The process is asked to stop.
    Stop {
        /// Where.
        site: usize,
    },
    /// The process stands still while time goes on.
    Pause {
        /// Where.
        site: usize,
    },
    /// Nothing gets from one place to another.
    Cut {
        /// From.
        from: Spot,
        /// To.
        to: Spot,
    },
    /// A machine is cut off from all others and from clients.
    Isolate {
        /// Which.
        site: usize,
    },
    /// Two groups of machines are cut off from each other; clients reach both.
    Halves {
        /// One group.
        left: Vec<usize>,
    },
    /// As `Halves`, but one machine is in touch with both.
    Bridge {
        /// One group.
        left: Vec<usize>,
        /// Who is in touch with all.
        site: usize,
    },
    /// A clock runs wrong.
    Drift {
        /// Where.
        site: usize,
        /// How wrong.
        ppm: i64,
    },
    /// A wall clock jumps.
    Jump {
        /// Where.
        site: usize,
        /// By how much.
        by_ms: i64,
    },
    /// The next write fails.
    WriteFails {
        /// Where.
        site: usize,
    },
    /// The next sync fails, and its dirty pages are gone.
    SyncFails {
        /// Where.
        site: usize,
    },
    /// The next read fails.
    ReadFails {
        /// Where.
        site: usize,
    },
    /// The disk has no space left.
    Full {
        /// Where.
        site: usize,
    },
    /// The disk is slow, or stalls.
    Slow {
        /// Where.
        site: usize,
        /// How many times slower.
        factor: u64,
    },
    /// A durable sector of a segment rots.
    Rot {
        /// Where.
        site: usize,
    },
    /// The power fails, and meanwhile a frame of the journal rots that is not the last.
    RotJournal {
        /// Where.
        site: usize,
    },
    /// A client loses all its connections.
    Hangup {
        /// Which.
        client: usize,
    },
}

/// The kinds of trouble, for the swarm mask and for dropping whole kinds when shrinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// `Kill`, `Stop`.
    Process,
    /// `PowerLoss`, `PowerLossAtWrite`.
    PowerLoss,
    /// `Blackout`.
    Blackout,
    /// `Pause`.
    Pause,
    /// `Cut`.
    Cut,
    /// `Isolate`.
    Isolate,
    /// `Halves`, `Bridge`.
    Partition,
    /// `Drift`, `Jump`.
    Clock,
    /// `WriteFails`, `SyncFails`, `ReadFails`, `KillAtSync`.
    DiskError,
    /// `Full`.
    DiskFull,
    /// `Slow`.
    DiskSlow,
    /// `Rot`, `RotJournal`.
    Rot,
    /// `Hangup`.
    Hangup,
}

impl TroubleKind {
    /// All of them.
    pub const ALL: [TroubleKind; 13] = [
        TroubleKind::Process,
        TroubleKind::PowerLoss,
        TroubleKind::Blackout,
        TroubleKind::Pause,
        TroubleKind::Cut,
        TroubleKind::Isolate,
        TroubleKind::Partition,
        TroubleKind::Clock,
        TroubleKind::DiskError,
        TroubleKind::DiskFull,
        TroubleKind::DiskSlow,
        TroubleKind::Rot,
        TroubleKind::Hangup,
    ];
}

impl Trouble {
    /// Its kind.
    pub fn kind(&self) -> TroubleKind {
        match self {
            Trouble::Kill { .. } | Trouble::Stop { .. } => TroubleKind::Process,
            Trouble::PowerLoss { .. } | Trouble::PowerLossAtWrite { .. } => TroubleKind::PowerLoss,
            Trouble::Blackout { .. } => TroubleKind::Blackout,
            Trouble::Pause { .. } => TroubleKind::Pause,
            Trouble::Cut { .. } => TroubleKind::Cut,
            Trouble::Isolate { .. } => TroubleKind::Isolate,
            Trouble::Halves { .. } | Trouble::Bridge { .. } => TroubleKind::Partition,
            Trouble::Drift { .. } | Trouble::Jump { .. } => TroubleKind::Clock,
            Trouble::WriteFails { .. }
            | Trouble::SyncFails { .. }
            | Trouble::ReadFails { .. }
            | Trouble::KillAtSync { .. } => TroubleKind::DiskError,
            Trouble::Full { .. } => TroubleKind::DiskFull,
            Trouble::Slow { .. } => TroubleKind::DiskSlow,
            Trouble::Rot { .. } | Trouble::RotJournal { .. } => TroubleKind::Rot,
            Trouble::Hangup { .. } => TroubleKind::Hangup,
        }
    }

    /// The machine it is about, if it is about one.
    pub fn site(&self) -> Option<usize> {
        match self {
            Trouble::Kill { site }
            | Trouble::PowerLoss { site, .. }
            | Trouble::PowerLossAtWrite { site, .. }
            | Trouble::KillAtSync { site }
            | Trouble::Stop { site }
            | Trouble::Pause { site }
            | Trouble::Isolate { site }
            | Trouble::Drift { site, .. }
            | Trouble::Jump { site, .. }
            | Trouble::WriteFails { site }
            | Trouble::SyncFails { site }
            | Trouble::ReadFails { site }
            | Trouble::Full { site }
            | Trouble::Slow { site, .. }
            | Trouble::Rot { site }
            | Trouble::RotJournal { site } => Some(*site),
            Trouble::Blackout { .. }
            | Trouble::Cut { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. }
            | Trouble::Hangup { .. } => None,
        }
    }

    /// The directions it cuts, in a cluster of so many machines with so many clients.
    pub fn cuts(&self, sites: usize, clients: usize) -> Vec<(Spot, Spot)> {
        let both = |one: Spot, other: Spot| [(one, other), (other, one)];
        let across = |left: &[usize], bridge: Option<usize>| -> Vec<(Spot, Spot)> {
            (0..sites)
                .flat_map(|one| (one + 1..sites).map(move |other| (one, other)))
                .filter(|(one, other)| Some(*one) != bridge && Some(*other) != bridge)
                .filter(|(one, other)| left.contains(one) != left.contains(other))
                .flat_map(|(one, other)| both(Spot::Site(one), Spot::Site(other)))
                .collect()
        };
        match self {
            Trouble::Cut { from, to } => vec![(*from, *to)],
            Trouble::Isolate { site } => (0..sites)
                .filter(|other| other != site)
                .map(Spot::Site)
                .chain((0..clients).map(Spot::Client))
                .flat_map(|other| both(Spot::Site(*site), other))
                .collect(),
            Trouble::Halves { left } => across(left, None),
            Trouble::Bridge { left, site } => across(left, Some(*site)),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_sees_both_sides() {
        let cuts = Trouble::Bridge { left: vec![0], site: 1 }.cuts(3, 2);
        let (zero, two) = (Spot::Site(0), Spot::Site(2));
        assert_eq!(cuts, [(zero, two), (two, zero)]);
    }

    #[test]
    fn an_isolated_machine_hears_nobody() {
        assert_eq!(Trouble::Isolate { site: 0 }.cuts(3, 2).len(), 8);
    }
}
