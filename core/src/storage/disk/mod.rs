//! Disk: how the room asks for file work, and what it may believe of the answers.
//!
//! Every request carries a ticket, drawn for a job (`ticket`); what must last is a write and its sync, tried again as a
//! whole while the disk is full (`durable_write`); recovery's work is done in batches, one after the other (`plan`);
//! files go a few at a time (`removals`); and whether there is space is learned from the answers (`space`).
//!
//! Owns the open tickets and what is known of the disk's space; `Disk` is both as they are lent for a turn, and the only
//! place where an action on a file is made.
//!
//! Not here: what any file holds. No room of storage is below this one.

pub mod durable_write;
pub mod plan;
pub mod removals;
pub mod space;
pub mod ticket;

use crate::action::{Action, Notice};
use crate::file::File;
use crate::ids::Ticket;
use bytes::Bytes;
use ticket::{Job, Tickets};

/// The disk, as it is asked for work within a turn.
pub struct Disk<'a> {
    tickets: &'a mut Tickets,
    actions: &'a mut Vec<Action>,
}

impl<'a> Disk<'a> {
    pub fn new(tickets: &'a mut Tickets, actions: &'a mut Vec<Action>) -> Disk<'a> {
        Disk { tickets, actions }
    }

    pub fn list(&mut self, job: Job) {
        let ticket = self.tickets.draw(job);
        self.actions.push(Action::List { ticket });
    }

    pub fn read(&mut self, job: Job, file: File, at: u64, len: u32) {
        let ticket = self.tickets.draw(job);
        self.actions.push(Action::Read { ticket, file, at, len });
    }

    pub fn write(&mut self, job: Job, file: File, at: u64, parts: Vec<Bytes>) -> Ticket {
        let ticket = self.tickets.draw(job);
        self.actions.push(Action::Write { ticket, file, at, parts });
        ticket
    }

    pub fn sync(&mut self, job: Job, files: Vec<File>) -> Ticket {
        let ticket = self.tickets.draw(job);
        self.actions.push(Action::Sync { ticket, files });
        ticket
    }

    pub fn truncate(&mut self, job: Job, file: File, len: u64) {
        let ticket = self.tickets.draw(job);
        self.actions.push(Action::Truncate { ticket, file, len });
    }

    pub fn remove(&mut self, job: Job, file: File) {
        let ticket = self.tickets.draw(job);
        self.actions.push(Action::Remove { ticket, file });
    }

    /// What failed on a file is known: it may be asked for more.
    pub fn forget(&mut self, file: File) {
        self.actions.push(Action::Forget { file });
    }

    /// Something for the log.
    pub fn note(&mut self, notice: Notice) {
        self.actions.push(Action::Note(notice));
    }
}
