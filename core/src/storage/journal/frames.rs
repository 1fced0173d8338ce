//! The journal: the frame being filled, the one in flight, and the seal that follows a quiet one.
//!
//! What is appended during a turn joins the filling frame; the turn's end writes it with one write and one
//! sync if none is in flight, so load makes frames larger, not more numerous. 50 ms after the last frame with
//! items an empty one follows: only then can rot of that last frame be told from a torn write.
//!
//! Invariants: synced < in flight < filling, by sequence, without a gap; at most one frame is in flight, so a
//! valid frame proves that all before it were synced. An append lies whole in one frame.
//!
//! Not here: what items mean (`replay`), which file comes next (`ring`).

use super::frame::{Chain, Filling, Header, LogStart};
use super::ring::{Ring, Zeroing};
use crate::entry::HardState;
use crate::event::DoneResult;
use crate::file::File;
use crate::ids::{ReplicaId, Ticket};
use crate::limits::{FRAME_ROOM_SPARED_BYTES, JOURNAL_SEAL_AFTER};
use crate::now::Mono;
use crate::storage::disk::Disk;
use crate::storage::disk::durable_write::{DurableWrite, Progress};
use crate::storage::disk::ticket::Job;
use crate::watched::Durations;
use bytes::BytesMut;
use std::collections::{BTreeMap, VecDeque};

/// First size of a frame's buffer, which holds headers and small payloads. Source: chosen.
const BUFFER_BYTES: usize = 4 << 10;

/// The journal of a running node.
#[derive(Debug)]
pub struct Journal {
    ring: Ring,
    /// Where the next frame goes, and what it must say to follow.
    chain: Chain,
    waiting: VecDeque<Filling>,
    flight: Option<Flight>,
    /// Newest commits nobody has written down yet: they travel with the next frame, and force none.
    hints: BTreeMap<ReplicaId, HardState>,
    /// Log starts that nobody has written down yet: they travel the same way, unless something waits for them.
    starts: BTreeMap<ReplicaId, LogStart>,
    buffer: BytesMut,
    frame_bytes_max: usize,
    bytes_written: u64,
    /// When the frame in flight was begun, if that is known.
    begun: Option<Mono>,
    /// How long frames took.
    took: Durations,
    seal_at: Option<Mono>,
    /// The newest frame with items.
    newest_items: u64,
    /// Nothing more may join the last waiting frame.
    is_ended: bool,
    /// The first frame that a checkpoint does not cover, and where it goes once that is known.
    mark: u64,
    marked: Option<(u64, Chain)>,
}

#[derive(Debug)]
struct Flight {
    write: DurableWrite,
    sequence: u64,
    has_items: bool,
    persisted: Vec<(ReplicaId, u64)>,
}

/// What the answer to one of the journal's tickets brought.
pub enum Landed {
    /// Nothing yet.
    Waiting,
    /// These are durable now.
    Synced(Vec<(ReplicaId, u64)>),
    /// The disk failed.
    Failed(String),
}

impl Journal {
    /// A journal that goes on at `chain`.
    pub fn new(ring: Ring, chain: Chain, frame_bytes_max: u64, bytes_written: u64) -> Journal {
        Journal {
            ring,
            chain,
            waiting: VecDeque::new(),
            flight: None,
            hints: BTreeMap::new(),
            starts: BTreeMap::new(),
            buffer: BytesMut::new(),
            frame_bytes_max: usize::try_from(frame_bytes_max).unwrap_or(usize::MAX),
            bytes_written,
            begun: None,
            took: Durations::default(),
            seal_at: None,
            newest_items: chain.sequence.saturating_sub(1),
            is_ended: false,
            mark: 0,
            marked: None,
        }
    }

    /// The frame that something of `bytes` joins, and its sequence.
    pub fn filling(&mut self, bytes: usize) -> (&mut Filling, u64) {
        let fits = |frame: &Filling| frame.bytes() + bytes <= self.frame_bytes_max || !frame.has_items();
        if std::mem::take(&mut self.is_ended) || !self.waiting.back().is_some_and(fits) {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.reserve(BUFFER_BYTES);
            self.waiting.push_back(Filling::reusing(buffer));
        }
        let sequence = self.next_sequence() + self.waiting.len() as u64 - 1;
        (self.waiting.back_mut().expect("pushed above"), sequence)
    }

    /// Remembers a commit for the next frame.
    pub fn hint(&mut self, replica: ReplicaId, state: HardState) {
        self.hints.insert(replica, state);
    }

    /// Forgets the commit that waits, since a whole hard state goes into a frame now.
    pub fn forget_hint(&mut self, replica: ReplicaId) {
        self.hints.remove(&replica);
    }

    /// Remembers where a log begins for the next frame.
    pub fn log_start(&mut self, replica: ReplicaId, start: LogStart) {
        let waiting = self.starts.entry(replica).or_insert(start);
        *waiting = LogStart { offset: start.offset, anew: start.anew.or(waiting.anew) };
    }

    /// Forgets all that waits of a replica: it starts anew in the next frame, or is gone.
    pub fn forget(&mut self, replica: ReplicaId) {
        self.hints.remove(&replica);
        self.starts.remove(&replica);
    }

    /// A replica is gone: nobody is told what becomes durable of it. On disks that have lost what was committed another may
    /// get its id, and it has promised nothing yet.
    pub fn gone(&mut self, replica: ReplicaId) {
        self.forget(replica);
        let flight = self.flight.iter_mut().map(|flight| &mut flight.persisted);
        for told in flight.chain(self.waiting.iter_mut().map(|frame| &mut frame.persisted)) {
            told.retain(|(of, _)| *of != replica);
        }
    }

    /// Puts the log starts that wait into the filling frame. Whether there was any.
    pub fn fill_log_starts(&mut self) -> bool {
        let starts = std::mem::take(&mut self.starts);
        for (replica, start) in &starts {
            self.filling(0).0.log_start(*replica, *start);
        }
        !starts.is_empty()
    }

    /// Tells `replica` of `number` when the frame `sequence` is synced. Whether there is anything to wait for.
    pub fn tell_after(&mut self, sequence: u64, replica: ReplicaId, number: u64) -> bool {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.sequence == sequence) {
            flight.persisted.push((replica, number));
            return true;
        }
        let first = self.next_sequence();
        let frame = sequence.checked_sub(first).and_then(|place| self.waiting.get_mut(place as usize));
        frame.map(|frame| frame.persisted.push((replica, number))).is_some()
    }

    /// Bytes that may still wait for the next frame.
    pub fn room(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(Filling::bytes).sum();
        self.frame_bytes_max.saturating_sub(waiting + FRAME_ROOM_SPARED_BYTES)
    }

    /// Ends the filling frame: what is appended from now on is in later frames. Gives the sequence of the
    /// first of those; [`Journal::marked`] will say where it goes.
    ///
    /// A replay must not begin inside what a checkpoint covers: an item may rest on entries that a later one
    /// of the same frame replaced, and the checkpoint only has the outcome.
    pub fn mark(&mut self) -> u64 {
        let sequence = self.end_here();
        self.marked = self.waiting.is_empty().then(|| (sequence, self.head()));
        self.mark = sequence;
        sequence
    }

    /// Ends the filling frame: the sequence of the first frame that what is appended from now on can be in.
    pub fn end_here(&mut self) -> u64 {
        self.end_frame();
        self.next_sequence() + self.waiting.len() as u64
    }

    /// Nothing more joins the frame that is filling.
    pub fn end_frame(&mut self) {
        self.is_ended = true;
    }

    /// Where the frame `sequence` goes that was marked, once all before `durable` are durable.
    pub fn marked(&self, sequence: u64, durable: u64) -> Option<Chain> {
        let (marked, chain) = self.marked?;
        (marked == sequence && self.first_unsynced() >= durable).then_some(chain)
    }

    /// Writes the next frame if one waits and none is in flight.
    pub fn flush(&mut self, now: Mono, disk: &mut Disk<'_>) {
        if self.flight.is_none()
            && let Some(frame) = self.waiting.pop_front()
        {
            self.write(frame, disk);
            self.begun = Some(now);
        }
    }

    /// When to call [`Journal::seal`].
    pub fn seal_at(&self) -> Option<Mono> {
        self.seal_at
    }

    /// Writes a seal now: the first frame after recovery.
    pub fn seal_now(&mut self, disk: &mut Disk<'_>) {
        let frame = Filling::reusing(std::mem::take(&mut self.buffer));
        self.write(frame, disk);
    }

    /// Writes the frame that tells rot of the last one from a torn write, if the time has come.
    /// `is_needless` is the bug that can be planted: it is left out.
    pub fn seal(&mut self, now: Mono, is_needless: bool, disk: &mut Disk<'_>) {
        if self.seal_at.is_some_and(|at| at <= now) {
            self.seal_at = None;
            if self.is_idle() && !is_needless {
                self.seal_now(disk);
            }
        }
    }

    /// One of its tickets is answered.
    pub fn done(&mut self, now: Mono, ticket: Ticket, result: DoneResult) -> Landed {
        let Some(flight) = &mut self.flight else { return Landed::Waiting };
        match flight.write.done(ticket, result) {
            Progress::Waiting | Progress::Full => Landed::Waiting,
            Progress::Failed(reason) => Landed::Failed(reason),
            Progress::Durable => {
                let flight = self.flight.take().expect("looked at above");
                if let Some(begun) = self.begun.take() {
                    self.took.add(now.0.saturating_sub(begun.0));
                }
                self.seal_at = flight.has_items.then(|| now + JOURNAL_SEAL_AFTER);
                Landed::Synced(flight.persisted)
            }
        }
    }

    /// Tries again what the full disk refused.
    pub fn retry(&mut self, disk: &mut Disk<'_>) {
        if let Some(flight) = self.flight.as_mut().filter(|flight| flight.write.is_stalled()) {
            flight.write.issue(disk);
        }
    }

    /// Whether a frame waits for space.
    pub fn is_stalled(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.write.is_stalled())
    }

    /// Whether nothing waits for a sync.
    pub fn is_idle(&self) -> bool {
        self.flight.is_none() && self.waiting.is_empty()
    }

    /// The sequence of the oldest frame that waits for its sync, if one does.
    pub fn oldest_unsynced(&self) -> Option<u64> {
        (!self.is_idle()).then(|| self.first_unsynced())
    }

    /// Whether no frame from `covered` on holds an item.
    pub fn is_covered(&self, covered: u64) -> bool {
        self.newest_items < covered
    }

    /// The next frame's place, as far as is known: it may turn to another file.
    fn head(&self) -> Chain {
        let (file, at) = self.ring.head();
        Chain { file, at, ..self.chain }
    }

    /// Everything below this sequence is on the disk for good.
    fn first_unsynced(&self) -> u64 {
        self.flight.as_ref().map_or(self.chain.sequence, |flight| flight.sequence)
    }

    /// Bytes of all frames so far.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// How long frames took from being written to being durable; seals are not counted.
    pub fn took(&self) -> Durations {
        self.took
    }

    /// The files.
    pub fn ring(&mut self) -> &mut Ring {
        &mut self.ring
    }

    /// Asks for what zeroing wants next.
    pub fn zero(zeroing: Zeroing, disk: &mut Disk<'_>) {
        match zeroing {
            Zeroing::Write { file, at, zeros } => {
                let job = Job::Zero { file, end: at + zeros.len() as u64 };
                disk.write(job, File::Journal(file), at, vec![zeros]);
            }
            Zeroing::Sync { file } => {
                disk.sync(Job::ZeroSync, vec![File::Journal(file)]);
            }
        }
    }

    /// The sequence of the first frame that waits.
    fn next_sequence(&self) -> u64 {
        self.chain.sequence
    }

    fn write(&mut self, mut frame: Filling, disk: &mut Disk<'_>) {
        // What only travels is not worth a seal: a torn frame of nothing else loses nothing.
        let has_items = frame.has_items();
        // A hint may be of entries in the newest frame, so it never goes into an earlier one.
        if self.waiting.is_empty() {
            for (replica, state) in std::mem::take(&mut self.hints) {
                frame.hard_state(replica, state);
            }
            for (replica, start) in std::mem::take(&mut self.starts) {
                frame.log_start(replica, start);
            }
        }
        let closed = frame.close(&self.chain);
        let header: Header = closed.header;
        let (file, at) = self.ring.take(header.frame_bytes(), header.sequence);
        assert!(at % super::frame::BLOCK_BYTES == 0, "frames lie on blocks");
        self.chain = self.chain.after(&header, file, at);
        if self.chain.sequence == self.mark {
            self.marked = Some((self.mark, self.chain));
        }
        self.buffer = closed.buffer;
        self.bytes_written += header.frame_bytes();
        self.seal_at = None;
        if has_items {
            self.newest_items = header.sequence;
        }
        let mut write = DurableWrite::new(Job::Frame, File::Journal(file), at, closed.parts);
        write.issue(disk);
        self.flight =
            Some(Flight { write, sequence: header.sequence, has_items, persisted: closed.persisted });
    }
}
