//! The film of a run, for the page that a person reads who looks for a bug: one file of HTML with a lane a node, in
//! it the roles and terms of each replica, the messages between the lanes, what was wrong when, what clients asked,
//! and the claim that broke.
//!
//! A film takes no part in the run. It looks on at the doors that the trace has too (events, actions, notes), at the
//! clients' requests, and after each step at the sites; it draws from no stream and says nothing to anybody. Where
//! no page is asked for there is no `Reel`, and each hook is one test of a pointer.
//!
//! A run has millions of happenings and a page has two megabytes. So each kind has a `strip` of bounded length: the
//! newest are kept in full, and of what falls out of it only what is worth a look (lost, late, doubled, refused,
//! failed). The `page` then gives each kind a share of its bytes, the newest first, and says what it left out.
//!
//! One file a kind: `messages`, `replicas`, `operations` (of clients), `works` (of disks), `troubles` (what was wrong,
//! and which sites were up). What of a plan a film must know comes as a [`Script`], for plans are made of clients,
//! and clients look on too.
//!
//! Invariants: the trace of a run with a film is byte-equal to that without; equal runs make byte-equal pages; a page
//! is smaller than [`page::BYTES_MAX`], names no other file or place, and holds nothing from the run that a browser
//! could take for markup.

pub mod messages;
pub mod operations;
pub mod page;
pub mod replicas;
pub mod strip;
pub mod troubles;
pub mod works;

use crate::claims::Failure;
use crate::node::Node;
use messages::Messages;
use operations::Operations;
use replicas::Replicas;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event};
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use strip::{Notable, Strip};
use troubles::{Lives, Troubles};
use works::Works;

/// Lines of the trace that are kept: some seconds of a quiet run, half a second of a busy one.
const LINES_MAX: usize = 5_000;
/// Bytes of a line.
const LINE_BYTES_MAX: usize = 240;
/// Remarks of nodes and notes of the simulator that are kept.
const NOTES_MAX: usize = 1_500;

/// What a film must know of the plan.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The seed.
    pub seed: u64,
    /// Sites.
    pub sites: usize,
    /// The clients, in a few words each.
    pub clients: Vec<String>,
    /// What will go wrong, in the order of the plan.
    pub faults: Vec<Trouble>,
    /// What is longer under way is late: a message that its receiver had begun to wait for.
    pub late_us: u64,
    /// What else was set up, a line each.
    pub setting: Vec<String>,
}

/// One thing that goes wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Its kind's name.
    pub name: String,
    /// All of it.
    pub words: String,
    /// Where it is drawn.
    pub sites: Vec<usize>,
    /// At which clients.
    pub clients: Vec<usize>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug)]
pub struct Ending<'a> {
    /// The broken claim.
    pub failure: Option<&'a Failure>,
    /// When.
    pub at_ns: u64,
    /// At which step.
    pub step: u64,
    /// Whether the run came to its end.
    pub is_whole: bool,
}

/// A film, which is there where a page was asked for.
#[derive(Debug, Default)]
pub struct Film(Option<Box<Reel>>);

/// What is on it.
#[derive(Debug)]
pub(crate) struct Reel {
    script: Script,
    at_us: u64,
    messages: Messages,
    replicas: Replicas,
    operations: Operations,
    works: Works,
    troubles: Troubles,
    lives: Lives,
    lines: Strip<Line>,
    notes: Strip<Note>,
    touched: BTreeSet<usize>,
    /// Whose turn was the last, and when.
    turned: Option<(usize, u64)>,
}

/// A line of the trace.
#[derive(Clone, Debug)]
struct Line {
    at_us: u64,
    step: u64,
    words: String,
}

/// What a node remarks, or the simulator.
#[derive(Clone, Debug)]
struct Note {
    at_us: u64,
    /// The simulator's where there is none.
    site: Option<usize>,
    words: String,
}

impl Notable for Line {
    fn is_notable(&self) -> bool {
        false
    }
}

impl Notable for Note {
    fn is_notable(&self) -> bool {
        true
    }
}

impl Film {
    /// A film of that script, or none.
    pub fn new(script: Option<Script>) -> Film {
        Film(script.map(|script| Box::new(Reel::new(script))))
    }

    /// Whether there is one.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A step begins.
    pub fn step(&mut self, at_ns: u64) {
        if let Some(reel) = &mut self.0 {
            reel.at_us = at_ns / 1_000;
        }
    }

    /// A node is given an event.
    pub fn event(&mut self, site: usize, event: &Event) {
        if let Some(reel) = &mut self.0 {
            reel.event(site, event);
        }
    }

    /// A node asks for an action.
    pub fn action(&mut self, site: usize, action: &Action) {
        if let Some(reel) = &mut self.0 {
            reel.action(site, action);
        }
    }

    /// The simulator has something to say.
    pub fn note(&mut self, words: fmt::Arguments<'_>) {
        if let Some(reel) = &mut self.0 {
            reel.note(None, words.to_string());
        }
    }

    /// A line of the story.
    pub fn line(&mut self, step: u64, words: fmt::Arguments<'_>) {
        if let Some(reel) = &mut self.0 {
            let line = Line { at_us: reel.at_us, step, words: cut(words.to_string(), LINE_BYTES_MAX) };
            reel.lines.push(line);
        }
    }

    /// A step is over: looks at the sites, and at which faults of the plan are in force.
    pub fn look(&mut self, nodes: &[Node], in_force: &[bool]) {
        if let Some(reel) = &mut self.0 {
            reel.look(nodes, in_force);
        }
    }

    /// A client asks a site for something; the number is new among its own.
    pub fn asks(&mut self, client: usize, site: usize, number: i32, what: fmt::Arguments<'_>) {
        if let Some(reel) = &mut self.0 {
            reel.operations.asks(reel.at_us, client, site, number, what);
        }
    }

    /// It is answered.
    pub fn answered(&mut self, client: usize, number: i32, answer: &dyn fmt::Debug) {
        if let Some(reel) = &mut self.0 {
            reel.operations.answered(reel.at_us, client, number, answer);
        }
    }

    /// Its connection to a site is gone, and with it all answers that are open there.
    pub fn hung_up(&mut self, client: usize, site: usize) {
        if let Some(reel) = &mut self.0 {
            reel.operations.hung_up(reel.at_us, client, site);
        }
    }

    /// The page; `named` gives topics their names.
    pub fn page(&self, ending: &Ending<'_>, named: &dyn Fn(&str) -> String) -> Option<String> {
        self.0.as_ref().map(|reel| page::write(reel, ending, named))
    }
}

impl Reel {
    fn new(script: Script) -> Reel {
        Reel {
            at_us: 0,
            messages: Messages::default(),
            replicas: Replicas::new(script.sites),
            operations: Operations::default(),
            works: Works::default(),
            troubles: Troubles::new(script.faults.len()),
            lives: Lives::new(script.sites),
            lines: Strip::new(LINES_MAX, 0),
            notes: Strip::new(NOTES_MAX, NOTES_MAX),
            touched: BTreeSet::new(),
            turned: None,
            script,
        }
    }

    fn event(&mut self, site: usize, event: &Event) {
        self.touched.insert(site);
        self.turned = Some((site, self.at_us));
        match event {
            Event::Opened { link, kind } => self.messages.opened(site, *link, kind),
            Event::Received { link, bytes } => self.messages.received(self.at_us, site, *link, bytes),
            Event::Closed { link, .. } => self.messages.closed(self.at_us, site, *link),
            Event::Done { ticket, result } => {
                self.works.done(self.at_us, site, *ticket, result);
                if matches!(result, DoneResult::Failed { .. } | DoneResult::Full) {
                    self.note(Some(site), format!("{event}"));
                }
            }
            Event::Started | Event::Sent { .. } | Event::Woke | Event::Asked { .. } => {}
        }
    }

    fn action(&mut self, site: usize, action: &Action) {
        match action {
            Action::Dial { link, address, .. } => {
                if let Some(to) = Node::site_of(address, self.script.sites) {
                    self.messages.dials(site, *link, to);
                }
            }
            Action::Send { link, parts } => {
                self.messages.sent(self.at_us, site, *link, parts, &self.replicas);
            }
            Action::Write { ticket, .. }
            | Action::Sync { ticket, .. }
            | Action::Read { ticket, .. }
            | Action::Truncate { ticket, .. }
            | Action::Remove { ticket, .. }
            | Action::List { ticket } => self.works.asked(self.at_us, site, *ticket, action),
            Action::Note(_) | Action::Halt(_) => self.note(Some(site), format!("{action}")),
            Action::Allow { .. }
            | Action::Close { .. }
            | Action::Abort { .. }
            | Action::Forget { .. }
            | Action::WakeAt { .. }
            | Action::Tell { .. } => {}
        }
    }

    fn note(&mut self, site: Option<usize>, words: String) {
        self.notes.push(Note { at_us: self.at_us, site, words: cut(words, LINE_BYTES_MAX) });
    }

    fn look(&mut self, nodes: &[Node], in_force: &[bool]) {
        self.troubles.look(self.at_us, in_force);
        for node in nodes {
            let life = node.process.is_some().then_some((node.boot, node.pauses > 0));
            if self.lives.look(self.at_us, node.site, life) {
                self.messages.ended(self.at_us, node.site);
                self.works.ended(self.at_us, node.site);
                self.replicas.ended(self.at_us, node.site);
            }
        }
        for site in std::mem::take(&mut self.touched) {
            let Some(process) = &nodes[site].process else { continue };
            // A core that has just panicked (C20) may do so again when it is looked at.
            if let Ok(seen) = catch_unwind(AssertUnwindSafe(|| process.broker.observe())) {
                self.replicas.look(self.at_us, site, &seen);
            }
        }
    }
}

/// At most so many bytes of it.
fn cut(mut words: String, bytes_max: usize) -> String {
    if words.len() > bytes_max {
        words.truncate(words.floor_char_boundary(bytes_max - 3));
        words.push_str("...");
    }
    words
}
