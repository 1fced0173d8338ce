//! Writes messages, many into one writer: all answers of a turn to one link leave in one `Send`.
//!
//! One writer serves all links of a broker, `take` after each: an idle one keeps its last few KiB.
//!
//! Owns one growing buffer (`own`) for everything that is written byte by byte, and remembers where shared
//! parts (stored batches) belong between. Nothing is cut before `take`, so that a length can still be
//! written back into a place that lies before a shared part.
//!
//! ```text
//! own     [len head topic len ][ tags len head ... ]
//! shared                  ^at: batch, batch
//! take    [len head topic len ][batch][batch][ tags len head ... ]
//! ```
//! Invariants: the places of shared parts never fall; `len() == own bytes + shared bytes`.

use super::chain::Chain;
use bytes::{Bytes, BytesMut};

/// Parts shorter than this are copied (bytes; chosen: a copy of 1 KiB costs less than a part of its own
/// does in the socket's vector).
pub const SHARED_BYTES_MIN: usize = 1024;

/// Room made at once for own bytes (chosen: about fifty small answers).
const ROOM_BYTES: usize = 4096;

/// With less room than this left a message starts with new room: growing from a remnant would double it
/// step by step, copying each time.
const ROOM_BYTES_MIN: usize = 128;

/// Length of the longest string of a version that is not flexible.
const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// Bytes in the making.
#[derive(Debug, Default)]
pub struct Writer {
    own: BytesMut,
    shared: Vec<Shared>,
    shared_parts: usize,
    shared_bytes: usize,
}

/// What belongs before `own[at..]`.
#[derive(Debug)]
struct Shared {
    at: usize,
    what: What,
}

#[derive(Debug)]
enum What {
    Part(Bytes),
    Chain(Chain),
}

/// The place of a section of tagged fields: its count is written back.
#[derive(Clone, Copy, Debug)]
pub struct TagSection(usize);

impl Writer {
    /// An empty writer; takes no memory yet.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// An empty writer with room for so many bytes, where it is known how many will come.
    pub fn with_room(bytes: usize) -> Writer {
        Writer { own: BytesMut::with_capacity(bytes), ..Writer::default() }
    }

    /// Bytes written since the last `take`.
    pub fn len(&self) -> usize {
        self.own.len() + self.shared_bytes
    }

    /// Whether nothing was written since the last `take`.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything written, in order; the writer is empty afterwards and can be used again.
    pub fn take(&mut self) -> Vec<Bytes> {
        let mut parts = Vec::with_capacity(self.shared_parts + self.shared.len() + 1);
        let mut taken = 0;
        for Shared { at, what } in self.shared.drain(..) {
            if at > taken {
                parts.push(self.own.split_to(at - taken).freeze());
                taken = at;
            }
            match what {
                What::Part(part) => parts.push(part),
                What::Chain(chain) => parts.extend(chain.into_parts()),
            }
        }
        if !self.own.is_empty() {
            parts.push(self.own.split().freeze());
        }
        (self.shared_parts, self.shared_bytes) = (0, 0);
        parts
    }

    /// One message: what `fill` writes, with its length before it.
    #[inline]
    pub fn message(&mut self, fill: impl FnOnce(&mut Writer)) {
        if self.own.capacity() - self.own.len() < ROOM_BYTES_MIN {
            self.own.reserve(ROOM_BYTES);
        }
        let at = self.own.len();
        self.bytes(&[0; 4]);
        let before = self.len();
        fill(self);
        let length = i32::try_from(self.len() - before);
        let length = length.expect("a message is bounded by the byte limits of whoever fills it");
        self.own[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Copies bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
    }

    /// Adds what another codec writes.
    #[inline]
    pub fn with(&mut self, fill: impl FnOnce(&mut BytesMut)) {
        fill(&mut self.own);
    }

    /// Adds bytes that others keep too: by reference, unless they are few.
    pub fn shared(&mut self, part: &Bytes) {
        if part.len() < SHARED_BYTES_MIN {
            self.bytes(part);
        } else {
            self.shared_bytes += part.len();
            self.shared_parts += 1;
            self.shared.push(Shared { at: self.own.len(), what: What::Part(part.clone()) });
        }
    }

    /// Adds a chain: whole by reference if each of its parts would be.
    pub fn chain(&mut self, chain: &Chain) {
        let parts = chain.parts();
        if parts.len() < 2 || parts.iter().any(|part| part.len() < SHARED_BYTES_MIN) {
            return parts.iter().for_each(|part| self.shared(part));
        }
        self.shared_bytes += chain.len();
        self.shared_parts += parts.len();
        self.shared.push(Shared { at: self.own.len(), what: What::Chain(chain.clone()) });
    }

    /// An unsigned varint.
    #[inline]
    pub fn varint(&mut self, value: u32) {
        if value < 0x80 {
            self.bytes(&[value as u8]);
        } else {
            let (bytes, count) = varint_bytes(value);
            self.bytes(&bytes[..count]);
        }
    }

    /// The length of an array, of bytes or of records; `None` is null.
    #[inline]
    pub fn length(&mut self, is_flexible: bool, length: Option<usize>) {
        let length = length.map(|length| {
            i32::try_from(length).expect("what is sent is bounded by the byte limits of whoever fills it")
        });
        if is_flexible {
            self.varint(length.map_or(0, |length| length.unsigned_abs() + 1));
        } else {
            self.bytes(&length.unwrap_or(-1).to_be_bytes());
        }
    }

    /// A string; `None` is null. One that is longer than the version can say (it came in by a flexible
    /// version) is cut, between characters: no client may make the broker fail another's answer.
    #[inline]
    pub fn text(&mut self, is_flexible: bool, text: Option<&str>) {
        let Some(text) = text else {
            return if is_flexible { self.varint(0) } else { self.bytes(&(-1i16).to_be_bytes()) };
        };
        if is_flexible {
            self.length(true, Some(text.len()));
            self.bytes(text.as_bytes());
        } else {
            let text = &text[..text.floor_char_boundary(STRING_BYTES_MAX)];
            self.bytes(&(text.len() as i16).to_be_bytes());
            self.bytes(text.as_bytes());
        }
    }

    /// Opens the tagged fields at the end of a struct; one byte if none follow.
    #[inline]
    pub fn open_tags(&mut self) -> TagSection {
        self.bytes(&[0]);
        TagSection(self.own.len() - 1)
    }

    /// One tagged field. Tags are written in rising order.
    pub fn tag(&mut self, section: TagSection, number: u32, fill: impl FnOnce(&mut Writer)) {
        self.own[section.0] += 1;
        assert!(self.own[section.0] < 0x80, "no struct of Kafka has 128 tagged fields");
        self.varint(number);
        let at = self.own.len();
        let shared = self.shared.len();
        self.bytes(&[0]);
        fill(self);
        assert_eq!(self.shared.len(), shared, "no tagged field of Kafka holds records");
        self.write_length_before(at);
    }

    /// Writes the number of bytes after `at` into the byte reserved there, making room if it takes more.
    fn write_length_before(&mut self, at: usize) {
        let length = self.own.len() - at - 1;
        let length = u32::try_from(length).expect("a tagged field is a small part of a bounded message");
        let (bytes, count) = varint_bytes(length);
        if count > 1 {
            let end = self.own.len();
            self.own.resize(end + count - 1, 0);
            self.own.copy_within(at + 1..end, at + count);
        }
        self.own[at..at + count].copy_from_slice(&bytes[..count]);
    }
}

/// The bytes of an unsigned varint and how many they are.
#[inline]
fn varint_bytes(mut value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut count = 0;
    while value >= 0x80 {
        bytes[count] = value as u8 | 0x80;
        value >>= 7;
        count += 1;
    }
    bytes[count] = value as u8;
    (bytes, count + 1)
}
