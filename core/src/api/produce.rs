//! Produce: record batches to append. Each partition's batch stands by itself; the answer leaves when all of
//! them are refused or committed. acks=1 waits for the commit just as acks=all does: one promise fewer to keep
//! apart. acks=0 gets no answer at all; a refusal closes its connection, as in Kafka, or a client that sends to
//! the wrong node would never ask who leads now.

use super::{Desk, Origin, addresses};
use crate::error_code::ErrorCode;
use crate::ids::TopicId;
use crate::machine::Waiter;
use crate::node::Node;
use crate::now::{Mono, Now};
use crate::partition::{AppendRefusal, Settled, Terms};
use rust_mq_proto::kafka::api::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceResponse,
};
use std::time::Duration;

/// A request with batches that wait for their commit.
pub(super) struct Pending {
    origin: Origin,
    response: ProduceResponse,
    left: usize,
    until: Mono,
}

pub(super) fn handle(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, request: ProduceRequest) {
    let wants_answer = request.acks != 0;
    let terms = Terms {
        is_zstd_known: origin.version >= 7,
        is_transactional: request.transactional_id.is_some(),
        wants_all: request.acks == -1,
        is_space_left: node.takes_records(),
        in_sync: 0,
    };
    let is_legal = matches!(request.acks, -1..=1);
    let waiter = desk.waiter();
    let mut response = ProduceResponse::default();
    let mut part = 0;
    let mut left = 0;
    let mut refused = None;
    for topic in request.topic_data {
        let id = if origin.version >= 13 { Err(TopicId(topic.topic_id)) } else { Ok(topic.name.as_str()) };
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let index = data.index;
            let to = wants_answer.then_some((waiter, part));
            part += 1;
            let result = if is_legal { append(node, now, id, data, to, terms) } else { Err(illegal_acks()) };
            left += usize::from(result.is_ok());
            refused = refused.or(result.as_ref().err().map(|refusal| refusal.code));
            partitions.push(answer_part(index, result));
        }
        response.responses.push(TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses: partitions,
        });
    }
    if !wants_answer {
        return match refused {
            None => desk.silence(node, origin),
            Some(code) => {
                let reason = format!("a batch sent with acks=0 was refused: {code:?}");
                node.connections.reject(origin.link, reason, now.mono, &mut node.budget);
            }
        };
    }
    if left == 0 {
        return answer(desk, node, origin, response);
    }
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    desk.produces.insert(waiter, Pending { origin, response, left, until: now.mono + timeout });
    desk.sweep_soon(now);
}

fn append(
    node: &mut Node,
    now: Now,
    topic: Result<&str, TopicId>,
    data: PartitionProduceData,
    to: Option<(Waiter, u32)>,
    terms: Terms,
) -> Result<(), AppendRefusal> {
    let refuse = |code: ErrorCode| AppendRefusal { code, message: String::new() };
    let of = match topic {
        Ok(name) => node.named(name, data.index),
        Err(id) => node.identified(id, data.index),
    };
    let of = of.map_err(refuse)?;
    let Some(records) = data.records else { return Err(refuse(ErrorCode::InvalidRecord)) };
    node.append(now, of, to, records, terms)
}

fn illegal_acks() -> AppendRefusal {
    AppendRefusal { code: ErrorCode::InvalidRequiredAcks, message: "acks must be -1, 0 or 1".into() }
}

fn answer_part(index: i32, result: Result<(), AppendRefusal>) -> PartitionProduceResponse {
    let mut answer = PartitionProduceResponse { index, base_offset: -1, ..Default::default() };
    if let Err(refusal) = result {
        answer.error_code = refusal.code.code();
        answer.error_message = Some(refusal.message).filter(|message| !message.is_empty());
    }
    answer
}

/// A batch is committed, or its leader gone.
pub(super) fn settled(desk: &mut Desk, node: &mut Node, settled: Settled) {
    let Some(pending) = desk.produces.get_mut(&settled.waiter) else { return };
    let mut parts = pending.response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses);
    let part = parts.nth(settled.part as usize).expect("a part's number is its place in the request");
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
        && let Some(pending) = desk.produces.remove(&settled.waiter)
    {
        answer(desk, node, pending.origin, pending.response);
    }
}

/// Requests whose time is up are answered: what is not committed yet may still become so.
pub(super) fn sweep(desk: &mut Desk, node: &mut Node, now: Now) {
    let late: Vec<Waiter> = desk
        .produces
        .iter()
        .filter(|(_, pending)| pending.until <= now.mono)
        .map(|(waiter, _)| *waiter)
        .collect();
    answer_unsure(desk, node, late, ErrorCode::RequestTimedOut);
    if !desk.produces.is_empty() {
        desk.sweep_soon(now);
    }
}

/// The node stops without knowing what becomes of them.
pub(super) fn give_up(desk: &mut Desk, node: &mut Node) {
    let all = desk.produces.keys().copied().collect();
    answer_unsure(desk, node, all, ErrorCode::NotLeaderOrFollower);
}

/// What is not committed yet gets a code that promises nothing.
fn answer_unsure(desk: &mut Desk, node: &mut Node, waiters: Vec<Waiter>, code: ErrorCode) {
    for waiter in waiters {
        let Some(mut pending) = desk.produces.remove(&waiter) else { continue };
        for part in pending.response.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
            if part.error_code == 0 && part.base_offset == -1 {
                part.error_code = code.code();
            }
        }
        answer(desk, node, pending.origin, pending.response);
    }
}

fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, mut response: ProduceResponse) {
    if origin.version >= 10 {
        name_leaders(node, origin, &mut response);
    }
    desk.answer(node, origin, &response);
}

/// KIP-951: with "not leader" comes who is, so that the client need not ask.
fn name_leaders(node: &Node, origin: Origin, response: &mut ProduceResponse) {
    let mut named = Vec::new();
    for topic in &mut response.responses {
        for part in &mut topic.partition_responses {
            if part.error_code != ErrorCode::NotLeaderOrFollower.code() {
                continue;
            }
            let of = match origin.version {
                13.. => node.identified(TopicId(topic.topic_id), part.index),
                _ => node.named(&topic.name, part.index),
            };
            if let Some((term, leader)) = of.ok().and_then(|of| node.leader_of(of)) {
                part.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: term.epoch() };
                named.push(leader);
            }
        }
    }
    let endpoints = addresses::of(node, origin.link, &named).into_iter();
    response.node_endpoints = endpoints
        .map(|(id, address)| NodeEndpoint {
            node_id: id.0,
            host: address.host,
            port: i32::from(address.port),
            rack: None,
        })
        .collect();
}
