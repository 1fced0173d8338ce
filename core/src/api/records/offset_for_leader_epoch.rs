//! OffsetForLeaderEpoch: where an epoch ended (KIP-279, KIP-320).

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::ids::Term;
use crate::mutant::Mutant;
use crate::node::Node;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    origin: Origin,
    request: OffsetForLeaderEpochRequest,
) {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions =
            topic.partitions.iter().map(|partition| look_up(node, &topic.topic, partition)).collect();
        OffsetForLeaderTopicResult { topic: topic.topic, partitions }
    });
    let response = OffsetForLeaderEpochResponse { topics: topics.collect(), ..Default::default() };
    desk.answer(node, origin, &response);
}

fn look_up(node: &Node, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let answer = |error: ErrorCode| EpochEndOffset {
        error_code: error.code(),
        partition: asked.partition,
        ..Default::default()
    };
    let of = node.named(topic, asked.partition);
    if let Some(empty) = of.ok().and_then(|of| node.empty(of, asked.current_leader_epoch)) {
        // No epoch of it has any records.
        return answer(empty.err().unwrap_or_default());
    }
    let partition = match node.serving(of, asked.current_leader_epoch) {
        Ok((_, partition)) => partition,
        Err(error) => return answer(error),
    };
    let Ok(epoch) = u64::try_from(asked.leader_epoch) else { return answer(ErrorCode::None) };
    // An epoch newer than any of ours has no end here: -1, as in Kafka.
    if partition
        .epochs()
        .latest()
        .is_none_or(|latest| latest.0 < epoch && partition.replica().term().0 < epoch)
    {
        return answer(ErrorCode::None);
    }
    let epoch = epoch + u64::from(node.is_planted(Mutant::EpochEndsWithTheNext));
    match partition.epochs().end_of(Term(epoch), partition.log_start(), partition.high_watermark()) {
        Some((term, end)) => {
            EpochEndOffset { leader_epoch: term.epoch(), end_offset: end.0, ..answer(ErrorCode::None) }
        }
        None => answer(ErrorCode::None),
    }
}
