//! OffsetDelete: offsets of partitions that nobody in the group reads are forgotten.

use super::{Pending as Waits, ask, patience};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

/// A request that waits.
pub(in crate::api) struct Pending {
    origin: Origin,
    /// The answer, and where in it the coordinator's answers go.
    topics: Vec<OffsetDeleteResponseTopic>,
    asked: Vec<(usize, usize)>,
}

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: OffsetDeleteRequest,
) {
    let mut pending = Pending { origin, topics: Vec::new(), asked: Vec::new() };
    let mut partitions = Vec::new();
    for (at, topic) in request.topics.into_iter().enumerate() {
        let mut answers = Vec::with_capacity(topic.partitions.len());
        for (number, asked) in topic.partitions.iter().enumerate() {
            let partition_index = asked.partition_index;
            let of = node.named(&topic.name, partition_index);
            let error_code = of.err().map_or(0, ErrorCode::code);
            if let Ok(of) = of {
                pending.asked.push((at, number));
                partitions.push((topic.name.clone(), of.topic, partition_index));
            }
            answers.push(OffsetDeleteResponsePartition { partition_index, error_code });
        }
        pending.topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions: answers });
    }
    match node.coordinates_members(&request.group_id) {
        Ok(at) => {
            let delete = Request::DeleteOffsets { group: request.group_id, partitions };
            ask(desk, node, now, (at, patience(now)), delete, Waits::DeleteOffsets(pending));
        }
        Err(code) => answer(desk, node, pending, Reply::OffsetsDeleted(Err(code))),
    }
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, mut pending: Pending, reply: Reply) {
    let codes = match reply {
        Reply::OffsetsDeleted(codes) => codes,
        _ => Err(ErrorCode::NotCoordinator),
    };
    let response = match codes {
        Err(code) => OffsetDeleteResponse { error_code: code.code(), ..Default::default() },
        Ok(codes) => {
            for ((topic, at), code) in pending.asked.iter().zip(codes) {
                pending.topics[*topic].partitions[*at].error_code = code.code();
            }
            OffsetDeleteResponse { topics: pending.topics, ..Default::default() }
        }
    };
    desk.answer(node, pending.origin, &response);
}
