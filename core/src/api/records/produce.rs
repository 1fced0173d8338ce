//! Produce: record batches to append. Each partition's batch stands by itself; the answer leaves when all of
//! them are refused or committed. acks=1 waits for the commit just as acks=all does: one promise fewer to keep
//! apart. acks=0 gets no answer at all; a refusal closes its connection, as in Kafka, or a client that sends to
//! the wrong node would never ask who leads now.

use super::allowance::Allowance;
use super::delete_records;
use crate::api::Waiting;
use crate::api::addresses;
use crate::api::desk::{Desk, Vain};
use crate::api::named::{self, Topic};
use crate::api::origin::Origin;
use crate::ids::{LinkId, TopicId};
use crate::limits::BATCH_BYTES_MAX_CEILING;
use crate::machine::Waiter;
use crate::metadata::is_of_machine;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::{Mono, Now};
use crate::partition::{AppendRefusal, Conditions, Settled};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use std::collections::BTreeSet;
use std::time::Duration;
use std::vec::IntoIter;

/// A request with batches that wait for their commit.
pub(in crate::api) struct Pending {
    origin: Origin,
    answers: Answers,
    left: usize,
}

/// What is known of a request's batches, by part: each partition that it names is one.
struct Answers {
    /// Each topic, and of how many parts it is.
    topics: Vec<(String, [u8; 16], usize)>,
    parts: Vec<PartitionProduceResponse>,
}

/// A request of which some batches are appended, and others are not yet. Its link's next request waits for it.
pub(in crate::api) struct Appending {
    pending: Pending,
    /// Topics that are not begun, and what is left of the one that is.
    topics: IntoIter<Topic<PartitionProduceData>>,
    parts: IntoIter<PartitionProduceData>,
    conditions: Conditions,
    allowance: Allowance,
    is_legal: bool,
    wants_answer: bool,
    /// The first refusal.
    refused: Option<ErrorCode>,
    until: Mono,
}

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: ProduceRequest,
) {
    let conditions = Conditions {
        is_zstd_known: origin.format.version >= 7,
        is_transactional: request.transactional_id.is_some(),
        wants_all: request.acks == -1,
        is_space_left: node.takes_records(),
        decompressed_bytes_max: 0,
        buffer_bytes: origin.buffer_bytes,
        in_sync: 0,
    };
    let topics = request.topic_data.into_iter();
    let topics = topics.map(|topic| Topic::new(topic.name, topic.topic_id, topic.partition_data)).collect();
    let named = named::once(topics, |data: &PartitionProduceData| data.index);
    let carried = named.iter().flat_map(|topic| &topic.partitions);
    let carried = carried.map(|data| data.records.as_ref().map_or(0, |records| records.len())).sum();
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let appending = Appending {
        pending: Pending { origin, answers: Answers { topics: Vec::new(), parts: Vec::new() }, left: 0 },
        topics: named.into_iter(),
        parts: Vec::new().into_iter(),
        conditions,
        allowance: Allowance::of(carried),
        is_legal: matches!(request.acks, -1..=1),
        wants_answer: request.acks != 0,
        refused: None,
        until: now.mono + timeout,
    };
    let waiter = desk.waiter();
    go_on(desk, node, now, waiter, appending);
}

/// Appends what is left of a request, or, if this turn has done its share, some of it.
pub(in crate::api) fn go_on(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    waiter: Waiter,
    mut appending: Appending,
) {
    while let Some(data) = appending.next() {
        appending.append(desk, node, now, waiter, data);
        if !desk.work.is_left() && appending.has_more() {
            if !node.is_planted(Mutant::UnfinishedOvertaken) {
                desk.hold(node, appending.link());
            }
            desk.unfinished.push_back(waiter);
            let until = appending.until;
            return desk.wait(now, waiter, until, Waiting::Appending(Box::new(appending)));
        }
    }
    let Appending { pending, wants_answer, refused, until, .. } = appending;
    match refused {
        _ if wants_answer && pending.left == 0 => answer(desk, node, pending.origin, pending.answers),
        _ if wants_answer => desk.wait(now, waiter, until, Waiting::Produce(pending)),
        None => desk.silence(node, pending.origin),
        Some(code) => {
            let reason = format!("a batch sent with acks=0 was refused: {code:?}");
            desk.reject(node, now, pending.origin, reason);
        }
    }
}

impl Appending {
    /// Where it came from.
    pub fn link(&self) -> LinkId {
        self.pending.origin.caller.link
    }

    /// The next part; its topic is the last of the answers'.
    fn next(&mut self) -> Option<PartitionProduceData> {
        loop {
            if let Some(data) = self.parts.next() {
                return Some(data);
            }
            let topic = self.topics.next()?;
            let topics = &mut self.pending.answers.topics;
            topics.push((topic.name, topic.id, topic.partitions.len()));
            self.parts = topic.partitions.into_iter();
        }
    }

    fn has_more(&self) -> bool {
        self.parts.len() > 0 || self.topics.len() > 0
    }

    fn append(
        &mut self,
        desk: &mut Desk,
        node: &mut Node,
        now: Now,
        waiter: Waiter,
        data: PartitionProduceData,
    ) {
        let Pending { origin, answers, left } = &mut self.pending;
        let (name, id, _) = answers.topics.last().expect("a part is of a topic");
        let topic = if origin.format.version >= 13 { Err(TopicId(*id)) } else { Ok(name.as_str()) };
        let index = data.index;
        let is_refused = |part: &&PartitionProduceResponse| part.error_code != 0;
        let shifts = node.is_planted(Mutant::PartsShift);
        let shift = if shifts { answers.parts.iter().filter(is_refused).count() } else { 0 };
        let part = u32::try_from(answers.parts.len() - shift).expect("a request has fewer parts than bytes");
        let to = self.wants_answer.then_some((waiter, part));
        self.conditions.decompressed_bytes_max = self.allowance.batch_bytes_max();
        let carried = data.records.as_ref().map_or(0, |records| records.len());
        let before = node.decompressed_bytes();
        let result = match self.is_legal {
            true => append(node, now, topic, data, to, self.conditions),
            false => Err(illegal_acks()),
        };
        let decompressed = node.decompressed_bytes().saturating_sub(before) as usize;
        self.allowance.spend(decompressed);
        desk.work.part(carried.min(BATCH_BYTES_MAX_CEILING) + decompressed);
        *left += usize::from(result.is_ok());
        self.refused = self.refused.or(result.as_ref().err().map(|refusal| refusal.code));
        answers.parts.push(answer_part(index, result));
    }

    /// Nothing more of it is appended.
    fn refuse_rest(&mut self, code: ErrorCode) {
        while let Some(data) = self.next() {
            let refusal = AppendRefusal::new(code, "");
            self.pending.answers.parts.push(answer_part(data.index, Err(refusal)));
        }
    }
}

fn append(
    node: &mut Node,
    now: Now,
    topic: Result<&str, TopicId>,
    data: PartitionProduceData,
    to: Option<(Waiter, u32)>,
    conditions: Conditions,
) -> Result<(), AppendRefusal> {
    let refuse = |code: ErrorCode| AppendRefusal::new(code, "");
    let of = match topic {
        Ok(name) => node.named(name, data.index),
        Err(id) => node.identified(id, data.index),
    };
    let of = of.map_err(refuse)?;
    if is_of_machine(of.topic) {
        return Err(refuse(ErrorCode::InvalidTopicException));
    }
    let Some(records) = data.records else { return Err(refuse(ErrorCode::InvalidRecord)) };
    node.append(now, of, to, records, conditions)
}

fn illegal_acks() -> AppendRefusal {
    AppendRefusal::new(ErrorCode::InvalidRequiredAcks, "acks must be -1, 0 or 1")
}

fn answer_part(index: i32, result: Result<(), AppendRefusal>) -> PartitionProduceResponse {
    let mut answer = PartitionProduceResponse { index, base_offset: -1, ..Default::default() };
    if let Err(refusal) = result {
        answer.error_code = refusal.code.code();
        answer.error_message = Some(refusal.message).filter(|message| !message.is_empty());
        let error = |(batch_index, words)| BatchIndexAndErrorMessage {
            batch_index,
            batch_index_error_message: Some(words),
        };
        answer.record_errors = refusal.records.into_iter().map(error).collect();
    }
    answer
}

/// What was proposed is committed, or its leader gone. It may be that the start of a log waited for it.
pub(in crate::api) fn settled(desk: &mut Desk, node: &mut Node, settled: Settled) {
    let (pending, is_all_appended) = match desk.waiting_mut(settled.waiter) {
        Some(Waiting::Produce(pending)) => (pending, true),
        Some(Waiting::Appending(appending)) => (&mut appending.pending, false),
        _ => return delete_records::settled(desk, node, settled),
    };
    let part = pending.answers.parts.get_mut(settled.part as usize);
    let part = part.expect("a part's number is its place in the request");
    match settled.result {
        Ok(appended) => {
            part.base_offset = appended.base.0;
            part.log_append_time_ms = appended.append_time;
            part.log_start_offset = appended.log_start.0;
        }
        Err(code) => part.error_code = code.code(),
    }
    pending.left -= 1;
    if pending.left == 0
        && is_all_appended
        && let Some(Waiting::Produce(pending)) = desk.take_out(settled.waiter)
    {
        answer(desk, node, pending.origin, pending.answers);
    }
}

/// What is not appended yet is not any more.
pub(in crate::api) fn broken_off(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    mut appending: Appending,
    vain: Vain,
) {
    desk.release(node, appending.link());
    appending.refuse_rest(unsure(vain));
    match appending.wants_answer {
        true => in_vain(desk, node, appending.pending, vain),
        false => desk.reject(node, now, appending.pending.origin, "its batches came too late".into()),
    }
}

fn unsure(vain: Vain) -> ErrorCode {
    match vain {
        Vain::TooLate => ErrorCode::RequestTimedOut,
        Vain::GivenUp => ErrorCode::NotLeaderOrFollower,
    }
}

/// What is not committed yet gets a code that promises nothing: it may still become so.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, mut pending: Pending, vain: Vain) {
    let code = unsure(vain);
    let is_open = |part: &&mut PartitionProduceResponse| part.error_code == 0 && part.base_offset == -1;
    pending.answers.parts.iter_mut().filter(is_open).for_each(|part| part.error_code = code.code());
    answer(desk, node, pending.origin, pending.answers);
}

fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, answers: Answers) {
    let mut parts = answers.parts.into_iter();
    let responses = answers.topics.into_iter().map(|(name, topic_id, count)| TopicProduceResponse {
        name,
        topic_id,
        partition_responses: parts.by_ref().take(count).collect(),
    });
    let mut response = ProduceResponse { responses: responses.collect(), ..Default::default() };
    if origin.format.version >= 10 {
        name_leaders(node, origin, &mut response);
    }
    desk.answer(node, origin, &response);
}

/// KIP-951: with "not leader" comes who is, so that the client need not ask.
fn name_leaders(node: &Node, origin: Origin, response: &mut ProduceResponse) {
    let mut leaders = BTreeSet::new();
    for topic in &mut response.responses {
        for part in &mut topic.partition_responses {
            if part.error_code != ErrorCode::NotLeaderOrFollower.code() {
                continue;
            }
            let of = match origin.format.version {
                13.. => node.identified(TopicId(topic.topic_id), part.index),
                _ => node.named(&topic.name, part.index),
            };
            if let Some((term, leader)) = of.ok().and_then(|of| node.leader_of(of)) {
                part.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: term.epoch() };
                leaders.insert(leader);
            }
        }
    }
    let endpoints = addresses::of(node, origin.caller.link, &leaders).into_iter();
    response.node_endpoints = endpoints
        .map(|(id, address)| NodeEndpoint {
            node_id: id.0,
            host: address.host,
            port: i32::from(address.port),
            rack: None,
        })
        .collect();
}
