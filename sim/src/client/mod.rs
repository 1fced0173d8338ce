//! The clients: each a small program of its own on Kafka's real wire, with all the habits of real clients that
//! brokers have been hurt by. It knows the cluster only by what it is answered.
//!
//! A client acts on a timer (`act`) and on what it is told about its connections; both get the [`Street`]: what
//! there is outside of it. What it did and saw goes to the ledger.
//!
//! When the world turns calm, a client starts nothing new but one probe, and finishes what is open; `is_done`
//! says when. `connection` frames requests and matches answers, each with its `purpose`; `map` is its picture of the
//! cluster; `chance` its dice. A producer has a `lane` for each partition, in which each batch is a `draft`, and
//! `produced` tells what came of it; a consumer has a `reading` for each. The rest are the roles.

pub mod admin;
pub mod chance;
pub mod clerk;
pub mod connection;
pub mod consumer;
pub mod draft;
pub mod eraser;
mod fetch_session;
mod ghosts;
pub mod guest;
mod hearsay;
pub mod hoarder;
mod job;
pub mod lane;
pub mod map;
pub mod member;
mod member_told;
pub mod plan;
pub mod produced;
pub mod producer;
pub mod purpose;
mod ration;
pub mod reading;
pub mod remaker;
pub mod rough;
pub mod sharer;
mod shunned;
mod tuning;
pub mod watcher;

use crate::claims::Verdict;
use crate::claims::c07_acked_is_there::Retention;
use crate::claims::c09_lookups_are_exact::{Lookups, Stand};
use crate::claims::c13_commits_are_current::Groups;
use crate::claims::c13_one_holder::Holders;
use crate::claims::c14_ids_are_new::SeenIds;
use crate::claims::ledger::{Ledger, Shelf};
use crate::claims::watch::NodeClaims;
use crate::client::plan::TopicPlan;
use crate::clock::{MILLI, Moment, SECOND};
use crate::dice::Root;
use crate::film::Film;
use crate::marks::Marks;
use crate::network::{Network, Told};
use crate::schedule::{Happening, Schedule};
use crate::wire::{self, WireId};
use bytes::Bytes;
use chance::Chance;
use connection::{Connections, Manners};
use job::Job;
use map::Map;
use plan::{ClientPlan, Role};
use purpose::{Answered, Overheard, Purpose};
use rust_mq_client::machine::mutant::Mutant;
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

/// Mean milliseconds between two acts of a client that only wants to be done: after healing, time passes for the
/// brokers' backlog and not for the clients' leisure.
const CALM_THINK_MS: u64 = 5;

/// Milliseconds since 1970 when a run begins, by the clients' clocks.
pub const CLIENT_WALL_AT_START: i64 = 1_704_067_200_000;

/// How long a client waits for an answer before it hangs up.
const ANSWER_WAIT_MAX: u64 = 12 * SECOND;

/// How often it looks for such answers.
const PATROL_EVERY: u64 = SECOND / 2;
/// After so long a client has given up an answer that does not come, and may ask again.
pub const ANSWER_GIVEN_UP: u64 = ANSWER_WAIT_MAX + PATROL_EVERY;

/// The timer of a client's own actions.
const ACT: u64 = 0;
/// The timer that looks for answers that do not come.
const PATROL: u64 = 1;
/// The timer after which a slow reader reads.
const READ: u64 = 2;
/// The timer of a machine of the client crate.
const WAKE: u64 = u64::MAX;

/// What there is outside of a client.
pub struct Street<'a> {
    /// Time and what will happen.
    pub schedule: &'a mut Schedule,
    /// The network.
    pub network: &'a mut Network,
    /// What was written and seen.
    pub ledger: &'a mut Ledger,
    /// Topic ids that were seen.
    pub ids: &'a mut SeenIds,
    /// What members of groups were told.
    pub groups: &'a mut Groups,
    /// What members of consumer groups have.
    pub holders: &'a mut Holders,
    /// Where breaches go.
    pub verdict: &'a mut Verdict,
    /// What was reached.
    pub marks: &'a mut Marks,
    /// The process that listens on each site now.
    pub listening: &'a [Option<wire::Place>],
    /// Operations that were answered as hoped.
    pub completed: &'a mut u64,
    /// The topics of the plan.
    pub topics: &'a [TopicPlan],
    /// How nodes stand, for the checks of what they say.
    pub claims: &'a NodeClaims,
    /// What was looked up.
    pub lookups: &'a mut Lookups,
    /// The latest time that any node's clock has shown, milliseconds since 1970.
    pub node_wall_max: i64,
    /// What a page is made of, if one is asked for.
    pub film: &'a mut Film,
}

impl Street<'_> {
    /// Now.
    pub fn now(&self) -> Moment {
        self.schedule.now()
    }

    /// Now, as a client stamps its records.
    pub fn wall_ms(&self) -> i64 {
        CLIENT_WALL_AT_START + (self.now().0 / MILLI) as i64
    }

    /// How the process at the other end of a client's wire stands with a partition, whomever the client has dialled;
    /// zeros where nobody knows.
    pub fn stand(&self, wire: WireId, shelf: Shelf) -> Stand {
        let Some(wire::Place::Site { site, boot }) = self.network.accepter(wire) else {
            return Stand::default();
        };
        self.claims.stand(site, boot, (shelf.topic, shelf.partition)).unwrap_or_default()
    }

    /// What retention may have taken of a topic by now.
    pub fn retention_of(&self, name: &str) -> Option<Retention> {
        let topic = self.topics.iter().find(|topic| topic.name == name)?;
        Some(topic.retention(self.node_wall_max))
    }
}

/// Which client it is, and where.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Its number in the plan.
    pub number: usize,
    /// How many sites there are.
    pub sites: usize,
    /// What its chance grows from.
    pub root: Root,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    number: usize,
    think_ms: u64,
    connections: Connections,
    map: Map,
    job: Job,
    chance: Chance,
    is_calm: bool,
    map_asked: Option<Moment>,
}

impl Client {
    /// A client of that plan.
    pub fn new(place: Place, plan: &ClientPlan, topics: &[TopicPlan], mutant: Option<Mutant>) -> Client {
        let Place { number, sites, root } = place;
        let manners = Manners {
            reads: !matches!(plan.role, Role::Mute | Role::Glutton),
            asks_versions: plan.asks_versions,
            is_newest: matches!(plan.role, Role::Auditor | Role::Remaker),
            numbered_from: 0,
        };
        let connections = Connections::new(number, sites, root, manners);
        let job = Job::new(place, plan, topics, &connections, mutant);
        let is_stubborn = matches!(&plan.role, Role::Producer(habits) if habits.is_stubborn);
        let map = Map::new(sites, is_stubborn, topics.to_vec());
        Client {
            number,
            think_ms: plan.think_ms,
            connections,
            map,
            job,
            chance: Chance::new(root, number),
            is_calm: false,
            map_asked: None,
        }
    }

    /// The run begins.
    pub fn start(&mut self, street: &mut Street<'_>) {
        let first = self.chance.pace.below(300 * MILLI);
        street.schedule.after(first, Happening::Client { client: self.number, timer: ACT });
        street.schedule.after(SECOND, Happening::Client { client: self.number, timer: PATROL });
    }

    /// A timer of its own.
    pub fn timer(&mut self, timer: u64, street: &mut Street<'_>) {
        match timer {
            ACT => self.act(street),
            PATROL => {
                self.connections.hang_up_silent(ANSWER_WAIT_MAX, street);
                street.schedule.after(PATROL_EVERY, Happening::Client { client: self.number, timer: PATROL });
            }
            WAKE => {
                if let Job::Guest(guest) = &mut self.job {
                    guest.wake(street);
                }
            }
            _ => self.read(timer - READ, street),
        }
    }

    /// Something about one of its connections.
    pub fn told(&mut self, wire: WireId, what: Told, street: &mut Street<'_>) {
        if let Job::Guest(guest) = &mut self.job
            && guest.has(wire)
        {
            return guest.told(wire, what, street);
        }
        let slow_ms = match &self.job {
            Job::Consumer(consumer) if !self.is_calm => consumer.slow_ms(),
            _ => 0,
        };
        if what == Told::Ready && slow_ms > 0 {
            street.marks.hit("client.read_slowly");
            let timer = READ + wire;
            street.schedule.after(slow_ms * MILLI, Happening::Client { client: self.number, timer });
            return;
        }
        if what == Told::Ready {
            return self.read(wire, street);
        }
        let answers = self.connections.told(wire, what, street);
        self.settle(answers, street);
    }

    /// Faults are over: finish what is open, start one probe.
    pub fn calm(&mut self, core: &[usize], broken: &[usize]) {
        self.is_calm = true;
        self.map.calm(core, broken);
        self.job.calm();
    }

    /// An auditor may begin: everybody else is done.
    pub fn release(&mut self) {
        if let Job::Consumer(consumer) = &mut self.job {
            consumer.release();
        }
    }

    /// Whether nothing of its own is open.
    pub fn is_done(&self) -> bool {
        self.open_work().is_none()
    }

    /// Whether it reads the whole log in the end.
    pub fn is_auditor(&self) -> bool {
        matches!(&self.job, Job::Consumer(consumer) if consumer.is_auditor())
    }

    /// What is open, in a few words.
    pub fn open_work(&self) -> Option<String> {
        self.job.open_work(&self.connections, &self.map)
    }

    /// How far it is with what is open: grows with every step that brings its end nearer.
    pub fn done(&self) -> u64 {
        self.job.done(&self.connections)
    }

    /// Bytes that it has not brought to a broker for good.
    pub fn open_bytes(&self) -> u64 {
        match &self.job {
            Job::Producer(producer) => producer.open_bytes(),
            _ => 0,
        }
    }

    /// What a broker promises it in the bytes that leave now: batches and their offsets, and topics. `stand` tells how
    /// it stands, for the answers that are compared with that.
    pub fn overhear(
        &mut self,
        wire: WireId,
        parts: &[Bytes],
        stand: impl Fn(Shelf) -> Option<Stand>,
    ) -> Overheard {
        match &mut self.job {
            Job::Guest(guest) => guest.overhear(wire, parts, stand),
            Job::Producer(_) | Job::Watcher(_) | Job::Admin(_) | Job::Remaker(_) => {
                self.connections.overhear(wire, parts, stand)
            }
            _ => Overheard::default(),
        }
    }

    /// All its connections break.
    pub fn hang_up(&mut self, street: &mut Street<'_>) {
        self.connections.hang_up(street);
        if let Job::Guest(guest) = &mut self.job {
            guest.hang_up(street);
        }
    }

    fn act(&mut self, street: &mut Street<'_>) {
        self.job.act(&mut self.connections, &self.map, &mut self.chance, street);
        self.ask_map(street);
        let think = if self.is_calm { CALM_THINK_MS } else { self.think_ms };
        let wait = MILLI / 2 + self.chance.pace.exponential(think * MILLI);
        street.schedule.after(wait, Happening::Client { client: self.number, timer: ACT });
    }

    fn read(&mut self, wire: WireId, street: &mut Street<'_>) {
        let answers = self.connections.read(wire, street);
        self.settle(answers, street);
    }

    fn settle(&mut self, answers: Vec<Answered>, street: &mut Street<'_>) {
        for answered in answers {
            if let Purpose::Map = answered.purpose {
                self.map_asked = None;
                if let Some(ResponseBody::Metadata(response)) = answered.body {
                    self.map.learn(&response, self.connections.version(ApiKey::Metadata), street);
                    *street.completed += 1;
                }
                continue;
            }
            self.job.settle(answered, &mut self.map, &mut self.chance, street);
        }
        if let Job::Producer(producer) = &mut self.job {
            producer.push(&mut self.connections, &self.map, &mut self.chance, street);
        }
    }

    /// Asks for the map when it is known to be wrong, and not too often.
    fn ask_map(&mut self, street: &mut Street<'_>) {
        let Some(topics) = self.job.topics() else { return };
        // A question whose connection was broken off on purpose is never answered.
        let is_asked = self.map_asked.is_some_and(|at| street.now().since(at) < ANSWER_WAIT_MAX / 4);
        if !self.map.is_wanted(street.now()) || is_asked {
            return;
        }
        let request = self.question_of_the_map(topics.to_vec(), street);
        let site = self.connections.anyone(&mut self.chance.whom);
        self.map.asked(street.now());
        if self.connections.request(site, &request, Purpose::Map, street) {
            self.map_asked = Some(street.now());
        }
    }

    /// By name mostly; now and then all topics, or by their ids, as the version has it.
    fn question_of_the_map(&mut self, topics: Vec<TopicPlan>, street: &mut Street<'_>) -> MetadataRequest {
        let version = self.connections.version(ApiKey::Metadata);
        let dice = self.chance.of(ApiKey::Metadata);
        let by_name =
            |topic: &TopicPlan| MetadataRequestTopic { name: Some(topic.name.clone()), ..Default::default() };
        let by_id = |topic: &TopicPlan| {
            let known = self.map.topic(&topic.name).map(|known| known.id);
            let known = known.filter(|_| version >= 12 && !topic.is_remade);
            known.map_or(by_name(topic), |topic_id| MetadataRequestTopic { topic_id, name: None })
        };
        // Before version 4 a topic that is named is made where the cluster does that, without the settings of the plan,
        // which the claims go by (seed 9).
        let is_there = |topic: &TopicPlan| !topic.is_remade && self.map.topic(&topic.name).is_some();
        let would_make = version < 4 && !topics.iter().all(is_there);
        let asked = match dice.below(8) {
            0 => None,
            _ if would_make => None,
            1 | 2 => {
                street.marks.hit("client.asked_for_topics_by_id");
                Some(topics.iter().map(by_id).collect())
            }
            _ => Some(topics.iter().map(by_name).collect()),
        };
        MetadataRequest {
            topics: asked,
            allow_auto_topic_creation: false,
            include_cluster_authorized_operations: dice.coin(),
            include_topic_authorized_operations: dice.coin(),
        }
    }
}
