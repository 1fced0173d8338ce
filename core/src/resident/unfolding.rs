//! A resident's state on its way from the disk into memory: page by page, so that no turn decodes more than it may,
//! however large the state is.
//!
//! Invariant: a resident begins once all of its state was read and found sound.
//!
//! Not here: how much a turn may decode (`node/unstarted`), what a page holds (`paged`).

use super::Resident;
use super::kind::{Kind, Means, Unstartable};
use crate::entry::EntryKind;
use crate::group::Groups;
use crate::host::Host;
use crate::ids::PageId;
use crate::machine::Machine;
use crate::metadata::Metadata;
use crate::now::Wall;
use crate::paged::Folded;
use crate::partition::{LogState, PartitionCommand};
use crate::replica::Settings;
use crate::settings::TopicConfig;
use crate::storage::RecoveredReplica;
use bytes::Bytes;
use std::collections::VecDeque;

/// A resident that has not begun.
pub struct Unfolding {
    means: Means,
    /// What the disk has of it besides.
    known: RecoveredReplica,
    state: State,
    pages: VecDeque<(PageId, Bytes)>,
    /// What it has decoded and nobody has counted yet, bytes.
    decoded: u64,
}

enum State {
    Records(TopicConfig, Box<LogState>),
    Metadata(Wall, Box<Metadata>),
    Group(Wall, Box<Groups>),
}

impl Unfolding {
    /// Reads what is no page of it: the head, or all of a state that is in one piece.
    ///
    /// # Errors
    /// What is there cannot be read.
    pub fn begin(kind: Kind, means: Means, mut known: RecoveredReplica) -> Result<Unfolding, Unstartable> {
        let (head, pages) = match std::mem::take(&mut known.state) {
            Folded::Whole(bytes) => (bytes, None),
            Folded::Pages { head, pages } => (head, Some(pages)),
        };
        let decoded = head.len() as u64;
        let is_whole = pages.is_none();
        let state = match kind {
            Kind::Records(config) => {
                // What could not be applied stops the node before it promises anything.
                for entry in known.entries.iter().filter(|entry| entry.kind == EntryKind::Commands) {
                    PartitionCommand::decode(&entry.payload)?;
                }
                let log = if is_whole { LogState::decode_whole(&head) } else { LogState::unfold(&head) }?;
                State::Records(config, Box::new(log))
            }
            Kind::Metadata => {
                let read = if is_whole { Host::decode_state } else { Host::unfold };
                let (wall, state) = read(&head, means.reads)?;
                State::Metadata(wall, Box::new(state))
            }
            Kind::Group => {
                for entry in known.entries.iter().filter(|entry| entry.kind == EntryKind::Commands) {
                    Groups::decode_commands(&entry.payload, means.reads)?;
                }
                let read = if is_whole { Host::decode_state } else { Host::unfold };
                // One that was never in a checkpoint begins with nothing.
                let is_new = is_whole && head.is_empty();
                let (wall, state) = if is_new { Default::default() } else { read(&head, means.reads)? };
                State::Group(wall, Box::new(state))
            }
        };
        Ok(Unfolding { means, known, state, pages: pages.unwrap_or_default().into(), decoded })
    }

    /// Decodes the next page. False if there is none left.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take_page(&mut self) -> Result<bool, Unstartable> {
        let Some((id, bytes)) = self.pages.pop_front() else { return Ok(false) };
        self.decoded += bytes.len() as u64;
        match &mut self.state {
            State::Records(_, log) => log.push_page(id, &bytes)?,
            State::Metadata(_, state) => state.push_page(id, &bytes)?,
            State::Group(_, state) => state.push_page(id, &bytes)?,
        }
        Ok(true)
    }

    /// Bytes of the next page.
    pub fn next_bytes(&self) -> Option<u64> {
        self.pages.front().map(|(_, bytes)| bytes.len() as u64)
    }

    /// Bytes that were decoded since this was asked last.
    pub fn take_decoded(&mut self) -> u64 {
        std::mem::take(&mut self.decoded)
    }

    /// All of it is there: it begins.
    ///
    /// # Errors
    /// What is there contradicts itself.
    pub fn finish(self, settings: Settings) -> Result<Resident, Unstartable> {
        assert!(self.pages.is_empty(), "a resident begins once all of its state was read");
        match self.state {
            State::Records(config, log) => {
                Resident::of_records(config, self.means, settings, self.known, log.checked()?)
            }
            State::Metadata(wall, state) => {
                Resident::of_machine(self.means, settings, self.known, (wall, state.checked()?))
            }
            State::Group(wall, state) => {
                Resident::of_groups(self.means, settings, self.known, (wall, state.checked()?))
            }
        }
    }
}
