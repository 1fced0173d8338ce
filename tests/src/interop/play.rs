//! A client at its play: its program, the brokers, names that nobody had, and the common things that it is told.

use super::program::Program;
use super::records::{Seen, all_seen};
use super::roster::{Entry, Launch};
use super::scene::Scene;
use super::{Outcome, demand};
use serde_json::Value;
use std::time::Duration;

/// How long a client may take for what it is told, a start included.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Partitions of a topic.
pub const PARTITIONS: i32 = 3;
/// Records of a step.
pub const COUNT: i64 = 200;

/// A client on a scene.
#[derive(Debug)]
pub struct Play<'a> {
    /// Which client.
    pub entry: &'a Entry,
    /// The brokers.
    pub scene: &'a mut Scene,
    launch: &'a Launch,
    program: Option<Program>,
    topics: usize,
}

impl Play<'_> {
    /// Before the first step.
    pub fn new<'a>(entry: &'a Entry, launch: &'a Launch, scene: &'a mut Scene) -> Play<'a> {
        Play { entry, scene, launch, program: None, topics: 0 }
    }

    /// Ends its program, which may be stuck.
    pub fn start_over(&mut self) {
        self.program = None;
    }

    /// A name for a topic or a group that nobody had.
    pub fn name(&mut self, what: &str) -> String {
        self.topics += 1;
        format!("{}-{what}-{}", self.entry.name, self.topics)
    }

    /// A topic of ours.
    pub fn topic(&mut self, what: &str, partitions: i32) -> Outcome<String> {
        let topic = self.name(what);
        self.scene.make(&topic, partitions)?;
        Ok(topic)
    }

    /// The client's program, another one each time.
    pub fn another(&self) -> Program {
        Program::start(self.launch.command(&self.scene.bootstrap()))
    }

    /// The client's program, which is started if it does not run.
    pub fn program(&mut self) -> &mut Program {
        let started = match self.program.take() {
            Some(program) => program,
            None => self.another(),
        };
        self.program.insert(started)
    }

    /// What the client answers.
    pub fn ask(&mut self, words: &str) -> Outcome<Value> {
        self.program().ask(words, PATIENCE)
    }

    /// Has numbers produced, all of which must be acknowledged.
    pub fn produce(&mut self, topic: &str, how: &str, first: i64, count: i64) -> Outcome<()> {
        let acknowledged = self.ask(&format!("produce {topic} {how} {first} {count} 0"))?;
        demand(acknowledged == count, || format!("{acknowledged} of {count} were acknowledged"))
    }

    /// All that is there to be read: `count` records.
    pub fn consume(&mut self, topic: &str, count: i64) -> Outcome<Vec<Seen>> {
        all_seen(&self.ask(&format!("consume {topic} {count}"))?)
    }

    /// How many records are kept.
    pub fn kept(&self, topic: &str, partitions: i32) -> Outcome<i64> {
        Ok(self.scene.ends(topic, partitions)?.iter().sum())
    }
}
