//! The stages of a run, and its end: chaos; the frozen stage, in which everybody finishes and probes within a bound,
//! and before that never stands still for long (C17, and C18 where something stays broken); the audit, which reads
//! every log, and once more with what was broken until then (`comeback`); idleness, in which nothing may storm or grow
//! (C19).

use super::World;
use crate::claims::Demands;
use crate::claims::c17_everything_completes::{self, Bounds, Open, Standing};
use crate::claims::{c05_watched, c18_majority_serves, c19_all_is_bounded};
use crate::client::{ANSWER_GIVEN_UP, Client};
use crate::clock::{MILLI, Moment, SECOND};
use crate::schedule::Happening;
use crate::trouble::{FileKind, Trouble};
use rust_mq_core::broker::observe::Observation;
use rust_mq_core::ids::{NodeId, ReplicaId, TopicPartition};
use std::collections::{BTreeMap, BTreeSet};

/// How often the world looks.
const LOOK_EVERY: u64 = 100 * MILLI;
/// How often it tells whoever watches what is open.
const TELL_EVERY: u64 = 5 * SECOND;
/// How long idleness is watched.
const IDLE: u64 = 2 * SECOND;
/// A disk is stuck whose sync takes so long.
const STUCK: u64 = 10 * SECOND;
/// Ways of a byte of the backlog: to its leader, to two followers, and to the audit.
const BACKLOG_WAYS: u64 = 4;

/// Where a run stands.
#[derive(Debug, Default)]
pub struct Stages {
    stage: Stage,
    frozen_at: Option<Moment>,
    /// Set with `frozen_at`.
    bounds: Option<Bounds>,
    standing: Standing,
    /// The sites outside the core are sound again.
    has_come_back: bool,
    idle_from: Option<(Moment, u64)>,
    /// Since when no log has given anything up, and the sum of all starts by then: retention goes on in idleness.
    given_up: Option<(Moment, i64)>,
    disk_failures: BTreeSet<usize>,
    spoilt: BTreeSet<usize>,
    unreadable: BTreeSet<usize>,
    lost: BTreeSet<usize>,
    swapped: Option<(usize, usize)>,
    caught_up: BTreeMap<usize, Moment>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Chaos,
    Finish,
    Audit,
    Idle,
    Tidy,
    Over,
}

impl Stages {
    /// Whether the run is over.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether faults are frozen.
    pub fn is_frozen(&self) -> bool {
        self.stage != Stage::Chaos
    }

    /// Faults freeze.
    pub fn freeze(&mut self, now: Moment, bounds: Bounds) {
        self.stage = Stage::Finish;
        self.frozen_at = Some(now);
        self.bounds = Some(bounds);
    }

    /// What was broken for ever comes back: everybody has as long again, and the audit goes on.
    pub fn come_back(&mut self, now: Moment, bounds: Bounds) {
        self.has_come_back = true;
        self.frozen_at = Some(now);
        self.bounds = Some(bounds);
        self.standing = Standing::default();
    }

    /// A fault began.
    pub fn saw(&mut self, what: &Trouble) {
        match what {
            Trouble::WriteFails { site } | Trouble::SyncFails { site } => {
                self.disk_failures.insert(*site);
            }
            Trouble::ReadFails { site } => {
                self.disk_failures.insert(*site);
                self.unreadable.insert(*site);
            }
            Trouble::Rot { site } | Trouble::Astray { site, .. } => {
                self.spoil(*site);
            }
            _ => {}
        }
    }

    /// The disk of that site holds what cannot be used.
    pub fn spoil(&mut self, site: usize) {
        self.spoilt.insert(site);
        self.unreadable.insert(site);
    }

    /// The disk of that site has lost what it had promised: its node may never be what it was.
    pub fn loses(&mut self, site: usize) {
        self.spoil(site);
        self.lost.insert(site);
    }

    /// Whether it has.
    pub fn has_lost(&self, site: usize) -> bool {
        self.lost.contains(&site)
    }

    /// Two sites have each other's disks, or each its own again.
    pub fn swap(&mut self, site: usize, with: usize) {
        self.swapped = if self.swapped.is_some() { None } else { Some((site, with)) };
    }

    /// Whether these two have each other's disks.
    pub fn are_swapped(&self, site: usize, with: usize) -> bool {
        self.swapped == Some((site, with))
    }

    /// Whether that site has another's disk.
    pub fn is_swapped(&self, site: usize) -> bool {
        self.swapped.is_some_and(|(one, other)| one == site || other == site)
    }

    /// A node has taken a snapshot.
    pub fn catches_up(&mut self, site: usize, now: Moment) {
        self.caught_up.insert(site, now);
    }

    /// How long ago a node took its last snapshot.
    pub fn since_catch_up(&self, site: usize, now: Moment) -> Option<u64> {
        self.caught_up.get(&site).map(|at| now.since(*at))
    }

    /// Whether somebody has damaged what that site's disk holds.
    pub fn disk_is_damaged(&self, site: usize) -> bool {
        self.spoilt.contains(&site)
    }

    /// Whether some of what that site's disk holds could not, or cannot, be read.
    pub fn disk_is_unreadable(&self, site: usize) -> bool {
        self.unreadable.contains(&site)
    }

    /// Whether the disk of that site was made to fail.
    pub fn disk_may_fail(&self, site: usize) -> bool {
        self.disk_failures.contains(&site)
    }

    /// Whether the disk of that site may hold what cannot be used.
    pub fn disk_is_spoilt(&self, site: usize) -> bool {
        self.spoilt.contains(&site) || self.disk_failures.contains(&site) || self.is_swapped(site)
    }
}

impl World {
    /// Looks how far the run is.
    pub(super) fn look(&mut self) {
        let now = self.schedule.now();
        let frozen_at = self.stages.frozen_at.unwrap_or(now);
        let is_audit = self.stages.stage == Stage::Audit;
        let mut open: Vec<Open> = self
            .clients
            .iter()
            .enumerate()
            .filter(|(_, client)| client.is_auditor() == is_audit || self.stages.has_come_back)
            .filter_map(|(who, client)| {
                client.open_work().map(|words| Open { who, done: client.done(), words })
            })
            .collect();
        if is_audit && open.is_empty() {
            open.extend(self.lagging());
            open.extend(self.unled());
            open.extend(self.misled());
            open.extend(self.missent());
        }
        let comes_back = is_audit && open.is_empty() && self.bring_back();
        match self.stages.stage {
            Stage::Chaos | Stage::Over => return,
            Stage::Finish if open.is_empty() => {
                self.trace.note(format_args!("everybody is done; the audit begins"));
                self.stages.stage = Stage::Audit;
                self.clients.iter_mut().for_each(Client::release);
            }
            Stage::Audit if comes_back => {
                let bounds = self.bounds();
                self.stages.come_back(now, bounds);
            }
            Stage::Audit if open.is_empty() => {
                self.trace.note(format_args!("the audit is done; idleness begins"));
                let lookups = self.lookups.audit(&self.ledger, &mut self.verdict);
                self.marks.add("audit.looked_at_a_lookup_again", lookups);
                self.stages.stage = Stage::Idle;
                self.stages.idle_from = Some((now, self.events));
            }
            Stage::Idle => self.look_idle(now),
            Stage::Tidy => self.look_tidy(now),
            Stage::Finish | Stage::Audit => self.look_late(now, frozen_at, &open),
        }
        self.schedule.after(LOOK_EVERY, Happening::Look);
    }

    /// A replica on a sound site that has not applied what its leader has, in words. A leader elsewhere may be
    /// one that the replica cannot hear.
    fn lagging(&self) -> Option<Open> {
        let seen = |site: usize| self.nodes[site].process.as_ref().map(|process| process.broker.observe());
        let stands: Vec<(usize, Observation)> = self
            .plan
            .core
            .iter()
            .flat_map(|site| seen(*site).into_iter().flatten().map(|seen| (*site, seen)))
            .collect();
        let leads = stands.iter().filter(|(_, seen)| seen.is_leader);
        let leaders: BTreeMap<TopicPartition, Observation> =
            leads.map(|(_, seen)| (seen.of, *seen)).collect();
        stands.iter().find_map(|(site, seen)| {
            let leader = leaders.get(&seen.of).filter(|leader| seen.applied < leader.applied)?;
            let (applied, of, to) = (seen.applied, seen.of, leader.applied);
            let words = format!("n{} has applied {of} to {applied}, its leader to {to}", site + 1);
            let done = stands.iter().map(|(_, seen)| seen.applied.0 + seen.last.0).sum();
            Some(Open { who: self.clients.len(), done, words })
        })
    }

    /// A sound site that knows no leader of the cluster, in words: most of the others are sound, and reach it.
    fn unled(&self) -> Option<Open> {
        let is_unled = |site: &usize| {
            let process = self.nodes[*site].process.as_ref()?;
            let machine = process.broker.observe().into_iter().find(|seen| seen.is_machine)?;
            (machine.leader == ReplicaId::NOBODY).then_some(*site)
        };
        let site = self.plan.core.iter().find_map(is_unled)?;
        let words = format!("n{} knows no leader of the cluster", site + 1);
        Some(Open { who: self.clients.len() + 1, done: 0, words })
    }

    /// A partition that is led on a disk that does nothing any more, in words, although most of its replicas are on sound
    /// sites. Its followers commit, and its clients wait for the disk. Of a disk whose journal nothing is asked of nobody
    /// can know that, and nobody waits for it (seed 70000208).
    fn misled(&self) -> Option<Open> {
        let is_core = |site: &usize| self.plan.core.contains(site);
        let seen = |site: usize| self.nodes[site].process.as_ref().map(|process| process.broker.observe());
        let has_most = |of: TopicPartition| {
            let holds = |site: usize| seen(site).into_iter().flatten().any(|seen| seen.of == of);
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..self.nodes.len()).filter(|site| holds(*site)).partition(is_core);
            inside.len() > outside.len()
        };
        let is_stuck = |site: &usize| {
            let disk = &self.nodes[*site].disk;
            !is_core(site) && disk.pace().sync_ns >= STUCK && disk.is_asked_for(FileKind::Journal)
        };
        let mut stuck = (0..self.nodes.len()).filter(is_stuck);
        let (site, of) = stuck.find_map(|site| {
            let led = seen(site)?.into_iter().find(|seen| seen.is_leader && has_most(seen.of))?;
            Some((site, led.of))
        })?;
        let words = format!("n{} leads {of}, and its disk does nothing any more", site + 1);
        Some(Open { who: self.clients.len() + 2, done: 0, words })
    }

    /// A sound site that still sends clients to a node which has no process any more, or none to a sound one, in words.
    /// Who is alone hears nobody, and knows of nobody that he is gone.
    fn missent(&self) -> Option<Open> {
        let core = &self.plan.core;
        let missent = |site: &usize| {
            let broker = &self.nodes[*site].process.as_ref()?.broker;
            let is_wrong = |other: &usize| {
                let is_gone = broker.observe_gone(NodeId(*other as i32 + 1));
                if core.contains(other) { is_gone } else { !is_gone && self.nodes[*other].process.is_none() }
            };
            (0..self.nodes.len()).find(is_wrong).map(|other| (*site, other))
        };
        let (site, other) = core.iter().filter(|_| core.len() > 1).find_map(missent)?;
        let words = format!("n{} is wrong about n{} being gone", site + 1, other + 1);
        Some(Open { who: self.clients.len() + 3, done: 0, words })
    }

    /// Tells whoever watches how every node stands.
    fn remark_nodes(&mut self) {
        for node in &self.nodes {
            let Some(process) = &node.process else { continue };
            for seen in process.broker.observe() {
                self.trace.remark(|| format!("n{} {seen:?}", node.site + 1));
            }
            let deadlines = process.broker.observe_deadlines();
            let now = node.clock.now(self.schedule.now()).mono;
            self.trace.remark(|| format!("n{} now {now:?}, deadlines {deadlines:?}", node.site + 1));
        }
    }

    /// What everybody may take from now on: the backlog is what clients have open, and what the audit will read.
    pub(super) fn bounds(&self) -> Bounds {
        let open: u64 = self.clients.iter().map(Client::open_bytes).sum();
        let kept = self.plan.core.iter().map(|site| self.nodes[*site].disk.used()).max().unwrap_or(0);
        let backlog =
            c17_everything_completes::backlog_ns(open * BACKLOG_WAYS + kept, self.network.weather());
        // Each that stays broken may let a client wait once, before it asks one that answers.
        let silent = self.plan.sites.len() - self.plan.core.len();
        Bounds::new(self.plan.knobs.election_max_ms, ANSWER_GIVEN_UP * silent.max(1) as u64, backlog)
    }

    fn look_late(&mut self, now: Moment, frozen_at: Moment, open: &[Open]) {
        let waited = now.since(frozen_at);
        let stood = self.stages.standing.look(now, open);
        let bounds = self.stages.bounds.expect("set when the faults froze");
        if !bounds.is_late(stood, waited) {
            if waited % TELL_EVERY < LOOK_EVERY {
                self.trace.remark(|| c17_everything_completes::words(stood, waited, open));
            }
            return;
        }
        if self.plan.demands == Demands::Detection {
            // Nobody is promised anything any more.
            self.marks.hit("run.ended_without_its_majority");
            self.stages.stage = Stage::Over;
            return;
        }
        self.remark_nodes();
        if self.plan.core.len() == self.plan.sites.len() {
            c17_everything_completes::late(stood, waited, open, &mut self.verdict);
        } else {
            c18_majority_serves::late(stood, waited, open, &mut self.verdict);
        }
    }

    fn look_idle(&mut self, now: Moment) {
        let (from, events) = self.stages.idle_from.expect("set where idleness begins");
        if now.since(from) < IDLE {
            return;
        }
        let (seen, sites) = (self.events - events, self.plan.sites.len());
        if !c19_all_is_bounded::check_idle(seen, IDLE / SECOND, sites, &mut self.verdict) {
            self.remark_nodes();
        }
        for node in self.nodes.iter().filter(|node| self.plan.core.contains(&node.site)) {
            let Some(process) = node.process.as_ref().filter(|process| !process.has_news()) else { continue };
            let holds = process.broker.observe_holdings();
            c19_all_is_bounded::check_holdings(node.site, &holds, process.clients_links(), &mut self.verdict);
            c05_watched::check_at_rest(node.site, &process.broker, &holds, &mut self.verdict);
            let storage = &self.plan.knobs.storage;
            c19_all_is_bounded::check_journal(node.site, &node.disk, storage, &mut self.verdict);
            self.marks.hit("bounds.weighed_an_idle_node");
        }
        (0..self.plan.sites.len()).for_each(|site| self.compare_segments(site));
        self.stages.stage = Stage::Tidy;
    }

    /// What topics and logs have given up may stay on a disk for a while, and no longer.
    fn look_tidy(&mut self, now: Moment) {
        let running = self.plan.core.iter().filter_map(|site| self.nodes[*site].process.as_ref());
        let starts = running.flat_map(|process| process.broker.observe()).map(|seen| seen.log_start.0).sum();
        let (from, _) = self.stages.idle_from.expect("set where idleness begins");
        let (from, before) = *self.stages.given_up.get_or_insert((from, starts));
        if starts != before {
            self.stages.given_up = Some((now, starts));
        }
        let leftover = self.plan.core.iter().find_map(|site| {
            let node = &self.nodes[*site];
            let process = node.process.as_ref()?;
            c19_all_is_bounded::leftover(*site, &node.disk, &process.broker)
                .or_else(|| c19_all_is_bounded::unfinished(*site, &node.disk, &process.broker))
                .or_else(|| c19_all_is_bounded::begun(*site, &process.broker))
        });
        let Some(words) = leftover else {
            self.compare_with_fresh_starts();
            self.stages.stage = Stage::Over;
            return;
        };
        self.marks.hit("bounds.waited_for_a_disk_to_be_tidy");
        c19_all_is_bounded::check_tidy(now.since(from), || words, &mut self.verdict);
    }
}
