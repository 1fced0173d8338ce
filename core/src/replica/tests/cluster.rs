//! A cluster of replicas over a seeded queue: loss, duplication, reordering, cuts, stalled disks, crashes
//! that lose what is not durable, checkpoints, trims and catch-up. Every choice comes from the seed.

use super::judge::Judge;
use super::{ROOM, settings};
use crate::entry::{Entry, EntryKind, HardState, Members, Stamp};
use crate::ids::{Index, ReplicaId, Term};
use crate::now::Wall;
use crate::replica::{ReadContext, Ready, ReadyNumber, Recovered, Refused, Replica, Restored, SnapshotMeta};
use crate::rng::{Rng, hash};
use bytes::Bytes;
use rust_mq_proto::peer::raft::RaftMessage;
use std::collections::{BTreeMap, VecDeque};

/// What is durable of one member.
#[derive(Clone, Default)]
pub(super) struct Disk {
    pub hard_state: HardState,
    members: Members,
    applied: Stamp,
    entries: Vec<Entry>,
    /// Where the log ended before it was cut, and the term in which it was.
    cuts: Vec<(Term, Index)>,
}

/// A ready on its way to the disk.
struct Owed {
    number: ReadyNumber,
    hard_state: Option<HardState>,
    reset: Option<SnapshotMeta>,
    entries: Vec<Entry>,
}

struct Member {
    replica: Replica,
    disk: Disk,
    owed: VecDeque<Owed>,
    /// The last committed entry that it was given.
    handed: Index,
    /// Rounds for which its disk does nothing.
    stalled: u64,
}

/// Which faults there are, in chances of a thousand.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    pub loss: u64,
    pub duplicate: u64,
    pub crash: u64,
    pub cut: u64,
    pub stall: u64,
    pub trim: u64,
    pub upset: u64,
}

/// The cluster.
pub(super) struct Cluster {
    seed: u64,
    rng: Rng,
    weather: Weather,
    members: Vec<Member>,
    queue: Vec<RaftMessage>,
    /// Member to rounds for which it is cut off.
    cut: BTreeMap<usize, u64>,
    reads: BTreeMap<(ReplicaId, ReadContext), Index>,
    next_read: u64,
    pub judge: Judge,
    /// A hash of all that happened.
    pub trace: u64,
    /// How often what happened.
    pub seen: BTreeMap<&'static str, u64>,
}

impl Cluster {
    pub fn new(seed: u64, voters: u64, learners: u64, weather: Weather) -> Cluster {
        let ids = |from: u64, to: u64| (from..=to).map(ReplicaId).collect();
        let members = Members { voters: ids(1, voters), learners: ids(voters + 1, voters + learners) };
        let disk = Disk { members, ..Disk::default() };
        Cluster {
            seed,
            rng: Rng::stream(seed, "cluster"),
            weather,
            members: (1..=voters + learners).map(|id| Member::boot(seed, id, disk.clone())).collect(),
            queue: Vec::new(),
            cut: BTreeMap::new(),
            reads: BTreeMap::new(),
            next_read: 0,
            judge: Judge::default(),
            trace: 0,
            seen: BTreeMap::new(),
        }
    }

    /// A round of chaos: faults, ticks, proposals, then messages and disks in any order.
    pub fn round(&mut self) {
        self.faults();
        for at in 0..self.members.len() {
            if self.chance(750) {
                self.members[at].replica.tick();
            }
            if self.members.len() == 1 {
                self.members[at].replica.campaign();
            }
            self.ask(at);
        }
        for _ in 0..6 + self.queue.len() {
            let at = self.member();
            match self.rng.below(10) {
                0..6 => self.deliver(),
                6..8 => self.take(at),
                _ => self.persist(at),
            }
        }
    }

    /// A round in which nothing fails and everything arrives.
    pub fn calm_round(&mut self) {
        self.weather = Weather::default();
        self.cut.clear();
        for at in 0..self.members.len() {
            self.members[at].stalled = 0;
            self.members[at].replica.tick();
            if self.members.len() == 1 {
                self.members[at].replica.campaign();
            }
        }
        while !self.is_quiet() {
            for at in 0..self.members.len() {
                self.take(at);
                self.persist(at);
                self.members[at].apply();
            }
            for _ in 0..self.queue.len() {
                self.deliver();
            }
        }
    }

    /// Proposes on every leader; returns whether there was one.
    pub fn propose(&mut self) -> bool {
        let mut proposed = false;
        for at in 0..self.members.len() {
            let size = usize::try_from(self.rng.below(64) + 1).expect("small");
            let payload = Bytes::from(vec![self.rng.below(256) as u8; size]);
            let wall = Wall(i64::try_from(self.rng.below(1_000)).expect("small"));
            proposed |= self.members[at].replica.propose(EntryKind::Batch, wall, payload).is_ok();
        }
        proposed
    }

    /// The lowest index that some member has applied up to.
    pub fn applied_by_all(&self) -> u64 {
        self.members.iter().map(|member| member.replica.applied_index().0).min().unwrap_or(0)
    }

    fn ask(&mut self, at: usize) {
        if self.chance(300) {
            self.propose();
        }
        let asker = &mut self.members[at].replica;
        if asker.read_index(ReadContext(self.next_read)) {
            let floor = Index(self.judge.committed.len() as u64);
            self.reads.insert((asker.id(), ReadContext(self.next_read)), floor);
            self.next_read += 1;
        }
    }

    fn faults(&mut self) {
        self.cut.retain(|_, rounds| {
            *rounds -= 1;
            *rounds > 0
        });
        for at in 0..self.members.len() {
            self.members[at].stalled = self.members[at].stalled.saturating_sub(1);
            if self.chance(self.weather.crash) {
                self.see("crash");
                let disk = self.members[at].disk.clone();
                self.members[at] = Member::boot(self.seed, at as u64 + 1, disk);
            }
            if self.chance(self.weather.cut) {
                let rounds = self.rng.below(40) + 1;
                self.cut.insert(at, rounds);
            }
            if self.chance(self.weather.stall) {
                self.members[at].stalled = self.rng.below(40);
            }
            if self.chance(self.weather.trim) {
                self.checkpoint(at);
            }
            if self.chance(self.weather.upset) {
                self.upset(at);
            }
        }
    }

    /// Something that the floor above may do at any time.
    fn upset(&mut self, at: usize) {
        let other = ReplicaId(self.rng.below(self.members.len() as u64) + 1);
        let replica = &mut self.members[at].replica;
        match self.rng.below(6) {
            0 => replica.leader_lost(),
            1 => drop(replica.campaign()),
            2 => replica.peer_lost(other),
            3 => replica.peer_found(other),
            4 => drop(replica.step_down_without_quorum(&[other])),
            _ => {
                if (1..=5).any(|id| replica.transfer(ReplicaId(id))) {
                    self.see("transfer");
                }
            }
        }
    }

    fn checkpoint(&mut self, at: usize) {
        let member = &mut self.members[at];
        let applied = member.replica.applied_index();
        let Some(last) = applied.0.checked_sub(1) else { return };
        let last = &self.judge.committed[usize::try_from(last).expect("small")];
        member.disk.applied = Stamp { index: applied, term: last.term, wall: last.wall };
        let to = Index(self.rng.below(applied.0 + 1));
        member.disk.entries.retain(|entry| entry.index > to);
        member.replica.trim(to);
        self.see("trim");
    }

    fn deliver(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let at = usize::try_from(self.rng.below(self.queue.len() as u64)).expect("small");
        let message = self.queue.swap_remove(at);
        let (from, to) = (message.from as usize - 1, message.to as usize - 1);
        if self.chance(self.weather.duplicate) {
            self.queue.push(message.clone());
        }
        if self.cut.contains_key(&from) || self.cut.contains_key(&to) || self.chance(self.weather.loss) {
            return;
        }
        let kind = message.kind();
        match self.members[to].replica.step(message) {
            Ok(()) => {}
            Err(Refused::Stale | Refused::Full) => self.see("refused"),
            Err(refused) => panic!("an honest {kind:?} was refused: {refused}"),
        }
    }

    fn take(&mut self, at: usize) {
        let member = &mut self.members[at];
        let Some(ready) = member.replica.take_ready(ROOM) else { return };
        self.trace = hash(&[self.trace, at as u64, hash_text(&format!("{ready:?}"))]);
        let id = member.replica.id();
        self.said(at, &ready.messages);
        if let Some(role) = ready.role {
            self.judge.role(id, role, &self.members[at].disk);
            self.see(if role.is_leader { "leader" } else { "follower" });
        }
        self.committed(at, &ready);
        for (context, index) in &ready.reads {
            let floor = self.reads.remove(&(id, *context)).expect("each read is answered once");
            assert!(*index >= floor, "a read of the past");
            self.see("read");
        }
        if ready.must_persist {
            let Ready { number, hard_state, reset, entries, .. } = ready;
            self.members[at].owed.push_back(Owed { number, hard_state, reset, entries });
        }
        self.catch_up(at);
    }

    fn committed(&mut self, at: usize, ready: &Ready) {
        let member = &mut self.members[at];
        if let Some(reset) = &ready.reset {
            member.handed = reset.at.index;
        }
        for entry in &ready.committed {
            assert_eq!(entry.index, member.handed.next(), "committed entries come in order, once");
            member.handed = entry.index;
            self.judge.committed(entry);
        }
        // Applying lags now and then.
        if self.rng.below(3) > 0 {
            self.members[at].apply();
        }
    }

    /// Followers below the leader's window fetch, and restore from what it has applied.
    fn catch_up(&mut self, at: usize) {
        let (id, term) = (self.members[at].replica.id(), self.members[at].replica.term());
        for behind in self.members[at].replica.catch_up_wanted() {
            let applied = self.members[at].replica.applied_index().0 as usize;
            let Some(last) = applied.checked_sub(1).map(|at| &self.judge.committed[at]) else { continue };
            let meta = SnapshotMeta {
                at: Stamp { index: last.index, term: last.term, wall: last.wall },
                members: self.members[at].disk.members.clone(),
            };
            match self.members[behind.0 as usize - 1].replica.restore(meta, id, term) {
                Ok(Restored::Reset) => self.see("reset"),
                Ok(Restored::NotNeeded) => self.see("no reset"),
                Err(Refused::Stale | Refused::Term) => self.see("late reset"),
                Err(refused) => panic!("an honest snapshot was refused: {refused}"),
            }
        }
    }

    fn persist(&mut self, at: usize) {
        let member = &mut self.members[at];
        if member.stalled > 0 {
            return;
        }
        // Group commit: one sync may make several readies durable, and only the newest is told of.
        let frame = usize::try_from(self.rng.below(8) + 1).expect("small").min(member.owed.len());
        let Some(number) = member.owed.iter().take(frame).last().map(|owed| owed.number) else { return };
        for owed in member.owed.drain(..frame) {
            owed.entries.iter().for_each(|entry| self.judge.journaled(entry));
            member.disk.write(owed);
        }
        let said = member.replica.persisted(number);
        self.said(at, &said);
    }

    fn said(&mut self, at: usize, messages: &[RaftMessage]) {
        for message in messages {
            self.judge.said(&self.members[at].disk, message);
            self.trace = hash(&[self.trace, hash_text(&format!("{message:?}"))]);
            self.queue.push(message.clone());
        }
    }

    fn is_quiet(&self) -> bool {
        self.queue.is_empty()
            && self.members.iter().all(|member| !member.replica.has_ready() && member.owed.is_empty())
    }

    fn chance(&mut self, of_thousand: u64) -> bool {
        self.rng.below(1_000) < of_thousand
    }

    fn member(&mut self) -> usize {
        usize::try_from(self.rng.below(self.members.len() as u64)).expect("small")
    }

    fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_insert(0) += 1;
    }
}

impl Member {
    fn boot(seed: u64, id: u64, disk: Disk) -> Member {
        let Disk { hard_state, members, applied, entries, .. } = disk.clone();
        let recovered = Recovered { hard_state, members, applied, entries };
        let replica = Replica::start(settings(id, seed), ReplicaId(id), recovered);
        let replica = replica.expect("what was durable starts again");
        Member { replica, handed: disk.applied.index, disk, owed: VecDeque::new(), stalled: 0 }
    }

    /// Applies all that was handed out.
    fn apply(&mut self) {
        self.replica.applied(self.handed);
    }
}

impl Disk {
    /// The log's end.
    pub fn last(&self) -> Index {
        self.entries.last().map_or(self.applied.index, |entry| entry.index).max(self.applied.index)
    }

    /// The log's end as it was in `term`: what later terms cut counts.
    pub fn last_in(&self, term: Term) -> Index {
        let first = self.cuts.iter().find(|(by, _)| *by > term);
        first.map_or(self.last(), |(_, last)| *last)
    }

    fn write(&mut self, owed: Owed) {
        let last = self.last();
        if let Some(hard_state) = owed.hard_state {
            assert!(hard_state.term >= self.hard_state.term, "a term fell");
            let changes = hard_state.term == self.hard_state.term && hard_state.vote != self.hard_state.vote;
            assert!(
                !changes || self.hard_state.vote == ReplicaId::NOBODY,
                "two votes in {}",
                hard_state.term
            );
            self.hard_state = hard_state;
        }
        if let Some(reset) = owed.reset {
            self.applied = reset.at;
            self.entries.clear();
        }
        if self.last() < last {
            self.cuts.push((self.hard_state.term, last));
        }
        if let Some(first) = owed.entries.first() {
            assert!(first.index > self.applied.index, "an applied entry was replaced");
            if first.index <= self.last() {
                self.cuts.push((self.hard_state.term, self.last()));
            }
            self.entries.retain(|entry| entry.index < first.index);
            self.entries.extend(owed.entries);
        }
        let last = self.entries.last().map_or(self.applied.term, |entry| entry.term);
        assert!(self.hard_state.term >= last.max(Term(0)), "a log newer than its hard state");
    }
}

fn hash_text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
