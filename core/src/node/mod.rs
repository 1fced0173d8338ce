//! One node, put together: its links, its storage, its peers, the metadata machine and its partitions; and the
//! carrying between them that the rooms below do not do themselves.
//!
//! ```text
//! storage --Persisted--> replica --committed--> partition, host --batches--> storage
//!                        replica --entries, hard state--> storage      (one frame a turn)
//!                        replica --messages--> peers
//! metadata --effects--> replicas started and stopped
//! ```
//!
//! A replica that something happened to is *touched*; at the end of the turn each touched one makes one ready,
//! if the next frame has room for it (`ready`). What does not fit stays touched for the next turn.
//!
//! The stages of a node's life: *recovering* (nothing is known yet), *alone* (who it is is on its disk, the
//! cluster is not founded), *member* (it has a replica of the metadata partition).
//!
//! - Invariant: a replica of a user partition runs only while the image places it on this node.
//! - Invariant: everything that waits for this node (`settled`, `replied`, `woken`, `read`) is taken by `api` in
//!   the same turn.
//!
//! Not here: what a client's request means (`api/`), the order of a turn (`broker/`).

mod behind;
mod catch_up;
mod checkpoint;
mod cold_reads;
mod deleted_ahead;
mod disk_health;
mod effects;
mod founding;
mod handing_over;
mod image;
mod mending;
mod peering;
mod ready;
mod recovery;
mod requests;
mod scrubbing;
mod serving_catch_up;
mod time;

use crate::action::{Action, HaltReason};
use crate::config::Config;
use crate::connection::{Budget, Connections};
use crate::host::{Host, Replied};
use crate::ids::{BootId, ClusterId, DiskId, Index, NodeId, ReplicaId, TopicPartition};
use crate::machine::Waiter;
use crate::metadata::{Metadata, Reply};
use crate::mutant::{Mutant, is_planted};
use crate::now::Mono;
use crate::partition::Settled;
use crate::peer::{CallId, Founding, Peers};
use crate::replica::ReadContext;
use crate::resident::{Effect, Resident, Residents, Told};
use crate::rng::Rng;
use crate::storage::{Chunk, JournalLoss, Outcome, ReadFault, ReadId, RecoveredReplica, Storage};
use crate::timer::Deadlines;
use rust_mq_proto::records::Decompressor;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// All of a node but the requests that wait in `api/`.
pub struct Node {
    /// What it was told.
    pub config: Config,
    /// Clients' links.
    pub connections: Connections,
    /// Memory for what clients make it do.
    pub budget: Budget,
    /// The disk.
    pub storage: Storage,
    /// The other nodes.
    pub peers: Peers,
    /// What is replicated here.
    pub residents: Residents,
    /// Reused for every compressed batch.
    pub decompressor: Decompressor,
    /// What happened for requests that wait.
    pub news: News,
    seed: u64,
    rng: Rng,
    identity: Option<Identity>,
    boot: BootId,
    stage: Stage,
    touched: BTreeSet<ReplicaId>,
    behind: behind::Behind,
    /// Replicas that the disk knows and the image does not name yet.
    unclaimed: BTreeMap<ReplicaId, RecoveredReplica>,
    /// Answers that speak of what this node's image does not show yet, by the index that shows it.
    awaiting_image: BTreeMap<(Index, Waiter), Reply>,
    unasked: VecDeque<requests::Unasked>,
    forwarded: BTreeMap<CallId, Waiter>,
    cold_reads: cold_reads::ColdReads,
    /// Cold reads for peers that catch up.
    peer_reads: BTreeMap<u64, (NodeId, CallId, TopicPartition)>,
    /// Requests that other nodes forwarded to this one.
    peer_calls: BTreeMap<Waiter, (NodeId, CallId)>,
    /// Replicas whose leader's node died, and when each stands for election.
    elections: Deadlines<ReplicaId>,
    /// Linearizable reads that wait for a majority, by replica.
    reads: BTreeMap<ReplicaId, BTreeMap<ReadContext, Waiter>>,
    /// Replicas whose produces wait for more disks than a majority's.
    awaiting_disks: BTreeSet<ReplicaId>,
    /// Those that a majority has confirmed, until the replica has applied what it had committed.
    awaiting_applied: BTreeSet<(ReplicaId, Index, Waiter)>,
    next_context: u64,
    checkpointing: Vec<(ReplicaId, Index)>,
    catching_up: catch_up::CatchUps,
    mendings: mending::Mendings,
    scrubbing: scrubbing::Scrubbing,
    handing_over: handing_over::HandingOver,
    next_tick: Option<Mono>,
    /// When leaders look at their followers next.
    followers_at: Mono,
    retention_at: Mono,
    retained_at: Option<Mono>,
    /// What entries ask of the node, while they are applied.
    effects: Vec<Effect>,
    /// What machines have answered in this turn, until it is seen to.
    answered: Vec<Replied<Reply>>,
    /// What storage asked of the disk, and told, between two events.
    disk_actions: Vec<Action>,
    disk_news: Vec<Outcome>,
    is_stopping: bool,
    /// The process is to end: what is in memory may not match the disk any more.
    is_halting: bool,
    has_said_serving: bool,
    /// The image has been complete, at some moment of this life.
    has_had_whole_image: bool,
    journal_bytes: u64,
    /// Replicas whose disk has lost something they had promised: they never run again.
    dead: BTreeSet<ReplicaId>,
    /// What was lost of the journal, if anything ever was.
    loss: Option<JournalLoss>,
    /// Metas that are not on the disk yet.
    metas_waiting: u32,
    /// Why the process ends as soon as they are.
    ending: Option<HaltReason>,
    deleted_ahead: deleted_ahead::DeletedAhead,
    /// What the first replica starts from, while it is being written.
    joining: Option<(ClusterId, RecoveredReplica)>,
    /// A founding that a peer told, until it is vouched for.
    told: Option<(NodeId, Founding)>,
    /// A member has turned this node away.
    is_turned_away: bool,
}

/// Who this node is, as its disk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The disk.
    pub disk: DiskId,
    /// The cluster, once it is founded.
    pub cluster: Option<ClusterId>,
}

/// How far a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It reads its disk.
    Recovering,
    /// Its identity is being written.
    Identifying,
    /// The cluster is not founded, or this node was not told.
    Alone,
    /// Its first replica is being written.
    Joining(ReplicaId),
    /// It has a replica of the metadata partition.
    Member,
}

/// What happened in a turn for requests that wait; `api/` takes all of it before the turn ends.
#[derive(Default)]
pub struct News {
    /// Batches that are committed, or lost their leader.
    pub settled: Vec<Settled>,
    /// The metadata machine's answers, the image being there.
    pub replied: Vec<(Waiter, Reply)>,
    /// Fetches to look at again.
    pub woken: Vec<Waiter>,
    /// Cold reads that ended.
    pub read: Vec<(ReadId, Result<Chunk, ReadFault>)>,
    /// Reads of a leader that is confirmed to lead; `false` where it does not.
    pub confirmed: Vec<(Waiter, bool)>,
    /// Some partition's leader changed.
    pub is_leader_changed: bool,
}

impl News {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.settled.is_empty()
            && self.replied.is_empty()
            && self.woken.is_empty()
            && self.read.is_empty()
            && self.confirmed.is_empty()
            && !self.is_leader_changed
    }
}

impl Node {
    /// A node before its start.
    pub fn new(config: Config, seed: u64) -> Node {
        let mut rng = Rng::stream(seed, "node");
        let boot = BootId(rng.next_u64());
        Node {
            connections: Connections::default(),
            budget: Budget::new(config.budget_bytes),
            storage: Storage::new(&config.storage, config.node, Rng::stream(seed, "storage"), config.mutant),
            peers: Peers::new(&config, seed),
            residents: Residents::default(),
            decompressor: Decompressor::default(),
            news: News::default(),
            seed,
            rng,
            identity: None,
            boot,
            stage: Stage::Recovering,
            touched: BTreeSet::new(),
            behind: behind::Behind::default(),
            unclaimed: BTreeMap::new(),
            awaiting_image: BTreeMap::new(),
            unasked: VecDeque::new(),
            forwarded: BTreeMap::new(),
            cold_reads: cold_reads::ColdReads::default(),
            peer_reads: BTreeMap::new(),
            peer_calls: BTreeMap::new(),
            elections: Deadlines::default(),
            reads: BTreeMap::new(),
            awaiting_applied: BTreeSet::new(),
            awaiting_disks: BTreeSet::new(),
            next_context: 0,
            checkpointing: Vec::new(),
            catching_up: catch_up::CatchUps::default(),
            mendings: mending::Mendings::default(),
            scrubbing: scrubbing::Scrubbing::default(),
            handing_over: handing_over::HandingOver::default(),
            next_tick: None,
            followers_at: Mono::default(),
            retention_at: Mono::default(),
            retained_at: None,
            effects: Vec::new(),
            answered: Vec::new(),
            disk_actions: Vec::new(),
            disk_news: Vec::new(),
            is_stopping: false,
            is_halting: false,
            has_said_serving: false,
            has_had_whole_image: false,
            journal_bytes: 0,
            dead: BTreeSet::new(),
            loss: None,
            metas_waiting: 0,
            ending: None,
            deleted_ahead: deleted_ahead::DeletedAhead::default(),
            joining: None,
            told: None,
            is_turned_away: false,
            config,
        }
    }

    /// The applied metadata, once there is any.
    pub fn image(&self) -> Option<&Metadata> {
        self.residents.image()
    }

    /// The cluster this node belongs to.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.identity.and_then(|identity| identity.cluster)
    }

    /// The metadata machine on its replica.
    pub fn metadata(&self) -> Option<&Host<Metadata>> {
        self.residents.metadata()
    }

    /// The node that leads the metadata partition, as far as this node knows.
    pub fn controller(&self) -> Option<NodeId> {
        self.residents.controller()
    }

    /// Whether clients are served: it is a member and some node leads the metadata partition.
    pub fn is_serving(&self) -> bool {
        self.stage == Stage::Member && self.controller().is_some()
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// Whether that bug is planted.
    pub fn is_planted(&self, mutant: Mutant) -> bool {
        is_planted(self.config.mutant, mutant)
    }

    /// What the disk remembers of replicas that do not run.
    #[cfg(feature = "simulation")]
    pub fn unclaimed(&self) -> impl Iterator<Item = &RecoveredReplica> {
        self.unclaimed.values()
    }

    /// Replicas that must not run any more.
    #[cfg(feature = "simulation")]
    pub fn dead(&self) -> impl Iterator<Item = ReplicaId> {
        self.dead.iter().copied()
    }

    /// Does something with a resident that those who wait may hear of; `None` if it is not here.
    fn with<T>(&mut self, id: ReplicaId, what: impl FnOnce(&mut Resident, &mut Told<'_>) -> T) -> Option<T> {
        let resident = self.residents.get_mut(id)?;
        let News { settled, woken, .. } = &mut self.news;
        let done = what(resident, &mut Told { settled, woken, replied: &mut self.answered });
        self.take_answers();
        Some(done)
    }

    /// What a resident here can tell no more, since it is taken out of the table.
    fn abandon(&mut self, mut resident: Resident) {
        let News { settled, woken, .. } = &mut self.news;
        resident.abandon(&mut Told { settled, woken, replied: &mut self.answered });
        self.take_answers();
    }

    /// Something happened to this replica: it makes a ready at the end of the turn.
    pub fn touch(&mut self, replica: ReplicaId) {
        self.touched.insert(replica);
    }

    /// Machines' answers wait until the image here shows what they speak of.
    fn take_answers(&mut self) {
        if self.answered.is_empty() && self.awaiting_image.is_empty() {
            return;
        }
        for Replied { waiter, reply, index } in std::mem::take(&mut self.answered) {
            self.awaiting_image.insert((index, waiter), reply);
        }
        self.release_image_waiters();
    }

    fn halt(&mut self, reason: HaltReason, actions: &mut Vec<Action>) {
        self.is_halting = true;
        actions.push(Action::Halt(reason));
    }
}
