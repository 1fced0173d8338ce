//! One page of a map, and its codec.
//!
//! ```text
//!  0 kind "P" 1 | version 1 | entries 4 | crc32c of the 6 bytes before and of the entries 4
//! 10 entries, by rising key: each a key and its value as the codec's bincode writes them
//! ```
//! Invariant: what is decoded has at least one entry, rising keys, and nothing behind them.

use crate::codec;
use crate::ids::Edition;
use bincode::Decode;
use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, Digest};
use std::borrow::Borrow;
use std::collections::VecDeque;

/// Bytes before the entries.
const HEADER_BYTES: usize = 10;
const KIND: u8 = b'P';
const VERSION: u8 = 1;

/// Why bytes are no page of a map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageFault {
    /// They are not what was written.
    #[error("a page's bytes are not what was written")]
    Rotten,
    /// A newer build wrote them.
    #[error("page version {0} is newer than this node")]
    Newer(u8),
    /// They are something else.
    #[error("undecodable page: {0}")]
    Undecodable(String),
    /// Its entries do not follow each other, or those of the page before.
    #[error("a page's keys do not rise")]
    OutOfOrder,
}

/// Entries that lie next to each other.
#[derive(Clone, Debug)]
pub(super) struct Page<K, V> {
    pub edition: Edition,
    /// Of all entries, encoded.
    pub bytes: usize,
    /// In order. What is taken out or put in moves those on its shorter side: topics are deleted in the order in which
    /// they were made.
    pub entries: VecDeque<(K, V)>,
}

impl<K, V> Page<K, V> {
    /// A page of one entry, of so many bytes.
    pub fn of(edition: Edition, entry: (K, V), bytes: usize) -> Page<K, V> {
        Page { edition, bytes, entries: VecDeque::from([entry]) }
    }

    pub fn first(&self) -> &K {
        &self.entries.front().expect("no page is empty").0
    }

    pub fn last(&self) -> &K {
        &self.entries.back().expect("no page is empty").0
    }
}

impl<K: Ord, V> Page<K, V> {
    /// The place of a key, or where it would be.
    pub fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }
}

impl<K: super::Entry, V: super::Entry> Page<K, V> {
    /// Takes the entries behind the middle out, by bytes; at least one stays and at least one goes.
    pub fn split_off_half(&mut self, edition: Edition) -> Page<K, V> {
        let (mut kept, mut place) = (0, 0);
        while place + 1 < self.entries.len() {
            let next = codec::encoded_bytes(&self.entries[place]);
            // As even as it can be: the entry in the middle goes where there is less.
            if place > 0 && kept + next / 2 > self.bytes / 2 {
                break;
            }
            (kept, place) = (kept + next, place + 1);
        }
        let entries = self.entries.split_off(place);
        let rest = Page { edition, bytes: self.bytes - kept, entries };
        self.bytes = kept;
        rest
    }

    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.bytes);
        bytes.put_u8(KIND);
        bytes.put_u8(VERSION);
        bytes.put_u32(u32::try_from(self.entries.len()).expect("a page's entries are few"));
        bytes.put_u32(0);
        self.entries.iter().for_each(|entry| codec::append(entry, &mut bytes));
        let crc = crc(&bytes);
        bytes[6..HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
        bytes.freeze()
    }
}

impl<K: Ord + Decode<()>, V: Decode<()>> Page<K, V> {
    pub fn decode(edition: Edition, bytes: &[u8]) -> Result<Page<K, V>, PageFault> {
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(PageFault::Rotten)?;
        if header[6..] != crc(bytes).to_be_bytes() || header[0] != KIND {
            return Err(PageFault::Rotten);
        }
        if header[1] != VERSION {
            return Err(PageFault::Newer(header[1]));
        }
        let count = u32::from_be_bytes(header[2..6].try_into().expect("2..6 are four bytes"));
        let mut entries: VecDeque<(K, V)> = VecDeque::new();
        let mut rest = body;
        for _ in 0..count {
            let (entry, taken): ((K, V), usize) =
                codec::take(rest, "page").map_err(|fault| PageFault::Undecodable(fault.reason))?;
            if entries.back().is_some_and(|last| last.0 >= entry.0) {
                return Err(PageFault::OutOfOrder);
            }
            entries.push_back(entry);
            rest = &rest[taken..];
        }
        if entries.is_empty() || !rest.is_empty() {
            return Err(PageFault::Undecodable(format!("{} bytes follow {count} entries", rest.len())));
        }
        entries.shrink_to_fit();
        let encoded = body.len();
        Ok(Page { edition, bytes: encoded, entries })
    }
}

/// The checksum of a page's bytes without the four that hold it.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&bytes[..6]);
    digest.update(&bytes[HEADER_BYTES..]);
    u32::try_from(digest.finalize()).expect("a CRC32 has 32 bits")
}
