//! The world: a queue of what will happen, the sites, the network, the clients, the plan's faults, the claims
//! and the trace. One step takes the next happening and lets it happen.
//!
//! `turns` enters the cores and performs their actions, `faults` lets the plan happen, `stages` ends the run:
//! chaos, then healing of the core with all other faults frozen for ever, then the audit, then idleness.
//!
//! Invariants: time never falls; every choice comes from a named stream of the plan's root; a step that breaks a
//! claim is the last.

pub mod comeback;
pub mod faults;
mod losses;
mod moments;
mod rehearsals;
pub mod script;
pub mod stages;
pub mod turns;

use crate::claims::c09_lookups_are_exact::Lookups;
use crate::claims::c13_commits_are_current::Groups;
use crate::claims::c13_one_holder::Holders;
use crate::claims::c14_ids_are_new::SeenIds;
use crate::claims::ledger::Ledger;
use crate::claims::watch::NodeClaims;
use crate::claims::{Failure, Verdict, c19_all_is_bounded};
use crate::client::{self, Client, Street};
use crate::clock::{Clock, MILLI};
use crate::dice::Root;
use crate::disk::{Disk, Pace};
use crate::film::Ending;
use crate::marks::Marks;
use crate::network::Network;
use crate::node::{API_PORT, Node, RPC_PORT};
use crate::plan::Plan;
use crate::schedule::{Happening, Schedule};
use crate::shell;
use crate::trace::{Trace, Watch};
use crate::wire::Place;
use rust_mq_core::config::{Config, GroupSettings, Member, Secret, Secrets};
use rust_mq_core::ids::NodeId;
use rust_mq_core::settings::TopicDefaults;
use stages::Stages;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Steps after which a run is given up as a runaway: a hundred times an ordinary one.
const STEPS_MAX: u64 = 60_000_000;

/// Everything there is.
pub struct World {
    plan: Plan,
    root: Root,
    schedule: Schedule,
    network: Network,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    listening: Vec<Option<Place>>,
    /// Whom a dial to each site reaches.
    doors: Vec<Option<Place>>,
    /// Which site answers for each.
    answers: Vec<usize>,
    ledger: Ledger,
    ids: SeenIds,
    groups: Groups,
    holders: Holders,
    lookups: Lookups,
    /// Sites whose processes start with a secret of their own.
    strange: BTreeSet<usize>,
    /// Rehearsals of each notable kind so far.
    notable: [u64; 3],
    /// The latest time that each node's clock has shown, milliseconds since 1970.
    walls: Vec<i64>,
    claims: NodeClaims,
    verdict: Verdict,
    marks: Marks,
    trace: Trace,
    stages: Stages,
    /// For each fault of the plan, whether it is in force.
    in_force: Vec<bool>,
    /// By fault, the disks that will be put back.
    copies: BTreeMap<usize, Disk>,
    step: u64,
    until: u64,
    events: u64,
    turns: u64,
    completed: u64,
    syncs: u64,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The trace's hash.
    pub hash: u64,
    /// The same at every 1,024th step.
    pub checkpoints: Vec<u64>,
    /// Steps taken.
    pub steps: u64,
    /// Events given to cores.
    pub events: u64,
    /// Turns of cores.
    pub turns: u64,
    /// Simulated nanoseconds.
    pub lasted_ns: u64,
    /// Sites.
    pub sites: usize,
    /// Operations that were answered as hoped.
    pub completed: u64,
    /// Batches acknowledged.
    pub acked: u64,
    /// Batches refused for ever.
    pub refused: u64,
    /// Records seen by readers.
    pub read: u64,
    /// Leaderships seen.
    pub elections: u64,
    /// What was reached.
    pub marks: Marks,
    /// The claim that broke, if one did.
    pub failure: Option<Failure>,
    /// Whether it came to its end, green or red, and was not stopped at a step.
    pub is_whole: bool,
    /// What happened to sites, and who came to lead what, if that was asked for.
    pub notes: Vec<String>,
    /// The last lines of the trace but routine, if they were asked for.
    pub tail: Vec<String>,
    /// All of it as a page, if that was asked for.
    pub page: Option<String>,
}

impl World {
    /// A world at time zero.
    pub fn new(plan: Plan, root: Root, watch: Watch, until: Option<u64>) -> World {
        let mut schedule = Schedule::new(root.stream("schedule", &[]));
        for (fault, what) in plan.faults.iter().enumerate() {
            schedule.after(what.at_ms * MILLI, Happening::Fault { fault });
        }
        for site in 0..plan.sites.len() {
            let wait = root.stream("first start", &[site as u64]).below(200 * MILLI);
            schedule.after(wait, Happening::Start { site });
        }
        schedule.after(plan.chaos_ms * MILLI, Happening::Heal);
        let nodes = (0..plan.sites.len()).map(|site| node(&plan, root, site)).collect();
        let clients = plan
            .clients
            .iter()
            .enumerate()
            .map(|(number, client)| {
                let place = client::Place { number, sites: plan.sites.len(), root };
                Client::new(place, client, &plan.topics, plan.client_mutant)
            })
            .collect();
        World {
            root,
            schedule,
            network: Network::new(root, plan.weather, &plan.links),
            nodes,
            clients,
            listening: vec![None; plan.sites.len()],
            doors: vec![None; plan.sites.len()],
            answers: (0..plan.sites.len()).collect(),
            copies: BTreeMap::new(),
            ledger: Ledger::default(),
            ids: SeenIds::default(),
            groups: Groups::default(),
            holders: Holders::default(),
            lookups: Lookups::default(),
            strange: BTreeSet::new(),
            notable: [0; 3],
            walls: vec![i64::MIN; plan.sites.len()],
            claims: NodeClaims::new(plan.sites.len()),
            verdict: Verdict::of(plan.demands),
            marks: Marks::default(),
            trace: Trace::new(watch, || script::of(&plan)),
            stages: Stages::default(),
            in_force: vec![false; plan.faults.len()],
            step: 0,
            until: until.unwrap_or(STEPS_MAX),
            events: 0,
            turns: 0,
            completed: 0,
            syncs: 0,
            plan,
        }
    }

    /// Lets everything happen until the run ends or a claim breaks.
    pub fn run(mut self) -> Report {
        for client in 0..self.clients.len() {
            self.with_client(client, |client, street| client.start(street));
        }
        let mut failure = None;
        while failure.is_none() && !self.stages.is_over() && self.step < self.until {
            let before = self.schedule.now();
            let Some(happening) = self.schedule.pop() else { break };
            shell::advance(self.schedule.now().since(before));
            self.step += 1;
            self.trace.step(self.step, self.schedule.now().0);
            self.happen(happening);
            self.route_signals();
            self.trace.film.look(&self.nodes, &self.in_force);
            for (site, of, term) in self.claims.take_elected() {
                self.trace.note(format_args!("n{} leads {of} in term {term}", site + 1));
            }
            failure = self.verdict.take(self.step, self.schedule.now().0);
        }
        if self.step == STEPS_MAX {
            c19_all_is_bounded::runaway(self.step, &mut self.verdict);
            failure = failure.or(self.verdict.take(self.step, self.schedule.now().0));
        }
        self.report(failure)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Turn { site, boot } => self.turn(site, boot),
            Happening::Wake { site, boot, armed } => self.wake(site, boot, armed),
            Happening::Disk { site, boot, work } => self.disk_done(site, boot, work),
            Happening::Reach { wire } => {
                let is_alive = self.network.accepter(wire).is_some_and(|place| self.is_listening(place));
                self.network.reach(&mut self.schedule, wire, is_alive);
            }
            Happening::Answer { wire } => self.network.answer(wire),
            Happening::Arrive { wire, side } => {
                self.network.arrive(&mut self.schedule, wire, side, &mut self.marks);
            }
            Happening::Break { wire, side, is_forced } => {
                self.network.break_end(&mut self.schedule, wire, side, is_forced, &mut self.marks);
            }
            Happening::Client { client, timer } => {
                self.with_client(client, |client, street| client.timer(timer, street));
            }
            Happening::Fault { fault } => self.begin(fault),
            Happening::Mended { fault } => self.mend(fault),
            Happening::Start { site } => self.start(site),
            Happening::Heal => self.heal(),
            Happening::Look => self.look(),
        }
    }

    /// The latest time that the clock of any of those nodes has shown; of any at all, if it is none of them.
    fn wall_max(&self, is_asked: impl Fn(usize) -> bool) -> i64 {
        let asked = self.walls.iter().enumerate().filter(|(site, _)| is_asked(*site)).map(|(_, wall)| *wall);
        asked.max().or_else(|| self.walls.iter().copied().max()).unwrap_or(i64::MIN)
    }

    fn is_listening(&self, place: Place) -> bool {
        match place {
            Place::Site { site, .. } => self.listening[site] == Some(place),
            Place::Client(_) => false,
        }
    }

    /// Tells each place what the network has for it.
    fn route_signals(&mut self) {
        loop {
            let signals = self.network.take_signals();
            if signals.is_empty() {
                return;
            }
            for signal in signals {
                match signal.place {
                    Place::Client(client) => {
                        self.with_client(client, |client, street| {
                            client.told(signal.wire, signal.what, street);
                        });
                    }
                    Place::Site { site, boot } => {
                        let node = &mut self.nodes[site];
                        if node.boot == boot
                            && let Some(process) = &mut node.process
                        {
                            process.told(signal.wire, signal.side, signal.what);
                            self.want_turn(site);
                        }
                    }
                }
            }
        }
    }

    fn with_client(&mut self, client: usize, act: impl FnOnce(&mut Client, &mut Street<'_>)) {
        let node_wall_max = self.wall_max(|_| true);
        let mut street = Street {
            schedule: &mut self.schedule,
            network: &mut self.network,
            ledger: &mut self.ledger,
            ids: &mut self.ids,
            groups: &mut self.groups,
            holders: &mut self.holders,
            verdict: &mut self.verdict,
            marks: &mut self.marks,
            listening: &self.doors,
            completed: &mut self.completed,
            topics: &self.plan.topics,
            claims: &self.claims,
            lookups: &mut self.lookups,
            node_wall_max,
            film: &mut self.trace.film,
        };
        act(&mut self.clients[client], &mut street);
    }

    fn report(mut self, failure: Option<Failure>) -> Report {
        self.marks.merge(&self.claims.marks);
        let failure = failure.map(|failure| Failure { words: self.ids.in_names(&failure.words), ..failure });
        let is_whole = self.stages.is_over() || failure.is_some();
        let (at_ns, step) = (self.schedule.now().0, self.step);
        let ending = Ending { failure: failure.as_ref(), at_ns, step, is_whole };
        Report {
            page: self.trace.film.page(&ending, &|words| self.ids.in_names(words)),
            hash: self.trace.hash(),
            checkpoints: self.trace.checkpoints().to_vec(),
            steps: self.step,
            events: self.events,
            turns: self.turns,
            lasted_ns: self.schedule.now().0,
            sites: self.plan.sites.len(),
            completed: self.completed,
            acked: self.ledger.acked,
            refused: self.ledger.refused,
            read: self.ledger.read,
            elections: self.claims.elections,
            marks: self.marks,
            is_whole,
            failure,
            tail: self.trace.tail().map(|line| self.ids.in_names(line)).collect(),
            notes: self.trace.notes().iter().map(|line| self.ids.in_names(line)).collect(),
        }
    }
}

fn node(plan: &Plan, root: Root, site: usize) -> Node {
    let own = &plan.sites[site];
    let pace = Pace { touch_ns: own.touch_ns, sync_ns: own.sync_ns, byte_ps: own.byte_ps, read_factor: 1 };
    Node {
        site,
        boot: 0,
        process: None,
        clock: Clock::new(own.offset_ns, own.drift_ppm, own.skew_ms),
        disk: Disk::new(own.capacity, pace, root.key("disk", &[site as u64])),
        config: config(plan, site),
        pauses: 0,
        has_slept: false,
        downs: 0,
        dice: root.stream("turns", &[site as u64]),
    }
}

/// What the plan tells the node of that site.
fn config(plan: &Plan, site: usize) -> Config {
    let knobs = &plan.knobs;
    let member = |site: usize| Member {
        node: NodeId(site as i32 + 1),
        api: Node::address(site, API_PORT),
        rpc: Node::address(site, RPC_PORT),
    };
    Config {
        node: NodeId(site as i32 + 1),
        members: (0..plan.sites.len()).map(member).collect(),
        bootstrap: site == 0,
        listeners: vec![None],
        by_listener: Vec::new(),
        heartbeat_interval: Duration::from_millis(knobs.heartbeat_ms),
        election_timeout_min: Duration::from_millis(knobs.election_min_ms),
        election_timeout_max: Duration::from_millis(knobs.election_max_ms),
        memory_limit: knobs.memory_limit,
        budget_bytes: knobs.memory_limit / 4,
        turn_work_bytes: knobs.turn_work_bytes,
        retention_interval: Duration::from_secs(5),
        data_dir: String::new(),
        topics: TopicDefaults {
            partitions: 1,
            replication_factor: plan.sites.len().min(3) as i16,
            auto_create: knobs.auto_create,
        },
        // Few partitions, for each costs every node; and no offset expires by itself, for walls jump (C13).
        groups: GroupSettings {
            offsets_partitions: 3,
            offsets_retention_ms: i64::MAX,
            initial_rebalance_delay_ms: if plan.seed.is_multiple_of(2) { 0 } else { 1_000 },
            consumer_session_timeout_ms: crate::client::sharer::SESSION_MS,
            consumer_heartbeat_interval_ms: 1_000,
            consumer_assignment_interval_ms: 200,
            ..GroupSettings::DEFAULT
        },
        storage: knobs.storage.clone(),
        secrets: secrets(plan, site),
        levels: plan.sites[site].levels(0),
        mutant: plan.mutant,
    }
}

/// What somebody knows who knows nothing of this cluster.
fn strange_secrets() -> Secrets {
    let other = Secret::new(b"the secret of another cluster").expect("it is long enough");
    Secrets::new(vec![other]).expect("it is one")
}

/// In every other run the cluster has a secret, and is about to have another: the half of the nodes knows both.
fn secrets(plan: &Plan, site: usize) -> Secrets {
    let secret = |text: &str| Secret::new(text.as_bytes()).expect("it is long enough");
    let known = match (plan.seed % 2, site % 2) {
        (0, _) => vec![],
        (_, 0) => vec![secret("the secret of this cluster")],
        _ => vec![secret("the secret that comes next"), secret("the secret of this cluster")],
    };
    Secrets::new(known).expect("they are few")
}
