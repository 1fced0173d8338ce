//! The stages of a run, and its end: chaos; the frozen stage, in which everybody finishes and probes within a
//! bound (C17, and C18 where something stays broken); the audit, which reads every log; idleness, in which
//! nothing may storm or grow (C19).

use super::World;
use crate::claims::Claim;
use crate::clock::{MILLI, Moment, SECOND};
use crate::plan::Trouble;
use crate::schedule::Happening;
use rust_mq_core::broker::observe::Observation;
use rust_mq_core::ids::TopicPartition;
use std::collections::{BTreeMap, BTreeSet};

/// How often the world looks.
const LOOK_EVERY: u64 = 100 * MILLI;
/// What everybody may take besides the election timeouts: request timeouts of clients, and the backlog.
const GRACE: u64 = 60 * SECOND;
/// Election timeouts that healing may take.
const ELECTIONS: u64 = 20;
/// How long idleness is watched.
const IDLE: u64 = 2 * SECOND;
/// Events that a node may need in a second of idleness: ticks, heartbeats and their answers.
const IDLE_EVENTS_MAX: u64 = 3_000;

/// Where a run stands.
#[derive(Debug, Default)]
pub struct Stages {
    stage: Stage,
    frozen_at: Option<Moment>,
    idle_from: Option<(Moment, u64)>,
    disk_failures: BTreeSet<usize>,
    spoilt: BTreeSet<usize>,
    unreadable: BTreeSet<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Chaos,
    Finish,
    Audit,
    Idle,
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
    pub fn freeze(&mut self, now: Moment) {
        self.stage = Stage::Finish;
        self.frozen_at = Some(now);
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
            Trouble::Rot { site } => {
                self.spoil(*site);
            }
            _ => {}
        }
    }

    /// The disk of that machine holds what cannot be used.
    pub fn spoil(&mut self, site: usize) {
        self.spoilt.insert(site);
        self.unreadable.insert(site);
    }

    /// Whether some of what that machine's disk holds could not, or cannot, be read.
    pub fn disk_is_unreadable(&self, site: usize) -> bool {
        self.unreadable.contains(&site)
    }

    /// Whether the disk of that machine was made to fail.
    pub fn disk_may_fail(&self, site: usize) -> bool {
        self.disk_failures.contains(&site)
    }

    /// Whether the disk of that machine may hold what cannot be used.
    pub fn disk_is_spoilt(&self, site: usize) -> bool {
        self.spoilt.contains(&site) || self.disk_failures.contains(&site)
    }
}

impl World {
    /// Looks how far the run is.
    pub(super) fn look(&mut self) {
        let now = self.schedule.now();
        let frozen_at = self.stages.frozen_at.unwrap_or(now);
        let mut open: Vec<String> = self
            .clients
            .iter()
            .filter(|client| client.is_auditor() == (self.stages.stage == Stage::Audit))
            .filter_map(crate::client::Client::open_work)
            .collect();
        if self.stages.stage == Stage::Audit && open.is_empty() {
            open.extend(self.lagging());
        }
        match self.stages.stage {
            Stage::Chaos | Stage::Over => return,
            Stage::Finish if open.is_empty() => {
                self.trace.note(format_args!("everybody is done; the audit begins"));
                self.stages.stage = Stage::Audit;
                self.clients.iter_mut().for_each(crate::client::Client::release);
            }
            Stage::Audit if open.is_empty() => {
                self.trace.note(format_args!("the audit is done; idleness begins"));
                self.stages.stage = Stage::Idle;
                self.stages.idle_from = Some((now, self.events));
            }
            Stage::Idle => self.look_idle(now),
            Stage::Finish | Stage::Audit => self.look_late(now, frozen_at, &open),
        }
        self.schedule.after(LOOK_EVERY, Happening::Look);
    }

    /// A replica on a sound machine that has not applied what its leader has, in words. A leader elsewhere may be
    /// one that the replica cannot hear.
    fn lagging(&self) -> Option<String> {
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
            Some(format!(
                "n{} has applied {} to {}, its leader to {}",
                site + 1,
                seen.of,
                seen.applied,
                leader.applied
            ))
        })
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

    fn look_late(&mut self, now: Moment, frozen_at: Moment, open: &[String]) {
        let bound = GRACE + ELECTIONS * self.plan.knobs.election_max_ms * MILLI;
        if now.since(frozen_at) <= bound {
            return;
        }
        self.remark_nodes();
        let is_whole = self.plan.core.len() == self.plan.sites;
        let claim = if is_whole { Claim::C17 } else { Claim::C18 };
        let words = format!("{} s after healing: {}", now.since(frozen_at) / SECOND, open.join("; "));
        self.verdict.breach(claim, words);
    }

    fn look_idle(&mut self, now: Moment) {
        let (from, events) = self.stages.idle_from.expect("set where idleness begins");
        if now.since(from) < IDLE {
            return;
        }
        let most = IDLE_EVENTS_MAX * (IDLE / SECOND) * self.plan.sites as u64;
        let seen = self.events - events;
        if seen > most {
            self.remark_nodes();
        }
        self.verdict.hold(seen <= most, Claim::C19, || {
            format!("{seen} events in {} s of idleness of {} nodes", IDLE / SECOND, self.plan.sites)
        });
        (0..self.plan.sites).for_each(|site| self.compare_segments(site));
        self.stages.stage = Stage::Over;
    }
}
