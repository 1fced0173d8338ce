//! One fetch session: what its client is interested in, of which parts it may have news, and in which order these are looked
//! at. What sessions are for stands in `fetch_sessions`.

use crate::ids::{LinkId, TopicPartition};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::Mono;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, PartitionData};
use std::collections::{BTreeMap, BTreeSet};

/// One.
pub(super) struct Session {
    pub link: LinkId,
    /// By which partitions know it.
    pub waiter: Waiter,
    /// Of the next fetch.
    pub epoch: i32,
    pub names_ids: bool,
    pub created: Mono,
    pub used: Mono,
    /// The newest of its fetches that is not answered.
    pub fetch: Option<Waiter>,
    /// By turn.
    pub parts: BTreeMap<u64, Kept>,
    pub turns: BTreeMap<PartName, u64>,
    pub lively: BTreeSet<u64>,
    pub quiet: BTreeMap<TopicPartition, u64>,
    next_turn: u64,
}

/// What a client calls a partition: by its topic's name or id, and its number.
pub(super) type PartName = (String, [u8; 16], i32);

/// A part, and what its client was last told of it.
pub(super) struct Kept {
    pub name: PartName,
    pub asked: FetchPartition,
    high_watermark: i64,
    log_start: i64,
    /// The partition that is watched for it, of one that is quiet.
    pub watched: Option<TopicPartition>,
}

impl Kept {
    /// One of which its client knows nothing.
    pub fn new(name: PartName, asked: FetchPartition) -> Kept {
        Kept { name, asked, high_watermark: -1, log_start: -1, watched: None }
    }
}

/// What became of one part of a fetch.
pub(super) struct Found<'a> {
    pub name: PartName,
    /// Which partition that is, or why it is none.
    pub of: Result<TopicPartition, ErrorCode>,
    pub asked: FetchPartition,
    pub data: &'a PartitionData,
    /// Nothing has happened to its partition since it was looked at.
    pub is_fresh: bool,
}

impl Session {
    /// One without parts, of which the answer that begins it tells.
    pub fn new((link, waiter): (LinkId, Waiter), (now, names_ids): (Mono, bool)) -> Session {
        Session {
            link,
            waiter,
            epoch: 1,
            names_ids,
            created: now,
            used: now,
            fetch: None,
            parts: BTreeMap::new(),
            turns: BTreeMap::new(),
            lively: BTreeSet::new(),
            quiet: BTreeMap::new(),
            next_turn: 0,
        }
    }

    /// One more part, which is lively, and its turn.
    pub fn add(&mut self, kept: Kept) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.turns.insert(kept.name.clone(), turn);
        self.parts.insert(turn, kept);
        self.lively.insert(turn);
        turn
    }

    /// A part is asked for otherwise.
    pub fn change(&mut self, node: &mut Node, turn: u64, asked: FetchPartition) {
        self.rouse(node, turn);
        let kept = self.parts.get_mut(&turn).expect("its turn was looked up");
        if !node.is_planted(Mutant::SessionOffsetStays) {
            kept.asked = asked;
        }
    }

    /// A part is not asked for any more; whether there was one.
    pub fn forget(&mut self, node: &mut Node, name: &PartName) -> bool {
        let Some(turn) = self.turns.remove(name) else { return false };
        self.rouse(node, turn);
        self.lively.remove(&turn);
        self.parts.remove(&turn);
        true
    }

    /// A part is lively, whatever it was.
    fn rouse(&mut self, node: &mut Node, turn: u64) {
        let Some(of) = self.parts.get_mut(&turn).and_then(|kept| kept.watched.take()) else { return };
        self.quiet.remove(&of);
        node.unwatch(of, self.waiter);
        self.lively.insert(turn);
    }

    /// A part was looked at; whether its client has to be told of that.
    pub fn saw(&mut self, node: &mut Node, found: &Found<'_>, turn: u64) -> bool {
        let data = found.data;
        // It may have been forgotten meanwhile.
        let Some(kept) = self.parts.get_mut(&turn).filter(|kept| kept.name == found.name) else {
            return false;
        };
        let has_records = data.records.as_ref().is_some_and(|records| !records.is_empty());
        let is_fine = data.error_code == 0 && data.diverging_epoch.epoch < 0;
        let has_moved = (kept.high_watermark, kept.log_start) != (data.high_watermark, data.log_start_offset);
        (kept.high_watermark, kept.log_start) = (data.high_watermark, data.log_start_offset);
        let has_all = is_fine && found.is_fresh && kept.asked.fetch_offset >= data.high_watermark;
        // Two topics' names may lead to one partition only while one of them is gone: the other stays lively.
        if let Ok(of) = found.of
            && has_all
            && !self.quiet.contains_key(&of)
        {
            kept.watched = Some(of);
            self.lively.remove(&turn);
            self.quiet.insert(of, turn);
            node.watch(of, self.waiter);
        } else if has_records {
            self.goes_last(turn);
        }
        has_records || !is_fine || has_moved
    }

    /// Its turn comes behind all others'.
    fn goes_last(&mut self, turn: u64) {
        if let Some(kept) = self.parts.remove(&turn) {
            self.lively.remove(&turn);
            self.add(kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_given_records_is_looked_at_last() {
        let mut session = Session::new((LinkId(2), Waiter(1)), (Mono::default(), false));
        for partition in 0..3 {
            session.add(Kept::new(("t".to_owned(), [0; 16], partition), FetchPartition::default()));
        }
        session.goes_last(0);
        let order: Vec<i32> = session.lively.iter().map(|turn| session.parts[turn].name.2).collect();
        assert_eq!(order, [1, 2, 0]);
        assert_eq!(session.turns[&("t".to_owned(), [0; 16], 0)], 3);
    }
}
