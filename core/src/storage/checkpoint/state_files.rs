//! Files of state: pages of replicas' states, one behind the other, of which a checkpoint names those that it needs.
//!
//! ```text
//! state/0007  [page][page][page]..zeros | [page][page]..zeros | ...     a piece is a multiple of 4 KiB: what comes
//!              piece of one turn           piece of the next            later touches no sector of what is there
//! page: as its owner encoded it; where it lies is said in the checkpoint, with its length and checksum
//! ```
//! A page that has not changed is named again where it lies. So a file is never written over, and holds less and less
//! that is needed: of one that is mostly dead, or small, some pages are written anew with each checkpoint, until none
//! is needed; then it goes.
//!
//! - Invariant: one piece is under way at most, and durable before the next is filled: what waits for the disk is as
//!   much as one turn encodes.
//! - Invariant: what is named is durable. A page is looked for by its edition among those that the checkpoint in force
//!   names, so that an edition given in another life of the replica (before a reset) is not among them.
//! - Invariant: a file is removed only when a durable checkpoint names nothing of it.

use crate::event::DoneResult;
use crate::file::File;
use crate::ids::PageId;
use crate::ids::{ReplicaId, Ticket};
use crate::mutant::{Mutant, is_planted};
use crate::storage::codec::{Cursor, Sink};
use crate::storage::disk::Disk;
use crate::storage::disk::durable_write::{DurableWrite, Progress};
use crate::storage::disk::ticket::Job;
use crate::storage::journal::frame::BLOCK_BYTES;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a page's name in a record.
pub const NAME_BYTES: usize = 29;
static ZEROS: [u8; BLOCK_BYTES as usize] = [0; BLOCK_BYTES as usize];

/// Where a page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: u32,
    pub at: u64,
    pub bytes: u32,
    pub crc: u32,
}

/// A page as a record names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedPage {
    pub id: PageId,
    pub place: Place,
}

impl NamedPage {
    pub fn encode(&self, sink: &mut Sink) {
        sink.u8(self.id.table);
        sink.u64(self.id.edition.0);
        sink.u32(self.place.file);
        sink.u64(self.place.at);
        sink.u32(self.place.bytes);
        sink.u32(self.place.crc);
    }

    pub fn decode(cursor: &mut Cursor) -> Option<NamedPage> {
        let id = PageId { table: cursor.u8()?, edition: crate::ids::Edition(cursor.u64()?) };
        let place =
            Place { file: cursor.u32()?, at: cursor.u64()?, bytes: cursor.u32()?, crc: cursor.u32()? };
        Some(NamedPage { id, place }).filter(|page| page.place.at < 1 << 50)
    }
}

impl Place {
    /// Whether these bytes are what was written there.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.bytes as usize && crc(bytes) == self.crc
    }

    /// The byte after it.
    pub fn end(&self) -> u64 {
        self.at.saturating_add(u64::from(self.bytes))
    }
}

fn crc(bytes: &[u8]) -> u32 {
    u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).expect("a CRC32 has 32 bits")
}

/// The files, and what of them is needed.
#[derive(Debug, Default)]
pub struct StateFiles {
    /// How far each is written.
    ends: BTreeMap<u32, u64>,
    /// How much of each the checkpoint in force names.
    live: BTreeMap<u32, u64>,
    /// The pages that it names, of those replicas that have any.
    kept: BTreeMap<ReplicaId, Vec<NamedPage>>,
    /// Where the next piece goes.
    current: u32,
    file_bytes: u64,
    filling: Vec<Bytes>,
    filled: u64,
    piece: Option<DurableWrite>,
    /// Files whose pages are written anew in this round, and how many bytes of them.
    tired: BTreeSet<u32>,
    renewable: u64,
}

impl StateFiles {
    /// The files as a start finds them: their lengths, those of which the checkpoint in force names pages, and those
    /// pages by replica. The others are being removed.
    pub fn found(
        file_bytes: u64,
        listed: BTreeMap<u32, u64>,
        named: BTreeSet<u32>,
        kept: BTreeMap<ReplicaId, Vec<NamedPage>>,
    ) -> StateFiles {
        let unused = listed.keys().next_back().map_or(0, |last| last.saturating_add(1));
        let mut live: BTreeMap<u32, u64> = BTreeMap::new();
        for page in kept.values().flatten() {
            *live.entry(page.place.file).or_default() += u64::from(page.place.bytes);
        }
        // What no checkpoint named may lie behind what one did: nothing is written over it.
        let ends: BTreeMap<u32, u64> = listed
            .into_iter()
            .filter(|(number, _)| named.contains(number))
            .map(|(number, len)| (number, len.next_multiple_of(BLOCK_BYTES)))
            .collect();
        let current = ends.keys().next_back().copied().unwrap_or(unused);
        let mut files = StateFiles { ends, live, current, file_bytes, ..StateFiles::default() };
        files.keep(kept);
        files
    }

    /// Whether a piece is under way.
    pub fn is_busy(&self) -> bool {
        self.piece.is_some()
    }

    /// Whether nothing waits to be written, and nothing is being.
    pub fn is_idle(&self) -> bool {
        self.piece.is_none() && self.filling.is_empty()
    }

    /// A checkpoint begins: which files are to be emptied, and how much of them now.
    pub fn round_begins(&mut self, renewable: u64) {
        let is_tired = |(number, end): (&u32, &u64)| {
            let live = self.live.get(number).copied().unwrap_or(0);
            let is_small = self.ends.len() > 2 && live < self.file_bytes / 8;
            *number != self.current && live > 0 && (live < end / 2 || is_small)
        };
        self.tired = self.ends.iter().filter(|file| is_tired(*file)).map(|(number, _)| *number).collect();
        self.renewable = renewable;
        (self.filling, self.filled) = (Vec::new(), 0);
    }

    /// Where a page lies already, unless it is to be written anew.
    pub fn place_of(&mut self, replica: ReplicaId, id: PageId, mutant: Option<Mutant>) -> Option<Place> {
        let pages = self.kept.get(&replica)?;
        let place = match pages.binary_search_by_key(&id, |page| page.id) {
            Ok(found) => pages[found].place,
            Err(after) if is_planted(mutant, Mutant::OldPageNamed) => {
                pages[..after].last().filter(|page| page.id.table == id.table)?.place
            }
            Err(_) => return None,
        };
        if self.tired.contains(&place.file) && self.renewable >= u64::from(place.bytes) {
            self.renewable -= u64::from(place.bytes);
            return None;
        }
        Some(place)
    }

    /// Takes a page into the piece being filled.
    pub fn add(&mut self, bytes: Bytes) -> Place {
        assert!(self.piece.is_none(), "the piece before is durable");
        if self.filling.is_empty() && self.end() >= self.file_bytes {
            self.current =
                self.ends.keys().next_back().map_or(0, |last| last.saturating_add(1)).max(self.current + 1);
        }
        let at = self.end() + self.filled;
        let len = u32::try_from(bytes.len()).expect("a page is bounded far below 4 GiB");
        let place = Place { file: self.current, at, bytes: len, crc: crc(&bytes) };
        self.filled += u64::from(len);
        self.filling.push(bytes);
        place
    }

    /// Writes the piece that was filled. How many bytes it has.
    pub fn write(&mut self, disk: &mut Disk<'_>) -> u64 {
        if self.filling.is_empty() {
            return 0;
        }
        let (file, at) = (File::State(self.current), self.end());
        let padding = self.filled.next_multiple_of(BLOCK_BYTES) - self.filled;
        let mut parts = std::mem::take(&mut self.filling);
        if padding > 0 {
            parts.push(Bytes::from_static(&ZEROS[..padding as usize]));
        }
        let bytes = std::mem::take(&mut self.filled) + padding;
        self.ends.insert(self.current, at + bytes);
        let mut piece = DurableWrite::new(Job::State, file, at, parts);
        piece.issue(disk);
        self.piece = Some(piece);
        bytes
    }

    /// One of the piece's tickets is answered. Whether it is durable now.
    pub fn done(&mut self, ticket: Ticket, result: DoneResult) -> Result<bool, String> {
        let Some(piece) = &mut self.piece else { return Ok(false) };
        match piece.done(ticket, result) {
            Progress::Waiting | Progress::Full => Ok(false),
            Progress::Failed(reason) => Err(reason),
            Progress::Durable => {
                self.piece = None;
                Ok(true)
            }
        }
    }

    /// Whether the piece waits for space.
    pub fn is_stalled(&self) -> bool {
        self.piece.as_ref().is_some_and(DurableWrite::is_stalled)
    }

    /// Tries again what the full disk refused.
    pub fn retry(&mut self, disk: &mut Disk<'_>) {
        if let Some(piece) = self.piece.as_mut().filter(|piece| piece.is_stalled()) {
            piece.issue(disk);
        }
    }

    /// A replica starts anew, or is gone: its editions mean nothing any more.
    pub fn forget(&mut self, replica: ReplicaId) {
        self.kept.remove(&replica);
    }

    /// A checkpoint is durable that names `all` pages, of which those of `kept` may be named again. The files of which
    /// nothing is needed any more.
    pub fn named(
        &mut self,
        live: BTreeMap<u32, u64>,
        kept: BTreeMap<ReplicaId, Vec<NamedPage>>,
        mutant: Option<Mutant>,
    ) -> Vec<File> {
        self.live = live;
        self.keep(kept);
        let is_named = |number: &u32| {
            let is_tired = self.tired.contains(number) && is_planted(mutant, Mutant::StateFileGoesEarly);
            self.live.contains_key(number) && !is_tired
        };
        let is_dead = |number: &u32| *number != self.current && !is_named(number);
        let dead: Vec<u32> = self.ends.keys().copied().filter(is_dead).collect();
        dead.iter().for_each(|number| {
            self.ends.remove(number);
        });
        dead.into_iter().map(File::State).collect()
    }

    fn keep(&mut self, mut kept: BTreeMap<ReplicaId, Vec<NamedPage>>) {
        kept.retain(|_, pages| !pages.is_empty());
        kept.values_mut().for_each(|pages| pages.sort_unstable_by_key(|page| page.id));
        self.kept = kept;
    }

    fn end(&self) -> u64 {
        self.ends.get(&self.current).copied().unwrap_or(0)
    }
}
