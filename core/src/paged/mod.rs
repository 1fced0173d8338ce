//! An ordered map cut into pages, which is how the state of a machine, and of a partition, is kept.
//!
//! ```text
//! clone      [page][page][page][page]      pointers: nothing is copied
//! change     [page][page]'[page][page]     the page that is touched, if another copy has it too
//! written    what has an edition that was not written before, and no more
//! ```
//! A tip is a clone of the committed state that changes on its own; a checkpoint keeps a clone and writes it bit by bit
//! while the state goes on; what has not changed is named where it lies. Each of them costs what changed, and not what
//! there is.
//!
//! A page has an **edition**, which is new after each change: two pages of one line of changes with the same edition hold
//! the same. (An edition says nothing about those of a clone that has changed since, or of another node: where pages end
//! depends on the order of changes, so that equal maps may lie in different pages.)
//!
//! - Invariant: keys rise strictly, within a page and from page to page; no page is empty.
//! - Invariant: an encoded page <= `PAGE_BYTES`, unless one entry alone is larger.
//! - Invariant: `bytes` == the sum over all entries of what they take encoded. It is counted, not measured.
//! - Invariant: a change touches at most two pages that were there, and makes at most two.
//!
//! Not here: where pages are written (`storage/`), which of them are to be (`node/checkpoints`).

mod folded;
mod page;
#[cfg(test)]
mod tests;

pub use folded::Folded;
pub use page::PageFault;

use crate::codec;
use crate::ids::Edition;
use crate::limits::PAGE_BYTES;
use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use bytes::Bytes;
use page::Page;
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Below this a page goes together with its neighbour, if both are at most half a page then: so that a key which comes
/// and goes at the edge does not split and join at every change.
const JOINED_BELOW_BYTES: usize = PAGE_BYTES / 8;

/// The map.
pub struct Paged<K, V> {
    pages: Vec<Arc<Page<K, V>>>,
    len: usize,
    bytes: usize,
    /// The newest edition given.
    editions_given: u64,
}

/// What a map's entries must be able to do.
pub trait Entry: Clone + Encode {}

impl<T: Clone + Encode> Entry for T {}

impl<K, V> Paged<K, V> {
    /// How many entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of all entries, encoded.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All entries, by rising key.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.pages.iter().flat_map(|page| page.entries.iter().map(|(key, value)| (key, value)))
    }

    /// All keys, rising.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values, by rising key.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// How many pages another map does not share.
    #[cfg(test)]
    pub fn pages_unlike(&self, other: &Paged<K, V>) -> usize {
        let is_shared = |page: &Arc<Page<K, V>>| other.pages.iter().any(|other| Arc::ptr_eq(page, other));
        self.pages.iter().filter(|page| !is_shared(page)).count()
    }

    /// The pages' editions, by rising key.
    pub fn editions(&self) -> impl Iterator<Item = Edition> {
        self.pages.iter().map(|page| page.edition)
    }
}

impl<K: Ord, V> Paged<K, V> {
    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let page = self.pages.get(self.page_of(key))?;
        page.find(key).ok().map(|place| &page.entries[place].1)
    }

    /// Whether `key` has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The entries from `key` on, by rising key.
    pub fn from<'a, Q: Ord + ?Sized>(
        &'a self,
        key: &Q,
    ) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V, Q>
    where
        K: Borrow<Q>,
    {
        let number = self.page_of(key);
        let place = self.pages.get(number).map_or(0, |page| page.find(key).unwrap_or_else(|place| place));
        let pages = self.pages.get(number..).unwrap_or_default();
        pages.iter().flat_map(|page| page.entries.iter().map(|(key, value)| (key, value))).skip(place)
    }

    /// The page that holds `key`, or would: the last one that does not begin above it.
    fn page_of<Q: Ord + ?Sized>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
    {
        if self.pages.len() < 2 {
            return 0;
        }
        self.pages.partition_point(|page| page.first().borrow() <= key).saturating_sub(1)
    }
}

impl<K: Ord + Entry, V: Entry> Paged<K, V> {
    /// Gives `key` a value; the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let entry = (key, value);
        let bytes = codec::encoded_bytes(&entry);
        if self.pages.is_empty() {
            let edition = self.next_edition();
            self.pages.reserve_exact(1);
            self.pages.push(Arc::new(Page::of(edition, entry, bytes)));
            (self.len, self.bytes) = (1, bytes);
            return None;
        }
        let number = self.page_of(&entry.0);
        let place = self.pages[number].find(&entry.0);
        let is_last = place == Err(self.pages[number].entries.len()) && number + 1 == self.pages.len();
        if is_last && self.pages[number].bytes + bytes > PAGE_BYTES {
            // Keys that only rise fill their pages.
            let edition = self.next_edition();
            self.pages.push(Arc::new(Page::of(edition, entry, bytes)));
            (self.len, self.bytes) = (self.len + 1, self.bytes + bytes);
            return None;
        }
        let page = self.touch(number);
        let before = match place {
            Ok(place) => {
                let before = codec::encoded_bytes(&page.entries[place]);
                let old = std::mem::replace(&mut page.entries[place], entry);
                page.bytes = page.bytes + bytes - before;
                self.bytes = self.bytes + bytes - before;
                Some(old.1)
            }
            Err(place) => {
                page.entries.insert(place, entry);
                page.bytes += bytes;
                (self.len, self.bytes) = (self.len + 1, self.bytes + bytes);
                None
            }
        };
        self.fit(number);
        before
    }

    /// Changes the value of `key`, which begins as the default if it has none.
    pub fn change<T>(&mut self, key: K, change: impl FnOnce(&mut V) -> T) -> T
    where
        V: Default,
    {
        let number = self.page_of(&key);
        let found = self.pages.get(number).and_then(|page| page.find(&key).ok());
        let Some(place) = found else {
            let mut value = V::default();
            let said = change(&mut value);
            self.insert(key, value);
            return said;
        };
        let page = self.touch(number);
        let entry = &mut page.entries[place];
        let before = codec::encoded_bytes(entry);
        let said = change(&mut entry.1);
        let after = codec::encoded_bytes(entry);
        page.bytes = page.bytes + after - before;
        self.bytes = self.bytes + after - before;
        self.fit(number);
        said
    }

    /// Changes each value that is `meant`. How many there were. Pages without one are not touched.
    pub fn change_each(&mut self, meant: impl Fn(&V) -> bool, mut change: impl FnMut(&mut V)) -> usize {
        let (mut count, mut changed) = (0, Vec::new());
        for number in 0..self.pages.len() {
            if !self.pages[number].entries.iter().any(|(_, value)| meant(value)) {
                continue;
            }
            let page = self.touch(number);
            for (_, value) in page.entries.iter_mut().filter(|(_, value)| meant(value)) {
                change(value);
                count += 1;
            }
            let (before, after) = (page.bytes, page.entries.iter().map(codec::encoded_bytes).sum());
            page.bytes = after;
            self.bytes = self.bytes + after - before;
            changed.push(number);
        }
        // Only then: a page that was joined would be met, and changed, twice.
        changed.into_iter().rev().for_each(|number| self.fit(number));
        count
    }

    /// Takes `key` out; the value that it had.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let number = self.page_of(key);
        let place = self.pages.get(number)?.find(key).ok()?;
        let page = self.touch(number);
        let entry = page.entries.remove(place).expect("it was found there");
        let bytes = codec::encoded_bytes(&entry);
        page.bytes -= bytes;
        (self.len, self.bytes) = (self.len - 1, self.bytes - bytes);
        self.fit(number);
        Some(entry.1)
    }

    /// The pages as bytes of their own, each with its edition, from the first on. What is asked for is encoded, and no
    /// more.
    pub fn page(&self, number: usize) -> Option<(Edition, Bytes)> {
        self.pages.get(number).map(|page| (page.edition, page.encode()))
    }

    /// Adds a page behind all others, as [`Paged::page`] gave it.
    ///
    /// # Errors
    /// It is none, or it does not belong there.
    pub fn push_page(&mut self, edition: Edition, bytes: &[u8]) -> Result<(), PageFault>
    where
        K: Decode<()>,
        V: Decode<()>,
    {
        let page = Page::decode(edition, bytes)?;
        let follows = self.pages.last().is_none_or(|last| last.last() < page.first());
        if !follows || self.pages.iter().any(|other| other.edition == edition) {
            return Err(PageFault::OutOfOrder);
        }
        (self.len, self.bytes) = (self.len + page.entries.len(), self.bytes + page.bytes);
        self.editions_given = self.editions_given.max(edition.0);
        self.pages.push(Arc::new(page));
        Ok(())
    }

    /// A page to be changed: copied if somebody else has it too, and editions_given.
    fn touch(&mut self, number: usize) -> &mut Page<K, V> {
        let edition = self.next_edition();
        let page = Arc::make_mut(&mut self.pages[number]);
        page.edition = edition;
        page
    }

    fn next_edition(&mut self) -> Edition {
        self.editions_given += 1;
        Edition(self.editions_given)
    }

    /// A page was changed: if it is too large now it is split, if it is small it goes with a neighbour.
    fn fit(&mut self, number: usize) {
        let page = &self.pages[number];
        if page.entries.is_empty() {
            self.pages.remove(number);
        } else if page.bytes > PAGE_BYTES && page.entries.len() > 1 {
            self.split(number);
        } else if page.bytes < JOINED_BELOW_BYTES {
            self.join(number);
        }
        assert!(
            self.pages.get(number).is_none_or(|page| page.bytes <= PAGE_BYTES || page.entries.len() == 1),
            "a page is within its bound, or holds one entry"
        );
    }

    fn split(&mut self, number: usize) {
        let (mut at, mut end) = (number, number + 1);
        while at < end {
            if self.pages[at].bytes <= PAGE_BYTES || self.pages[at].entries.len() == 1 {
                at += 1;
                continue;
            }
            let edition = self.next_edition();
            let rest = Arc::make_mut(&mut self.pages[at]).split_off_half(edition);
            self.pages.insert(at + 1, Arc::new(rest));
            end += 1;
        }
    }

    fn join(&mut self, number: usize) {
        let fits = |other: usize| {
            let both = self.pages.get(other).map(|page| page.bytes + self.pages[number].bytes);
            both.is_some_and(|bytes| bytes <= PAGE_BYTES / 2)
        };
        let first = match number.checked_sub(1).filter(|before| fits(*before)) {
            Some(before) => before,
            None if fits(number + 1) => number,
            None => return,
        };
        let second = self.pages.remove(first + 1);
        let second = Arc::try_unwrap(second).unwrap_or_else(|shared| (*shared).clone());
        let page = self.touch(first);
        page.bytes += second.bytes;
        page.entries.extend(second.entries);
    }
}

impl<K, V> Default for Paged<K, V> {
    fn default() -> Paged<K, V> {
        Paged { pages: Vec::new(), len: 0, bytes: 0, editions_given: 0 }
    }
}

impl<K, V> Clone for Paged<K, V> {
    fn clone(&self) -> Paged<K, V> {
        Paged {
            pages: self.pages.clone(),
            len: self.len,
            bytes: self.bytes,
            editions_given: self.editions_given,
        }
    }
}

/// Equal entries: which pages they lie in says nothing.
impl<K: PartialEq, V: PartialEq> PartialEq for Paged<K, V> {
    fn eq(&self, other: &Paged<K, V>) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Paged<K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Paged<K, V> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Entry, V: Entry> FromIterator<(K, V)> for Paged<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Paged<K, V> {
        let mut map = Paged::default();
        entries.into_iter().for_each(|(key, value)| {
            map.insert(key, value);
        });
        map
    }
}

/// In one piece it is what a `BTreeMap` of the same entries is.
impl<K: Encode, V: Encode> Encode for Paged<K, V> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        (self.len as u64).encode(encoder)?;
        self.iter().try_for_each(|entry| entry.encode(encoder))
    }
}

impl<C, K: Ord + Entry + Decode<C>, V: Entry + Decode<C>> Decode<C> for Paged<K, V> {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Paged<K, V>, DecodeError> {
        let count = usize::try_from(u64::decode(decoder)?).unwrap_or(usize::MAX);
        decoder.claim_container_read::<(K, V)>(count)?;
        let mut map = Paged::default();
        for _ in 0..count {
            decoder.unclaim_bytes_read(std::mem::size_of::<(K, V)>());
            let (key, value) = <(K, V)>::decode(decoder)?;
            map.insert(key, value);
        }
        Ok(map)
    }
}

impl<'de, C, K: Ord + Entry + Decode<C>, V: Entry + Decode<C>> BorrowDecode<'de, C> for Paged<K, V> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Paged<K, V>, DecodeError> {
        Paged::decode(decoder)
    }
}
