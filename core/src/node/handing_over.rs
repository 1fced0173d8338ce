//! Handing over: what this node leads and others could lead better goes to them.
//!
//! ```text
//! the process stops                            everything, once
//! a frame is unsynced for too long             the disk is slow: everything, again and again
//! a follower's catch-up is given nothing       that partition
//! ```
//! A leader needs its disk less than one thinks: its entries commit by its followers' disks, and its heartbeats need
//! none. So a leader whose disk does nothing any more is never deposed; but it applies only what is durable here, so
//! nobody is answered. It has to go by itself (decision 0011).
//!
//! - Invariant: leadership is given only to a voter that keeps up, while the voters that are there are a majority
//!   without this node: the heir must win without a vote that this disk may never write.
//! - Invariant: where nobody takes it and something waits, the leader steps down: those that it does not hear may hear
//!   each other (seed 901419). Its replica is reluctant for a while, and leads again if nobody else could.
//! - Invariant: a disk is slow until it has been quick for much longer than it takes to be called slow. Meanwhile this
//!   node's replicas are reluctant (`replica`): no leadership returns to them while another can lead.
//! - Invariant: each heir is tried once a round, and a round is followed by a rest, longer each time, in which produces
//!   are taken: where all disks are slow, or too few others are left, slow service is better than none.
//!
//! Time is counted in ticks and election timeouts, so that a process that stood still does not take its disk for slow.
//!
//! Not here: how leadership is transferred (`replica`), where else a follower finds batches (`catch_up`).

use super::{METADATA, Node};
use crate::action::{Action, Notice};
use crate::ids::{ReplicaId, TopicPartition};
use crate::limits::{
    CATCH_UP_PATIENCE, HAND_OVER_DOUBLINGS_MAX, SLOW_DISK_ELECTIONS, SOUND_DISK_ELECTIONS, TICK,
    UNSERVED_ELECTIONS,
};
use crate::mutant::Mutant;
use crate::replica::Replica;
use std::collections::BTreeMap;

/// What is known of the disk, of followers that are given nothing, and of what was tried.
#[derive(Debug, Default)]
pub(super) struct HandingOver {
    disk: Disk,
    unserved: BTreeMap<ReplicaId, Unserved>,
    attempts: BTreeMap<ReplicaId, Attempt>,
}

/// How quick the journal's disk is.
#[derive(Debug, Default)]
struct Disk {
    /// The oldest frame that was unsynced at the last tick, and for how many ticks it has been.
    oldest: Option<u64>,
    age: usize,
    /// Ticks since a frame was last old.
    calm: usize,
    is_slow: bool,
    has_just_changed: bool,
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

/// What an attempt came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Waits,
    Transferred,
    SteppedDown,
}

impl HandingOver {
    /// Whether that replica is to let others lead: its disk is slow, or it has stepped down for them.
    pub fn is_reluctant(&self, id: ReplicaId) -> bool {
        self.disk.is_slow || self.attempts.get(&id).is_some_and(|attempt| attempt.rounds > 0)
    }
}

impl Disk {
    /// A tick later. Returns whether it is slow now, if that changed.
    fn tick(&mut self, oldest: Option<u64>, timeout: usize) -> Option<bool> {
        self.age = if oldest.is_some() && oldest == self.oldest { self.age + 1 } else { 0 };
        self.oldest = oldest;
        let limit = SLOW_DISK_ELECTIONS.saturating_mul(timeout);
        self.calm = if self.age * 2 >= limit { 0 } else { self.calm + 1 };
        let is_slow = if self.is_slow {
            self.calm < SOUND_DISK_ELECTIONS.saturating_mul(timeout)
        } else {
            self.age >= limit
        };
        self.has_just_changed = self.is_slow != is_slow;
        self.is_slow = is_slow;
        self.has_just_changed.then_some(is_slow)
    }
}

impl Attempt {
    /// Tries the next of `heirs`; when none is left, the partition goes to whoever can win it.
    fn next(&mut self, heirs: &[ReplicaId], timeout: usize, replica: &mut Replica) -> Outcome {
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
        let rest = SOUND_DISK_ELECTIONS.saturating_mul(timeout) << self.rounds;
        let rounds = (self.rounds + 1).min(HAND_OVER_DOUBLINGS_MAX);
        *self = Attempt { wait: rest, rounds, ..Attempt::default() };
        if replica.step_down_for_others() { Outcome::SteppedDown } else { Outcome::Waits }
    }
}

impl Node {
    /// Looks, once a tick, how old the oldest unsynced frame is.
    pub(super) fn watch_disk(&mut self) {
        if self.is_planted(Mutant::SlowLeaderStays) {
            return;
        }
        let timeout = self.settings(METADATA).election_ticks_max;
        let oldest = self.storage.oldest_unsynced();
        match self.handing_over.disk.tick(oldest, timeout) {
            Some(true) => self.disk_actions.push(Action::Note(Notice::DiskSlow)),
            Some(false) => self.disk_actions.push(Action::Note(Notice::DiskSound)),
            None => {}
        }
    }

    /// Tries, once a tick, to hand over what this node should not lead.
    pub(super) fn let_others_lead(&mut self) {
        let timeout = self.settings(METADATA).election_ticks_max;
        self.age_unserved(timeout);
        if !self.handing_over.disk.is_slow && self.handing_over.unserved.is_empty() {
            self.handing_over.attempts.clear();
            return;
        }
        let limit = UNSERVED_ELECTIONS.saturating_mul(timeout);
        let HandingOver { disk, unserved, .. } = &self.handing_over;
        let is_unserved = |id| unserved.get(&id).is_some_and(|unserved| unserved.since >= limit);
        let led: Vec<(ReplicaId, Vec<ReplicaId>, usize)> = self
            .led_here()
            .into_iter()
            .filter(|(id, ..)| disk.is_slow || is_unserved(*id))
            .map(|(id, of, replica)| {
                // Who is elected on a slow disk all the same is needed for a while.
                let is_needed = !disk.has_just_changed && !is_unserved(id);
                let wait = if is_needed { SOUND_DISK_ELECTIONS.saturating_mul(timeout) } else { 0 };
                (id, self.heirs_without_me(of, replica), wait)
            })
            .collect();
        let mut attempts = std::mem::take(&mut self.handing_over.attempts);
        attempts.values_mut().for_each(|attempt| attempt.wait = attempt.wait.saturating_sub(1));
        for (id, heirs, wait) in led {
            let attempt = attempts.entry(id).or_insert(Attempt { wait, ..Attempt::default() });
            let Some(replica) = self.replica_mut(id).filter(|_| attempt.wait == 0) else { continue };
            if attempt.next(&heirs, timeout, replica) != Outcome::Waits {
                self.touch(id);
            }
        }
        self.handing_over.attempts = attempts;
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
        let host = self.metadata.iter().map(|(id, host)| (*id, METADATA, host.replica()));
        let partitions =
            self.partitions.iter().map(|(id, partition)| (id, partition.of(), partition.replica()));
        host.chain(partitions).filter(|(.., replica)| replica.is_leader()).collect()
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
            if let Some(replica) = self.replica_mut(*id) {
                replica.transfer(*heir);
                self.touch(*id);
            }
        }
        heirs.is_empty()
    }

    /// The voter that is there and is furthest.
    fn heir(&self, of: TopicPartition, replica: &Replica) -> Option<ReplicaId> {
        let others = replica.progress().filter(|(id, _)| *id != replica.id());
        let alive = others.filter(|(id, _)| self.node_of(of, *id).is_some_and(|node| self.is_alive(node)));
        alive.max_by_key(|(_, matched)| *matched).map(|(id, _)| id)
    }

    /// The other voters that are there, the furthest first; none if they are no majority.
    fn heirs_without_me(&self, of: TopicPartition, replica: &Replica) -> Vec<ReplicaId> {
        let voters = &replica.members().voters;
        let is_there = |id: &ReplicaId| self.node_of(of, *id).is_some_and(|node| self.is_alive(node));
        let mut others: Vec<_> = replica
            .progress()
            .filter(|(id, _)| *id != replica.id() && voters.contains(id) && is_there(id))
            .collect();
        if others.len() <= voters.len() / 2 {
            return Vec::new();
        }
        others.sort_by_key(|(id, matched)| (std::cmp::Reverse(*matched), *id));
        others.into_iter().map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_slow_late_and_sound_later() {
        let mut disk = Disk::default();
        let changes: Vec<_> = (0..30).filter_map(|_| disk.tick(Some(7), 10)).collect();
        assert_eq!((changes, disk.is_slow), (vec![true], true), "one frame that does not end");
        // Frames that end just in time do not make it sound.
        for frame in 8..20 {
            assert!((0..11).all(|_| disk.tick(Some(frame), 10).is_none()), "it is still slow");
        }
        assert!((0..79).all(|_| disk.tick(None, 10).is_none()), "not yet");
        assert!((0..10).any(|_| disk.tick(None, 10) == Some(false)), "quiet for long enough");
    }

    #[test]
    fn many_quick_frames_are_no_slow_one() {
        let mut disk = Disk::default();
        assert!((0..1000).all(|tick| disk.tick(Some(tick / 5), 10).is_none()));
    }
}
