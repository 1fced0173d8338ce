//! The buffer that all codecs decompress into, and its cap.
//!
//! Invariant: filled <= bytes.len() <= the largest cap ever given + 1. The bytes stay initialised between
//! uses, so that a warm buffer costs no clearing.

/// Why a block is not decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not in its codec's format, or damaged.
    Undecodable,
    /// It is longer than the cap.
    Full,
}

/// Where decompressed bytes go.
#[derive(Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    filled: usize,
    max: usize,
}

impl Output {
    /// Empties it, and caps it at `max` bytes.
    pub(super) fn start(&mut self, max: usize) {
        self.filled = 0;
        self.max = max;
    }

    /// Where the next bytes go: `wanted` of them, or as many as there are to one beyond the cap.
    pub(super) fn room(&mut self, wanted: usize) -> &mut [u8] {
        let most = self.max.saturating_add(1);
        let end = self.filled.saturating_add(wanted).min(most);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.filled..end]
    }

    /// `count` bytes of the room are written; refuses if that is more than the cap.
    pub(super) fn advance(&mut self, count: usize) -> Result<(), Fault> {
        self.filled += count;
        assert!(self.filled <= self.bytes.len(), "a codec wrote beyond the room it was given");
        if self.filled > self.max { Err(Fault::Full) } else { Ok(()) }
    }

    /// What was written.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// How many bytes may still come.
    pub(super) fn left(&self) -> usize {
        self.max.saturating_sub(self.filled)
    }

    /// How much of the room costs nothing, as it was used before.
    pub(super) fn warm(&self) -> usize {
        self.bytes.len() - self.filled
    }
}
