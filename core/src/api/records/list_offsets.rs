//! ListOffsets: the offset of a time, or of an end of the log.
//!
//! "Latest" must be current: it is answered after a majority has confirmed that this replica still leads
//! (ReadIndex), or a deposed leader would tell a consumer an end that others have long passed (claim C9). The
//! earliest offset and times need no such round: they may only be too old by what retention has moved since.

use super::allowance::Allowance;
use crate::api::Waiting;
use crate::api::desk::{Desk, Vain};
use crate::api::named::{self, Topic};
use crate::api::origin::Origin;
use crate::ids::{Offset, Term, TopicPartition};
use crate::limits::{DECOMPRESSED_BYTES_MAX, OFFSETS_AWAITED_MAX, TIME_LOOK_UP_BYTES};
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::{Mono, Now};
use crate::partition::Partition;
use crate::storage::{Chunk, Lookup, ReadFault, ReadId};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use rust_mq_proto::records::{BatchError, Batches, find_timestamp};
use std::collections::BTreeSet;
use std::time::Duration;
use std::vec::IntoIter;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;
const EARLIEST_UNTIERED: i64 = -6;

/// A request of which some parts wait, or are not looked at yet.
pub(in crate::api) struct Pending {
    origin: Origin,
    response: ListOffsetsResponse,
    /// Where the answers of those parts go that wait still.
    open: BTreeSet<(usize, usize)>,
    allowance: Allowance,
    /// Topics that are not begun, and what is left of the one that is.
    topics: IntoIter<Topic<ListOffsetsPartition>>,
    parts: IntoIter<ListOffsetsPartition>,
    /// What that one names more than once.
    repeated: BTreeSet<i32>,
    until: Mono,
}

/// One such part, which has a waiter of its own.
pub(in crate::api) struct Part {
    request: Waiter,
    at: (usize, usize),
    of: TopicPartition,
    wanted: Wanted,
}

/// What a part waits for.
#[derive(Clone, Copy)]
enum Wanted {
    Latest,
    Time(i64),
}

enum Found {
    Now(ListOffsetsPartitionResponse),
    Confirm(TopicPartition),
    Read(TopicPartition, ReadId, i64),
}

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: ListOffsetsRequest,
) {
    let topics = request.topics.into_iter();
    let topics = topics.map(|topic| Topic::new(topic.name, [0; 16], topic.partitions)).collect();
    let topics = named::once(topics, |asked: &ListOffsetsPartition| asked.partition_index);
    let count: usize = topics.iter().map(|topic| topic.partitions.len()).sum();
    let pending = Pending {
        origin,
        response: ListOffsetsResponse::default(),
        open: BTreeSet::new(),
        allowance: Allowance::of(count.saturating_mul(TIME_LOOK_UP_BYTES)),
        topics: topics.into_iter(),
        parts: Vec::new().into_iter(),
        repeated: BTreeSet::new(),
        until: now.mono + patience(request.timeout_ms),
    };
    let waiter = desk.waiter();
    go_on(desk, node, now, waiter, pending);
}

/// Looks up what is left of a request, or, if this turn has done its share, some of it.
pub(in crate::api) fn go_on(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    waiter: Waiter,
    mut pending: Pending,
) {
    while let Some(asked) = pending.next() {
        pending.look_up(desk, node, now, waiter, &asked);
        if !desk.work.is_left() && pending.has_more() {
            desk.unfinished.push_back(waiter);
            break;
        }
    }
    if pending.is_done() {
        desk.answer(node, pending.origin, &pending.response);
    } else {
        desk.wait(now, waiter, pending.until, Waiting::ListOffsets(Box::new(pending)));
    }
}

impl Pending {
    /// The next part; its topic is the last of the response's.
    fn next(&mut self) -> Option<ListOffsetsPartition> {
        loop {
            if let Some(asked) = self.parts.next() {
                return Some(asked);
            }
            let topic = self.topics.next()?;
            let partitions = Vec::with_capacity(topic.partitions.len());
            self.response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
            (self.parts, self.repeated) = (topic.partitions.into_iter(), topic.repeated);
        }
    }

    fn has_more(&self) -> bool {
        self.parts.len() > 0 || self.topics.len() > 0
    }

    fn is_done(&self) -> bool {
        self.open.is_empty() && !self.has_more()
    }

    fn look_up(
        &mut self,
        desk: &mut Desk,
        node: &mut Node,
        now: Now,
        waiter: Waiter,
        asked: &ListOffsetsPartition,
    ) {
        let topic_at = self.response.topics.len() - 1;
        let topic = &mut self.response.topics[topic_at];
        let part = nothing(asked.partition_index);
        if self.repeated.contains(&asked.partition_index) {
            return topic.partitions.push(failed(part, ErrorCode::InvalidRequest));
        }
        let before = node.decompressed_bytes();
        let found = look_up(node, self.origin, &topic.name, asked, &mut self.allowance);
        desk.work.part(node.decompressed_bytes().saturating_sub(before) as usize);
        let part_waiter = desk.waiter();
        let (of, wanted) = match found {
            Found::Now(answer) => return topic.partitions.push(answer),
            Found::Confirm(of) => {
                node.confirm(of, part_waiter);
                (of, Wanted::Latest)
            }
            Found::Read(of, read, time) => {
                desk.reads.entry(read).or_default().push(part_waiter);
                (of, Wanted::Time(time))
            }
        };
        let at = (topic_at, topic.partitions.len());
        topic.partitions.push(part);
        self.open.insert(at);
        let part = Part { request: waiter, at, of, wanted };
        desk.wait(now, part_waiter, self.until, Waiting::OffsetPart(part));
    }
}

/// How long a request may wait, which says so itself from version 10 on.
fn patience(timeout_ms: i32) -> Duration {
    let asked = u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis);
    asked.unwrap_or(OFFSETS_AWAITED_MAX).min(OFFSETS_AWAITED_MAX)
}

fn nothing(partition_index: i32) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse { partition_index, ..Default::default() }
}

fn failed(nothing: ListOffsetsPartitionResponse, code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse { error_code: code.code(), ..nothing }
}

/// What a client is told that shall ask again, for a reason that passes.
fn not_now(version: i16) -> ErrorCode {
    if version >= 5 { ErrorCode::OffsetNotAvailable } else { ErrorCode::LeaderNotAvailable }
}

fn look_up(
    node: &mut Node,
    origin: Origin,
    topic: &str,
    asked: &ListOffsetsPartition,
    allowance: &mut Allowance,
) -> Found {
    let error = |error: ErrorCode| Found::Now(failed(nothing(asked.partition_index), error));
    if is_unknown_time(asked.timestamp, origin.format.version) {
        return error(ErrorCode::UnsupportedVersion);
    }
    let of = node.named(topic, asked.partition_index);
    if of.is_ok_and(|of| node.is_taking_over(of)) {
        return error(not_now(origin.format.version));
    }
    if let Some(empty) = of.ok().and_then(|of| node.empty(of, asked.current_leader_epoch)) {
        return match empty {
            Ok(term) => Found::Now(of_nothing(asked, term)),
            Err(code) => error(code),
        };
    }
    let partition = match node.serving(of, asked.current_leader_epoch) {
        Ok((_, partition)) => partition,
        Err(code) => return error(code),
    };
    let (of, start) = (partition.of(), partition.log_start());
    let at = |offset: Offset, timestamp: i64| {
        Found::Now(answer(partition, asked.partition_index, offset, timestamp))
    };
    match asked.timestamp {
        LATEST if node.is_planted(Mutant::LatestUnconfirmed) => at(partition.high_watermark(), -1),
        LATEST => Found::Confirm(of),
        EARLIEST if node.is_planted(Mutant::EarliestIsTheEnd) => at(partition.high_watermark(), -1),
        EARLIEST | EARLIEST_LOCAL => at(partition.log_start(), -1),
        // There are no tiers.
        LATEST_TIERED | EARLIEST_UNTIERED => error(ErrorCode::None),
        MAX_TIMESTAMP => match node.newest_timestamp(of) {
            Some(time) => by_time(node, of, (time, start), origin, allowance),
            None => error(ErrorCode::None),
        },
        time => by_time(node, of, (time, start), origin, allowance),
    }
}

/// What is said of a partition that has no records, and never will: it begins and ends at 0.
fn of_nothing(asked: &ListOffsetsPartition, term: Term) -> ListOffsetsPartitionResponse {
    let nothing = nothing(asked.partition_index);
    match asked.timestamp {
        LATEST | EARLIEST | EARLIEST_LOCAL => {
            ListOffsetsPartitionResponse { offset: 0, leader_epoch: term.epoch(), ..nothing }
        }
        _ => nothing,
    }
}

/// Whether a negative time means nothing in that version of the request (Kafka answers UNSUPPORTED_VERSION).
fn is_unknown_time(time: i64, version: i16) -> bool {
    let known_from = match time {
        0.. | LATEST | EARLIEST => return false,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_UNTIERED => 11,
        _ => return true,
    };
    version < known_from
}

/// The first record of that time or later, from `from` on.
fn by_time(
    node: &mut Node,
    of: TopicPartition,
    (time, mut from): (i64, Offset),
    origin: Origin,
    allowance: &mut Allowance,
) -> Found {
    loop {
        let chunk = match node.find_time(of, from, time) {
            Lookup::Later(read) => return Found::Read(of, read, time),
            Lookup::Now(chunk) => chunk,
            Lookup::Refused(_) => {
                return Found::Now(failed(nothing(of.partition.0), ErrorCode::KafkaStorageError));
            }
        };
        match in_chunk(node, of, time, &chunk, origin, allowance) {
            Ok(answer) => return Found::Now(answer),
            Err(further) => from = further,
        }
    }
}

/// The first record of that time or later in what was read. Otherwise the offset from which to look further: what the
/// batch has of that time lies below the log start, which may have passed it while it was read.
fn in_chunk(
    node: &mut Node,
    of: TopicPartition,
    time: i64,
    chunk: &Chunk,
    origin: Origin,
    allowance: &mut Allowance,
) -> Result<ListOffsetsPartitionResponse, Offset> {
    let nothing = nothing(of.partition.0);
    let Some(partition) = node.partition(of) else {
        return Ok(failed(nothing, ErrorCode::NotLeaderOrFollower));
    };
    let (start, below) = (partition.log_start(), partition.high_watermark());
    let from = start.0;
    let mut further = None;
    let mut passes_over = node.is_planted(Mutant::TimeOffByABatch);
    for batch in chunk.batches.iter().flat_map(|bytes| Batches::new(bytes)) {
        let Ok(batch) = batch else { return Ok(failed(nothing, ErrorCode::KafkaStorageError)) };
        further = Some(Offset(batch.last_offset().saturating_add(1)));
        let most = allowance.batch_bytes_max();
        let before = node.decompressed_bytes();
        let found = find_timestamp(&batch, time, from, node.decompressor(), most);
        allowance.spend(node.decompressed_bytes().saturating_sub(before) as usize);
        match found {
            Ok(Some(_)) if passes_over => passes_over = false,
            Ok(Some((offset, timestamp))) if offset < below.0 => {
                let answer = |partition| answer(partition, of.partition.0, Offset(offset), timestamp);
                return Ok(node.partition(of).map_or(nothing, answer));
            }
            Ok(_) => {}
            // The look-ups before this one have used up what one request may have.
            Err(BatchError::Bomb { max }) if max < DECOMPRESSED_BYTES_MAX => {
                return Ok(failed(nothing, not_now(origin.format.version)));
            }
            Err(_) => return Ok(failed(nothing, ErrorCode::KafkaStorageError)),
        }
    }
    further.map_or(Ok(nothing), |further| Err(further.max(start)))
}

fn answer(partition: &Partition, index: i32, offset: Offset, timestamp: i64) -> ListOffsetsPartitionResponse {
    let epoch = partition.epochs().epoch_at(offset);
    ListOffsetsPartitionResponse {
        partition_index: index,
        error_code: 0,
        timestamp,
        offset: offset.0,
        leader_epoch: epoch.map_or(-1, |term| term.epoch()),
    }
}

/// This replica still leads, or does not.
pub(in crate::api) fn confirmed(desk: &mut Desk, node: &mut Node, waiter: Waiter, is_leading: bool) {
    let Some(Waiting::OffsetPart(part)) = desk.take_out(waiter) else { return };
    let found = match node.partition(part.of) {
        Some(partition) if is_leading => {
            answer(partition, part.of.partition.0, partition.high_watermark(), -1)
        }
        _ => failed(nothing(part.of.partition.0), ErrorCode::NotLeaderOrFollower),
    };
    put(desk, node, part, found);
}

/// A cold read ended.
pub(in crate::api) fn read_done(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    waiter: Waiter,
    result: Result<Chunk, ReadFault>,
) {
    let Some(Waiting::OffsetPart(part)) = desk.take_out(waiter) else { return };
    let (of, Wanted::Time(time)) = (part.of, part.wanted) else { return };
    let Some(Waiting::ListOffsets(pending)) = desk.waiting_mut(part.request) else { return };
    let (origin, allowance) = (pending.origin, &mut pending.allowance);
    let before = node.decompressed_bytes();
    let found = match result {
        Ok(chunk) => in_chunk(node, of, time, &chunk, origin, allowance),
        // The log start has passed the segment.
        Err(ReadFault::OutOfRange) => Err(Offset(0)),
        Err(_) => Ok(failed(nothing(of.partition.0), ErrorCode::KafkaStorageError)),
    };
    let found = match found {
        Ok(found) => Found::Now(found),
        Err(from) => by_time(node, of, (time, from), origin, allowance),
    };
    desk.work.part(node.decompressed_bytes().saturating_sub(before) as usize);
    match found {
        Found::Now(found) => put(desk, node, part, found),
        Found::Read(of, read, time) => {
            desk.reads.entry(read).or_default().push(waiter);
            let until = now.mono + OFFSETS_AWAITED_MAX;
            desk.wait(
                now,
                waiter,
                until,
                Waiting::OffsetPart(Part { of, wanted: Wanted::Time(time), ..part }),
            );
        }
        Found::Confirm(_) => unreachable!("a time is not confirmed"),
    }
}

/// What is not known yet is asked again, of another node if this one stops.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, mut pending: Pending, vain: Vain) {
    let code = match vain {
        Vain::TooLate => ErrorCode::RequestTimedOut,
        Vain::GivenUp => ErrorCode::NotLeaderOrFollower,
    };
    while let Some(asked) = pending.next() {
        let topic = pending.response.topics.last_mut().expect("a part is of a topic");
        topic.partitions.push(failed(nothing(asked.partition_index), code));
    }
    for (topic, at) in std::mem::take(&mut pending.open) {
        let part = &mut pending.response.topics[topic].partitions[at];
        *part = failed(nothing(part.partition_index), code);
    }
    desk.answer(node, pending.origin, &pending.response);
}

fn put(desk: &mut Desk, node: &mut Node, part: Part, found: ListOffsetsPartitionResponse) {
    let Some(Waiting::ListOffsets(pending)) = desk.waiting_mut(part.request) else { return };
    let (topic, at) = part.at;
    pending.response.topics[topic].partitions[at] = found;
    pending.open.remove(&part.at);
    if pending.is_done()
        && let Some(Waiting::ListOffsets(pending)) = desk.take_out(part.request)
    {
        desk.answer(node, pending.origin, &pending.response);
    }
}
