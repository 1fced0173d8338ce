//! What can go wrong, as data.
//!
//! A trouble says what and where; when and for how long the plan's `Fault` says. How each begins and ends is in
//! `world::faults` and its neighbours.

use crate::network::Spot;
use rust_mq_core::file::File;
use serde::{Deserialize, Serialize};

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
    /// A site is cut off from all others and from clients.
    Isolate {
        /// Which.
        site: usize,
    },
    /// Two groups of sites are cut off from each other; clients reach both.
    Halves {
        /// One group.
        left: Vec<usize>,
    },
    /// As `Halves`, but one site is in touch with both.
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
    /// The power fails, and meanwhile something of a file is lost that was synced.
    Decay {
        /// Where.
        site: usize,
        /// In a file of which kind.
        of: FileKind,
        /// How.
        how: Decay,
    },
    /// The next write to a file of that kind is said to have worked, and has not, or not there.
    Astray {
        /// Where.
        site: usize,
        /// To a file of which kind.
        of: FileKind,
        /// Where the bytes are.
        how: Astray,
    },
    /// From then on the disk lies: what is written and synced is gone when the power fails, at the end of it.
    Rollback {
        /// Where.
        site: usize,
        /// Only of files of this kind; else everything, as on a disk that was put back from a copy.
        of: Option<FileKind>,
    },
    /// The power fails, and an empty disk is put in.
    Wipe {
        /// Where.
        site: usize,
    },
    /// The power fails on two sites, and each has the other's disk for a while.
    Swap {
        /// One.
        site: usize,
        /// The other.
        with: usize,
    },
    /// Reads are slow, or stuck, and nothing else is.
    SlowReads {
        /// Where.
        site: usize,
        /// How many times slower.
        factor: u64,
    },
    /// The power fails as soon as it is the worst moment for it.
    Dark {
        /// Where; else everywhere.
        site: Option<usize>,
        /// When.
        when: Moment,
        /// Unsynced sectors that are kept, of a million.
        kept_ppm: u64,
    },
    /// All processes stand still at once while time goes on, as when a host of virtual machines does.
    PauseAll,
    /// What is under way from one place to another is lost within its streams, and nobody is told for a while.
    Swallow {
        /// From.
        from: Spot,
        /// To.
        to: Spot,
    },
    /// Whoever dials a site reaches another.
    Misroute {
        /// Which is dialled.
        site: usize,
        /// Which answers.
        answers: usize,
    },
    /// A process starts again with a secret that is not the cluster's: a stranger where a peer was.
    Stranger {
        /// Where.
        site: usize,
    },
    /// A client loses all its connections.
    Hangup {
        /// Which.
        client: usize,
    },
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FileKind {
    /// A file of the journal.
    Journal,
    /// A slot of the checkpoint.
    Checkpoint,
    /// `node.meta`.
    NodeMeta,
    /// A segment.
    Segment,
    /// A segment's index.
    Index,
}

impl FileKind {
    /// All of them.
    pub const ALL: [FileKind; 5] =
        [FileKind::Journal, FileKind::Checkpoint, FileKind::NodeMeta, FileKind::Segment, FileKind::Index];

    /// The kind of a file.
    pub fn of(file: File) -> FileKind {
        match file {
            File::Journal(_) => FileKind::Journal,
            File::Checkpoint(_) | File::State(_) => FileKind::Checkpoint,
            File::NodeMeta => FileKind::NodeMeta,
            File::Segment(_) => FileKind::Segment,
            File::SegmentIndex(_) => FileKind::Index,
        }
    }

    /// Whether what lies in it is records, which peers have and which are mended range by range.
    pub fn is_of_records(self) -> bool {
        matches!(self, FileKind::Segment | FileKind::Index)
    }
}

/// How something of a file is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decay {
    /// A bit flips.
    Flip,
    /// As a bit, but among the newest bytes of the file that are not zero.
    FlipNewest,
    /// A sector is blank.
    Blank,
    /// The file ends early.
    CutOff,
    /// The file is gone.
    Gone,
}

/// Where the bytes of a write are that was said to have worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Astray {
    /// Nowhere.
    Lost,
    /// At another place of the file.
    Elsewhere,
    /// The first of them where they belong, the rest nowhere.
    Short,
}

/// The worst moments for a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moment {
    /// Within a checkpoint.
    Checkpoint,
    /// Within a frame of the journal of some size.
    Frame,
    /// Within a write over bytes of a segment that were there already.
    Mend,
    /// Just after a node has taken a snapshot, with what it has acknowledged since.
    CaughtUp,
    /// While a node starts, before it serves.
    Recovery,
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
    /// `Decay`.
    Decay,
    /// `Astray`.
    Astray,
    /// `Rollback`, `Wipe`, `Swap`.
    OtherDisk,
    /// `SlowReads`.
    SlowReads,
    /// `Dark`.
    Dark,
    /// `PauseAll`.
    PauseAll,
    /// `Swallow`.
    Swallow,
    /// `Misroute`.
    Misroute,
    /// `Stranger`.
    Stranger,
}

impl TroubleKind {
    /// All of them.
    pub const ALL: [TroubleKind; 22] = [
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
        TroubleKind::Decay,
        TroubleKind::Astray,
        TroubleKind::OtherDisk,
        TroubleKind::SlowReads,
        TroubleKind::Dark,
        TroubleKind::PauseAll,
        TroubleKind::Swallow,
        TroubleKind::Misroute,
        TroubleKind::Stranger,
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
            Trouble::Decay { .. } => TroubleKind::Decay,
            Trouble::Astray { .. } => TroubleKind::Astray,
            Trouble::Rollback { .. } | Trouble::Wipe { .. } | Trouble::Swap { .. } => TroubleKind::OtherDisk,
            Trouble::SlowReads { .. } => TroubleKind::SlowReads,
            Trouble::Dark { .. } => TroubleKind::Dark,
            Trouble::PauseAll => TroubleKind::PauseAll,
            Trouble::Swallow { .. } => TroubleKind::Swallow,
            Trouble::Misroute { .. } => TroubleKind::Misroute,
            Trouble::Stranger { .. } => TroubleKind::Stranger,
        }
    }

    /// The site it is about, if it is about one.
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
            | Trouble::RotJournal { site }
            | Trouble::Decay { site, .. }
            | Trouble::Astray { site, .. }
            | Trouble::Rollback { site, .. }
            | Trouble::Wipe { site }
            | Trouble::Swap { site, .. }
            | Trouble::SlowReads { site, .. }
            | Trouble::Misroute { site, .. }
            | Trouble::Stranger { site } => Some(*site),
            Trouble::Dark { site, .. } => *site,
            Trouble::PauseAll
            | Trouble::Swallow { .. }
            | Trouble::Blackout { .. }
            | Trouble::Cut { .. }
            | Trouble::Halves { .. }
            | Trouble::Bridge { .. }
            | Trouble::Hangup { .. } => None,
        }
    }

    /// The directions it cuts, in a cluster of so many sites with so many clients.
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
    fn an_isolated_site_hears_nobody() {
        assert_eq!(Trouble::Isolate { site: 0 }.cuts(3, 2).len(), 8);
    }
}
