//! Handing over: what this node leads and others could lead better goes to them.
//!
//! ```text
//! the process stops                            everything, once
//! a frame is unsynced for too long             the disk is slow: everything, again and again
//! the disk has no space for records            everything, again and again
//! a follower's catch-up is given nothing       that partition
//! more voters hear a follower than hear it     that partition, as the follower asks for it (decision 0012)
//! ```
//! A leader needs its disk less than one thinks: its entries commit by its followers' disks, and its heartbeats need
//! none. So a leader whose disk does nothing any more is never deposed; but it applies only what is durable here, so
//! nobody is answered. Nor is one whose disk is full, though it takes nothing. It has to go by itself (decision 0011).
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

use super::Node;
use super::disk_health::DiskHealth;
use crate::action::{Action, Notice};
use crate::ids::{Index, NodeId, ReplicaId, TopicPartition};
use crate::limits::{
    CATCH_UP_PATIENCE, HAND_OVER_DOUBLINGS_MAX, SOUND_DISK_ELECTIONS, TICK, UNSERVED_ELECTIONS,
};
use crate::mutant::Mutant;
use crate::replica::Replica;
use std::collections::BTreeMap;

/// How often in an election timeout an heir is looked for where there was none. Source: chosen; with ten thousand
/// partitions a look takes milliseconds.
const HEIRS_SOUGHT: usize = 4;

/// What is known of the disk, of followers that are given nothing, and of what was tried.
#[derive(Debug, Default)]
pub(super) struct HandingOver {
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
    /// Whether all replicas of this node are to let others lead: its disk is in trouble.
    pub fn is_node_reluctant(&self) -> bool {
        self.disk.is_troubled()
    }

    /// Whether that replica is to let others lead: its disk is in trouble, or it has stepped down for them.
    pub fn is_reluctant(&self, id: ReplicaId) -> bool {
        self.disk.is_troubled() || self.attempts.get(&id).is_some_and(|attempt| attempt.rounds > 0)
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

impl Node {
    /// Looks, once a tick, how the disk is.
    pub(super) fn watch_disk(&mut self) {
        let timeouts = self.election_ticks();
        let is_blind = self.is_planted(Mutant::SlowLeaderStays);
        let oldest = self.storage.oldest_unsynced().filter(|_| !is_blind);
        let is_full = !self.storage.accepts_records() && !self.is_planted(Mutant::FullLeaderStays);
        match self.handing_over.disk.tick(oldest, is_full, timeouts) {
            Some(true) => self.disk_actions.push(Action::Note(Notice::DiskSlow)),
            Some(false) => self.disk_actions.push(Action::Note(Notice::DiskSound)),
            None => {}
        }
    }

    /// Tries, once a tick, to hand over what this node should not lead.
    pub(super) fn let_others_lead(&mut self) {
        let (_, timeout) = self.election_ticks();
        self.age_unserved(timeout);
        if !self.handing_over.disk.is_troubled() && self.handing_over.unserved.is_empty() {
            self.handing_over.attempts.clear();
            return;
        }
        let limit = UNSERVED_ELECTIONS.saturating_mul(timeout);
        let HandingOver { disk, unserved, .. } = &self.handing_over;
        let is_unserved = |id| unserved.get(&id).is_some_and(|unserved| unserved.since >= limit);
        let is_due = |id| self.handing_over.attempts.get(&id).is_none_or(|attempt| attempt.wait <= 1);
        let led: Vec<Led> = self
            .led_here()
            .into_iter()
            .filter(|(id, ..)| disk.is_troubled() || is_unserved(*id))
            .map(|(id, of, replica)| {
                // Who is elected on such a disk all the same is needed for a while.
                let is_needed = !disk.has_just_changed() && !is_unserved(id);
                let wait = if is_needed { SOUND_DISK_ELECTIONS.saturating_mul(timeout) } else { 0 };
                let is_stuck = disk.is_stuck() || is_unserved(id);
                let may_step_down = is_stuck && !self.are_all_reluctant(of, replica);
                let heirs = if is_due(id) { self.heirs_without_me(of, replica) } else { Vec::new() };
                Led { id, heirs, may_step_down, wait }
            })
            .collect();
        let mut attempts = std::mem::take(&mut self.handing_over.attempts);
        attempts.values_mut().for_each(|attempt| attempt.wait = attempt.wait.saturating_sub(1));
        for Led { id, heirs, may_step_down, wait } in led {
            let attempt = attempts.entry(id).or_insert(Attempt { wait, ..Attempt::default() });
            let Some(resident) = self.residents.get_mut(id).filter(|_| attempt.wait == 0) else { continue };
            if attempt.next(&heirs, may_step_down, timeout, resident.replica_mut()) != Outcome::Waits {
                self.touch(id);
            }
        }
        self.handing_over.attempts = attempts;
    }

    /// Replicas whose leader some voters do not hear: it is asked to give way where this node is heard by more.
    pub(super) fn ask_for_leadership(&mut self, unheard: Vec<ReplicaId>) {
        for id in unheard {
            if self.is_heard_by_more(id, id)
                && let Some(resident) = self.residents.get_mut(id)
            {
                resident.replica_mut().ask_for_leadership();
                self.touch(id);
            }
        }
    }

    /// Whether more voters hear the replica `candidate` than hear the leader of the group of `id`. Without that, those
    /// that do not hear the one would be followed by those that do not hear the other, for as long as links are broken
    /// (decision 0012).
    pub(super) fn is_heard_by_more(&self, id: ReplicaId, candidate: ReplicaId) -> bool {
        let Some(resident) = self.residents.get(id) else { return false };
        let (of, leader) = (resident.of(), resident.replica().leader());
        let heard =
            |replica| self.residents.node_of(of, replica).map_or(0, |node| self.voters_heard_by(of, node));
        heard(candidate) > heard(leader)
    }

    /// Batches of a partition that is led here are asked for, and a follower is behind the window.
    pub(super) fn asked_for_batches(&mut self, id: ReplicaId) {
        self.handing_over.unserved.entry(id).or_default().quiet = 0;
    }

    /// A follower was given what it lacks.
    pub(super) fn gave_batches(&mut self, id: ReplicaId) {
        self.handing_over.unserved.remove(&id);
    }

    fn age_unserved(&mut self, timeout: usize) {
        let patience = usize::try_from(CATCH_UP_PATIENCE.as_nanos() / TICK.as_nanos()).unwrap_or(usize::MAX);
        self.handing_over.unserved.retain(|_, unserved| {
            unserved.since += 1;
            unserved.quiet += 1;
            unserved.quiet <= patience.saturating_add(timeout)
        });
    }

    fn led_here(&self) -> Vec<(ReplicaId, TopicPartition, &Replica)> {
        let all = self.residents.iter().map(|(id, resident)| (id, resident.of(), resident.replica()));
        all.filter(|(.., replica)| replica.is_leader()).collect()
    }

    /// Hands what this node leads to others, as far as one is there that keeps up. Returns whether it leads
    /// nothing any more that it could hand over.
    pub fn hand_over(&mut self) -> bool {
        let heirs: Vec<(ReplicaId, ReplicaId)> = self
            .led_here()
            .into_iter()
            .filter_map(|(id, of, replica)| Some((id, self.heir(of, replica)?)))
            .collect();
        for (id, heir) in &heirs {
            if let Some(resident) = self.residents.get_mut(*id) {
                resident.replica_mut().transfer(*heir);
                self.touch(*id);
            }
        }
        heirs.is_empty()
    }

    /// The voter that is there, is heard by most, and is furthest; one that is not reluctant, if there is one.
    fn heir(&self, of: TopicPartition, replica: &Replica) -> Option<ReplicaId> {
        let others = replica.progress().filter(|(id, _)| *id != replica.id());
        let known = others.filter_map(|(id, matched)| Some((self.residents.node_of(of, id)?, id, matched)));
        let fitness = |(node, _, matched): &(NodeId, ReplicaId, Index)| {
            let heard = self.voters_heard_by(of, *node);
            (!self.is_reluctant(*node), heard, *matched)
        };
        known.filter(|(node, ..)| self.is_alive(*node)).max_by_key(fitness).map(|(_, id, _)| id)
    }

    /// The other voters that are there and could lead better, the furthest first; none if those that are there are no
    /// majority.
    fn heirs_without_me(&self, of: TopicPartition, replica: &Replica) -> Vec<ReplicaId> {
        let others = self.other_voters_there(of, replica);
        if others.len() <= replica.members().voters.len() / 2 {
            return Vec::new();
        }
        let heard_here = self.voters_heard_by(of, self.config.node);
        let could_lead = |(node, ..): &(NodeId, ReplicaId, Index)| {
            !self.is_reluctant(*node) && self.voters_heard_by(of, *node) >= heard_here
        };
        let mut heirs: Vec<_> = others.into_iter().filter(could_lead).collect();
        heirs.sort_by_key(|(_, id, matched)| (std::cmp::Reverse(*matched), *id));
        heirs.into_iter().map(|(_, id, _)| id).collect()
    }

    /// Whether this node hears all voters, and none of the others wants to lead.
    fn are_all_reluctant(&self, of: TopicPartition, replica: &Replica) -> bool {
        let others = self.other_voters_there(of, replica);
        let is_any_away = others.len() + 1 < replica.members().voters.len();
        !is_any_away && others.iter().all(|(node, ..)| self.is_reluctant(*node))
    }

    fn other_voters_there(&self, of: TopicPartition, replica: &Replica) -> Vec<(NodeId, ReplicaId, Index)> {
        let voters = &replica.members().voters;
        let others = replica.progress().filter(|(id, _)| *id != replica.id() && voters.contains(id));
        let known = others.filter_map(|(id, matched)| Some((self.residents.node_of(of, id)?, id, matched)));
        known.filter(|(node, ..)| self.is_alive(*node)).collect()
    }

    /// Whether another node has said that it would rather not lead.
    fn is_reluctant(&self, node: NodeId) -> bool {
        self.peers.sign_of(node).is_some_and(|sign| sign.is_reluctant)
    }

    /// How many voters of a partition a node hears, itself included if it is one: as many hear it (`peer::Sign`).
    pub(super) fn voters_heard_by(&self, of: TopicPartition, node: NodeId) -> usize {
        let is_voter = |heard: &NodeId| self.residents.replica_on(of, *heard).is_some();
        let others = if node == self.config.node {
            self.peers.hears().filter(is_voter).count()
        } else {
            self.peers
                .sign_of(node)
                .map_or(0, |sign| sign.hears.iter().filter(|heard| is_voter(heard)).count())
        };
        others + usize::from(is_voter(&node))
    }
}
