//! DescribeProducers (KIP-664): the idempotent producers that the leader of a partition remembers.

use crate::api::desk::Desk;
use crate::api::named::{self, Topic};
use crate::api::origin::Origin;
use crate::node::Node;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};

pub(super) fn handle(desk: &mut Desk, node: &mut Node, origin: Origin, request: DescribeProducersRequest) {
    let topics = request.topics.into_iter();
    let topics = topics.map(|topic| Topic::new(topic.name, [0; 16], topic.partition_indexes)).collect();
    let topic = |topic: Topic<i32>| TopicResponse {
        partitions: topic.partitions.iter().map(|number| describe(node, &topic.name, *number)).collect(),
        name: topic.name,
    };
    let topics = named::once(topics, |number| *number).into_iter().map(topic).collect();
    desk.answer(node, origin, &DescribeProducersResponse { topics, ..Default::default() });
}

fn describe(node: &Node, topic: &str, partition_index: i32) -> PartitionResponse {
    const NO_EPOCH: i32 = -1;
    let (code, active_producers) = match node.serving(node.named(topic, partition_index), NO_EPOCH) {
        Ok((_, partition)) => {
            let state = |id: i64, producer: crate::partition::Remembered| ProducerState {
                producer_id: id,
                producer_epoch: producer.epoch.into(),
                last_sequence: producer.last_sequence,
                last_timestamp: producer.last_seen.0,
                coordinator_epoch: -1,
                ..Default::default()
            };
            (ErrorCode::None, partition.remembered().map(|(id, producer)| state(id.0, producer)).collect())
        }
        Err(code) => (code, Vec::new()),
    };
    PartitionResponse { partition_index, error_code: code.code(), error_message: None, active_producers }
}
