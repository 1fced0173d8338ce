//! The rehearsal: would this disk, as a loss of power leaves it now, start again and remember what it had promised?
//!
//! A copy of the disk loses its power, a fresh core is started on it, and all that it asks of the disk is done at once,
//! while the run waits. Every durable prefix of a journal is a state that a loss of power may leave, and so is what a
//! crash makes of the writes that are under way; most of them no crash of the run meets. So a frame that cannot be
//! replayed is found when it becomes durable, whatever the run does afterwards.
//!
//! Looked at: the node starts (C17), declares nothing dead and reports nothing damaged, which nobody damaged (C7), and
//! remembers of each replica what the shadow says (`recovered`). Precondition: a disk that nobody has damaged; what is
//! damaged is started in the same way by the `atlas`, which only asks what that would cost.
//!
//! Invariant: nothing of a rehearsal reaches the run.

use super::recovered::Recovered;
use super::shadow::{Durable, Shadow};
use super::{Claim, Verdict};
use crate::dice::Dice;
use crate::disk::inode::Loss;
use crate::disk::{Armed, Disk};
use crate::shell;
use rust_mq_core::action::{Action, HaltReason, Notice};
use rust_mq_core::broker::Broker;
use rust_mq_core::broker::observe::{Needs, Observation, Remembered};
use rust_mq_core::config::Config;
use rust_mq_core::event::Event;
use rust_mq_core::ids::{Index, ReplicaId, Term, TopicPartition};
use rust_mq_core::now::Now;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Turns that a start takes at most: a read for each piece of the journal, and a few writes.
const TURNS_MAX: usize = 20_000;

/// What came of a start.
#[derive(Debug)]
pub struct Started {
    /// What ended it.
    pub ending: Ending,
    /// What it reported as damaged.
    pub damaged: Vec<String>,
    /// Whether that was in the journal: then nobody that was here lives on.
    pub is_buried: bool,
    /// What it remembers.
    pub remembers: Vec<Memory>,
    /// Who may not run any more.
    pub dead: Vec<ReplicaId>,
    /// What its replicas hold in the end.
    pub needs: BTreeMap<TopicPartition, Needs>,
}

/// What a replica remembers.
#[derive(Debug)]
pub struct Memory {
    /// How it stands.
    pub seen: Remembered,
    /// Index and term of its entries.
    pub log: Vec<(Index, Term)>,
    /// What was durable of it by then.
    pub durable: Durable,
}

/// How a start ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has read all there is.
    Ready,
    /// The node stopped.
    Halted(HaltReason),
    /// The core panicked.
    Panicked(String),
    /// It went on and on.
    Endless,
}

/// Starts a fresh core on a disk that no process uses. What it makes durable itself is in `shadow` then: who votes alone
/// leads at once, and writes (seed 31000078).
pub fn start(now: Now, disk: &mut Disk, config: &Config, seed: u64, shadow: &mut Shadow) -> Started {
    disk.set_capacity(u64::MAX);
    *disk.armed_mut() = Armed::default();
    let mut broker = Broker::new(config.clone(), seed);
    let mut started = Started {
        ending: Ending::Endless,
        damaged: Vec::new(),
        is_buried: false,
        remembers: Vec::new(),
        dead: Vec::new(),
        needs: BTreeMap::new(),
    };
    let mut events = vec![Event::Started];
    for _ in 0..TURNS_MAX {
        let mut actions = Vec::new();
        let handled = catch_unwind(AssertUnwindSafe(|| broker.handle(now, &mut events, &mut actions)));
        if handled.is_err() {
            started.ending = Ending::Panicked(shell::last_panic());
            return started;
        }
        started.look_at(&broker, shadow);
        actions.into_iter().for_each(|action| started.perform(action, disk));
        if started.ending != Ending::Endless {
            return started;
        }
        events.clear();
        for work in disk.take_started() {
            let done = disk.finish(work.work);
            let synced = disk.take_synced();
            shadow.synced(disk, &synced);
            events.extend(done.map(|(ticket, result)| Event::Done { ticket, result }));
        }
        if events.is_empty() {
            started.ending = Ending::Ready;
            started.needs = broker.observe_needs();
            started.keeps_what_was_there();
            return started;
        }
    }
    started
}

impl Started {
    /// What it shows for the first time is what it remembers: who votes alone leads at once, and goes on writing.
    fn look_at(&mut self, broker: &Broker, shadow: &Shadow) {
        self.dead = broker.observe_dead();
        let remembered = |seen: Observation| (seen.remembered(), broker.observe_log(seen.replica));
        let running = broker.observe().into_iter().map(remembered);
        for (seen, log) in running.chain(broker.observe_unclaimed()) {
            if self.remembers.iter().all(|known| known.seen.replica != seen.replica) {
                let durable = shadow.replica(seen.replica.0).cloned().unwrap_or_default();
                self.remembers.push(Memory { seen, log, durable });
            }
        }
    }

    /// It may have made a checkpoint since, which let go what the disk had: what it found counts.
    fn keeps_what_was_there(&mut self) {
        for memory in &self.remembers {
            let first = memory.log.first().map(|(index, _)| *index);
            if let (Some(needs), Some(first)) = (self.needs.get_mut(&memory.seen.of), first) {
                needs.entries_from = needs.entries_from.min(first);
            }
        }
    }

    fn perform(&mut self, action: Action, disk: &mut Disk) {
        match action {
            Action::Write { .. }
            | Action::Sync { .. }
            | Action::Read { .. }
            | Action::Truncate { .. }
            | Action::Remove { .. }
            | Action::List { .. }
            | Action::Forget { .. } => disk.issue(action),
            Action::Halt(reason) => self.ending = Ending::Halted(reason),
            Action::Note(Notice::Damaged { file, what }) => {
                self.is_buried |= matches!(file, rust_mq_core::file::File::Journal(_));
                self.damaged.push(format!("{file}: {what}"));
            }
            _ => {}
        }
    }
}

/// Rehearses a start on what is left of `disk` by a loss of power: what is durable, or that and so many of a million
/// sectors of what is under way.
pub fn rehearse(
    (site, now): (usize, Now),
    disk: &Disk,
    kept_ppm: Option<u64>,
    config: &Config,
    shadow: &Shadow,
    dice: &mut Dice,
    verdict: &mut Verdict,
) {
    let mut shadow = shadow.clone();
    let mut left = disk.durable_alone();
    if let Some(kept_ppm) = kept_ppm {
        left = disk.clone();
        left.crash(Loss::Sectors { kept_ppm }, dice);
        shadow.crashed(&left);
    }
    let started = start(now, &mut left, config, dice.word(), &mut shadow);
    weigh(site, &started, verdict);
}

fn weigh(site: usize, started: &Started, verdict: &mut Verdict) {
    let site_name = format!("n{}", site + 1);
    let claim = match &started.ending {
        Ending::Ready => None,
        Ending::Halted(HaltReason::Undecodable { .. }) => Some(Claim::C7),
        Ending::Panicked(_) => Some(Claim::C20),
        Ending::Halted(_) | Ending::Endless => Some(Claim::C17),
    };
    if let Some(claim) = claim {
        return verdict.breach(claim, format!("{site_name} would not start again: {:?}", started.ending));
    }
    verdict.hold(started.damaged.is_empty(), Claim::C7, || {
        format!("{site_name} would find damage on a sound disk: {:?}", started.damaged)
    });
    verdict.hold(started.dead.is_empty(), Claim::C7, || {
        format!("{site_name} would declare {:?} dead on a sound disk", started.dead)
    });
    let mut recovered = Recovered::default();
    for Memory { seen, log, durable } in &started.remembers {
        recovered.stands((site, 0), seen, durable, || log.clone(), verdict);
    }
}
