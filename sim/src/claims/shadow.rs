//! A shadow of one node's durable journal: what its replicas may promise, because a loss of power cannot take it.
//!
//! Fed with every range that a sync made durable, and with what a crash happened to leave. It only knows the
//! journal: what a checkpoint or a segment took over is still in the shadow, since it was durable once.
//!
//! Invariant: a replica's shadow has no gap between its base and its last index.

use super::frames::{self, Frame, Item, Said};
use crate::disk::{Disk, Synced};
use rust_mq_core::broker::observe::Remembered;
use rust_mq_core::file::File;
use rust_mq_core::ids::{PartitionId, TopicId, TopicPartition};
use std::collections::BTreeMap;

/// A partition by its topic's id and number.
pub type Group = ([u8; 16], i32);

/// A partition as the core names it.
pub fn partition_of(group: Group) -> TopicPartition {
    TopicPartition { topic: TopicId(group.0), partition: PartitionId(group.1) }
}

/// One node's.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    replicas: BTreeMap<u64, Durable>,
    /// Sequence, salt and checksum of the newest frame.
    newest: Option<(u64, u64, u32)>,
}

/// One replica's.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// Of which partition.
    pub group: Option<Group>,
    /// The newest term.
    pub term: u64,
    /// Whom it voted for, by term.
    pub votes: BTreeMap<u64, u64>,
    /// The newest commit it wrote down.
    pub commit: u64,
    /// Everything up to here is there, without its entries.
    pub base: u64,
    /// Term and hash of the entries from `base + 1` on.
    pub entries: Vec<(u64, u64)>,
    /// Index and CRC of record batches, by base offset.
    pub batches: BTreeMap<i64, (u64, u32)>,
    /// What the entries say that were not handed on yet.
    said: BTreeMap<u64, Said>,
    /// The term in which the log was cut, and where it had ended.
    cuts: Vec<(u64, u64)>,
    /// Terms, from the first to below the second, which a frame passed over whole: it brought entries of a later one.
    passed: Vec<(u64, u64)>,
    /// Whether its disk was taken out: it was durable, and is not any more.
    pub is_void: bool,
    /// The last index that was there before the disk lost some.
    fell_from: u64,
    /// The batches that it lost so, as in `batches`: they were durable.
    fell: BTreeMap<i64, (u64, u32)>,
}

impl Durable {
    /// The last index that is there.
    pub fn last(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The last index that was there in `term`: what was cut in later terms counts. No bound where it may have been cut
    /// before it was written.
    pub fn last_in(&self, term: u64) -> u64 {
        if self.passed.iter().any(|(from, to)| (*from..*to).contains(&term)) {
            return u64::MAX;
        }
        let first = self.cuts.iter().find(|(cut_in, _)| *cut_in > term);
        first.map_or(self.last(), |(_, last)| *last)
    }

    /// Whether an entry of that term ever was there at that index, as far as is known.
    pub fn knew(&self, index: u64, term: u64) -> bool {
        let was_cut = self.cuts.iter().any(|(_, last)| index <= *last);
        index <= self.base.max(self.fell_from)
            || was_cut
            || self.entry(index).is_some_and(|(known, _)| known == term)
    }

    /// Whether that batch is there, or was until the disk lost it: what it had promised was true.
    pub fn had(&self, base_offset: i64, crc: u32) -> bool {
        [&self.batches, &self.fell]
            .iter()
            .any(|all| all.get(&base_offset).is_some_and(|(_, known)| *known == crc))
    }

    /// Term and hash of an entry, if it is there by itself.
    pub fn entry(&self, index: u64) -> Option<(u64, u64)> {
        let place = index.checked_sub(self.base + 1)?;
        self.entries.get(place as usize).copied()
    }
}

impl Shadow {
    /// A replica of the node.
    pub fn replica(&self, replica: u64) -> Option<&Durable> {
        self.replicas.get(&replica)
    }

    /// What a replica's entries say, up to one: each is handed out once.
    pub fn take_said(&mut self, replica: u64, until: u64) -> BTreeMap<u64, Said> {
        let Some(durable) = self.replicas.get_mut(&replica) else { return BTreeMap::new() };
        let kept = durable.said.split_off(&(until + 1));
        std::mem::replace(&mut durable.said, kept)
    }

    /// All of them, with their ids.
    pub fn all(&self) -> impl Iterator<Item = (u64, &Durable)> {
        self.replicas.iter().map(|(replica, durable)| (*replica, durable))
    }

    /// All of them.
    pub fn replicas(&self) -> impl Iterator<Item = &Durable> {
        self.replicas.values()
    }

    /// Ranges became durable. Returns the items of the frames among them, in order, already taken in.
    pub fn synced(&mut self, disk: &Disk, ranges: &[Synced]) -> Vec<Item> {
        let mut items = Vec::new();
        for range in ranges {
            if !matches!(range.file, File::Journal(_)) || range.len < 40 {
                continue;
            }
            let Some(image) = disk.durable(range.file) else { continue };
            // A recovery writes the last frame again, which says nothing new.
            let is_new = |frame: &Frame| self.newest != Some((frame.sequence, frame.salt, frame.crc));
            if let Some(frame) = frames::read(image, range.at).filter(is_new) {
                self.take(frame, &mut items);
            }
        }
        items
    }

    /// The node died: a frame that nobody waited for may have come through whole.
    pub fn crashed(&mut self, disk: &Disk) -> Vec<Item> {
        let mut items = Vec::new();
        for (_, _, frame) in frames::all(disk) {
            let is_next =
                self.newest.is_none_or(|(sequence, salt, _)| frame.salt == salt && frame.sequence > sequence);
            if is_next {
                self.take(frame, &mut items);
            }
        }
        items
    }

    /// The disk has lost something, and what is left is what these replicas would remember.
    pub fn is_as<'a>(&mut self, disk: &Disk, remembered: impl Iterator<Item = &'a Remembered>) {
        for seen in remembered {
            if let Some(durable) = self.replicas.get_mut(&seen.replica.0) {
                durable.falls(seen);
            }
        }
        self.newest =
            frames::in_force(disk).last().map(|(_, _, frame)| (frame.sequence, frame.salt, frame.crc));
    }

    /// The disk was wiped. What was durable was so when it was acknowledged; nobody will remember it.
    pub fn wiped(&mut self) {
        self.replicas.values_mut().for_each(|durable| durable.is_void = true);
        self.newest = None;
    }

    fn take(&mut self, frame: Frame, items: &mut Vec<Item>) {
        self.newest = Some((frame.sequence, frame.salt, frame.crc));
        self.pass_over(&frame.items);
        for item in frame.items {
            self.apply(&item);
            items.push(item);
        }
    }

    /// A frame is about to be taken in: of whom it brings entries of a later term than his.
    fn pass_over(&mut self, items: &[Item]) {
        for item in items {
            if let Item::Entry { replica, term, .. } = *item
                && let Some(durable) = self.replicas.get_mut(&replica)
                && durable.term < term
            {
                let (from, to) = (durable.term, term);
                if durable.passed.last() != Some(&(from, to)) {
                    durable.passed.push((from, to));
                }
            }
        }
    }

    fn apply(&mut self, item: &Item) {
        match *item {
            Item::Entry { replica, index, term, hash, batch, ref said } => {
                let durable = self.replicas.entry(replica).or_default();
                if index <= durable.base {
                    return;
                }
                let place = (index - durable.base - 1) as usize;
                if place > durable.entries.len() {
                    // Entries below were durable before this shadow began; what counts is the last.
                    durable.base = index - 1;
                    durable.entries.clear();
                }
                let place = (index - durable.base - 1) as usize;
                if place < durable.entries.len() {
                    durable.batches.retain(|_, (at, _)| *at < index);
                    durable.cuts.push((durable.term, durable.last()));
                }
                durable.entries.truncate(place);
                durable.entries.push((term, hash));
                drop(durable.said.split_off(&index));
                durable.said.insert(index, said.clone());
                if let Some((offset, crc)) = batch {
                    durable.batches.insert(offset, (index, crc));
                }
            }
            Item::HardState { replica, term, vote, commit } => {
                self.replicas.entry(replica).or_default().set(term, vote, commit);
            }
            Item::Reset { replica, index, hard_state: (term, vote, commit), .. } => {
                let durable = self.replicas.entry(replica).or_default();
                durable.set(term, vote, commit);
                if durable.last() > index {
                    durable.cuts.push((durable.term, durable.last()));
                }
                durable.base = index;
                durable.entries.clear();
                durable.said.clear();
                durable.batches.retain(|_, (at, _)| *at <= index);
            }
            Item::Added { replica, topic, partition } => {
                self.replicas.entry(replica).or_default().group = Some((topic, partition));
            }
            Item::Dropped { .. } | Item::LogStart { .. } => {}
        }
    }
}

impl Durable {
    fn falls(&mut self, to: &Remembered) {
        let last = to.durable.0;
        self.fell_from = self.fell_from.max(self.last());
        self.base = self.base.min(last);
        self.entries.truncate((last - self.base) as usize);
        let lost = self.batches.iter().filter(|(_, (at, _))| *at > last);
        self.fell.extend(lost.map(|(base, batch)| (*base, *batch)));
        self.batches.retain(|_, (at, _)| *at <= last);
        drop(self.said.split_off(&(last + 1)));
        self.commit = self.commit.min(to.commit.0);
        self.term = to.term.0;
        self.votes.retain(|term, _| *term <= to.term.0);
        if to.vote.0 != 0 {
            self.votes.insert(to.term.0, to.vote.0);
        }
    }

    /// A hard state lies before the entries that came with it, so a cut is of the term that it happened in.
    fn set(&mut self, term: u64, vote: u64, commit: u64) {
        self.term = self.term.max(term);
        if vote != 0 {
            self.votes.insert(term, vote);
        }
        self.commit = self.commit.max(commit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Item {
        let said = Said { kind: 0, wall: 0, payload: bytes::Bytes::new() };
        Item::Entry { replica: 1, index, term, hash: term, batch: None, said }
    }

    fn in_term(term: u64) -> Item {
        Item::HardState { replica: 1, term, vote: 0, commit: 0 }
    }

    #[test]
    fn what_was_cut_before_it_was_written_is_not_looked_up() {
        let mut shadow = Shadow::default();
        let frame = |sequence, items| Frame { sequence, salt: 1, crc: 0, items };
        shadow.take(frame(1, vec![in_term(4), entry(1, 4)]), &mut Vec::new());
        shadow.take(frame(2, vec![in_term(7), entry(2, 5)]), &mut Vec::new());
        let durable = shadow.replica(1).expect("it has entries");
        let by_term: Vec<u64> = (4..8).map(|term| durable.last_in(term)).collect();
        assert_eq!(by_term, [u64::MAX, 2, 2, 2], "entries of term 4 may have come and gone in one turn");
    }

    #[test]
    fn what_a_later_term_cuts_was_there_in_the_earlier_one() {
        let mut shadow = Shadow::default();
        let items = [in_term(1), entry(1, 1), entry(2, 1), entry(3, 1), in_term(4), entry(2, 3), in_term(5)];
        items.iter().for_each(|item| shadow.apply(item));
        let durable = shadow.replica(1).expect("it has entries");
        assert_eq!(durable.last(), 2);
        // Cut in term 4, though by an entry of term 3: a leader of term 3 may still be told of entry 3.
        let by_term: Vec<u64> = (1..6).map(|term| durable.last_in(term)).collect();
        assert_eq!(by_term, [3, 3, 3, 2, 2]);
    }
}
