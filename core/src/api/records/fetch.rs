//! Fetch: record batches from an offset on. A fetch that finds less than it wants is parked on its partitions and
//! looked at again, where there are news, until its time is up (long polling).
//!
//! A fetch of a session (`fetch_sessions`) is about those of its parts that are lively when it comes, or become so while it is
//! parked.
//!
//! - Invariant: a parked fetch has a deadline of at most `limits::FETCH_WAIT_MAX`.
//! - Invariant: `desk.parked` counts all fetches that were parked and are not answered, and their parts.
//! - Invariant: a partition knows a fetch that waits, and none that is answered.
//! - Invariant: reads are charged from when they are asked for until the fetch is answered, or looks anew.
//! - Invariant: what was found of a part holds until its partition has news, or the fetch looks anew at all.
//! - Invariant: an answer's first batch is whole, whatever the limits say (progress); with it they hold.

use super::fetch_answer;
use super::fetch_partition::{self, Brought, Part, Read};
use crate::api::Waiting;
use crate::api::desk::{Desk, NEVER, Vain};
use crate::api::fetch_session::{Found, PartName};
use crate::api::fetch_sessions::Following;
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
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchResponse, PartitionData};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A cold read, and what of the answer is its own.
#[derive(Clone, Copy)]
struct Asked {
    /// Whose part it is.
    position: usize,
    /// How many bytes it has: none of two that end in any order takes the other's.
    max_bytes: usize,
    /// Whether its first batch passes that, as nothing of the answer was there when it was asked for.
    is_first: bool,
}

/// A fetch and what it has found so far.
pub(in crate::api) struct Pending {
    origin: Origin,
    following: Following,
    is_committed_only: bool,
    topics: Vec<(String, [u8; 16])>,
    parts: Vec<Part>,
    /// By part; `None` while its cold read is under way.
    found: Vec<Option<PartitionData>>,
    /// Bytes of records in that.
    found_bytes: usize,
    /// The cold reads under way.
    reads: BTreeMap<ReadId, Asked>,
    /// What is charged for them until the fetch is answered.
    reads_bytes: usize,
    /// Parts that the disk has just refused: another batch may be the answer's first.
    refused: BTreeSet<usize>,
    /// Whether the disk brought batches without records: what follows them is looked for.
    has_passed: bool,
    min_bytes: usize,
    max_bytes: usize,
    until: Mono,
    is_parked: bool,
    /// Whether the disk was asked for some of it: meanwhile nobody watched the rest.
    has_read: bool,
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
    mut request: FetchRequest,
) -> Result<(), String> {
    let from = (origin.caller.link, origin.format.version);
    let following = match desk.sessions.begin(node, now.mono, from, &mut request) {
        Ok(following) => following,
        Err(error) => {
            let response = FetchResponse { error_code: error.code(), ..Default::default() };
            desk.answer(node, origin, &response);
            return Ok(());
        }
    };
    let topics: Vec<Topic<FetchPartition>> = if let Following::Of { id, .. } = following {
        let part = |((name, topic, _), asked): (&PartName, &FetchPartition)| {
            Topic::new(name.clone(), *topic, vec![asked.clone()])
        };
        desk.sessions.lively(id).map(part).collect()
    } else {
        let topics = request.topics.into_iter();
        let topics = topics.map(|topic| Topic::new(topic.topic, topic.topic_id, topic.partitions)).collect();
        named::once(topics, |asked: &FetchPartition| asked.partition)
    };
    let count = topics.iter().map(|topic| topic.partitions.len()).sum();
    if count > PARTITIONS_MAX {
        return Err(format!("Fetch names {count} partitions; there are at most {PARTITIONS_MAX}"));
    }
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0)).min(FETCH_WAIT_MAX);
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(FETCH_BYTES_MAX);
    let mut pending = Box::new(Pending {
        origin,
        following,
        is_committed_only: request.isolation_level == 1,
        topics: Vec::with_capacity(topics.len()),
        parts: Vec::with_capacity(count),
        found: Vec::new(),
        found_bytes: 0,
        reads: BTreeMap::new(),
        reads_bytes: 0,
        refused: BTreeSet::new(),
        has_passed: false,
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        until: if has_room(desk, node, count) { now.mono + wait } else { now.mono },
        is_parked: false,
        has_read: false,
        parked: Vec::new(),
        moved: BTreeSet::new(),
    });
    for topic in topics {
        for partition in &topic.partitions {
            pending.add(node, (&topic.name, topic.id), partition);
        }
        pending.topics.push((topic.name, topic.id));
    }
    let waiter = desk.waiter();
    if let Following::Of { id, .. } = pending.following {
        desk.sessions.waits(id, waiter);
    }
    look(desk, node, now, waiter, pending);
    Ok(())
}

/// Whether one more fetch, of so many parts, may wait. Their wire bytes are charged to the budget, but what they
/// become is ten times that.
fn has_room(desk: &Desk, node: &Node, parts: usize) -> bool {
    let bytes = (desk.parked.parts + parts).saturating_mul(FETCH_PARKED_PART_BYTES) as u64;
    desk.parked.fetches < FETCHES_PARKED_MAX && bytes <= node.config().memory_limit / FETCH_PARKED_SHARE
}

/// Reads all parts anew: answers, waits for the disk, or parks.
fn look(desk: &mut Desk, node: &mut Node, now: Now, waiter: Waiter, mut pending: Box<Pending>) {
    pending.found.clear();
    pending.found.reserve(pending.parts.len());
    pending.found_bytes = 0;
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
        let is_first = pending.found_bytes == 0 && pending.reads.is_empty();
        let part = &mut pending.parts[position];
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
                pending.reads.insert(read, Asked { position, max_bytes: asked, is_first });
                if position == pending.found.len() {
                    pending.found.push(None);
                }
            }
        }
    }
    if !pending.reads.is_empty() {
        pending.has_read = true;
        node.charge(Purpose::Reads, pending.reads_bytes);
        desk.wait(now, waiter, now.mono + DISK_AWAITED_MAX, Waiting::Fetch(pending));
    } else if has_error
        || pending.found_bytes >= pending.min_bytes
        || (pending.parts.is_empty() && !matches!(pending.following, Following::Of { .. }))
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
    let (is_first_time, until) = (!pending.is_parked, pending.until);
    if is_first_time {
        pending.is_parked = true;
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
    /// A part more, of the topic that is the next of `topics`.
    fn add(&mut self, node: &mut Node, (name, id): (&str, [u8; 16]), asked: &FetchPartition) {
        let of = if self.origin.format.version >= 13 {
            node.identified(TopicId(id), asked.partition)
        } else {
            node.named(name, asked.partition)
        };
        of.iter().for_each(|of| node.wanted(*of));
        self.parts.push(Part::new(of, self.topics.len(), asked, self.is_committed_only));
    }

    /// A part of its session is lively, and so one of its own.
    fn join(&mut self, node: &mut Node, turn: u64, (name, asked): (PartName, FetchPartition)) {
        let Following::Of { turns, .. } = &mut self.following else { return };
        turns.push(turn);
        self.add(node, (&name.0, name.1), &asked);
        self.topics.push((name.0, name.1));
        let position = self.parts.len() - 1;
        if !self.is_parked {
            return;
        }
        if let Ok(of) = self.parts[position].of
            && let Err(place) = self.parked.binary_search_by_key(&of, |(of, _)| *of)
        {
            self.parked.insert(place, (of, position));
        }
        if self.reads.is_empty() {
            self.moved.insert(position);
        }
    }

    /// What was found of this part holds no longer.
    fn forget(&mut self, position: usize) {
        if let Some(data) = self.found.get_mut(position).and_then(Option::take) {
            self.found_bytes -= record_bytes(&data);
        }
    }

    /// This was found of a part of which nothing was, or of the next.
    #[inline]
    fn find(&mut self, position: usize, data: PartitionData) {
        self.found_bytes += record_bytes(&data);
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
        self.is_parked && self.reads.is_empty() && self.until <= now
    }

    /// Whether it waits for any record, and one is there.
    #[cfg(feature = "simulation")]
    pub fn is_unwoken(&self, node: &Node) -> bool {
        let waits = self.is_parked && self.reads.is_empty() && self.min_bytes <= 1;
        waits && self.parts.iter().any(|part| part.has_come(node))
    }
}

/// A partition has news: the fetch is looked at in its turn.
pub(in crate::api) fn has_news(desk: &mut Desk, node: &mut Node, waiter: Waiter, of: TopicPartition) {
    if let Some((fetch, turn)) = desk.sessions.has_news(node, waiter, of) {
        return join(desk, node, fetch, turn);
    }
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

/// A fetch that waits is about one more part of its session.
fn join(desk: &mut Desk, node: &mut Node, waiter: Waiter, turn: u64) {
    let Some(Waiting::Fetch(pending)) = desk.waiting(waiter) else { return };
    let Following::Of { id, .. } = pending.following else { return };
    let part = desk.sessions.part(id, turn).map(|(name, asked)| (name.clone(), asked.clone()));
    let Some(part) = part else { return };
    let Some(Waiting::Fetch(pending)) = desk.waiting_mut(waiter) else { return };
    let had_moved = !pending.moved.is_empty();
    pending.join(node, turn, part);
    let (is_parked, has_moved) = (pending.is_parked, !pending.moved.is_empty());
    if is_parked {
        pending.origin.held_bytes += FETCH_PARKED_PART_BYTES;
        desk.parked.parts += 1;
        node.charge(Purpose::Decoded, FETCH_PARKED_PART_BYTES);
    }
    if has_moved && !had_moved {
        desk.woken.push_back(waiter);
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
    let Some(Asked { position, max_bytes, is_first }) = pending.reads.remove(&id) else { return };
    if result.is_err() {
        pending.refused.insert(position);
    }
    let part = &mut pending.parts[position];
    let is_planted = node.is_planted(Mutant::ReadsPassTheirShare);
    let max_bytes = if is_planted { part.max_bytes } else { max_bytes };
    let data = match fetch_partition::from_disk(node, part, result, is_first, max_bytes) {
        Brought::Data(data) => data,
        Brought::Nothing(next) => {
            part.pass(next);
            pending.has_passed = true;
            part.nothing_yet()
        }
    };
    pending.find(position, data);
    if pending.reads.is_empty()
        && let Some(Waiting::Fetch(mut pending)) = desk.take_out(waiter)
    {
        if std::mem::take(&mut pending.has_passed) {
            return look(desk, node, now, waiter, pending);
        }
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
    if pending.is_parked {
        desk.parked.fetches -= 1;
        desk.parked.parts -= pending.parts.len();
        pending.parked.iter().for_each(|(of, _)| node.unwatch(*of, waiter));
    }
    let Pending { origin, following, topics, parts, found, moved, has_read, .. } = *pending;
    let found: Vec<PartitionData> =
        found.into_iter().map(|data| data.expect("no read is under way when a fetch is answered")).collect();
    let whose = (origin.caller.link, desk.waiter());
    let saw = |desk: &mut Desk, node: &mut Node| {
        let saw = parts.iter().zip(&found).enumerate().map(|(position, (part, data))| Found {
            name: (topics[part.topic].0.clone(), topics[part.topic].1, data.partition_index),
            of: part.of,
            asked: part.asked(),
            data,
            is_fresh: !has_read && !moved.contains(&position),
        });
        desk.sessions.answered(node, whose, &following, &saw.collect::<Vec<_>>())
    };
    let response = match following {
        Following::Nothing => fetch_answer::whole(node, origin, topics, &parts, found),
        _ => match saw(desk, node) {
            Ok((id, None)) => {
                FetchResponse { session_id: id, ..fetch_answer::whole(node, origin, topics, &parts, found) }
            }
            Ok((id, Some(told))) => {
                let news = fetch_answer::some(node, origin, topics, &parts, found, &told);
                FetchResponse { session_id: id, ..news }
            }
            Err(error) => FetchResponse { error_code: error.code(), ..Default::default() },
        },
    };
    desk.answer(node, origin, &response);
}
