//! Handing over: what this node leads and others could lead better goes to them.
//!
//! ```text
//! the process stops                            everything, once
//! a frame is unsynced for too long             the disk is slow: everything, again and again
//! a read does not come back for too long       the same
//! the disk has no space for records            everything, again and again
//! a follower's catch-up is given nothing       that partition
//! a follower is heard better than it is        that partition, as the follower asks for it (decision 0012)
//! ```
//! A leader needs its disk less than one thinks: its entries commit by its followers' disks, and its heartbeats need
//! none. So a leader whose disk does nothing any more is never deposed; but it applies only what is durable here, so
//! nobody is answered. Nor is one whose disk is full, though it takes nothing, nor one that takes all and gives nothing
//! back (seed 86010914). It has to go by itself (decision 0011).
//!
//! - Invariant: leadership is given only to a voter that keeps up, is not reluctant itself, and is heard by no fewer
//!   voters, while the voters that are there are a majority without this node: the heir must win without a vote that
//!   this disk may never write.
//! - Invariant: where nobody takes it, the disk does nothing just now and something waits, the leader steps down: those
//!   that it does not hear may hear each other (seed 901419). Its replica is reluctant for a while, and leads again if
//!   nobody else could. Where it hears all, and all are reluctant, it stays.
//! - Invariant: a disk is troubled until it has been quick, with space, for much longer than it takes to be called slow.
//!   Meanwhile this node's replicas are reluctant (`replica`): no leadership returns to them while another can lead.
//! - Invariant: each heir is tried once a round, and a round is followed by a rest, longer each time, in which produces
//!   are taken: where all disks are slow, or too few others are left, slow service is better than none.
//!
//! Time is counted in ticks and election timeouts, so that a process that stood still does not take its disk for slow.
//!
//! Not here: how quick and full the disk is (`disk_health`), how leadership is transferred (`replica`), where else a
//! follower finds batches (`catch_up`).

use super::company::Company;
use super::disk_health::DiskHealth;
use super::ports::Ports;
use crate::action::{Action, Notice};
use crate::ids::{Index, NodeId, ReplicaId, TopicPartition};
use crate::limits::{
    CATCH_UP_PATIENCE, HAND_OVER_DOUBLINGS_MAX, SOUND_DISK_ELECTIONS, TICK, UNSERVED_ELECTIONS,
};
use crate::mutant::Mutant;
use crate::replica::Replica;
use crate::resident::Residents;
use std::collections::BTreeMap;

/// How often in an election timeout an heir is looked for where there was none. Source: chosen; with ten thousand
/// partitions a look takes milliseconds.
const HEIRS_SOUGHT: usize = 4;

/// What is known of the disk, of followers that are given nothing, and of what was tried.
#[derive(Debug)]
pub(super) struct HandingOver {
    /// Shortest and longest election timeout, in ticks.
    election_ticks: (usize, usize),
    disk: DiskHealth,
    unserved: BTreeMap<ReplicaId, Unserved>,
    attempts: BTreeMap<ReplicaId, Attempt>,
}

/// A partition led here, a follower of which has asked for batches in vain.
#[derive(Debug, Default)]
struct Unserved {
    /// Ticks since the first time, and since the last.
    since: usize,
    quiet: usize,
}

/// A leadership that is to go.
#[derive(Debug, Default)]
struct Attempt {
    /// Heirs of this round.
    tried: Vec<ReplicaId>,
    /// Ticks until the next is tried.
    wait: usize,
    /// Ticks for which nobody took it.
    in_vain: usize,
    /// Rounds at whose end nobody had.
    rounds: u32,
}

/// A partition that this node leads and should not.
struct Led {
    id: ReplicaId,
    heirs: Vec<ReplicaId>,
    may_step_down: bool,
    /// Ticks for which it is led on first.
    wait: usize,
}

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Transferred,
    SteppedDown,
}

impl HandingOver {
    /// Nothing is known yet. With the shortest and the longest election timeout, in ticks.
    pub fn new(election_ticks: (usize, usize)) -> HandingOver {
        HandingOver {
            election_ticks,
            disk: DiskHealth::default(),
            unserved: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    /// Looks, once a tick, how the disk is.
    pub fn watch_disk(&mut self, ports: &mut Ports) {
        let frame = ports.storage.oldest_unsynced().filter(|_| !ports.is_planted(Mutant::SlowLeaderStays));
        let read = ports.storage.oldest_read().filter(|_| !ports.is_planted(Mutant::StuckReaderStays));
        let is_full = !ports.storage.accepts_records() && !ports.is_planted(Mutant::FullLeaderStays);
        match self.disk.tick(frame, read, is_full, self.election_ticks) {
            Some(true) => ports.actions.push(Action::Note(Notice::DiskSlow)),
            Some(false) => ports.actions.push(Action::Note(Notice::DiskSound)),
            None => {}
        }
    }

    /// Tries, once a tick, to hand over what this node should not lead.
    pub fn tick(&mut self, residents: &mut Residents, ports: &mut Ports) {
        let (_, timeout) = self.election_ticks;
        self.age_unserved(timeout);
        if !self.disk.is_troubled() && self.unserved.is_empty() {
            self.attempts.clear();
            return;
        }
        let led = self.led_badly(timeout, Company::of(residents, ports), residents);
        self.attempts.values_mut().for_each(|attempt| attempt.wait = attempt.wait.saturating_sub(1));
        for Led { id, heirs, may_step_down, wait } in led {
            let attempt = self.attempts.entry(id).or_insert(Attempt { wait, ..Attempt::default() });
            let Some(replica) = residents.replica_mut(id).filter(|_| attempt.wait == 0) else { continue };
            if attempt.next(&heirs, may_step_down, timeout, replica) != Outcome::Waits {
                ports.touch(id);
            }
        }
    }

    /// Batches of a partition that is led here are asked for, and a follower is behind the window.
    pub fn asked_for_batches(&mut self, id: ReplicaId) {
        self.unserved.entry(id).or_default().quiet = 0;
    }

    /// A follower was given what it lacks.
    pub fn gave_batches(&mut self, id: ReplicaId) {
        self.unserved.remove(&id);
    }

    /// Whether all replicas of this node are to let others lead: its disk is in trouble.
    pub fn is_node_reluctant(&self) -> bool {
        self.disk.is_troubled()
    }

    /// Whether that replica is to let others lead: its disk is in trouble, or it has stepped down for them.
    pub fn is_reluctant(&self, id: ReplicaId) -> bool {
        self.disk.is_troubled() || self.attempts.get(&id).is_some_and(|attempt| attempt.rounds > 0)
    }

    /// What this node leads and should not.
    fn led_badly(&self, timeout: usize, company: Company<'_>, residents: &Residents) -> Vec<Led> {
        let HandingOver { disk, unserved, .. } = self;
        let limit = UNSERVED_ELECTIONS.saturating_mul(timeout);
        let is_unserved = |id| unserved.get(&id).is_some_and(|unserved| unserved.since >= limit);
        let is_due = |id| self.attempts.get(&id).is_none_or(|attempt| attempt.wait <= 1);
        led_here(residents)
            .filter(|(id, ..)| disk.is_troubled() || is_unserved(*id))
            .map(|(id, of, replica)| {
                // Who is elected on such a disk all the same is needed for a while.
                let is_needed = !disk.has_just_changed() && !is_unserved(id);
                let wait = if is_needed { SOUND_DISK_ELECTIONS.saturating_mul(timeout) } else { 0 };
                let is_stuck = disk.is_stuck() || is_unserved(id);
                let may_step_down = is_stuck && !company.are_all_reluctant(of, replica);
                let heirs = if is_due(id) { heirs_without_me(of, replica, company) } else { Vec::new() };
                Led { id, heirs, may_step_down, wait }
            })
            .collect()
    }

    fn age_unserved(&mut self, timeout: usize) {
        let patience = usize::try_from(CATCH_UP_PATIENCE.as_nanos() / TICK.as_nanos()).unwrap_or(usize::MAX);
        self.unserved.retain(|_, unserved| {
            unserved.since += 1;
            unserved.quiet += 1;
            unserved.quiet <= patience.saturating_add(timeout)
        });
    }
}

impl Attempt {
    /// Tries the next of `heirs`; when none is left, the partition goes to whoever can win it, if it may.
    fn next(
        &mut self,
        heirs: &[ReplicaId],
        may_step_down: bool,
        timeout: usize,
        replica: &mut Replica,
    ) -> Outcome {
        let heir = heirs.iter().find(|heir| !self.tried.contains(heir) && replica.transfer(**heir));
        if let Some(heir) = heir {
            self.tried.push(*heir);
            (self.wait, self.in_vain) = (timeout, 0);
            return Outcome::Transferred;
        }
        self.in_vain += 1;
        if self.in_vain < timeout {
            return Outcome::Waits;
        }
        let steps_down = may_step_down && replica.step_down_for_others();
        if self.tried.is_empty() && !steps_down {
            // Nobody was there to be asked, so nothing was lost by it: whoever comes is.
            self.wait = timeout / HEIRS_SOUGHT;
            return Outcome::Waits;
        }
        let rest = SOUND_DISK_ELECTIONS.saturating_mul(timeout) << self.rounds;
        let rounds = (self.rounds + 1).min(HAND_OVER_DOUBLINGS_MAX);
        *self = Attempt { wait: rest, rounds, ..Attempt::default() };
        if steps_down { Outcome::SteppedDown } else { Outcome::Waits }
    }
}

/// Hands what this node leads to others, as far as one is there that keeps up. Returns whether it leads nothing any more
/// that it could hand over.
pub(super) fn hand_over_all(residents: &mut Residents, ports: &mut Ports) -> bool {
    let company = Company::of(residents, ports);
    let heirs: Vec<(ReplicaId, ReplicaId)> =
        led_here(residents).filter_map(|(id, of, replica)| Some((id, heir(of, replica, company)?))).collect();
    for (id, heir) in &heirs {
        if let Some(replica) = residents.replica_mut(*id) {
            replica.transfer(*heir);
            ports.touch(*id);
        }
    }
    heirs.is_empty()
}

fn led_here(residents: &Residents) -> impl Iterator<Item = (ReplicaId, TopicPartition, &Replica)> {
    let all = residents.iter().map(|(id, resident)| (id, resident.of(), resident.replica()));
    all.filter(|(.., replica)| replica.is_leader())
}

/// The voter that is there, is heard by most, and is furthest; one that is not reluctant, if there is one.
fn heir(of: TopicPartition, replica: &Replica, company: Company<'_>) -> Option<ReplicaId> {
    let fitness = |(node, _, matched): &(NodeId, ReplicaId, Index)| {
        (!company.is_reluctant(*node), company.voters_heard_by(of, *node), *matched)
    };
    company.others(of, replica).max_by_key(fitness).map(|(_, id, _)| id)
}

/// The other voters that are there and could lead better, the furthest first; none if those that are there are no
/// majority.
fn heirs_without_me(of: TopicPartition, replica: &Replica, company: Company<'_>) -> Vec<ReplicaId> {
    let others = company.other_voters(of, replica);
    if others.len() <= replica.members().voters.len() / 2 {
        return Vec::new();
    }
    let heard_here = company.voters_heard_by(of, replica.settings().node);
    let could_lead = |(node, ..): &(NodeId, ReplicaId, Index)| {
        !company.is_reluctant(*node) && company.voters_heard_by(of, *node) >= heard_here
    };
    let mut heirs: Vec<_> = others.into_iter().filter(could_lead).collect();
    heirs.sort_by_key(|(_, id, matched)| (std::cmp::Reverse(*matched), *id));
    heirs.into_iter().map(|(_, id, _)| id).collect()
}
