//! The bytes of one file at one level of durability: pages that are shared until one of the sharers writes.
//!
//! Invariant: bytes at and beyond `len` are zero, so that growing a file shows zeros.

use bytes::{Bytes, BytesMut};
use std::rc::Rc;

/// What a disk writes as a whole or tears.
pub const SECTOR: u64 = 512;
/// What is shared between two images.
pub const PAGE: usize = 4096;

static ZEROS: [u8; PAGE] = [0; PAGE];

/// The bytes of a file.
#[derive(Clone, Debug, Default)]
pub struct Image {
    len: u64,
    pages: Vec<Option<Rc<[u8; PAGE]>>>,
}

impl Image {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes `bytes` at `at`; a gap before them is zeros.
    pub fn write(&mut self, at: u64, bytes: &[u8]) {
        self.grow(at + bytes.len() as u64);
        let (mut at, mut rest) = (at as usize, bytes);
        while !rest.is_empty() {
            let within = at % PAGE;
            let (piece, tail) = rest.split_at(rest.len().min(PAGE - within));
            self.write_page(at / PAGE, within, piece);
            at += piece.len();
            rest = tail;
        }
    }

    /// Makes the file at least so long.
    pub fn grow(&mut self, len: u64) {
        if len > self.len {
            self.len = len;
            self.pages.resize_with((len as usize).div_ceil(PAGE), || None);
        }
    }

    /// Cuts the file, or grows it with zeros.
    pub fn resize(&mut self, len: u64) {
        if len >= self.len {
            self.grow(len);
            return;
        }
        self.len = len;
        self.pages.truncate((len as usize).div_ceil(PAGE));
        let within = len as usize % PAGE;
        if within > 0
            && let Some(Some(page)) = self.pages.last_mut()
        {
            Rc::make_mut(page)[within..].fill(0);
        }
    }

    /// Up to `len` bytes at `at`; fewer only at the end of the file.
    pub fn read(&self, at: u64, len: u64) -> BytesMut {
        let end = self.len.min(at.saturating_add(len));
        let mut out = BytesMut::with_capacity(end.saturating_sub(at) as usize);
        let mut at = at;
        while at < end {
            let within = at as usize % PAGE;
            let take = (PAGE - within).min((end - at) as usize);
            match &self.pages[at as usize / PAGE] {
                Some(page) => out.extend_from_slice(&page[within..within + take]),
                None => out.extend_from_slice(&ZEROS[..take]),
            }
            at += take as u64;
        }
        out
    }

    /// Makes the pages that touch `at..at + len` those of `other`, and the length its length.
    pub fn share(&mut self, other: &Image, at: u64, len: u64) {
        self.grow(other.len);
        let first = at as usize / PAGE;
        let end = ((at + len) as usize).div_ceil(PAGE).min(other.pages.len());
        for page in first..end {
            self.pages[page].clone_from(&other.pages[page]);
        }
    }

    fn write_page(&mut self, page: usize, within: usize, piece: &[u8]) {
        let slot = &mut self.pages[page];
        if let Some(page) = slot {
            Rc::make_mut(page)[within..within + piece.len()].copy_from_slice(piece);
        } else if *piece != ZEROS[..piece.len()] {
            // Zeroing a journal ahead of time writes megabytes of nothing: those pages stay unmade.
            let mut page = ZEROS;
            page[within..within + piece.len()].copy_from_slice(piece);
            *slot = Some(Rc::new(page));
        }
    }
}

/// The pieces of `parts`, laid end to end from `at`, cut at sector boundaries: (at, bytes).
pub fn sectors(at: u64, parts: &[Bytes]) -> Vec<(u64, Bytes)> {
    let mut pieces = Vec::new();
    let mut at = at;
    for part in parts {
        let mut rest = part.clone();
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min((SECTOR - at % SECTOR) as usize));
            let len = piece.len() as u64;
            pieces.push((at, piece));
            at += len;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_and_a_cut_leave_zeros() {
        let mut image = Image::default();
        image.write(5000, b"abc");
        assert_eq!(image.len(), 5003);
        assert!(image.read(0, 5000).iter().all(|byte| *byte == 0));
        image.resize(5001);
        image.resize(5003);
        assert_eq!(&image.read(4999, 100)[..], b"\0a\0\0");
    }

    #[test]
    fn shared_pages_part_when_one_side_writes() {
        let mut cached = Image::default();
        cached.write(0, &[1; 9000]);
        let mut durable = Image::default();
        durable.share(&cached, 0, 9000);
        cached.write(4096, &[2; 10]);
        assert_eq!(durable.read(4090, 12)[..], [1; 12]);
        assert_eq!(cached.read(4095, 3)[..], [1, 2, 2]);
    }

    #[test]
    fn sectors_follow_boundaries_across_parts() {
        let parts = [Bytes::from(vec![1; 600]), Bytes::from(vec![2; 10])];
        let lens: Vec<_> = sectors(500, &parts).iter().map(|(at, piece)| (*at, piece.len())).collect();
        assert_eq!(lens, [(500, 12), (512, 512), (1024, 76), (1100, 10)]);
    }
}
