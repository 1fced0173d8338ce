//! The trace: a rolling 64-bit hash over everything that went through a door, with checkpoints, and on demand the
//! same as a table, a line an event.
//!
//! Two runs of one plan have one hash, across processes and profiles; where two differ, their checkpoints say
//! between which 1,024 steps.
//!
//! Invariant: the hash does not depend on whether somebody watches.

use crate::film::{Film, Script};
use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event};
use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

/// Steps between two checkpoints.
const CHECKPOINT_STEPS: u64 = 1024;

/// Who watches a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Nobody.
    #[default]
    Nobody,
    /// The last lines but routine are kept, and all notes, for the story of a failure.
    Tail(usize),
    /// Every line is printed, from one step to another.
    Print {
        /// From this step on.
        from: u64,
        /// To this one.
        until: u64,
    },
    /// A film is made, for a page.
    Film,
}

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: Rolling,
    checkpoints: Vec<u64>,
    watch: Watch,
    tail: VecDeque<String>,
    notes: Vec<String>,
    step: u64,
    at_ns: u64,
    /// What a page is made of, if one is asked for.
    pub film: Film,
}

/// FxHash's step over words: fast, and any change shows. Not for adversaries.
///
/// What comes often is folded in by its fields, for formatting it cost a tenth of a run; the rest by its line.
#[derive(Clone, Copy, Debug)]
struct Rolling(u64);

impl Rolling {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Received { link, bytes } => {
                self.words(&[1, link.0]);
                self.bytes(bytes);
            }
            Event::Sent { link, bytes } => self.words(&[2, link.0, *bytes]),
            Event::Done { ticket, result: DoneResult::Bytes(bytes) } => {
                self.words(&[3, ticket.0]);
                self.bytes(bytes);
            }
            Event::Done { ticket, result: DoneResult::Written { free_bytes } } => {
                self.words(&[4, ticket.0, *free_bytes]);
            }
            Event::Done { ticket, result: DoneResult::Synced } => self.words(&[5, ticket.0]),
            Event::Woke => self.word(6),
            rare => write!(self, "{rare}").expect("a hash takes any text"),
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Send { link, parts } => {
                self.words(&[11, link.0]);
                self.parts(parts);
            }
            Action::Allow { link, bytes } => self.words(&[12, link.0, *bytes]),
            Action::Write { ticket, file, at, parts } => {
                self.words(&[13, ticket.0, *at]);
                file.hash(self);
                self.parts(parts);
            }
            Action::Sync { ticket, files } => {
                self.words(&[14, ticket.0, files.len() as u64]);
                files.iter().for_each(|file| file.hash(self));
            }
            Action::WakeAt { mono } => self.words(&[15, mono.0]),
            rare => write!(self, "{rare}").expect("a hash takes any text"),
        }
    }

    fn words(&mut self, words: &[u64]) {
        words.iter().for_each(|word| self.word(*word));
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }

    fn parts(&mut self, parts: &[Bytes]) {
        parts.iter().for_each(|part| self.bytes(part));
    }
}

/// For the names of files. Every number goes through its bytes, lowest first, as on all MACHs we run on.
impl Hasher for Rolling {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Write for Rolling {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    /// An empty one. The script is for a film.
    pub fn new(watch: Watch, script: impl FnOnce() -> Script) -> Trace {
        Trace {
            film: Film::new((watch == Watch::Film).then(script)),
            hash: Rolling(0),
            checkpoints: Vec::new(),
            watch,
            tail: VecDeque::new(),
            notes: Vec::new(),
            step: 0,
            at_ns: 0,
        }
    }

    /// A step begins.
    pub fn step(&mut self, step: u64, at_ns: u64) {
        self.step = step;
        self.at_ns = at_ns;
        self.film.step(at_ns);
        if step.is_multiple_of(CHECKPOINT_STEPS) {
            self.checkpoints.push(self.hash.0);
        }
    }

    /// A node is given an event.
    pub fn event(&mut self, site: usize, event: &Event) {
        self.hash.word(self.step);
        self.hash.word(self.at_ns);
        self.hash.word(site as u64);
        self.hash.event(event);
        self.film.event(site, event);
        let is_routine = matches!(event, Event::Sent { .. });
        if self.is_watched() && !(is_routine && self.is_told()) {
            self.line(format_args!("n{} <- {event}", site + 1));
        }
    }

    /// A node asks for an action.
    pub fn action(&mut self, site: usize, action: &Action) {
        self.hash.word(site as u64 | 1 << 32);
        self.hash.action(action);
        self.film.action(site, action);
        let is_routine = matches!(action, Action::WakeAt { .. } | Action::Allow { .. });
        if self.is_watched() && !(is_routine && self.is_told()) {
            self.line(format_args!("n{} -> {action}", site + 1));
        }
    }

    /// Something else happened that a story needs.
    pub fn note(&mut self, words: fmt::Arguments<'_>) {
        self.hash.word(self.at_ns);
        write!(self.hash, "{words}").expect("a hash takes any text");
        self.film.note(words);
        if self.is_told() {
            self.notes.push(format!(
                "{:>6}.{:03} {words}",
                self.at_ns / 1_000_000,
                self.at_ns / 1_000 % 1_000
            ));
        } else if self.is_watched() {
            self.line(format_args!("*  {words}"));
        }
    }

    /// A line for whoever watches; no part of the hash.
    pub fn remark(&mut self, words: impl FnOnce() -> String) {
        if self.is_watched() {
            let words = words();
            // Heartbeats are most of what peers say, and seldom what a story is about.
            if self.is_told() && words.split("; ").all(|said| said.contains("Heartbeat")) {
                return;
            }
            self.line(format_args!("#  {words}"));
        }
    }

    /// The hash so far.
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// The hash at every 1,024th step.
    pub fn checkpoints(&self) -> &[u64] {
        &self.checkpoints
    }

    /// The notes that were kept.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The lines that were kept.
    pub fn tail(&self) -> impl Iterator<Item = &String> {
        self.tail.iter()
    }

    fn is_told(&self) -> bool {
        matches!(self.watch, Watch::Tail(_) | Watch::Film)
    }

    fn is_watched(&self) -> bool {
        match self.watch {
            Watch::Nobody => false,
            Watch::Tail(_) | Watch::Film => true,
            Watch::Print { from, until } => (from..=until).contains(&self.step),
        }
    }

    fn line(&mut self, words: fmt::Arguments<'_>) {
        if self.film.is_on() {
            return self.film.line(self.step, words);
        }
        let ms = self.at_ns / 1_000_000;
        let line = format!("{:>9} {:>6}.{:03} {words}", self.step, ms, self.at_ns / 1_000 % 1_000);
        match self.watch {
            Watch::Tail(len) => {
                if self.tail.len() >= len {
                    self.tail.pop_front();
                }
                self.tail.push_back(line);
            }
            _ => println!("{line}"),
        }
    }
}
