//! Starting: recovery reads, the plan of `resume` writes, and then storage runs.
//!
//! Invariant: while it lasts no call but `start`, `done` and `woke` reaches storage, so every answer is for
//! recovery or its plan.

use super::checkpoint::checkpointer::Checkpointer;
use super::checkpoint::slot::Record;
use super::disk::Disk;
use super::disk::plan::PlanProgress;
use super::disk::removals::Removals;
use super::disk::space::Space;
use super::disk::ticket::Tickets;
use super::local::Local;
use super::node_meta::MetaFile;
use super::recovery::announcement::Recovery as Announcement;
use super::recovery::announcement::recovered;
use super::recovery::reading::{Reached, Reading};
use super::recovery::resume::{Resumed, resume};
use super::running::Running;
use super::segments::log::Log;
use crate::action::{Action, Notice};
use crate::config::StorageConfig;
use crate::event::DoneResult;
use crate::ids::{NodeId, Ticket};
use crate::limits::SPACE_RETRY_AFTER;
use crate::mutant::Mutant;
use crate::now::Mono;
use crate::rng::Rng;

/// A storage before it runs.
#[derive(Debug)]
pub(super) struct Starting {
    config: StorageConfig,
    node: NodeId,
    rng: Rng,
    mutant: Option<Mutant>,
    tickets: Tickets,
    stage: Stage,
    retry_at: Option<Mono>,
    has_said_full: bool,
}

#[derive(Debug)]
enum Stage {
    New,
    Reading(Box<Reading>),
    Writing(Box<Resumed>),
}

/// What an answer led to.
pub(super) enum Started {
    Waiting,
    Running(Box<Running>),
    /// This directory cannot be used.
    Refused(String),
    /// The disk failed.
    Failed(String),
}

impl Starting {
    pub(super) fn new(config: StorageConfig, node: NodeId, rng: Rng, mutant: Option<Mutant>) -> Starting {
        let (tickets, stage) = (Tickets::default(), Stage::New);
        Starting { config, node, rng, mutant, tickets, stage, retry_at: None, has_said_full: false }
    }

    pub(super) fn start(&mut self, actions: &mut Vec<Action>) {
        assert!(matches!(self.stage, Stage::New), "storage starts once");
        self.stage = Stage::Reading(Box::new(Reading::start(
            self.node,
            self.mutant,
            &mut Disk::new(&mut self.tickets, actions),
        )));
    }

    pub(super) fn retry_at(&self) -> Option<Mono> {
        self.retry_at
    }

    /// Tries again what a full disk refused.
    pub(super) fn woke(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.retry_at.is_some_and(|at| at <= now)
            && let Stage::Writing(resumed) = &mut self.stage
            && resumed.plan.is_stalled()
        {
            self.retry_at = None;
            resumed.plan.issue(&mut Disk::new(&mut self.tickets, actions));
        }
    }

    pub(super) fn done(
        &mut self,
        now: Mono,
        ticket: Ticket,
        result: DoneResult,
        actions: &mut Vec<Action>,
    ) -> Started {
        if self.tickets.redeem(ticket).is_none() {
            return Started::Waiting;
        }
        let progress = match &mut self.stage {
            Stage::New => return Started::Waiting,
            Stage::Reading(recovery) => {
                match recovery.done(result, &mut Disk::new(&mut self.tickets, actions)) {
                    Reached::Waiting => return Started::Waiting,
                    Reached::Refused(reason) => return Started::Refused(reason),
                    Reached::Failed(reason) => return Started::Failed(reason),
                    Reached::Read(findings) => {
                        let mut resumed = Box::new(resume(&self.config, &mut self.rng, *findings));
                        actions.extend(resumed.notices.drain(..).map(Action::Note));
                        let progress = resumed.plan.issue(&mut Disk::new(&mut self.tickets, actions));
                        self.stage = Stage::Writing(resumed);
                        progress
                    }
                }
            }
            Stage::Writing(resumed) => resumed.plan.done(result, &mut Disk::new(&mut self.tickets, actions)),
        };
        match progress {
            PlanProgress::Waiting => Started::Waiting,
            PlanProgress::Full => {
                if let Stage::Writing(resumed) = &self.stage
                    && !std::mem::replace(&mut self.has_said_full, true)
                {
                    actions.push(Action::Note(Notice::NoRoomToStart { bytes: resumed.plan.bytes() }));
                }
                self.retry_at = Some(now + SPACE_RETRY_AFTER);
                Started::Waiting
            }
            PlanProgress::Failed(reason) => Started::Failed(reason),
            PlanProgress::Finished => self.run(actions),
        }
    }

    /// The plan is done: what is left is the seal, whose sync announces the recovery.
    fn run(&mut self, actions: &mut Vec<Action>) -> Started {
        let Stage::Writing(resumed) = std::mem::replace(&mut self.stage, Stage::New) else {
            return Started::Waiting;
        };
        let mut resumed = *resumed;
        let locals = resumed.records.iter().map(|(id, record)| (*id, local(record))).collect();
        let announcement = Announcement {
            meta: resumed.meta.clone(),
            replicas: resumed
                .records
                .into_values()
                .map(|record| {
                    let pages = resumed.pages.remove(&record.replica).unwrap_or_default();
                    recovered(record, pages)
                })
                .collect(),
            dead: resumed.dead,
            segments: resumed.segments,
            shortened: resumed.shortened,
            journal_bytes: resumed.journal_bytes,
        };
        let mut tickets = std::mem::take(&mut self.tickets);
        resumed.journal.seal_now(&mut Disk::new(&mut tickets, actions));
        let mut removals = Removals::of(resumed.left_over);
        removals.begin([], &mut Disk::new(&mut tickets, actions));
        Started::Running(Box::new(Running {
            tickets,
            meta: MetaFile::found(resumed.meta_sequence, resumed.meta.is_some()),
            journal: resumed.journal,
            locals,
            behind: Default::default(),
            checkpointer: Checkpointer::new(
                resumed.slot,
                resumed.sequence,
                resumed.checkpoint_bytes,
                self.mutant,
            ),
            state: resumed.state,
            reads: Default::default(),
            space: Space::new(self.config.free_bytes_floor, self.config.free_bytes_short),
            doomed: resumed.doomed,
            removals,
            generations: resumed.generations,
            left: resumed.left,
            stalled: Default::default(),
            mending: Default::default(),
            rewrites: Default::default(),
            replaced: Vec::new(),
            is_holding: false,
            remove_at: None,
            is_removal_due: false,
            checkpoints: 0,
            covered: resumed.covered,
            announcement: Some(announcement),
            config: self.config.clone(),
            mutant: self.mutant,
        }))
    }
}

fn local(record: &Record) -> Local {
    let mut log =
        Log::new(record.of, record.generation, record.log_start, record.end, record.segments.clone());
    log.compacted = record.compacted;
    let last = record.entries.last().map_or(record.applied, |entry| entry.index);
    Local { log, hard_state: record.hard_state, last, frame: 0 }
}
