//! A cluster of hosts of the toy machine over a seeded queue: loss, cuts, crashes that lose what is not durable, and
//! checkpoints. Every choice comes from the seed.
//!
//! - Law of replay: the committed log, applied from the start, makes the state that each host has, tip and committed.
//! - Law of reads: a confirmed read shows all that was acknowledged when it was asked.
//! - Law of answers: nobody is answered twice, and whoever's host lives on is answered in the end.

use super::toy::{Image, Reply, Request, Toy};
use crate::config::GroupSettings;
use crate::entry::{Entry, EntryKind, HardState, Members, Stamp};
use crate::host::{Host, Replied};
use crate::ids::{Index, NodeId, ReplicaId, Term};
use crate::level::Levels;
use crate::machine::{Machine, Room, Waiter};
use crate::now::{Mono, Now, Wall};
use crate::replica::{Ready, ReadyNumber, Recovered, Replica, Settings};
use crate::rng::Rng;
use bytes::Bytes;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Add;

const ROOM: Room = Room {
    node: NodeId(1),
    commands_bytes_max: 1 << 20,
    partitions_max: 100,
    state_bytes_max: 1 << 20,
    groups: GroupSettings::DEFAULT,
};

/// Which faults there are, in chances of a thousand.
#[derive(Clone, Copy)]
pub struct Weather {
    pub loss: u64,
    pub crash: u64,
    pub cut: u64,
    pub heal: u64,
    pub checkpoint: u64,
    /// A member stands, and those that hear of it let go of their leader.
    pub upset: u64,
}

/// How often what happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub reads: u64,
    pub adds: u64,
    pub crashes: u64,
    pub refused: u64,
    pub late: u64,
}

impl Add for Seen {
    type Output = Seen;

    fn add(self, other: Seen) -> Seen {
        Seen {
            reads: self.reads + other.reads,
            adds: self.adds + other.adds,
            crashes: self.crashes + other.crashes,
            refused: self.refused + other.refused,
            late: self.late + other.late,
        }
    }
}

/// What is durable of one member.
#[derive(Clone, Default)]
struct Disk {
    hard_state: HardState,
    applied: Stamp,
    state: Bytes,
    entries: Vec<Entry>,
}

struct Member {
    host: Host<Toy>,
    disk: Disk,
    owed: VecDeque<(ReadyNumber, Option<HardState>, Vec<Entry>)>,
    is_cut: bool,
}

/// Who asked, of which member, and the least that a read must show.
struct Asked {
    of: usize,
    request: Request,
    floor: u64,
}

pub struct Cluster {
    seed: u64,
    rng: Rng,
    now: Now,
    members: Vec<Member>,
    queue: VecDeque<RaftMessage>,
    waiters: u64,
    asked: BTreeMap<Waiter, Asked>,
    answers: BTreeMap<Waiter, Reply>,
    /// The largest sum of each key that was acknowledged.
    acknowledged: BTreeMap<u8, u64>,
    committed: Vec<Entry>,
    contexts: BTreeSet<(u64, u64, u64)>,
    pub image: Image,
    pub seen: Seen,
}

impl Cluster {
    pub fn new(seed: u64, count: u64) -> Cluster {
        let disk = Disk { state: Host::encode_state(Wall(0), &Toy::default()).freeze(), ..Disk::default() };
        Cluster {
            seed,
            rng: Rng::stream(seed, "hosts"),
            now: Now::default(),
            members: (1..=count).map(|id| Member::boot(seed, (id, count), disk.clone())).collect(),
            queue: VecDeque::new(),
            waiters: 0,
            asked: BTreeMap::new(),
            answers: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            committed: Vec::new(),
            contexts: BTreeSet::new(),
            image: Image { most: 9 },
            seen: Seen::default(),
        }
    }

    pub fn host(&self, at: usize) -> &Host<Toy> {
        &self.members[at].host
    }

    pub fn answer(&self, waiter: Waiter) -> Option<Reply> {
        self.answers.get(&waiter).copied()
    }

    /// Questions to majorities so far, each counted once.
    pub fn questions(&self) -> usize {
        self.contexts.len()
    }

    pub fn ask(&mut self, at: usize, request: Request) -> Waiter {
        self.waiters += 1;
        let waiter = Waiter(self.waiters);
        let floor = match request {
            Request::Read { key } | Request::Peek { key } => {
                self.acknowledged.get(&key).copied().unwrap_or(0)
            }
            _ => 0,
        };
        self.asked.insert(waiter, Asked { of: at, request, floor });
        let mut out = Vec::new();
        self.members[at].host.request(self.now, waiter, request, &self.image, &mut out);
        self.told(out);
        waiter
    }

    /// Makes a member the leader.
    pub fn elect(&mut self, at: usize) {
        for _ in 0..200 {
            if self.host(at).is_leading() {
                return;
            }
            self.upset(at);
            self.calm();
        }
        panic!("member {at} is not elected");
    }

    /// A member stands for election, and those that hear of it let go of their leader. One that is cut off does not.
    fn upset(&mut self, at: usize) {
        for (other, member) in self.members.iter_mut().enumerate() {
            if other != at && !member.is_cut {
                member.host.replica_mut().leader_lost();
            }
        }
        self.stand(at);
    }

    /// A member stands for election.
    pub fn stand(&mut self, at: usize) {
        self.members[at].host.replica_mut().campaign();
    }

    pub fn cut(&mut self, at: usize) {
        self.members[at].is_cut = true;
    }

    pub fn heal(&mut self) {
        self.members.iter_mut().for_each(|member| member.is_cut = false);
    }

    /// What is not durable is lost.
    pub fn crash(&mut self, at: usize) {
        self.seen.crashes += 1;
        let count = self.members.len() as u64;
        let disk = self.members[at].disk.clone();
        self.members[at] = Member::boot(self.seed, (at as u64 + 1, count), disk);
        // Whoever waited there has lost its link.
        self.asked.retain(|waiter, asked| asked.of != at || self.answers.contains_key(waiter));
    }

    pub fn sleep(&mut self, wait: Mono) {
        self.now.mono.0 += wait.0;
        (0..self.members.len()).for_each(|at| self.wake(at));
    }

    /// A member sees what time has brought.
    pub fn wake(&mut self, at: usize) {
        let mut out = Vec::new();
        if self.host(at).next_deadline().is_some_and(|due| due <= self.now.mono) {
            self.members[at].host.due(self.now, &self.image, &mut out);
        }
        self.told(out);
    }

    /// Another member's state takes the place of this one's, as it stands there.
    pub fn install_on(&mut self, at: usize, index: Index) {
        let state = Host::encode_state(Wall(9), self.host(1).committed());
        let stamp = Stamp { index, term: Term(9), wall: Wall(9) };
        let mut out = Vec::new();
        self.members[at].host.install(stamp, &state, &mut out).expect("our own encoding");
        self.told(out);
    }

    /// Everything that is under way arrives, as far as nobody is cut off. No time passes.
    pub fn calm(&mut self) {
        loop {
            let is_quiet = (0..self.members.len()).all(|at| !self.take(at) && !self.persist(at));
            if is_quiet && self.queue.is_empty() {
                return;
            }
            for _ in 0..self.queue.len() {
                self.deliver(0, 0);
            }
        }
    }

    /// Calm rounds in which time passes.
    pub fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            for at in 0..self.members.len() {
                self.tick(at);
            }
            self.sleep(Mono(100));
            self.calm();
        }
    }

    /// A round in which anything may happen.
    pub fn storm(&mut self, weather: Weather) {
        for at in 0..self.members.len() {
            if self.chance(750) {
                self.tick(at);
            }
            if self.chance(weather.crash) {
                self.crash(at);
            }
            if self.chance(weather.cut) {
                self.members[at].is_cut = true;
            } else if self.chance(weather.heal) {
                self.members[at].is_cut = false;
            }
            if self.chance(weather.checkpoint) {
                self.members[at].checkpoint();
            }
            if self.chance(weather.upset) {
                self.upset(at);
            }
            for _ in 0..self.rng.below(3) {
                let request = self.request();
                self.ask(at, request);
            }
        }
        self.sleep(Mono(50));
        for _ in 0..6 + self.queue.len() {
            let at = usize::try_from(self.rng.below(self.members.len() as u64)).expect("small");
            match self.rng.below(10) {
                0..6 => {
                    let place = self.rng.below(self.queue.len().max(1) as u64);
                    self.deliver(usize::try_from(place).expect("small"), weather.loss);
                }
                6..8 => drop(self.take(at)),
                _ => drop(self.persist(at)),
            }
        }
    }

    /// Holds all hosts to the laws, once nothing happens any more.
    pub fn judge(&self) {
        for (at, Member { host, .. }) in self.members.iter().enumerate() {
            let mut replayed = Toy::default();
            for entry in self.committed.iter().take_while(|entry| entry.index <= host.applied().index) {
                apply(&mut replayed, entry);
            }
            assert_eq!(host.committed(), &replayed, "member {at} is as its log says");
            if let Some((tip, index)) = host.tip().filter(|(_, index)| *index <= host.applied().index) {
                assert_eq!(tip, &replayed, "nothing is between member {at}'s tip at {index} and its log");
            }
        }
        let patient = |asked: &Asked| !matches!(asked.request, Request::Await { .. });
        let silent =
            self.asked.iter().filter(|(waiter, asked)| patient(asked) && !self.answers.contains_key(waiter));
        assert_eq!(silent.count(), 0, "everyone is answered");
    }

    fn request(&mut self) -> Request {
        let key = self.rng.below(4) as u8;
        match self.rng.below(10) {
            0..4 => Request::Add { key, amount: self.rng.below(5) },
            4..8 => Request::Read { key },
            8 => Request::Peek { key },
            _ => Request::Await { key, at_least: self.rng.below(200) },
        }
    }

    fn tick(&mut self, at: usize) {
        let replica = self.members[at].host.replica_mut();
        if replica.members().voters.len() == 1 {
            replica.campaign();
        }
        replica.tick();
    }

    fn deliver(&mut self, at: usize, loss: u64) {
        let Some(message) = self.queue.swap_remove_back(at) else { return };
        let (from, to) = (message.from as usize - 1, message.to as usize - 1);
        if self.members[from].is_cut || self.members[to].is_cut || self.chance(loss) {
            return;
        }
        // What the guard refuses is a message lost.
        let _ = self.members[to].host.replica_mut().step(message);
    }

    /// One ready, carried as a node does. Returns whether there was one.
    fn take(&mut self, at: usize) -> bool {
        let member = &mut self.members[at];
        let Some(mut ready) = member.host.replica_mut().take_ready(1 << 20) else { return false };
        let messages = std::mem::take(&mut ready.messages);
        for entry in &ready.committed {
            member.host.apply(entry, |_, _| {}).expect("our own entries");
            member.host.replica_mut().applied(entry.index);
        }
        let mut out = Vec::new();
        member.host.heard(&ready.reads, &mut out);
        if !ready.committed.is_empty() || ready.role.is_some() {
            member.host.settle(self.now, &self.image, &mut out);
        }
        let Ready { must_persist, number, hard_state, entries, committed, reset, .. } = ready;
        assert!(reset.is_none(), "nobody forgets an entry, so nobody is behind");
        if must_persist {
            member.owed.push_back((number, hard_state, entries));
        }
        self.say(messages);
        for entry in committed {
            match self.committed.get(entry.index.0 as usize - 1) {
                Some(known) => assert_eq!(*known, entry, "one entry is committed at an index"),
                None => self.committed.push(entry),
            }
        }
        self.told(out);
        true
    }

    fn persist(&mut self, at: usize) -> bool {
        let member = &mut self.members[at];
        let Some((number, hard_state, entries)) = member.owed.pop_front() else { return false };
        member.disk.hard_state = hard_state.unwrap_or(member.disk.hard_state);
        if let Some(first) = entries.first() {
            member.disk.entries.retain(|entry| entry.index < first.index);
            member.disk.entries.extend(entries);
        }
        let messages = member.host.replica_mut().persisted(number);
        self.say(messages);
        true
    }

    fn say(&mut self, messages: Vec<RaftMessage>) {
        for message in &messages {
            if message.kind() == RaftKind::Heartbeat {
                self.contexts.extend(message.read.map(|read| (message.from, message.term, read)));
            }
        }
        self.queue.extend(messages);
    }

    fn told(&mut self, out: Vec<Replied<Reply>>) {
        for Replied { waiter, reply, .. } in out {
            // Who has crashed has nobody to tell.
            let Some(asked) = self.asked.get(&waiter) else { continue };
            match (asked.request, reply) {
                (Request::Read { .. }, Reply::Value(sum)) => {
                    assert!(sum >= asked.floor, "a read shows {sum}, and {} was acknowledged", asked.floor);
                    self.seen.reads += 1;
                }
                (Request::Add { key, .. }, Reply::Value(sum)) => {
                    let known = self.acknowledged.entry(key).or_default();
                    *known = sum.max(*known);
                    self.seen.adds += 1;
                }
                (_, Reply::NotLeader) => self.seen.refused += 1,
                (_, Reply::Late) => self.seen.late += 1,
                _ => {}
            }
            assert_eq!(self.answers.insert(waiter, reply), None, "nobody is answered twice");
        }
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.rng.below(1_000) < thousandths
    }
}

impl Member {
    fn boot(seed: u64, (id, count): (u64, u64), disk: Disk) -> Member {
        let node = NodeId(i32::try_from(id).expect("few"));
        let base = Settings::new(node, seed, 7);
        let settings =
            Settings { heartbeat_ticks: 2, election_ticks_min: 10, election_ticks_max: 20, ..base };
        let recovered = Recovered {
            hard_state: disk.hard_state,
            members: Members { voters: (1..=count).map(ReplicaId).collect(), learners: Vec::new() },
            applied: disk.applied,
            entries: disk.entries.clone(),
        };
        let replica = Replica::start(settings, ReplicaId(id), recovered).expect("the disk keeps its word");
        let (_, state) = Host::decode_state(&disk.state, Levels::BUILD.newest).expect("our own encoding");
        let host = Host::new(replica, state, disk.applied, Rng::stream(seed, "host"), ROOM);
        Member { host, disk, owed: VecDeque::new(), is_cut: false }
    }

    /// What is applied need not be replayed after a crash, as far as its entries are durable.
    fn checkpoint(&mut self) {
        let applied = self.host.applied();
        if self.disk.entries.last().is_some_and(|last| last.index >= applied.index) {
            (self.disk.applied, self.disk.state) = (applied, self.host.encode().freeze());
        }
    }
}

fn apply(machine: &mut Toy, entry: &Entry) {
    let at = Stamp { index: entry.index, term: entry.term, wall: entry.wall };
    if entry.kind == EntryKind::Commands {
        let commands = Toy::decode_commands(&entry.payload, Levels::BUILD.newest).expect("our own encoding");
        commands.iter().for_each(|command| machine.apply(at, command));
    }
}
