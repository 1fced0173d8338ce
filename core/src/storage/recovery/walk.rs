//! The walk: reads the journal from a checkpoint's chain on, frame by frame, until one does not follow, and
//! then tells a torn tail from rot.
//!
//! The next frame lies where the last one ended, or at the start of another file. If it is at neither place
//! whole, then either its write was cut short by a crash, and nothing can have been written after it, since
//! one frame is in flight at a time; or it was synced once and has rotted, and then a whole later frame
//! proves it. So the walk hunts: through the rest of the head's file, and through every file that could have
//! been begun after it. Files of zeros, and those whose first frame is of an earlier lap, cannot: if their first two
//! blocks are zeros, and if that frame is whole. What rot has made of a header proves nothing (seed 92002941).
//!
//! Invariant: what is asked for lies within the file's length as it was listed, and a frame's length is
//! compared with that before memory is taken. Reading is bounded: no byte is read more than twice but those
//! of candidates with the right salt.
//!
//! Source: the idea of telling the two apart is TigerBeetle's (`src/vsr/journal.zig`), ours is simpler since
//! a seal follows every quiet frame.

use super::replay::Replay;
use crate::limits::WALK_READ_BYTES;
use crate::mutant::{Mutant, is_planted};
use crate::storage::journal::frame::{BLOCK_BYTES, Chain, HEADER_BYTES, Header, Item, items};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// What the walk wants next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes of the journal.
    Read { file: u32, at: u64, len: u32 },
    /// It is over.
    End(Ending),
}

/// How the journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// After the last frame: cleanly, or in a torn one that nobody was told of.
    Tail,
    /// A frame that was synced is no longer whole: a later one, of this sequence, is.
    Rot { later: u64 },
    /// The chain's own file is not what the checkpoint says.
    Missing,
    /// A whole frame holds items that this program does not know.
    Newer,
}

/// What the first bytes of a file look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// A frame's header, perhaps of a frame that is not whole.
    Frame(Header),
    /// Never written, or zeroed.
    Zeros,
    /// Something else.
    Unreadable,
}

#[derive(Debug)]
enum Stage {
    /// Looking at the first block of these files.
    Heads(VecDeque<u32>),
    /// Looking for the next frame where the last one ended.
    Here,
    /// Looking for it at the start of another file.
    Turning(u32),
    /// Looking for any later frame: in this file from this byte on, then in the others.
    Hunting { file: u32, at: u64, others: VecDeque<u32> },
    /// Looking whether the first frame of this file is whole, which says that it is of an earlier lap.
    Doubting { file: u32, others: VecDeque<u32> },
}

/// The walk.
#[derive(Debug)]
pub struct Walk {
    /// What the next frame must follow.
    pub chain: Chain,
    /// The last sequence found in each file that holds frames of the chain.
    pub live: BTreeMap<u32, u64>,
    /// Bytes of frames walked.
    pub bytes: u64,
    last: Option<LastFrame>,
    lens: BTreeMap<u32, u64>,
    heads: BTreeMap<u32, Head>,
    stage: Stage,
    buffer: Buffer,
    /// The bug that is planted, if one is.
    mutant: Option<Mutant>,
}

/// The last frame of the chain.
#[derive(Debug)]
pub struct LastFrame {
    /// Its file.
    pub file: u32,
    /// Where it begins.
    pub at: u64,
    content: Bytes,
    frame_bytes: u64,
}

impl LastFrame {
    /// Its bytes, up to the end of its last block.
    pub fn into_parts(self) -> Vec<Bytes> {
        let padding = self.frame_bytes as usize - self.content.len();
        vec![self.content, Bytes::from(vec![0; padding])]
    }
}

#[derive(Debug, Default)]
struct Buffer {
    file: u32,
    at: u64,
    asked: u64,
    bytes: Bytes,
}

enum Found<T> {
    Here(T),
    Nothing,
    Asked(Step),
}

impl Walk {
    /// A walk from `chain` through files of these lengths.
    pub fn new(chain: Chain, lens: BTreeMap<u32, u64>, mutant: Option<Mutant>) -> Walk {
        let stage = Stage::Heads(lens.keys().copied().collect());
        let (live, heads) = (BTreeMap::new(), BTreeMap::new());
        Walk { chain, live, bytes: 0, last: None, lens, heads, stage, buffer: Buffer::default(), mutant }
    }

    /// The last frame that it found, once.
    pub fn take_last_frame(&mut self) -> Option<LastFrame> {
        self.last.take().filter(|_| !is_planted(self.mutant, Mutant::LastFrameBelieved))
    }

    /// The bytes last asked for. Fewer mean that the file ends there.
    pub fn feed(&mut self, bytes: Bytes) {
        if (bytes.len() as u64) < self.buffer.asked {
            self.lens.insert(self.buffer.file, self.buffer.at + bytes.len() as u64);
        }
        self.buffer.bytes = bytes;
    }

    /// Goes on, applying whole frames to `replay`, until bytes are missing or the end is known.
    pub fn step(&mut self, replay: &mut Replay) -> Step {
        loop {
            let ended = match &self.stage {
                Stage::Heads(_) => self.look_at_heads(),
                Stage::Here => self.go_on(replay),
                Stage::Turning(file) => self.turn(*file, replay),
                Stage::Hunting { file, at, .. } => self.hunt(*file, *at),
                Stage::Doubting { file, .. } => self.doubt(*file),
            };
            if let Some(step) = ended {
                return step;
            }
        }
    }

    fn look_at_heads(&mut self) -> Option<Step> {
        let Stage::Heads(files) = &self.stage else { return None };
        let Some(file) = files.front().copied() else {
            let is_there = self.lens.get(&self.chain.file).is_some_and(|len| self.chain.at <= *len);
            if !is_there && self.chain.at > 0 {
                return Some(Step::End(Ending::Missing));
            }
            self.stage = Stage::Here;
            return None;
        };
        // A sector of zeros may be rot. Behind it lies the rest of the first frame, or the next one.
        let len = self.lens.get(&file).copied().unwrap_or(0).min(2 * BLOCK_BYTES);
        let found = if len < HEADER_BYTES as u64 { Found::Nothing } else { self.want(file, 0, len, len) };
        let head = match found {
            Found::Asked(step) => return Some(step),
            Found::Here(bytes) if bytes.iter().any(|byte| *byte != 0) => {
                Header::parse(&bytes).map_or(Head::Unreadable, Head::Frame)
            }
            Found::Here(_) | Found::Nothing => Head::Zeros,
        };
        self.heads.insert(file, head);
        if let Stage::Heads(files) = &mut self.stage {
            files.pop_front();
        }
        None
    }

    /// Looks for the next frame right behind the last one.
    fn go_on(&mut self, replay: &mut Replay) -> Option<Step> {
        let (chain, mutant) = (self.chain, self.mutant);
        match self.frame(chain.file, chain.at, |header| chain.is_continued_by(header, mutant)) {
            Found::Asked(step) => Some(step),
            Found::Here((header, frame)) => self.take(chain.file, chain.at, &header, &frame, replay),
            Found::Nothing => {
                let mut others = self.heads.iter().filter(|(file, _)| !self.is_walked(**file));
                let is_next = |head: &Head| matches!(head, Head::Frame(header) if chain.is_continued_by(header, mutant));
                let next = others.find(|(_, head)| is_next(head));
                match next.map(|(file, _)| *file) {
                    Some(file) => self.stage = Stage::Turning(file),
                    None => self.begin_hunt(),
                }
                None
            }
        }
    }

    /// Looks for the next frame at the start of `file`, whose head says that it is there.
    fn turn(&mut self, file: u32, replay: &mut Replay) -> Option<Step> {
        let (chain, mutant) = (self.chain, self.mutant);
        match self.frame(file, 0, |header| chain.is_continued_by(header, mutant)) {
            Found::Asked(step) => Some(step),
            Found::Here((header, frame)) => {
                self.stage = Stage::Here;
                self.take(file, 0, &header, &frame, replay)
            }
            Found::Nothing => {
                self.begin_hunt();
                None
            }
        }
    }

    fn take(
        &mut self,
        file: u32,
        at: u64,
        header: &Header,
        frame: &Bytes,
        replay: &mut Replay,
    ) -> Option<Step> {
        let Some(items) = items(header, frame) else { return Some(Step::End(Ending::Newer)) };
        let items: Vec<Item> = items;
        items.into_iter().for_each(|item| replay.apply(item, header.sequence, self.buffer.bytes.len()));
        self.live.insert(file, header.sequence);
        self.bytes += header.frame_bytes();
        self.last = Some(LastFrame { file, at, content: frame.clone(), frame_bytes: header.frame_bytes() });
        self.chain = self.chain.after(header, file, at);
        None
    }

    /// Which files may hold a frame that came after the one that is missing.
    fn begin_hunt(&mut self) {
        let may_be_later = |(file, head): &(&u32, &Head)| !self.is_walked(**file) && **head != Head::Zeros;
        let others = self.heads.iter().filter(may_be_later).map(|(file, _)| *file).collect();
        let is_believed = is_planted(self.mutant, Mutant::RotTakenForTail);
        let (at, others) = if is_believed { (u64::MAX, VecDeque::new()) } else { (self.chain.at, others) };
        self.stage = Stage::Hunting { file: self.chain.file, at, others };
    }

    fn hunt(&mut self, file: u32, at: u64) -> Option<Step> {
        let chain = self.chain;
        match self.frame(file, at, |header| chain.is_outrun_by(header)) {
            Found::Asked(step) => return Some(step),
            Found::Here((header, _)) => return Some(Step::End(Ending::Rot { later: header.sequence })),
            Found::Nothing => {}
        }
        let len = self.lens.get(&file).copied().unwrap_or(0);
        let Stage::Hunting { at, others, .. } = &mut self.stage else { return None };
        *at = at.saturating_add(BLOCK_BYTES);
        if *at < len {
            return None;
        }
        let others = std::mem::take(others);
        self.hunt_on(others)
    }

    /// Goes on with the next file.
    fn hunt_on(&mut self, mut others: VecDeque<u32>) -> Option<Step> {
        let Some(file) = others.pop_front() else { return Some(Step::End(Ending::Tail)) };
        let is_earlier =
            matches!(self.heads.get(&file), Some(Head::Frame(head)) if head.sequence < self.chain.sequence);
        self.stage = match is_earlier {
            true => Stage::Doubting { file, others },
            false => Stage::Hunting { file, at: 0, others },
        };
        None
    }

    fn doubt(&mut self, file: u32) -> Option<Step> {
        let is_whole = match self.frame(file, 0, |_| true) {
            Found::Asked(step) => return Some(step),
            Found::Here(_) => true,
            Found::Nothing => false,
        };
        let Stage::Doubting { others, .. } = &mut self.stage else { return None };
        let others = std::mem::take(others);
        if is_whole {
            return self.hunt_on(others);
        }
        self.stage = Stage::Hunting { file, at: 0, others };
        None
    }

    fn is_walked(&self, file: u32) -> bool {
        file == self.chain.file || self.live.contains_key(&file)
    }

    /// The whole frame at a place whose header is `wanted`.
    fn frame(&mut self, file: u32, at: u64, wanted: impl Fn(&Header) -> bool) -> Found<(Header, Bytes)> {
        let header = match self.want(file, at, HEADER_BYTES as u64, WALK_READ_BYTES) {
            Found::Here(bytes) => Header::parse(&bytes).filter(&wanted),
            Found::Nothing => None,
            Found::Asked(step) => return Found::Asked(step),
        };
        let Some(header) = header else { return Found::Nothing };
        match self.want(file, at, header.content_bytes() as u64, WALK_READ_BYTES) {
            Found::Here(frame) if header.matches(&frame) => Found::Here((header, frame)),
            Found::Here(frame)
                if is_planted(self.mutant, Mutant::TornFrameAccepted) && items(&header, &frame).is_some() =>
            {
                Found::Here((header, frame))
            }
            Found::Here(_) | Found::Nothing => Found::Nothing,
            Found::Asked(step) => Found::Asked(step),
        }
    }

    /// `len` bytes at a place: out of the buffer, or a read of at least those and about `chunk`.
    fn want(&mut self, file: u32, at: u64, len: u64, chunk: u64) -> Found<Bytes> {
        let file_len = self.lens.get(&file).copied().unwrap_or(0);
        if at.checked_add(len).is_none_or(|end| end > file_len) {
            return Found::Nothing;
        }
        let buffer = &self.buffer;
        if buffer.file == file && at >= buffer.at && at + len <= buffer.at + buffer.bytes.len() as u64 {
            let start = (at - buffer.at) as usize;
            return Found::Here(buffer.bytes.slice(start..start + len as usize));
        }
        let asked = len.max(chunk).min(file_len - at);
        let Ok(asked_len) = u32::try_from(asked) else { return Found::Nothing };
        self.buffer = Buffer { file, at, asked, bytes: Bytes::new() };
        Found::Asked(Step::Read { file, at, len: asked_len })
    }
}
