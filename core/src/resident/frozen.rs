//! A resident's state as it was at one moment, for a checkpoint that is gathered over several turns: it shares its pages
//! with the state that goes on.
//!
//! Invariant: what it gives is as of the part that it was taken with.

use super::Resident;
use crate::group::Groups;
use crate::host::Host;
use crate::ids::PageId;
use crate::level::Level;
use crate::machine::Machine;
use crate::metadata::Metadata;
use crate::now::Wall;
use crate::paged::Folded;
use crate::partition::LogState;
use crate::storage::PartState;
use bytes::Bytes;

/// A state.
pub enum Frozen {
    /// A partition's, and the level that it is written at.
    Records(LogState, Level),
    /// The metadata machine's, with the time in its log.
    Metadata(Wall, Box<Metadata>),
    /// That of groups, with the time in its log.
    Group(Wall, Box<Groups>),
    /// One that nobody has claimed since the start: as the disk had it.
    Known(Folded),
}

impl Frozen {
    /// What goes into the checkpoint itself: all of it if it takes less than `inline_bytes`.
    pub fn part(&self, inline_bytes: u64) -> PartState {
        match self {
            Frozen::Records(log, level) if (log.producers.entries().bytes() as u64) < inline_bytes => {
                let mut bytes = bytes::BytesMut::new();
                log.encode(*level, &mut bytes);
                PartState::Whole(bytes.freeze())
            }
            Frozen::Records(log, level) => PartState::Head(log.head(*level)),
            Frozen::Metadata(wall, state) => machine_part(*wall, &**state, inline_bytes),
            Frozen::Group(wall, state) => machine_part(*wall, &**state, inline_bytes),
            Frozen::Known(Folded::Whole(bytes)) => PartState::Whole(bytes.clone()),
            Frozen::Known(Folded::Pages { head, .. }) => PartState::Head(head.clone()),
        }
    }

    /// Its pages, in order.
    pub fn page_ids(&self) -> Vec<PageId> {
        match self {
            Frozen::Records(log, _) => log.page_ids(),
            Frozen::Metadata(_, state) => state.page_ids(),
            Frozen::Group(_, state) => state.page_ids(),
            Frozen::Known(Folded::Pages { pages, .. }) => pages.iter().map(|(id, _)| *id).collect(),
            Frozen::Known(Folded::Whole(_)) => Vec::new(),
        }
    }

    /// A page's bytes.
    pub fn page(&self, number: usize) -> Option<Bytes> {
        match self {
            Frozen::Records(log, _) => log.page(number),
            Frozen::Metadata(_, state) => state.page(number),
            Frozen::Group(_, state) => state.page(number),
            Frozen::Known(Folded::Pages { pages, .. }) => pages.get(number).map(|(_, bytes)| bytes.clone()),
            Frozen::Known(Folded::Whole(_)) => None,
        }
    }
}

impl Resident {
    /// Its state as it is now. No page is copied.
    pub fn freeze(&self) -> Frozen {
        match self {
            Resident::Records(partition) => Frozen::Records(partition.told(), partition.level()),
            Resident::Metadata(host) => {
                Frozen::Metadata(host.applied().wall, Box::new(host.committed().clone()))
            }
            Resident::Group(_, host) => {
                Frozen::Group(host.applied().wall, Box::new(host.committed().clone()))
            }
        }
    }
}

/// All of a machine's state, if it is small, or all but its pages.
fn machine_part<M: Machine>(wall: Wall, state: &M, inline_bytes: u64) -> PartState {
    if (state.state_bytes() as u64) < inline_bytes {
        PartState::Whole(Host::encode_state(wall, state).freeze())
    } else {
        PartState::Head(Host::head(wall, state))
    }
}
