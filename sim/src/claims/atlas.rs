//! The atlas: what a disk may lose where all claims are demanded.
//!
//! Raft survives no loss of a term or a vote, and of entries only what a majority without that node holds just then. So
//! what a damaged disk would cost is found by starting a core on it: whoever refuses to start, or declares its replicas
//! dead, costs no more than a node that is off; whoever starts must remember its terms, its votes and its dead, and of
//! its entries all but what so many others hold. What is within that may happen; the shadow is then as the disk is.
//! Where only detection is demanded anything may happen, but a start must not bring up what nobody ever wrote (C21).
//!
//! Not here: when disks are damaged (`world::losses`), and how (`disk::decay`).

use super::rehearsal::{Ending, Memory, Started};
use super::shadow::{Durable, Group};
use super::watch::NodeClaims;
use super::{Claim, Verdict};
use crate::disk::Disk;
use rust_mq_core::broker::observe::Remembered;
use rust_mq_core::ids::ReplicaId;

impl NodeClaims {
    /// Whether a node that would start so has lost no more than Raft survives.
    pub fn is_bearable(&self, site: usize, started: &Started) -> bool {
        if started.ending != Ending::Ready || started.is_buried {
            return true;
        }
        let knows_its_dead = self.dead[site].iter().all(|replica| started.dead.contains(replica));
        knows_its_dead
            && self.shadows[site].all().all(|(replica, durable)| {
                let is_over = durable.is_void || durable.group.is_none_or(|group| self.gone.contains(&group));
                let replica = ReplicaId(replica);
                let mut remembered = started.remembers.iter().filter(|memory| memory.seen.replica == replica);
                is_over
                    || started.dead.contains(&replica)
                    || remembered.next().is_some_and(|memory| self.is_enough(site, &memory.seen, durable))
            })
    }

    /// Whether what a replica would remember is enough of what was durable.
    fn is_enough(&self, site: usize, seen: &Remembered, durable: &Durable) -> bool {
        let vote = durable.votes.get(&seen.term.0);
        let has_voted_so = vote.is_none_or(|vote| *vote == seen.vote.0);
        let mut lost = seen.durable.0 + 1..=durable.last();
        seen.term.0 >= durable.term
            && has_voted_so
            && lost.all(|index| self.is_held_without(site, index, durable))
    }

    fn is_held_without(&self, site: usize, index: u64, durable: &Durable) -> bool {
        let (Some(entry), Some(group)) = (durable.entry(index), durable.group) else { return false };
        let of_group = |group: Group| move |other: &&Durable| other.group == Some(group);
        let holds = |other: &&Durable| {
            let has_it = other.entry(index) == Some(entry) || index <= other.base.min(other.commit);
            has_it && !other.is_void
        };
        let others =
            || self.shadows.iter().enumerate().filter(|(other, _)| *other != site).map(|(_, shadow)| shadow);
        let voters = 1 + others().filter(|shadow| shadow.replicas().any(|one| of_group(group)(&one))).count();
        let holders = others()
            .filter(|shadow| shadow.replicas().filter(of_group(group)).any(|one| holds(&one)))
            .count();
        holders * 2 > voters
    }

    /// A disk has become such that a node would start so on it: what was durable is what it would remember.
    pub fn has_lost(&mut self, site: usize, started: &Started, disk: &Disk, verdict: &mut Verdict) {
        if started.ending != Ending::Ready || started.is_buried {
            return;
        }
        for Memory { seen, log, durable } in &started.remembers {
            // Who votes alone leads at once: what it takes for durable is what it remembers.
            let mut remembered = log.iter().filter(|(index, _)| *index <= seen.durable);
            let unwritten = remembered.find(|(index, term)| !durable.knew(index.0, term.0));
            verdict.hold(unwritten.is_none(), Claim::C21, || {
                format!("n{} would start {} with {unwritten:?}, which nobody wrote", site + 1, seen.replica)
            });
            self.floors.falls(seen.replica.0, seen.term.0, seen.commit.0);
        }
        self.shadows[site].is_as(disk, started.remembers.iter().map(|memory| &memory.seen));
    }

    /// Whether anything that site's disk was told is durable.
    pub fn has_promised(&self, site: usize) -> bool {
        self.shadows[site].all().any(|(_, durable)| !durable.is_void)
    }

    /// A site has an empty disk.
    pub fn is_wiped(&mut self, site: usize) {
        self.shadows[site].wiped();
        self.dead[site].clear();
    }

    /// These replicas of a site may not run any more.
    pub fn are_dead(&mut self, site: usize, replicas: &[ReplicaId], is_damaged: bool, verdict: &mut Verdict) {
        verdict.hold(replicas.is_empty() || is_damaged, Claim::C7, || {
            format!("n{} declares {replicas:?} dead on a sound disk", site + 1)
        });
        self.dead[site].extend(replicas);
    }
}
