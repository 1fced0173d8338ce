//! The answer to a Fetch, of what was found: by topic, with whom to ask instead where this node does not lead.

use super::fetch_partition::Part;
use crate::api::addresses;
use crate::api::origin::Origin;
use crate::ids::NodeId;
use crate::node::Node;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::fetch::{
    FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was found, of each part in order.
pub(super) fn whole(
    node: &mut Node,
    origin: Origin,
    topics: Vec<(String, [u8; 16])>,
    parts: &[Part],
    found: Vec<PartitionData>,
) -> FetchResponse {
    of(node, origin, topics, parts.iter().zip(found))
}

/// What of it is to be told. Each part may have named its topic for itself.
pub(super) fn some(
    node: &mut Node,
    origin: Origin,
    topics: Vec<(String, [u8; 16])>,
    parts: &[Part],
    found: Vec<PartitionData>,
    are_told: &[bool],
) -> FetchResponse {
    let told = parts.iter().zip(found).zip(are_told).filter(|(_, is_told)| **is_told).map(|(told, _)| told);
    let response = of(node, origin, topics, told);
    FetchResponse { responses: by_topic(response.responses), ..response }
}

fn of<'a>(
    node: &mut Node,
    origin: Origin,
    topics: Vec<(String, [u8; 16])>,
    told: impl Iterator<Item = (&'a Part, PartitionData)>,
) -> FetchResponse {
    let topics = topics.into_iter();
    let mut responses: Vec<FetchableTopicResponse> = topics
        .map(|(topic, topic_id)| FetchableTopicResponse { topic, topic_id, partitions: Vec::new() })
        .collect();
    let mut leaders: BTreeSet<NodeId> = BTreeSet::new();
    for (part, mut data) in told {
        if data.error_code == ErrorCode::NotLeaderOrFollower.code()
            && let Some((term, leader)) = part.of.ok().and_then(|of| node.leader_of(of))
        {
            data.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: term.epoch() };
            leaders.insert(leader);
        }
        if let (Ok(of), Some(records)) =
            (part.of, data.records.as_ref().filter(|records| !records.is_empty()))
        {
            node.gave(of, records);
        }
        responses[part.topic].partitions.push(data);
    }
    let node_endpoints =
        addresses::of(node, origin.caller.link, &leaders).into_iter().map(|(id, address)| NodeEndpoint {
            node_id: id.0,
            host: address.host,
            port: i32::from(address.port),
            rack: None,
        });
    FetchResponse { responses, node_endpoints: node_endpoints.collect(), ..Default::default() }
}

/// Each topic once, and none of which nothing is told.
fn by_topic(told: Vec<FetchableTopicResponse>) -> Vec<FetchableTopicResponse> {
    let mut places: BTreeMap<(String, [u8; 16]), usize> = BTreeMap::new();
    let mut topics: Vec<FetchableTopicResponse> = Vec::new();
    for one in told.into_iter().filter(|one| !one.partitions.is_empty()) {
        match places.get(&(one.topic.clone(), one.topic_id)) {
            Some(place) => topics[*place].partitions.extend(one.partitions),
            None => {
                places.insert((one.topic.clone(), one.topic_id), topics.len());
                topics.push(one);
            }
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_was_named_part_by_part_is_told_once() {
        let part = |partition_index| PartitionData { partition_index, ..Default::default() };
        let topic = |name: &str, partitions| FetchableTopicResponse {
            topic: name.into(),
            partitions,
            ..Default::default()
        };
        let told = vec![
            topic("b", vec![part(1)]),
            topic("a", vec![part(0)]),
            topic("b", vec![]),
            topic("b", vec![part(0)]),
        ];
        let expected = vec![topic("b", vec![part(1), part(0)]), topic("a", vec![part(0)])];
        assert_eq!(by_topic(told), expected);
    }
}
