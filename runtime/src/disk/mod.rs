//! The node's disk: performs the core's file actions and answers each with one `Done`.
//!
//! Two of them behind one face: files in a data directory (`real`, with its threads in `lane` and their large writes in `direct`), and memory
//! (`memory`). Both pass the same contract suite, as the simulator's disk does. Laws 1 to 5 and 9 of the door
//! are theirs.
//!
//! What the suite fixes where the door is silent: a truncation of a file that is not there fails, and is the
//! failure that sticks until `Forget`; `Full` and a failed `Read` do not stick; a `Sync` of a file that is not
//! there is `Synced`; a longer "truncation" extends with zeros.

mod direct;
pub mod directory;
mod lane;
pub mod memory;
mod open_files;
pub mod real;
mod sparse;

pub use directory::{DirectoryError, try_directory};
pub use memory::MemoryDisk;
pub use real::RealDisk;

use crate::mailbox::Room;
use rust_mq_core::action::Action;
use rust_mq_core::event::Event;

/// Where a node keeps its files.
#[derive(Debug)]
pub enum Disk {
    /// In memory: gone with the process.
    Memory(MemoryDisk),
    /// In a data directory.
    Real(RealDisk),
}

impl Disk {
    /// Performs one file action, or queues it until `end_turn`.
    pub fn perform(&mut self, action: Action) {
        match self {
            Disk::Memory(disk) => disk.perform(action),
            Disk::Real(disk) => disk.perform(action),
        }
    }

    /// Hands the turn's actions over to whoever works on them.
    pub fn end_turn(&mut self) {
        match self {
            Disk::Memory(_) => {}
            Disk::Real(disk) => disk.end_turn(),
        }
    }

    /// What it was given is not waited for any more: it may never end.
    pub fn abandon(&mut self) {
        match self {
            Disk::Memory(_) => {}
            Disk::Real(disk) => disk.abandon(),
        }
    }

    /// Moves what has ended into `into`; says whether there is more than the turn has room for.
    pub fn take_done(&mut self, into: &mut Vec<Event>, room: &mut Room) -> bool {
        match self {
            Disk::Memory(disk) => disk.take_done(into, room),
            Disk::Real(disk) => disk.take_done(into, room),
        }
    }

    /// Whether something has ended that the core thread can only learn by asking, because no other thread
    /// will wake it.
    pub fn has_done(&self) -> bool {
        match self {
            Disk::Memory(disk) => disk.has_done(),
            Disk::Real(_) => false,
        }
    }
}
