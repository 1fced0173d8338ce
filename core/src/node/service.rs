//! What clients may be told of the node as a whole, and when: that it serves, that it knows all topics, that it is about
//! to stop. Each of these is true once and stays so.

use crate::action::{Action, Notice};
use crate::storage::Recovery;

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Service {
    journal_bytes: u64,
    has_said_serving: bool,
    /// The image has been complete, at some moment of this life.
    has_had_whole_image: bool,
    is_stopping: bool,
    /// The process is to end: what is in memory may not match the disk any more.
    is_halting: bool,
}

impl Service {
    /// The disk was read.
    pub fn recovered(&mut self, recovery: &Recovery) {
        self.journal_bytes = recovery.journal_bytes;
    }

    /// Clients are served: says so once.
    pub fn say_serving(&mut self, partitions: usize, actions: &mut Vec<Action>) {
        if !self.has_said_serving {
            self.has_said_serving = true;
            let (journal_bytes, partitions) = (self.journal_bytes, partitions as u64);
            actions.push(Action::Note(Notice::Serving { journal_bytes, partitions }));
        }
    }

    /// Whether that was said.
    pub fn has_said_serving(&self) -> bool {
        self.has_said_serving
    }

    /// The image is complete.
    pub fn has_whole_image(&mut self) {
        self.has_had_whole_image = true;
    }

    /// Whether it has been, at some moment of this life.
    pub fn has_had_whole_image(&self) -> bool {
        self.has_had_whole_image
    }

    /// The process was asked to stop.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Whether it was.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// The process ends with this turn.
    pub fn halt(&mut self) {
        self.is_halting = true;
    }

    /// Whether it does.
    pub fn is_halting(&self) -> bool {
        self.is_halting
    }
}
