//! A storage, its disk, and a floor above that remembers everything: what was appended, what was acknowledged,
//! and so what must be there after a crash.

use super::disk::Disk;
use super::gather::{Gathering, check_state};
use super::model::{Machine, Memory, NODE, Replica, machine, meta, partition, state};
use super::rewrites::Rewriting;
use crate::action::Action;
use crate::config::StorageConfig;
use crate::entry::{EntryKind, HardState, Members};
use crate::event::{DoneResult, Listed};
use crate::file::File;
use crate::ids::{Index, Offset, ReplicaId, Term, TopicPartition};
use crate::now::Mono;
use crate::rng::Rng;
use crate::storage::{
    Chunk, CommittedBatch, Durable, Lookup, Outcome, ReadFault, ReadId, RecoveredReplica, Recovery, Reset,
    Storage, remember,
};
use bytes::Bytes;
use rust_mq_proto::records::{Batch, Batches};
use std::collections::BTreeMap;
use std::time::Duration;

pub struct World {
    pub config: StorageConfig,
    pub storage: Storage,
    pub disk: Disk,
    pub now: Mono,
    pub rng: Rng,
    pub seed: u64,
    pub replicas: BTreeMap<ReplicaId, Replica>,
    pub ids: u64,
    /// Appends so far, and the newest that was acknowledged.
    pub order: u64,
    pub acked_order: u64,
    pub starts: u64,
    pub checkpoints: u64,
    pub reads: BTreeMap<ReadId, Result<Chunk, ReadFault>>,
    pub recovery: Option<Recovery>,
    pub metas: u64,
    /// Whether every durable prefix of the journal is looked at, and how many were.
    pub watches_prefixes: bool,
    pub prefixes: u64,
    pub is_full: bool,
    pub gathering: Gathering,
    /// What is being written anew.
    pub rewriting: Option<Rewriting>,
    /// Whether closed segments are written anew at all.
    pub rewrites: bool,
    /// The state of the one replica, in tests of states.
    pub toy: Option<Machine>,
}

impl World {
    /// A world on `disk`, before its first start.
    pub fn on(seed: u64, config: StorageConfig, disk: Disk) -> World {
        let rng = Rng::stream(seed, "world");
        World {
            storage: Storage::new(&config, NODE, Rng::stream(seed, "storage"), None),
            config,
            disk,
            now: Mono(0),
            rng,
            seed,
            replicas: BTreeMap::new(),
            ids: 0,
            order: 0,
            acked_order: 0,
            starts: 0,
            checkpoints: 0,
            reads: BTreeMap::new(),
            recovery: None,
            metas: 0,
            watches_prefixes: false,
            prefixes: 0,
            is_full: false,
            gathering: Gathering::default(),
            rewriting: None,
            rewrites: false,
            toy: None,
        }
    }

    /// A world with an empty disk that has been started and given a name.
    pub fn new(seed: u64, config: StorageConfig) -> World {
        let mut world = World::on(seed, config, Disk::default());
        world.boot();
        world.run();
        assert_eq!(world.recovery, Some(Recovery::default()), "an empty disk remembers nothing");
        world.name();
        world.run();
        world
    }

    pub fn name(&mut self) {
        let mut actions = Vec::new();
        self.storage.write_meta(meta(), &mut actions);
        self.disk.queue(&mut actions);
    }

    /// Starts a new process on the disk as it is.
    pub fn boot(&mut self) {
        self.starts += 1;
        self.recovery = None;
        self.rewriting = None;
        self.replicas.values_mut().for_each(|model| model.rewritten.restarted());
        self.reads.clear();
        let rng = Rng::stream(self.seed * 1000 + self.starts, "storage");
        self.storage = Storage::new(&self.config, NODE, rng, None);
        let mut actions = Vec::new();
        self.storage.start(&mut actions);
        self.disk.queue(&mut actions);
    }

    /// One answer of the disk and the turn it makes. Whether there was one.
    pub fn step(&mut self) -> bool {
        let Some((ticket, result)) = self.disk.step(&mut self.rng) else {
            // Parts that the last turn did not come to are taken in the next, whether or not anything happens.
            let goes_on = self.storage.can_gather();
            self.gather();
            return self.rewrite_on() || goes_on;
        };
        if self.watches_prefixes && result == DoneResult::Synced {
            self.look_at_prefix();
        }
        let (mut actions, mut outcomes) = (Vec::new(), Vec::new());
        self.storage.done(self.now, ticket, result, &mut actions, &mut outcomes);
        self.storage.flush(self.now, &mut actions, &mut outcomes);
        self.take(actions, outcomes);
        self.gather();
        self.rewrite_on();
        true
    }

    /// What would be recovered if power were lost now, and nothing that was not synced were left.
    fn look_at_prefix(&mut self) {
        let listed = |(file, bytes): (&File, &Vec<u8>)| Listed { path: file.path(), len: bytes.len() as u64 };
        let files = self.disk.durable.iter().map(listed).collect();
        let found = remember(NODE, files, |file, at, len| {
            let bytes = self.disk.durable.get(&file)?;
            let from = bytes.len().min(at as usize);
            Some(Bytes::copy_from_slice(&bytes[from..bytes.len().min(from + len as usize)]))
        });
        self.prefixes += 1;
        let breach = found.map(|remembered| remembered.breach());
        assert!(matches!(breach, Ok(None)), "seed {}: {breach:?}", self.seed);
    }

    /// Lets the disk do all it has to do.
    pub fn run(&mut self) {
        while self.step() {}
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        let (mut actions, mut outcomes) = (Vec::new(), Vec::new());
        if self.storage.next_deadline().is_some_and(|at| at <= self.now) {
            self.storage.woke(self.now, &mut actions, &mut outcomes);
        }
        self.storage.flush(self.now, &mut actions, &mut outcomes);
        self.take(actions, outcomes);
    }

    /// Ends a turn.
    pub fn flush(&mut self) {
        self.pass(Duration::ZERO);
        self.gather();
    }

    pub fn add(&mut self) -> ReplicaId {
        self.ids += 1;
        let replica = ReplicaId(self.ids);
        let is_free = |of: &TopicPartition| {
            !self.replicas.values().any(|model| model.dropped.is_none() && model.of == *of)
        };
        let of = (0..).map(partition).find(is_free).expect("there are more partitions than replicas");
        self.add_as(replica, of);
        replica
    }

    pub fn add_as(&mut self, replica: ReplicaId, of: TopicPartition) {
        self.storage.add_replica(replica, of);
        self.order += 1;
        let model = Replica {
            of,
            history: vec![(self.order, Memory::default())],
            acked: 0,
            applied: 0,
            machine: Default::default(),
            committed: 0,
            highest_end: 0,
            log_start: 0,
            batches: BTreeMap::new(),
            rewritten: Default::default(),
            drained: None,
            dropped: None,
        };
        self.replicas.insert(replica, model);
    }

    pub fn drop_replica(&mut self, replica: ReplicaId) {
        self.storage.drop_replica(replica);
        self.order += 1;
        self.replicas.get_mut(&replica).expect("ours").dropped = Some(self.order);
    }

    /// Appends, from `first` on, entries of these sizes (0: a no-op), and perhaps a new term.
    pub fn append(&mut self, replica: ReplicaId, first: u64, sizes: &[usize], has_new_term: bool) {
        let model = self.replicas.get_mut(&replica).expect("ours");
        let mut memory = model.now().clone();
        memory.entries.truncate((first - memory.base - 1) as usize);
        if has_new_term {
            memory.hard_state.term.0 += 1;
            memory.hard_state.vote = ReplicaId(memory.hard_state.term.0 % 3);
        }
        let before = memory.entries.len();
        memory.grow(sizes);
        memory.hard_state.commit = memory.hard_state.commit.max(Index(model.applied));
        let new = memory.entries[before..].to_vec();
        let state = memory.hard_state;
        // What forces no frame may be acknowledged before what was asked for earlier.
        let order = if new.is_empty() && !has_new_term {
            model.history[model.history.len() - 1].0
        } else {
            self.order + 1
        };
        self.order = self.order.max(order);
        model.history.push((order, memory));
        let number = model.history.len() as u64 - 1;
        let durable = self.storage.append(replica, number, Some(state), &new);
        if durable == Durable::Already {
            assert!(new.is_empty() && !has_new_term, "what must be written is not durable already");
            self.persisted(replica, number);
        }
    }

    /// Applies entries up to `index`, if all appends are acknowledged.
    pub fn apply(&mut self, replica: ReplicaId, index: u64) {
        let model = self.replicas.get_mut(&replica).expect("ours");
        if model.acked + 1 < model.history.len() {
            return;
        }
        let memory = model.now().clone();
        while model.applied < index.min(memory.last()) {
            let base = memory.offset_at(model.applied);
            model.applied += 1;
            let entry = &memory.entries[(model.applied - memory.base - 1) as usize];
            if entry.kind == EntryKind::Batch {
                let view = Batch::parse(&entry.payload).expect("ours");
                let batch = CommittedBatch {
                    base: Offset(base),
                    next: Offset(view.last_offset() + 1),
                    max_timestamp: view.max_timestamp(),
                    bytes: entry.payload.clone(),
                };
                model.batches.insert(base, entry.payload.clone());
                self.storage.keep(replica, batch);
            }
        }
        model.committed = model.committed.max(model.applied);
        model.highest_end = model.highest_end.max(memory.offset_at(model.applied));
        let state = HardState { commit: Index(model.applied), ..memory.hard_state };
        model.history.last_mut().expect("never empty").1.hard_state = state;
        self.storage.append(replica, model.history.len() as u64 - 1, Some(state), &[]);
    }

    /// Makes the replica forget everything, its log going on at `segment_end` and its entries above `index` with
    /// these sizes, of which some are known to be committed.
    pub fn reset(&mut self, replica: ReplicaId, index: u64, segment_end: i64, sizes: &[usize]) {
        let model = self.replicas.get_mut(&replica).expect("ours");
        let term = model.now().hard_state.term.max(Term(1));
        let end = model.now().offset_at(model.applied);
        let commit = Index(index + self.rng.below(sizes.len() as u64 + 1));
        let hard_state = HardState { term, vote: ReplicaId::NOBODY, commit };
        let mut memory = Memory { hard_state, base: index, base_offset: segment_end, entries: Vec::new() };
        memory.grow(sizes);
        let entries = memory.entries.clone();
        self.order += 1;
        model.history.push((self.order, memory));
        model.applied = index;
        model.machine = (index, machine(index));
        if segment_end != end {
            model.log_start = segment_end;
        }
        let reset = Reset {
            index: Index(index),
            term,
            members: Members::default(),
            hard_state,
            segment_end: Offset(segment_end),
            log_start: Offset(model.log_start),
            state: state(index),
        };
        self.storage.reset(replica, model.history.len() as u64 - 1, reset, &entries);
    }

    pub fn drain(&mut self, replica: ReplicaId) {
        let (mut actions, mut outcomes) = (Vec::new(), Vec::new());
        self.storage.drain(self.now, replica, &mut actions, &mut outcomes);
        self.take(actions, outcomes);
    }

    pub fn advance_log_start(&mut self, replica: ReplicaId, to: i64) {
        self.storage.advance_log_start(replica, Offset(to));
        let model = self.replicas.get_mut(&replica).expect("ours");
        model.log_start = model.log_start.max(to);
    }

    pub fn take(&mut self, mut actions: Vec<Action>, outcomes: Vec<Outcome>) {
        self.disk.queue(&mut actions);
        for outcome in outcomes {
            match outcome {
                Outcome::Recovered(recovery) => self.recovery = Some(recovery),
                Outcome::Persisted { replica, number } => self.persisted(replica, number),
                Outcome::Drained { replica, end } => {
                    if let Some(model) = self.replicas.get_mut(&replica) {
                        model.drained = Some(end);
                    }
                }
                Outcome::Read { read, result, .. } => {
                    self.reads.insert(read, result);
                }
                Outcome::Checkpointed => {
                    self.checkpoints += 1;
                    self.replicas.values_mut().for_each(|model| model.rewritten.checkpointed());
                }
                Outcome::Rewritten { replica, is_done } => self.rewritten(replica, is_done),
                Outcome::MetaWritten => self.metas += 1,
                Outcome::Damaged { .. } | Outcome::Mended { .. } => {}
            }
        }
        self.is_full = self.recovery.is_some() && !self.storage.accepts_records();
    }

    fn persisted(&mut self, replica: ReplicaId, number: u64) {
        if let Some(model) = self.replicas.get_mut(&replica) {
            model.acked = model.acked.max(number as usize);
            self.acked_order = self.acked_order.max(model.history[number as usize].0);
        }
    }

    /// Compares what was recovered with what was acknowledged, and goes on from there.
    pub fn check_recovery(&mut self) {
        assert_eq!(self.disk.halted, None, "seed {}", self.seed);
        let recovery = self.recovery.clone().expect("recovered");
        assert_eq!(recovery.shortened, [], "seed {}: nothing is damaged that nobody damaged", self.seed);
        let mut found: BTreeMap<ReplicaId, RecoveredReplica> =
            recovery.replicas.into_iter().map(|replica| (replica.replica, replica)).collect();
        for (replica, model) in std::mem::take(&mut self.replicas) {
            let was_added = model.history[0].0 < self.acked_order || model.acked > 0;
            let is_dropped = model.dropped.is_some_and(|order| order < self.acked_order);
            match found.remove(&replica) {
                None => {
                    assert!(!was_added || model.dropped.is_some(), "{replica} is lost, seed {}", self.seed)
                }
                Some(_) if is_dropped => panic!("{replica} is back, seed {}", self.seed),
                Some(recovered) => {
                    let model = self.matched(model, &recovered);
                    self.replicas.insert(replica, model);
                }
            }
        }
        assert!(found.is_empty(), "replicas from nowhere: {found:?}, seed {}", self.seed);
    }

    /// The model as of the one moment, not before the last acknowledged, that `recovered` is.
    fn matched(&self, model: Replica, recovered: &RecoveredReplica) -> Replica {
        let applied = recovered.applied.0;
        let last = recovered.entries.last().map_or(applied, |entry| entry.index.0);
        let is_it = |memory: &Memory| {
            (memory.hard_state.term, memory.hard_state.vote)
                == (recovered.hard_state.term, recovered.hard_state.vote)
                && memory.last() == last
                && memory.base <= applied
                && memory.entries[(applied - memory.base) as usize..] == recovered.entries[..]
        };
        let place = (model.acked..model.history.len()).rev().find(|place| is_it(&model.history[*place].1));
        let seed = self.seed;
        let Some(place) = place else {
            panic!(
                "seed {seed}: {} recovered as no acknowledged state: acked {:#?}\nfound {recovered:#?}",
                recovered.replica,
                &model.history[model.acked..]
            );
        };
        let mut memory = model.history[place].1.clone();
        memory.hard_state = recovered.hard_state;
        assert!(recovered.hard_state.commit.0 <= last && recovered.hard_state.commit.0 >= applied);
        assert_eq!(recovered.of, model.of);
        let machine = check_state(recovered, seed);
        assert_eq!(
            recovered.log_end_of_segments.0,
            memory.offset_at(applied),
            "seed {seed}: where keep goes on"
        );
        assert!(recovered.log_start.0 <= model.log_start, "seed {seed}: the log start is not invented");
        Replica {
            history: vec![(0, memory)],
            acked: 0,
            applied,
            machine: (applied, machine),
            log_start: recovered.log_start.0,
            drained: None,
            dropped: None,
            ..model
        }
    }

    /// Reads a whole log, and compares it with what was applied.
    pub fn check_log(&mut self, replica: ReplicaId, max_bytes: usize) {
        let model = &self.replicas[&replica];
        let end = model.now().offset_at(model.applied);
        let mut at = model.log_start;
        while at < end {
            let chunk = match self.read(replica, at, max_bytes) {
                Ok(chunk) => chunk,
                Err(fault) => panic!("seed {}: {replica} {fault:?}", self.seed),
            };
            let model = &self.replicas[&replica];
            assert!(!chunk.batches.is_empty(), "seed {}: a read below the end brings a batch", self.seed);
            for run in &chunk.batches {
                for batch in Batches::new(run) {
                    let batch = batch.expect("whole batches");
                    let kept = model.batches.get(&batch.base_offset()).map(|bytes| &bytes[..]);
                    if kept != Some(batch.bytes()) {
                        model.check_hollow(&batch, self.seed);
                    }
                    let base = batch.base_offset();
                    let is_back = batch.count() > 0 && model.rewritten.is_gone_for_good(base);
                    assert!(!is_back, "seed {}: {base} was gone for good", self.seed);
                    assert!(batch.base_offset() <= at && batch.last_offset() >= at, "no gap");
                    at = batch.last_offset() + 1;
                }
            }
        }
        assert_eq!(at.max(end), end);
    }

    /// A read, driven to its end.
    pub fn read(&mut self, replica: ReplicaId, from: i64, max_bytes: usize) -> Result<Chunk, ReadFault> {
        let mut actions = Vec::new();
        let found = self.storage.read(replica, Offset(from), Offset(i64::MAX), max_bytes, &mut actions);
        self.disk.queue(&mut actions);
        self.await_read(found)
    }

    pub fn await_read(&mut self, lookup: Lookup) -> Result<Chunk, ReadFault> {
        match lookup {
            Lookup::Now(chunk) => Ok(chunk),
            Lookup::Refused(fault) => Err(fault),
            Lookup::Later(read) => {
                while !self.reads.contains_key(&read) && self.step() {}
                self.reads.remove(&read).expect("a read ends")
            }
        }
    }
}
