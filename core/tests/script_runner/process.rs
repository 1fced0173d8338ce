//! One node: a broker, or the place where one was, with the disk that outlives it.

use super::disk::Disk;
use rust_mq_core::broker::Broker;
use rust_mq_core::config::Config;
use rust_mq_core::event::Event;
use rust_mq_core::ids::LinkId;
use rust_mq_core::now::{Mono, Now, Wall};
use std::time::Duration;

/// The wall clock of every node at the start of a story, ms since 1970.
pub const EPOCH_MS: i64 = 1_700_000_000_000;

/// A node.
pub struct Process {
    /// What its broker is started with.
    pub config: Config,
    /// `None` while it is down.
    pub broker: Option<Broker>,
    /// Stays when the broker goes.
    pub disk: Disk,
    /// What it will be told in its next turn.
    pub inbox: Vec<Event>,
    /// When it wants to be woken.
    pub wake_at: Option<Mono>,
    /// How far its wall clock is ahead of the story's.
    pub wall_ahead_ms: i64,
    starts: u64,
    accepted: u64,
}

impl Process {
    /// A node that was never started.
    pub fn new(config: Config) -> Process {
        Process {
            config,
            broker: None,
            disk: Disk::default(),
            inbox: Vec::new(),
            wake_at: None,
            wall_ahead_ms: 0,
            starts: 0,
            accepted: 0,
        }
    }

    /// Starts the broker.
    pub fn start(&mut self) {
        self.starts += 1;
        let seed = u64::from(self.config.node.0.unsigned_abs()) * 1000 + self.starts;
        self.broker = Some(Broker::new(self.config.clone(), seed));
        self.inbox = vec![Event::Started];
        self.wake_at = None;
    }

    /// The broker is gone.
    pub fn end(&mut self) {
        self.broker = None;
        self.inbox.clear();
        self.wake_at = None;
    }

    /// An id for a link that the driver accepts: even, and never used twice in one start.
    pub fn accept(&mut self) -> LinkId {
        self.accepted += 2;
        LinkId(self.accepted)
    }

    /// What this turn is about, in the order of the door's laws; empty if there is no turn to make.
    pub fn take_events(&mut self, now: Now) -> Vec<Event> {
        if self.broker.is_none() {
            self.inbox.clear();
            return Vec::new();
        }
        let mut events = std::mem::take(&mut self.inbox);
        if self.wake_at.is_some_and(|at| at <= now.mono) {
            self.wake_at = None;
            events.push(Event::Woke);
        }
        events.sort_by_key(|event| match event {
            Event::Started | Event::Done { .. } => 0,
            Event::Woke => 1,
            _ => 2,
        });
        events
    }
}

/// Both clocks, `since` after a story's start.
pub fn clocks(since: Duration) -> Now {
    let mono = u64::try_from(since.as_nanos()).expect("a story lasts a few minutes");
    let wall = i64::try_from(since.as_millis()).expect("a story lasts a few minutes");
    // The monotonic clock has run for a while when a process starts.
    Now { mono: Mono(mono + 1_000_000_000), wall: Wall(EPOCH_MS + wall) }
}
