//! What disks were asked to do, from the asking to the answer.

use super::cut;
use super::strip::{Notable, Strip};
use rust_mq_core::action::Action;
use rust_mq_core::event::DoneResult;
use rust_mq_core::ids::Ticket;
use std::collections::BTreeMap;

/// Works that are kept whole.
const NEWEST: usize = 4_000;
/// Failed ones that are kept besides.
const OLDER: usize = 500;
/// Bytes of what was asked, in words.
const WORDS_MAX: usize = 160;

/// All disks' works.
#[derive(Debug)]
pub struct Works {
    open: BTreeMap<(usize, Ticket), Work>,
    over: Strip<Work>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Work {
    /// Where.
    pub site: usize,
    /// When it was asked for.
    pub from_us: u64,
    /// When it was answered.
    pub to_us: Option<u64>,
    /// What was asked.
    pub words: String,
    /// How it ended.
    pub end: End,
}

/// How a work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Not yet.
    Open,
    /// As asked.
    Well,
    /// With a failure, or for want of space.
    Failed,
    /// With its process.
    Lost,
}

impl Notable for Work {
    fn is_notable(&self) -> bool {
        self.end == End::Failed
    }
}

impl Default for Works {
    fn default() -> Works {
        Works { open: BTreeMap::new(), over: Strip::new(NEWEST, OLDER) }
    }
}

impl Works {
    /// A node asks for one.
    pub fn asked(&mut self, at_us: u64, site: usize, ticket: Ticket, action: &Action) {
        let words = cut(action.to_string(), WORDS_MAX);
        self.open.insert((site, ticket), Work { site, from_us: at_us, to_us: None, words, end: End::Open });
    }

    /// It is told how that ended.
    pub fn done(&mut self, at_us: u64, site: usize, ticket: Ticket, result: &DoneResult) {
        let is_failed = matches!(result, DoneResult::Failed { .. } | DoneResult::Full);
        if let Some(work) = self.open.remove(&(site, ticket)) {
            let end = if is_failed { End::Failed } else { End::Well };
            self.over.push(Work { to_us: Some(at_us), end, ..work });
        }
    }

    /// Its process ended.
    pub fn ended(&mut self, at_us: u64, site: usize) {
        for (_, work) in self.open.extract_if((site, Ticket(0))..=(site, Ticket(u64::MAX)), |_, _| true) {
            self.over.push(Work { to_us: Some(at_us), end: End::Lost, ..work });
        }
    }

    /// All that are kept, the newest first.
    pub fn all(&self) -> impl Iterator<Item = &Work> {
        self.open.values().chain(self.over.newest()).chain(self.over.older())
    }

    /// How many are not.
    pub fn left_out(&self) -> u64 {
        self.over.left_out()
    }
}
