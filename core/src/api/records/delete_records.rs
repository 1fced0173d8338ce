//! DeleteRecords (KIP-107): the leader proposes that a log begins later; the answer leaves when that is committed, and so
//! every replica's, whoever leads next. Segments that lie below altogether go from the disk, as with retention.
//!
//! Of a partition that is named twice the last entry counts, as in Kafka (`KafkaApis.handleDeleteRecordsRequest`).

use crate::api::Waiting;
use crate::api::desk::{Desk, Vain, decision_patience};
use crate::api::named::{self, Topic};
use crate::api::origin::Origin;
use crate::ids::Offset;
use crate::metadata::is_of_machine;
use crate::node::Node;
use crate::now::Now;
use crate::partition::Settled;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};

/// What a partition says that has no low watermark to tell.
const NO_LOW_WATERMARK: i64 = -1;

/// A request that waits until logs begin later.
pub(in crate::api) struct Pending {
    origin: Origin,
    /// Each topic with how many of the parts are its.
    topics: Vec<(String, usize)>,
    parts: Vec<DeleteRecordsPartitionResult>,
    /// Parts that wait.
    waiting: Vec<bool>,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: DeleteRecordsRequest,
) {
    let topics = request.topics.into_iter().map(|topic| Topic::new(topic.name, [0; 16], topic.partitions));
    let named = named::once(topics.collect(), |asked: &DeleteRecordsPartition| asked.partition_index);
    let waiter = desk.waiter();
    let mut pending = Pending { origin, topics: Vec::new(), parts: Vec::new(), waiting: Vec::new() };
    for topic in named {
        for asked in &topic.partitions {
            let part = u32::try_from(pending.parts.len()).unwrap_or(u32::MAX);
            let begun = node
                .named(&topic.name, asked.partition_index)
                .and_then(|of| match is_of_machine(of.topic) {
                    true => Err(ErrorCode::InvalidTopicException),
                    false => Ok(of),
                })
                .and_then(|of| node.delete_records(now, of, (waiter, part), asked.offset));
            let (code, start) = match begun {
                Ok(start) => (ErrorCode::None, start),
                Err(code) => (code, Some(Offset(NO_LOW_WATERMARK))),
            };
            pending.waiting.push(start.is_none());
            pending.parts.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark: start.map_or(NO_LOW_WATERMARK, |start| start.0),
                error_code: code.code(),
            });
        }
        pending.topics.push((topic.name, topic.partitions.len()));
    }
    if pending.waiting.contains(&true) {
        let until = now.mono + decision_patience(request.timeout_ms);
        desk.wait(now, waiter, until, Waiting::DeleteRecords(Box::new(pending)));
    } else {
        answer(desk, node, pending);
    }
}

/// A log begins later now, or its leader is gone.
pub(in crate::api) fn settled(desk: &mut Desk, node: &mut Node, settled: Settled) {
    let Some(Waiting::DeleteRecords(pending)) = desk.waiting_mut(settled.waiter) else { return };
    let at = settled.part as usize;
    let part = pending.parts.get_mut(at).expect("a part's number is its place in the request");
    match settled.result {
        Ok(appended) => part.low_watermark = appended.log_start.0,
        Err(code) => part.error_code = code.code(),
    }
    pending.waiting[at] = false;
    if !pending.waiting.contains(&true)
        && let Some(Waiting::DeleteRecords(pending)) = desk.take_out(settled.waiter)
    {
        answer(desk, node, *pending);
    }
}

/// Nobody has told what became of those that wait still.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, mut pending: Pending, vain: Vain) {
    let code = match vain {
        Vain::TooLate => ErrorCode::RequestTimedOut,
        Vain::GivenUp => ErrorCode::NotLeaderOrFollower,
    };
    let waiting = pending.parts.iter_mut().zip(&pending.waiting).filter(|(_, waits)| **waits);
    waiting.for_each(|(part, _)| part.error_code = code.code());
    answer(desk, node, pending);
}

fn answer(desk: &mut Desk, node: &mut Node, pending: Pending) {
    let mut parts = pending.parts.into_iter();
    let topic = |(name, count): (String, usize)| DeleteRecordsTopicResult {
        name,
        partitions: parts.by_ref().take(count).collect(),
    };
    let topics = pending.topics.into_iter().map(topic).collect();
    desk.answer(node, pending.origin, &DeleteRecordsResponse { topics, ..Default::default() });
}
