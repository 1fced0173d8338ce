//! Produce: record batches to append. Each partition's batch stands by itself; the answer leaves when all of
//! them are refused or committed. acks=1 waits for the commit just as acks=all does: one promise fewer to keep
//! apart. acks=0 gets no answer at all; a refusal closes its connection, as in Kafka, or a client that sends to
//! the wrong node would never ask who leads now.

use super::Waiting;
use super::addresses;
use super::allowance::Allowance;
use super::desk::{Desk, Vain};
use super::named::{self, Topic};
use super::origin::Origin;
use crate::error_code::ErrorCode;
use crate::ids::TopicId;
use crate::machine::Waiter;
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::Now;
use crate::partition::{AppendRefusal, Conditions, Settled};
use rust_mq_proto::kafka::api::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData,
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// A request with batches that wait for their commit.
pub(super) struct Pending {
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

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: ProduceRequest) {
    let wants_answer = request.acks != 0;
    let mut conditions = Conditions {
        is_zstd_known: origin.format.version >= 7,
        is_transactional: request.transactional_id.is_some(),
        wants_all: request.acks == -1,
        is_space_left: node.takes_records(),
        decompressed_bytes_max: 0,
        buffer_bytes: origin.buffer_bytes,
        in_sync: 0,
    };
    let is_legal = matches!(request.acks, -1..=1);
    let waiter = desk.waiter();
    let topics = request.topic_data.into_iter();
    let topics = topics.map(|topic| Topic::new(topic.name, topic.topic_id, topic.partition_data)).collect();
    let named = named::once(topics, |data: &PartitionProduceData| data.index);
    let carried = named.iter().flat_map(|topic| &topic.partitions);
    let carried = carried.map(|data| data.records.as_ref().map_or(0, |records| records.len())).sum();
    let mut allowance = Allowance::of(carried);
    let mut answers = Answers { topics: Vec::new(), parts: Vec::new() };
    let mut left = 0;
    let mut refused = None;
    for topic in named {
        let id = if origin.format.version >= 13 { Err(TopicId(topic.id)) } else { Ok(topic.name.as_str()) };
        let count = topic.partitions.len();
        for data in topic.partitions {
            let index = data.index;
            let is_refused = |part: &&PartitionProduceResponse| part.error_code != 0;
            let shifts = node.is_planted(Mutant::PartsShift);
            let shift = if shifts { answers.parts.iter().filter(is_refused).count() } else { 0 };
            let part =
                u32::try_from(answers.parts.len() - shift).expect("a request has fewer parts than bytes");
            let to = wants_answer.then_some((waiter, part));
            conditions.decompressed_bytes_max = allowance.batch_bytes_max();
            let before = node.decompressed_bytes();
            let result =
                if is_legal { append(node, now, id, data, to, conditions) } else { Err(illegal_acks()) };
            allowance.spend(node.decompressed_bytes().saturating_sub(before) as usize);
            left += usize::from(result.is_ok());
            refused = refused.or(result.as_ref().err().map(|refusal| refusal.code));
            answers.parts.push(answer_part(index, result));
        }
        answers.topics.push((topic.name, topic.id, count));
    }
    if !wants_answer {
        return match refused {
            None => desk.silence(node, origin),
            Some(code) => {
                let reason = format!("a batch sent with acks=0 was refused: {code:?}");
                desk.reject(node, now, origin, reason);
            }
        };
    }
    if left == 0 {
        return answer(desk, node, origin, answers);
    }
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    desk.wait(now, waiter, now.mono + timeout, Waiting::Produce(Pending { origin, answers, left }));
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

/// A batch is committed, or its leader gone.
pub(super) fn settled(desk: &mut Desk, node: &mut Node, settled: Settled) {
    let Some(Waiting::Produce(pending)) = desk.waiting_mut(settled.waiter) else { return };
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
        && let Some(Waiting::Produce(pending)) = desk.take_out(settled.waiter)
    {
        answer(desk, node, pending.origin, pending.answers);
    }
}

/// What is not committed yet gets a code that promises nothing: it may still become so.
pub(super) fn in_vain(desk: &mut Desk, node: &mut Node, mut pending: Pending, vain: Vain) {
    let code = match vain {
        Vain::TooLate => ErrorCode::RequestTimedOut,
        Vain::GivenUp => ErrorCode::NotLeaderOrFollower,
    };
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
