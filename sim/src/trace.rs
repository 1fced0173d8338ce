//! The trace: a rolling 64-bit hash over everything that went through a door, with checkpoints, and on demand the
//! same as a table, a line an event.
//!
//! Two runs of one plan have one hash, across processes and profiles; where two differ, their checkpoints say
//! between which 1,024 steps.
//!
//! Invariant: the hash does not depend on whether somebody watches.

use bytes::Bytes;
use rust_mq_core::action::Action;
use rust_mq_core::event::{DoneResult, Event};
use std::collections::VecDeque;
use std::fmt::{self, Write};

/// Steps between two checkpoints.
const CHECKPOINT_STEPS: u64 = 1024;

/// Who watches a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Watch {
    /// Nobody.
    #[default]
    Nobody,
    /// The last lines are kept, for the story of a failure.
    Tail(usize),
    /// Every line is printed, from one step to another.
    Print {
        /// From this step on.
        from: u64,
        /// To this one.
        until: u64,
    },
}

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hash: Rolling,
    checkpoints: Vec<u64>,
    watch: Watch,
    tail: VecDeque<String>,
    step: u64,
    at_ns: u64,
}

/// FxHash's step over words: fast, and any change shows. Not for adversaries.
#[derive(Clone, Copy, Debug)]
struct Rolling(u64);

impl Rolling {
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

impl Write for Rolling {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl Trace {
    /// An empty one.
    pub fn new(watch: Watch) -> Trace {
        Trace { hash: Rolling(0), checkpoints: Vec::new(), watch, tail: VecDeque::new(), step: 0, at_ns: 0 }
    }

    /// A step begins.
    pub fn step(&mut self, step: u64, at_ns: u64) {
        self.step = step;
        self.at_ns = at_ns;
        if step.is_multiple_of(CHECKPOINT_STEPS) {
            self.checkpoints.push(self.hash.0);
        }
    }

    /// A node is given an event.
    pub fn event(&mut self, site: usize, event: &Event) {
        self.hash.word(self.step);
        self.hash.word(self.at_ns);
        self.hash.word(site as u64);
        write!(self.hash, "{event}").expect("a hash takes any text");
        match event {
            Event::Received { bytes, .. } => self.hash.bytes(bytes),
            Event::Done { result: DoneResult::Bytes(bytes), .. } => self.hash.bytes(bytes),
            _ => {}
        }
        if self.is_watched() {
            self.line(format_args!("n{} <- {event}", site + 1));
        }
    }

    /// A node asks for an action.
    pub fn action(&mut self, site: usize, action: &Action) {
        self.hash.word(site as u64 | 1 << 32);
        write!(self.hash, "{action}").expect("a hash takes any text");
        match action {
            Action::Send { parts, .. } | Action::Write { parts, .. } => self.hash.parts(parts),
            _ => {}
        }
        if self.is_watched() {
            self.line(format_args!("n{} -> {action}", site + 1));
        }
    }

    /// Something else happened that a story needs.
    pub fn note(&mut self, words: fmt::Arguments<'_>) {
        self.hash.word(self.at_ns);
        write!(self.hash, "{words}").expect("a hash takes any text");
        if self.is_watched() {
            self.line(format_args!("*  {words}"));
        }
    }

    /// A line for whoever watches; no part of the hash.
    pub fn remark(&mut self, words: impl FnOnce() -> String) {
        if self.is_watched() {
            let words = words();
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

    /// The lines that were kept.
    pub fn tail(&self) -> impl Iterator<Item = &String> {
        self.tail.iter()
    }

    fn is_watched(&self) -> bool {
        match self.watch {
            Watch::Nobody => false,
            Watch::Tail(_) => true,
            Watch::Print { from, until } => (from..=until).contains(&self.step),
        }
    }

    fn line(&mut self, words: fmt::Arguments<'_>) {
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
