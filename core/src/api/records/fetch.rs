//! Fetch: record batches from an offset on. A fetch that finds less than it wants is parked on its partitions and
//! looked at again, where there are news, until its time is up (long polling).
//!
//! Sessions (KIP-227) are refused by answering session id 0: every fetch names its partitions.
//!
//! - Invariant: a parked fetch has a deadline of at most `limits::FETCH_WAIT_MAX`.
//! - Invariant: `desk.parked` counts all fetches that were parked and are not answered, and their parts.
//! - Invariant: a partition knows a fetch that waits, and none that is answered.
//! - Invariant: reads are charged from when they are asked for until the fetch is answered, or looks anew.
//! - Invariant: what was found of a part holds until its partition has news, or the fetch looks anew at all.
//! - Invariant: an answer's first batch is whole, whatever the limits say (progress); with it they hold.

use super::fetch_partition::{self, Part, Read};
use crate::api::Waiting;
use crate::api::addresses;
use crate::api::desk::{Desk, NEVER, Vain};
use crate::api::named::{self, Topic};
use crate::api::origin::Origin;
use crate::connection::Purpose;
use crate::ids::{TopicId, TopicPartition};
use crate::limits::{
    DISK_AWAITED_MAX, FETCH_BYTES_MAX, FETCH_PARKED_PART_BYTES, FETCH_PARKED_SHARE, FETCH_WAIT_MAX,
    FETCHES_PARKED_MAX, PARTITIONS_MAX, SEGMENT_READ_BYTES_MAX, SEGMENT_READ_BYTES_MIN,
};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::{Mono, Now};
use crate::storage::{Chunk, ReadFault, ReadId};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A fetch and what it has found so far.
pub(in crate::api) struct Pending {
    origin: Origin,
    topics: Vec<(String, [u8; 16])>,
    parts: Vec<Part>,
    /// By part; `None` while its cold read is under way.
    found: Vec<Option<PartitionData>>,
    /// Bytes of records in that.
    found_bytes: usize,
    /// The cold reads under way, and whose part each is.
    reads: BTreeMap<ReadId, usize>,
    /// What is charged for them until the fetch is answered.
    reads_bytes: usize,
    /// The first part with records.
    first: Option<usize>,
    /// Parts that the disk has just refused: another batch may be the answer's first.
    refused: BTreeSet<usize>,
    min_bytes: usize,
    max_bytes: usize,
    until: Mono,
    /// Its parked parts by partition, once it is parked.
    parked: Vec<(TopicPartition, usize)>,
    /// The parked parts that have had news since they were looked at.
    moved: BTreeSet<usize>,
}

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: FetchRequest,
) -> Result<(), String> {
    if let Some(error) = session_error(&request) {
        let response = FetchResponse { error_code: error.code(), ..Default::default() };
        desk.answer(node, origin, &response);
        return Ok(());
    }
    let topics = request.topics.into_iter();
    let topics = topics.map(|topic| Topic::new(topic.topic, topic.topic_id, topic.partitions)).collect();
    let named = named::once(topics, |asked: &FetchPartition| asked.partition);
    let count = named.iter().map(|topic| topic.partitions.len()).sum();
    if count > PARTITIONS_MAX {
        return Err(format!("Fetch names {count} partitions; there are at most {PARTITIONS_MAX}"));
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(FETCH_WAIT_MAX);
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(FETCH_BYTES_MAX);
    let is_committed_only = request.isolation_level == 1;
    let mut topics = Vec::with_capacity(named.len());
    let mut parts = Vec::with_capacity(count);
    for topic in named {
        for partition in &topic.partitions {
            let of = if origin.format.version >= 13 {
                node.identified(TopicId(topic.id), partition.partition)
            } else {
                node.named(&topic.name, partition.partition)
            };
            of.iter().for_each(|of| node.wanted(*of));
            parts.push(Part::new(of, topics.len(), partition, is_committed_only));
        }
        topics.push((topic.name, topic.id));
    }
    let pending = Box::new(Pending {
        origin,
        topics,
        found: Vec::new(),
        found_bytes: 0,
        reads: BTreeMap::new(),
        reads_bytes: 0,
        first: None,
        refused: BTreeSet::new(),
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        until: if has_room(desk, node, count) { now.mono + wait } else { now.mono },
        parked: Vec::new(),
        moved: BTreeSet::new(),
        parts,
    });
    let waiter = desk.waiter();
    look(desk, node, now, waiter, pending);
    Ok(())
}

/// Whether one more fetch, of so many parts, may wait. Their wire bytes are charged to the budget, but what they
/// become is ten times that.
fn has_room(desk: &Desk, node: &Node, parts: usize) -> bool {
    let bytes = (desk.parked.parts + parts).saturating_mul(FETCH_PARKED_PART_BYTES) as u64;
    desk.parked.fetches < FETCHES_PARKED_MAX && bytes <= node.config().memory_limit / FETCH_PARKED_SHARE
}

fn session_error(request: &FetchRequest) -> Option<ErrorCode> {
    // Epochs 0 (a new session) and -1 (none) are full fetches, whatever session they leave (KIP-227).
    let is_full = matches!(request.session_epoch, 0 | -1);
    (!is_full).then_some(ErrorCode::FetchSessionIdNotFound)
}

/// Reads all parts anew: answers, waits for the disk, or parks.
fn look(desk: &mut Desk, node: &mut Node, now: Now, waiter: Waiter, mut pending: Box<Pending>) {
    pending.found.clear();
    pending.found.reserve(pending.parts.len());
    (pending.found_bytes, pending.first) = (0, None);
    give_back_reads(node, &mut pending);
    let all = 0..pending.parts.len();
    look_at(desk, node, now, waiter, pending, all);
}

/// Reads these parts; what was found of the others still holds.
fn look_at(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    waiter: Waiter,
    mut pending: Box<Pending>,
    positions: impl Iterator<Item = usize> + Clone,
) {
    let unread = node.answer_bytes_max(pending.origin.caller.link, pending.origin.slot);
    positions.clone().for_each(|position| pending.forget(position));
    let mut left = pending.max_bytes.min(unread).saturating_sub(pending.found_bytes);
    let mut has_error = false;
    for position in positions.clone() {
        desk.work.part(0);
        let part = &pending.parts[position];
        let is_first = pending.found_bytes == 0 && pending.reads.is_empty();
        let read = match pending.refused.contains(&position) {
            true => Read::Done(part.unreadable()),
            false => fetch_partition::read(node, part, left, is_first),
        };
        match read {
            Read::Done(data) => {
                left = left.saturating_sub(record_bytes(&data));
                has_error |= !fetch_partition::may_come(node, part, &data);
                pending.find(position, data);
            }
            Read::Later(read) => {
                let asked = part.max_bytes.min(left);
                left -= asked;
                pending.reads_bytes +=
                    (asked + SEGMENT_READ_BYTES_MIN as usize).min(SEGMENT_READ_BYTES_MAX as usize);
                desk.reads.entry(read).or_default().push(waiter);
                pending.reads.insert(read, position);
                if position == pending.found.len() {
                    pending.found.push(None);
                }
            }
        }
    }
    if !pending.reads.is_empty() {
        node.charge(Purpose::Reads, pending.reads_bytes);
        desk.wait(now, waiter, now.mono + DISK_AWAITED_MAX, Waiting::Fetch(pending));
    } else if has_error
        || pending.found_bytes >= pending.min_bytes
        || pending.parts.is_empty()
        || pending.until <= now.mono
        || node.is_stopping()
    {
        answer(desk, node, waiter, pending);
    } else {
        park(desk, node, waiter, pending, positions);
    }
}

fn record_bytes(data: &PartitionData) -> usize {
    data.records.as_ref().map_or(0, |records| records.len())
}

/// Waits for news of the parts that were looked at; of the others it waits still.
fn park(
    desk: &mut Desk,
    node: &mut Node,
    waiter: Waiter,
    mut pending: Box<Pending>,
    mut positions: impl Iterator<Item = usize>,
) {
    pending.refused.clear();
    let (is_first_time, until) = (pending.parked.is_empty(), pending.until);
    if is_first_time {
        let parts = pending.parts.iter().enumerate();
        pending.parked = parts.filter_map(|(position, part)| Some((part.of.ok()?, position))).collect();
        pending.parked.sort_unstable();
        assert_eq!(pending.parked.len(), pending.parts.len(), "a part that is none ends its fetch at once");
        desk.parked.fetches += 1;
        desk.parked.parts += pending.parts.len();
        Desk::keeps(node, &mut pending.origin, pending.parts.len() * FETCH_PARKED_PART_BYTES);
    }
    if is_first_time || !node.is_planted(Mutant::LongPollNotWatchedAgain) {
        let of = |position: usize| pending.parts[position].of.ok();
        positions.by_ref().filter_map(of).for_each(|of| node.watch(of, waiter));
    }
    if !is_first_time {
        desk.put(waiter, until, Waiting::Fetch(pending));
    } else if node.is_planted(Mutant::LongPollForgotten) {
        desk.put(waiter, NEVER, Waiting::Fetch(pending));
    } else {
        desk.wait_until(waiter, until, Waiting::Fetch(pending));
    }
}

impl Pending {
    /// What was found of this part holds no longer.
    fn forget(&mut self, position: usize) {
        if let Some(data) = self.found.get_mut(position).and_then(Option::take) {
            self.found_bytes -= record_bytes(&data);
        }
    }

    /// This was found of a part of which nothing was, or of the next.
    #[inline]
    fn find(&mut self, position: usize, data: PartitionData) {
        let bytes = record_bytes(&data);
        self.found_bytes += bytes;
        if bytes > 0 {
            self.first = Some(self.first.map_or(position, |first| first.min(position)));
        }
        match self.found.get_mut(position) {
            Some(found) => *found = Some(data),
            None => self.found.push(Some(data)),
        }
        assert!(position < self.found.len(), "parts are looked at in order");
    }

    /// Whether the disk is asked for some of it.
    pub fn is_reading(&self) -> bool {
        !self.reads.is_empty()
    }

    /// Whether its time is up, and no read is awaited.
    #[cfg(feature = "simulation")]
    pub fn is_overdue(&self, now: Mono) -> bool {
        !self.parked.is_empty() && self.reads.is_empty() && self.until <= now
    }

    /// Whether it waits for any record, and one is there.
    #[cfg(feature = "simulation")]
    pub fn is_unwoken(&self, node: &Node) -> bool {
        let waits = !self.parked.is_empty() && self.reads.is_empty() && self.min_bytes <= 1;
        waits && self.parts.iter().any(|part| part.has_come(node))
    }
}

/// A partition has news: the fetch is looked at in its turn.
pub(in crate::api) fn has_news(desk: &mut Desk, waiter: Waiter, of: TopicPartition) {
    let Some(Waiting::Fetch(pending)) = desk.waiting_mut(waiter) else { return };
    let found = pending.parked.binary_search_by_key(&of, |(of, _)| *of);
    // With a read under way everything is looked at once that is done.
    if let Ok(at) = found
        && pending.reads.is_empty()
    {
        let is_first = pending.moved.is_empty();
        pending.moved.insert(pending.parked[at].1);
        if is_first {
            desk.woken.push_back(waiter);
        }
    }
}

/// Looks at those of its partitions that have news.
pub(in crate::api) fn look_again(desk: &mut Desk, node: &mut Node, now: Now, waiter: Waiter) {
    let Some(Waiting::Fetch(pending)) = desk.waiting_mut(waiter) else { return };
    let moved = std::mem::take(&mut pending.moved);
    if !moved.is_empty()
        && pending.reads.is_empty()
        && let Some(Waiting::Fetch(pending)) = desk.take_out(waiter)
    {
        look_at(desk, node, now, waiter, pending, moved.iter().copied());
    }
}

/// Its time is up, or the node stops: it is answered with what there is. What the disk has not given is refused.
pub(in crate::api) fn in_vain(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    waiter: Waiter,
    mut pending: Box<Pending>,
    vain: Vain,
) {
    pending.until = now.mono;
    if pending.reads.is_empty() && vain == Vain::TooLate {
        return look(desk, node, now, waiter, pending);
    }
    for (found, part) in pending.found.iter_mut().zip(&pending.parts) {
        found.get_or_insert_with(|| part.unreadable());
    }
    answer(desk, node, waiter, pending);
}

/// A cold read ended.
pub(in crate::api) fn read_done(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    waiter: Waiter,
    id: ReadId,
    result: Result<Chunk, ReadFault>,
) {
    let Some(Waiting::Fetch(pending)) = desk.waiting_mut(waiter) else { return };
    let Some(position) = pending.reads.remove(&id) else { return };
    let is_first = pending.first.is_none_or(|first| first > position);
    if result.is_err() {
        pending.refused.insert(position);
    }
    let data = fetch_partition::from_disk(node, &pending.parts[position], result, is_first);
    pending.find(position, data);
    if pending.reads.is_empty()
        && let Some(Waiting::Fetch(pending)) = desk.take_out(waiter)
    {
        let has_none = |data: &PartitionData| data.records.as_ref().is_none_or(|records| records.is_empty());
        let is_empty = pending.found.iter().flatten().all(has_none);
        let parts = pending.parts.iter().zip(pending.found.iter().flatten());
        // To read and find nothing: the log start has moved meanwhile, or what was found damaged is being mended.
        let may_come = pending.until > now.mono
            && parts.clone().all(|(part, data)| fetch_partition::may_come(node, part, data));
        // Or it was refused, and took the place of what another part may have.
        let may_be_elsewhere = pending.refused.len() < pending.parts.len() && !pending.refused.is_empty();
        if is_empty && (may_come || may_be_elsewhere) {
            look(desk, node, now, waiter, pending);
        } else {
            answer(desk, node, waiter, pending);
        }
    }
}

/// What was read becomes the answer's, or is let go.
fn give_back_reads(node: &mut Node, pending: &mut Pending) {
    node.give_back(Purpose::Reads, std::mem::take(&mut pending.reads_bytes));
}

fn answer(desk: &mut Desk, node: &mut Node, waiter: Waiter, mut pending: Box<Pending>) {
    give_back_reads(node, &mut pending);
    if !pending.parked.is_empty() {
        desk.parked.fetches -= 1;
        desk.parked.parts -= pending.parts.len();
        pending.parked.iter().for_each(|(of, _)| node.unwatch(*of, waiter));
    }
    let Pending { origin, topics, parts, found, .. } = *pending;
    let mut responses: Vec<FetchableTopicResponse> = topics
        .into_iter()
        .map(|(topic, topic_id)| FetchableTopicResponse { topic, topic_id, partitions: Vec::new() })
        .collect();
    let mut leaders = BTreeSet::new();
    for (part, data) in parts.iter().zip(found) {
        let mut data = data.expect("no read is under way when a fetch is answered");
        if data.error_code == ErrorCode::NotLeaderOrFollower.code()
            && let Some((term, leader)) = part.of.ok().and_then(|of| node.leader_of(of))
        {
            data.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: term.epoch() };
            leaders.insert(leader);
        }
        if let (Ok(of), Some(records)) =
            (part.of, data.records.as_ref().filter(|records| !records.is_empty()))
        {
            node.gave(of, records);
        }
        responses[part.topic].partitions.push(data);
    }
    let node_endpoints =
        addresses::of(node, origin.caller.link, &leaders).into_iter().map(|(id, address)| NodeEndpoint {
            node_id: id.0,
            host: address.host,
            port: i32::from(address.port),
            rack: None,
        });
    let response =
        FetchResponse { responses, node_endpoints: node_endpoints.collect(), ..Default::default() };
    desk.answer(node, origin, &response);
}
