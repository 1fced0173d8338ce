//! DescribeLogDirs: what the partitions on this node take on its disk. There is one directory, and no replica moves
//! between two.

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::metadata::Metadata;
use crate::node::Node;
use rust_mq_proto::kafka::api::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn handle(desk: &mut Desk, node: &mut Node, origin: Origin, request: DescribeLogDirsRequest) {
    let topics = node.image().map_or_else(Vec::new, |image| taken(node, image, request.topics));
    let usable_bytes = node.storage().free_bytes().and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1);
    let result = DescribeLogDirsResult {
        log_dir: node.config().data_dir.clone(),
        topics,
        usable_bytes,
        ..Default::default()
    };
    desk.answer(node, origin, &DescribeLogDirsResponse { results: vec![result], ..Default::default() });
}

/// What of those that are asked for, or all, is here, by name.
fn taken(
    node: &Node,
    image: &Metadata,
    asked: Option<Vec<DescribableLogDirTopic>>,
) -> Vec<DescribeLogDirsTopic> {
    let asked = asked.map(|topics| {
        let pairs = topics.into_iter().flat_map(|topic| {
            let name = topic.topic;
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        });
        pairs.collect::<BTreeSet<(String, i32)>>()
    });
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for (id, partition) in node.residents().partitions() {
        let of = partition.of();
        let Some(topic) = image.topic(of.topic) else { continue };
        let place = (topic.name.clone(), of.partition.0);
        if asked.as_ref().is_some_and(|asked| !asked.contains(&place)) {
            continue;
        }
        let bytes = node.storage().extent(id).map_or(0, |extent| extent.bytes);
        topics.entry(&topic.name).or_default().push(DescribeLogDirsPartition {
            partition_index: of.partition.0,
            partition_size: i64::try_from(bytes).unwrap_or(i64::MAX),
            // What a replica knows to be committed it has.
            offset_lag: 0,
            is_future_key: false,
        });
    }
    let topic = |(name, mut partitions): (&str, Vec<DescribeLogDirsPartition>)| {
        partitions.sort_unstable_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name: name.to_owned(), partitions }
    };
    topics.into_iter().map(topic).collect()
}
