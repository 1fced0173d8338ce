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
//! - Invariant: a replica of a user partition runs only while the image places it on this node. Which is placed and does
//!   not run waits in `unstarted`, is dead, or is of a topic that is `deleted_ahead`.
//! - Invariant: everything that waits for this node (`settled`, `replied`, `woken`, `read`) is taken by `api` in
//!   the same turn.
//!
//! What a node does between its rooms is done by its *parts*, each with a noun, its own state and its own deadline, if it
//! has one. A part is lent the table of residents and the `ports` (disk, peers, news, what was touched) for a call, and
//! never sees the node. The node keeps the order: `recovery` (what the disk tells), `peering` (what other nodes bring),
//! `requests` and `image` (what `api` asks), `time`, `ready` (the end of a turn) and `effects` (what is applied does).
//!
//! Not here: what a client's request means (`api/`), the order of a turn (`broker/`).

mod acknowledged;
mod alarms;
mod asking;
mod behind;
mod catch_up;
mod checkpoints;
mod clients;
mod cold_reads;
mod compacting;
mod company;
mod configuring;
mod coordinating;
mod deleted_ahead;
mod disk_health;
mod effects;
mod elections;
mod founding;
mod gone;
mod handing_over;
mod identity;
mod image;
mod mending;
mod peering;
mod ports;
mod reading;
mod ready;
mod recovery;
mod registering;
mod requests;
mod retention;
mod scrubbing;
mod service;
mod serving;
mod settings;
#[cfg(test)]
mod tests;
mod ticks;
mod time;
mod touched;
mod unclaimed;
mod unstarted;
mod watching;

pub use ports::News;

use crate::action::{Action, HaltReason};
use crate::config::Config;
use crate::connection::{Budget, Connections};
use crate::host::Host;
use crate::ids::{BootId, ClusterId, DiskId, NodeId, ReplicaId, TopicPartition};
use crate::level::Level;
use crate::machine::{Machine, Waiter};
use crate::metadata::Metadata;
use crate::mutant::{Mutant, is_planted};
use crate::partition::Settled;
use crate::resident::{Effect, Residents};
use crate::rng::Rng;
use crate::settings::Settings;
use crate::storage::Storage;
use crate::watched::RaftMetrics;
use acknowledged::Acknowledged;
use alarms::Alarms;
use asking::Asking;
use behind::Behind;
use catch_up::CatchUps;
use checkpoints::Checkpoints;
use cold_reads::ColdReads;
use compacting::Compacting;
use company::Company;
use deleted_ahead::DeletedAhead;
use elections::Elections;
use founding::{Membership, Stage};
use gone::Gone;
use handing_over::HandingOver;
use identity::Identity;
use mending::Mendings;
use ports::Ports;
use reading::Reading;
use registering::Registering;
use retention::Retention;
use rust_mq_proto::records::Decompressor;
use scrubbing::Scrubbing;
use service::Service;
use serving::Serving;
use ticks::Ticks;
use unclaimed::Unclaimed;
use unstarted::Unstarted;

/// All of a node but the requests that wait in `api/`.
pub struct Node {
    config: Config,
    connections: Connections,
    budget: Budget,
    decompressor: Decompressor,
    /// What its configuration says, by Kafka's names.
    fixed: Settings,
    seed: u64,
    residents: Residents,
    ports: Ports,
    identity: Identity,
    membership: Membership,
    service: Service,
    /// Replicas that the disk knows and that do not run.
    unclaimed: Unclaimed,
    /// What is to run and does not yet.
    unstarted: Unstarted,
    deleted_ahead: DeletedAhead,
    elections: Elections,
    alarms: Alarms,
    asking: Asking,
    reading: Reading,
    acknowledged: Acknowledged,
    cold_reads: ColdReads,
    catch_ups: CatchUps,
    serving: Serving,
    mendings: Mendings,
    scrubbing: Scrubbing,
    registering: Registering,
    handing_over: HandingOver,
    checkpoints: Checkpoints,
    retention: Retention,
    compacting: Compacting,
    behind: Behind,
    gone: Gone,
    ticks: Ticks,
    /// What its replicas did, for those who watch.
    raft: RaftMetrics,
    /// What entries ask of the node, while they are applied.
    effects: Vec<Effect>,
}

impl Node {
    /// A node before its start.
    pub fn new(config: Config, seed: u64) -> Node {
        let mut rng = Rng::stream(seed, "node");
        let boot = BootId(rng.next_u64());
        Node {
            connections: Connections::default(),
            budget: Budget::new(config.budget_bytes),
            decompressor: Decompressor::default(),
            fixed: config.settings(),
            seed,
            residents: Residents::default(),
            ports: Ports::new(&config, seed, rng),
            identity: Identity::new(config.node, boot),
            membership: Membership::new(),
            service: Service::default(),
            unclaimed: Unclaimed::default(),
            unstarted: Unstarted::new(config.storage.gathered_bytes),
            deleted_ahead: DeletedAhead::default(),
            elections: Elections::default(),
            alarms: Alarms::default(),
            asking: Asking::default(),
            reading: Reading::default(),
            acknowledged: Acknowledged::default(),
            cold_reads: ColdReads::default(),
            catch_ups: CatchUps::default(),
            serving: Serving::default(),
            mendings: Mendings::default(),
            registering: Registering::default(),
            scrubbing: Scrubbing::new(config.storage.scrub_bytes_per_second),
            handing_over: HandingOver::new(settings::election_ticks(&config)),
            checkpoints: Checkpoints::new(&config.storage),
            retention: Retention::new(config.retention_interval),
            compacting: Compacting::new(config.memory_limit),
            behind: Behind::new(config.memory_limit),
            gone: Gone::default(),
            ticks: Ticks::new(config.is_single()),
            raft: RaftMetrics::default(),
            effects: Vec::new(),
            config,
        }
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The applied metadata, once there is any.
    pub fn image(&self) -> Option<&Metadata> {
        self.residents.image()
    }

    /// The cluster this node belongs to.
    pub fn cluster(&self) -> Option<ClusterId> {
        self.identity.cluster()
    }

    /// The cluster's feature level, as far as this node knows it.
    pub fn level(&self) -> Option<Level> {
        self.image().map(Machine::level)
    }

    /// The id of its disk, once that is known.
    pub fn disk(&self) -> Option<DiskId> {
        self.identity.disk()
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
        self.membership.stage() == Stage::Member && self.controller().is_some()
    }

    /// What happened in this turn for requests that wait.
    pub fn take_news(&mut self) -> News {
        std::mem::take(&mut self.ports.news)
    }

    /// Whether anything did.
    pub fn has_news(&self) -> bool {
        !self.ports.news.is_empty()
    }

    /// The vectors that most news came in: their room is used again next turn.
    pub fn reuse(&mut self, settled: Vec<Settled>, woken: Vec<(Waiter, TopicPartition)>) {
        assert!(settled.is_empty() && woken.is_empty(), "all news was taken");
        let news = &mut self.ports.news;
        if news.settled.is_empty() && news.woken.is_empty() {
            (news.settled, news.woken) = (settled, woken);
        }
    }

    /// What is replicated here.
    pub fn residents(&self) -> &Residents {
        &self.residents
    }

    /// The disk, to be looked at.
    pub fn storage(&self) -> &Storage {
        &self.ports.storage
    }

    /// Whether it was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.service.is_stopping()
    }

    /// Whether that bug is planted.
    pub fn is_planted(&self, mutant: Mutant) -> bool {
        is_planted(self.config.mutant, mutant)
    }

    /// What the disk remembers of replicas that do not run.
    #[cfg(feature = "simulation")]
    pub fn unclaimed(&self) -> impl Iterator<Item = &crate::storage::RecoveredReplica> {
        self.unclaimed.iter()
    }

    /// Replicas that must not run any more.
    #[cfg(feature = "simulation")]
    pub fn dead(&self) -> impl Iterator<Item = ReplicaId> {
        self.identity.dead()
    }

    /// What its parts have begun and not done, by name: at rest, nothing.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> Vec<(&'static str, usize)> {
        let mut held = self.ports.storage.held();
        held.extend([
            ("requests for residents", self.asking.held()),
            ("reads that a majority confirms", self.reading.held()),
            ("produces that wait for disks", self.acknowledged.held()),
            ("cold reads", self.cold_reads.held()),
            ("reads for other nodes", self.serving.held()),
            ("forwarded requests", self.ports.peers.held()),
            ("catch-ups", self.catch_ups.held()),
            ("mendings", self.mendings.held()),
            ("compactions", self.compacting.held()),
            ("replicas of nobody", self.unclaimed.ids().filter(|id| !self.identity.is_dead(*id)).count()),
            ("replicas that start", self.unstarted.held()),
            ("topics deleted ahead", self.deleted_ahead.held()),
            ("replicas touched", self.ports.touched.held()),
            ("effects", self.effects.len()),
        ]);
        held
    }

    /// A resident runs here no more, and was taken out of the table.
    fn left(&mut self, id: ReplicaId) {
        self.reading.lost(id, &mut self.ports.news);
        self.alarms.set(id, None);
        self.catch_ups.over(id);
        self.compacting.over(id);
        self.mendings.over(id, &mut self.residents, &mut self.ports);
    }

    fn company(&self) -> Company<'_> {
        Company::of(&self.residents, &self.ports)
    }

    fn halt(&mut self, reason: HaltReason, actions: &mut Vec<Action>) {
        self.service.halt();
        actions.push(Action::Halt(reason));
    }
}
