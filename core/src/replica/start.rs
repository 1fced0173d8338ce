//! What a replica is started with, and the proof that it may be.
//!
//! raft-rs panics on a hard state that its log contradicts; here that is a fault, for it has one meaning: the
//! disk lost something that it had confirmed. The commit index is written lazily, so it is raised to what is
//! applied; it is never lowered, as a commit beyond the log is the proof of lost entries.
//!
//! Invariant: applied <= commit <= last index, and hard state term >= the last entry's term.
//!
//! Not here: reading the disk (`storage`), and what a fault leads to (the replica is dead; the floor above).

use super::unheard::Unheard;
use super::window::Window;
use super::{ReadyNumber, Replica, Role, promise::Promises};
use crate::entry::{Entry, HardState, Members, Stamp};
use crate::ids::{Index, NodeId, ReplicaId, Term};
use crate::limits;
use crate::mutant::Mutant;
use raft::eraftpb;
use raft::{RaftState, RawNode, ReadOnlyOption};

/// How a replica behaves. Equal on all replicas of a partition but for `node`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The node that the replica is on.
    pub node: NodeId,
    /// The node's seed.
    pub seed: u64,
    /// A hash of the partition's name, so that a node's replicas do not all stand for election at once.
    pub partition: u64,
    /// Ticks between two heartbeats of a leader.
    pub heartbeat_ticks: usize,
    /// Fewest ticks without a leader before an election; also the lease that a heard leader has. Above
    /// `heartbeat_ticks`.
    pub election_ticks_min: usize,
    /// No replica waits as long. Above `election_ticks_min`.
    pub election_ticks_max: usize,
    /// Weight of the entries of one append.
    pub append_bytes_max: usize,
    /// Appends to one follower that it has not answered.
    pub appends_in_flight_max: usize,
    /// Weight of what may wait for the disk, and of what a leader may have proposed and not yet committed.
    /// At least `append_bytes_max` and the largest payload; a journal frame holds it.
    pub uncommitted_bytes_max: usize,
    /// Weight of the committed entries of one ready.
    pub committed_bytes_max: usize,
    /// The bug that is planted, if one is.
    pub mutant: Option<Mutant>,
}

impl Settings {
    /// Ticks as the configuration gives them, bounds as `limits` does.
    pub fn new(node: NodeId, seed: u64, partition: u64) -> Settings {
        Settings {
            node,
            seed,
            partition,
            heartbeat_ticks: 10,
            election_ticks_min: 30,
            election_ticks_max: 60,
            append_bytes_max: limits::APPEND_BYTES_MAX,
            appends_in_flight_max: limits::APPENDS_IN_FLIGHT_MAX,
            uncommitted_bytes_max: limits::REPLICA_UNCOMMITTED_BYTES_MAX,
            committed_bytes_max: limits::READY_COMMITTED_BYTES_MAX,
            mutant: None,
        }
    }
}

/// What the disk gave back. Default: a replica that has nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The newest that is durable.
    pub hard_state: HardState,
    /// As of `applied`. Empty: the replica learns them from its leader's snapshot.
    pub members: Members,
    /// The newest applied entry, or the `Reset` that the log began with.
    pub applied: Stamp,
    /// The durable entries, contiguous. They may begin below `applied`, and must not begin after the entry
    /// that follows it.
    pub entries: Vec<Entry>,
}

/// Why a replica cannot be started from what was recovered. All but `Settings` and `Members` mean that its
/// disk is not to be trusted: it is dead, and another replica takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartFault {
    /// Tick counts or bounds that contradict each other.
    #[error("settings contradict each other")]
    Settings,
    /// No configuration of a partition.
    #[error("impossible members")]
    Members,
    /// A term above [`Term::MAX`], or a log newer than the hard state.
    #[error("the log has term {log}, the hard state {hard_state}")]
    Term {
        /// Of the newest entry.
        log: Term,
        /// Of the hard state.
        hard_state: Term,
    },
    /// An entry is missing, out of order, or contradicts what was applied.
    #[error("the log is broken at {at}")]
    Broken {
        /// Where.
        at: Index,
    },
    /// Committed entries are gone.
    #[error("committed up to {commit}, but the log ends at {last}")]
    LostTail {
        /// The hard state's commit index.
        commit: Index,
        /// The log's end.
        last: Index,
    },
}

/// Starts the replica `id` from what was recovered.
pub(super) fn start(settings: Settings, id: ReplicaId, recovered: Recovered) -> Result<Replica, StartFault> {
    check_settings(&settings)?;
    let Recovered { hard_state, members, applied, entries } = recovered;
    let members = sorted(members).ok_or(StartFault::Members)?;
    if id == ReplicaId::NOBODY {
        return Err(StartFault::Members);
    }
    check_entries(applied, &entries)?;
    let (below, entries) = above(applied, &entries);
    let last = entries.last().map_or((applied.index, applied.term), |entry| (entry.index, entry.term));
    let hard_state = check_hard_state(hard_state, applied, last)?;

    let state = RaftState { hard_state: to_raft(hard_state), conf_state: conf_state(&members) };
    let window = Window::new(below, entries, state);
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    let node = RawNode::new(&config(&settings, id, applied.index), window, &logger)
        .map_err(|_| StartFault::Settings)?;
    let role = Role { is_leader: false, term: hard_state.term, leader: ReplicaId::NOBODY };
    let mut replica = Replica {
        settings,
        node,
        members,
        promises: Promises::new(hard_state.term),
        told_role: role,
        told_vote: (hard_state.term, hard_state.vote),
        taken: ReadyNumber(0),
        persisted: ReadyNumber(0),
        handed_out: applied.index,
        election: (Term(u64::MAX), 0),
        is_reluctant: false,
        hesitated: 0,
        unheard: Unheard::default(),
        wants_to_lead: false,
        contexts: 0,
    };
    replica.pin_election_timeout();
    Ok(replica)
}

/// The members, sorted, if they are a configuration of a partition.
pub(super) fn sorted(mut members: Members) -> Option<Members> {
    members.voters.sort_unstable();
    members.learners.sort_unstable();
    let mut all = [&members.voters[..], &members.learners[..]].concat();
    all.sort_unstable();
    let is_sane = all.len() <= limits::MEMBERS_MAX
        && !all.contains(&ReplicaId::NOBODY)
        && all.windows(2).all(|pair| pair[0] < pair[1])
        && (all.is_empty() || !members.voters.is_empty());
    is_sane.then_some(members)
}

/// The members in raft-rs's form.
pub(super) fn conf_state(members: &Members) -> eraftpb::ConfState {
    eraftpb::ConfState {
        voters: members.voters.iter().map(|id| id.0).collect(),
        learners: members.learners.iter().map(|id| id.0).collect(),
        ..eraftpb::ConfState::default()
    }
}

fn to_raft(hard_state: HardState) -> eraftpb::HardState {
    eraftpb::HardState {
        term: hard_state.term.0,
        vote: hard_state.vote.0,
        commit: hard_state.commit.0,
        ..eraftpb::HardState::default()
    }
}

fn config(settings: &Settings, id: ReplicaId, applied: Index) -> raft::Config {
    raft::Config {
        id: id.0,
        election_tick: settings.election_ticks_min,
        heartbeat_tick: settings.heartbeat_ticks,
        applied: applied.0,
        max_size_per_msg: settings.append_bytes_max as u64,
        max_inflight_msgs: settings.appends_in_flight_max,
        check_quorum: true,
        pre_vote: true,
        min_election_tick: settings.election_ticks_min,
        max_election_tick: settings.election_ticks_max,
        // Leases check the role and no clock: a paused leader would serve the past.
        read_only_option: ReadOnlyOption::Safe,
        max_uncommitted_size: settings.uncommitted_bytes_max as u64,
        max_committed_size_per_ready: settings.committed_bytes_max as u64,
        ..raft::Config::default()
    }
}

fn check_settings(settings: &Settings) -> Result<(), StartFault> {
    let is_sane = settings.heartbeat_ticks > 0
        && settings.heartbeat_ticks < settings.election_ticks_min
        && settings.election_ticks_min < settings.election_ticks_max
        && settings.appends_in_flight_max > 0
        && settings.append_bytes_max <= settings.uncommitted_bytes_max;
    if is_sane { Ok(()) } else { Err(StartFault::Settings) }
}

/// The entries are contiguous, reach down to what is applied, agree with it, and their terms rise.
fn check_entries(applied: Stamp, entries: &[Entry]) -> Result<(), StartFault> {
    let Some(first) = entries.first() else { return Ok(()) };
    if first.index == Index(0) || first.index > applied.index.next() {
        return Err(StartFault::Broken { at: first.index });
    }
    let mut before: Option<&Entry> = None;
    for entry in entries {
        let follows =
            before.is_none_or(|before| entry.index == before.index.next() && entry.term >= before.term);
        let agrees = if entry.index <= applied.index {
            entry.term <= applied.term && (entry.index < applied.index || entry.term == applied.term)
        } else {
            entry.term >= applied.term
        };
        if !follows || !agrees || entry.term == Term(0) {
            return Err(StartFault::Broken { at: entry.index });
        }
        before = Some(entry);
    }
    Ok(())
}

/// The window's entries and the stamp below them. Of entries that begin at or below `applied` the first one
/// becomes that stamp, as the term of the one before it is unknown.
fn above(applied: Stamp, entries: &[Entry]) -> (Stamp, &[Entry]) {
    match entries.split_first() {
        Some((first, rest))
            if first.index <= applied.index && entries[entries.len() - 1].index >= applied.index =>
        {
            (Stamp { index: first.index, term: first.term, wall: first.wall }, rest)
        }
        Some((first, _)) if first.index > applied.index => (applied, entries),
        // All of it is older than the checkpoint.
        _ => (applied, &[]),
    }
}

fn check_hard_state(
    mut hard_state: HardState,
    applied: Stamp,
    (last, last_term): (Index, Term),
) -> Result<HardState, StartFault> {
    if hard_state == HardState::default() && last == applied.index {
        // A log that begins with a `Reset` and has seen no election.
        hard_state.term = applied.term;
    }
    if hard_state.term < last_term || hard_state.term > Term::MAX {
        return Err(StartFault::Term { log: last_term, hard_state: hard_state.term });
    }
    if hard_state.commit > last {
        return Err(StartFault::LostTail { commit: hard_state.commit, last });
    }
    hard_state.commit = hard_state.commit.max(applied.index);
    Ok(hard_state)
}
