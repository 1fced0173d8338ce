//! Topics and the cluster.

use super::Misuse;
use super::error::{self, Asked};
use crate::grpc::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    CreatedTopic, DeleteTopicsRequest, DeleteTopicsResponse, DeletedTopic, DescribeClusterRequest,
    DescribeClusterResponse, Error, GetTopicMetadataRequest, GetTopicMetadataResponse, NewTopic, Node,
    Partition, Topic, WidenedTopic, WiderTopic,
};
use crate::kafka::api::{create_partitions, create_topics, delete_topics, describe_cluster, metadata};
use bytes::Bytes;

/// The version of Metadata that is spoken: the last one is the same to us.
pub const METADATA: i16 = 12;
/// The version of CreateTopics that is spoken.
pub const CREATE_TOPICS: i16 = 7;
/// The version of CreatePartitions that is spoken.
pub const CREATE_PARTITIONS: i16 = 3;
/// The version of DeleteTopics that is spoken.
pub const DELETE_TOPICS: i16 = 6;
/// The version of DescribeCluster that is spoken.
pub const DESCRIBE_CLUSTER: i16 = 2;

/// Asks which topics there are: those, or all.
pub fn to_metadata(request: GetTopicMetadataRequest) -> metadata::MetadataRequest {
    let is_all = request.topics.is_empty();
    let named = request.topics.into_iter();
    let named =
        named.map(|name| metadata::MetadataRequestTopic { name: Some(name), ..Default::default() }).collect();
    metadata::MetadataRequest {
        topics: (!is_all).then_some(named),
        allow_auto_topic_creation: request.allow_auto_topic_creation,
        ..Default::default()
    }
}

/// Which topics there are, as `asked`.
///
/// # Errors
/// It was refused, or the one topic was.
pub fn known(
    asked: &metadata::MetadataRequest,
    answer: metadata::MetadataResponse,
) -> Result<GetTopicMetadataResponse, Error> {
    error::if_any(Asked::Read, answer.error_code, None)?;
    let topics: Vec<Topic> = answer.topics.into_iter().map(topic).collect();
    if asked.topics.is_some() {
        error::if_alone(topics.iter().map(|topic| topic.error.as_ref()))?;
    }
    Ok(GetTopicMetadataResponse {
        cluster_id: answer.cluster_id.unwrap_or_default(),
        controller_id: answer.controller_id,
        nodes: answer.brokers.into_iter().map(broker).collect(),
        topics,
    })
}

/// Asks who leads the partitions of a topic, without making it.
pub fn to_leader(topic: &str) -> metadata::MetadataRequest {
    to_metadata(GetTopicMetadataRequest { topics: vec![topic.to_owned()], allow_auto_topic_creation: false })
}

/// Where the leader of a partition of that topic is, if anybody knows.
pub fn leader(answer: metadata::MetadataResponse, partition: i32) -> Option<Node> {
    let partitions = &answer.topics.first()?.partitions;
    let leader = partitions.iter().find(|known| known.partition_index == partition)?.leader_id;
    answer.brokers.into_iter().find(|node| node.node_id == leader).map(broker)
}

/// Makes topics, which may take `timeout_ms`.
///
/// # Errors
/// Replicas without number.
pub fn to_create(
    request: CreateTopicsRequest,
    timeout_ms: i32,
) -> Result<create_topics::CreateTopicsRequest, Misuse> {
    Ok(create_topics::CreateTopicsRequest {
        topics: request.topics.into_iter().map(new_topic).collect::<Result<_, _>>()?,
        timeout_ms,
        validate_only: request.validate_only,
    })
}

/// What was made.
pub fn created(answer: create_topics::CreateTopicsResponse) -> CreateTopicsResponse {
    let topics = answer.topics.into_iter().map(|made| CreatedTopic {
        name: made.name,
        topic_id: id(made.topic_id),
        partitions: made.num_partitions,
        replication_factor: i32::from(made.replication_factor),
        error: error::error(Asked::Change, made.error_code, made.error_message),
    });
    CreateTopicsResponse { topics: topics.collect() }
}

/// Makes topics wider, which may take `timeout_ms`.
pub fn to_widen(
    request: CreatePartitionsRequest,
    timeout_ms: i32,
) -> create_partitions::CreatePartitionsRequest {
    create_partitions::CreatePartitionsRequest {
        topics: request.topics.into_iter().map(wider).collect(),
        timeout_ms,
        validate_only: request.validate_only,
    }
}

/// What is wider.
pub fn widened(answer: create_partitions::CreatePartitionsResponse) -> CreatePartitionsResponse {
    let topics = answer.results.into_iter().map(|widened| WidenedTopic {
        name: widened.name,
        error: error::error(Asked::Change, widened.error_code, widened.error_message),
    });
    CreatePartitionsResponse { topics: topics.collect() }
}

/// Deletes topics, by name and by id, which may take `timeout_ms`.
///
/// # Errors
/// What is no id.
pub fn to_delete(
    request: DeleteTopicsRequest,
    timeout_ms: i32,
) -> Result<delete_topics::DeleteTopicsRequest, Misuse> {
    let by_name = request.topics.into_iter();
    let by_name =
        by_name.map(|name| Ok(delete_topics::DeleteTopicState { name: Some(name), topic_id: [0; 16] }));
    let by_id = request.topic_ids.iter().map(|id| {
        let topic_id = <[u8; 16]>::try_from(&id[..]).map_err(|_| Misuse::NoTopicId)?;
        Ok(delete_topics::DeleteTopicState { name: None, topic_id })
    });
    Ok(delete_topics::DeleteTopicsRequest {
        topics: by_name.chain(by_id).collect::<Result<_, Misuse>>()?,
        timeout_ms,
        ..Default::default()
    })
}

/// What is gone.
pub fn deleted(answer: delete_topics::DeleteTopicsResponse) -> DeleteTopicsResponse {
    let topics = answer.responses.into_iter().map(|gone| DeletedTopic {
        name: gone.name.unwrap_or_default(),
        topic_id: id(gone.topic_id),
        error: error::error(Asked::Change, gone.error_code, gone.error_message),
    });
    DeleteTopicsResponse { topics: topics.collect() }
}

/// Asks which nodes there are.
pub fn to_describe(_: DescribeClusterRequest) -> describe_cluster::DescribeClusterRequest {
    describe_cluster::DescribeClusterRequest { include_fenced_brokers: true, ..Default::default() }
}

/// Which nodes there are.
///
/// # Errors
/// It was refused.
pub fn described(
    answer: describe_cluster::DescribeClusterResponse,
) -> Result<DescribeClusterResponse, Error> {
    error::if_any(Asked::Read, answer.error_code, answer.error_message)?;
    let (gone, there): (Vec<_>, Vec<_>) = answer.brokers.into_iter().partition(|node| node.is_fenced);
    Ok(DescribeClusterResponse {
        cluster_id: answer.cluster_id,
        controller_id: answer.controller_id,
        nodes: there.into_iter().map(member).collect(),
        gone_nodes: gone.into_iter().map(member).collect(),
    })
}

/// Where the controller is, if anybody knows.
pub fn controller(answer: describe_cluster::DescribeClusterResponse) -> Option<Node> {
    let controller = answer.controller_id;
    answer.brokers.into_iter().find(|node| node.broker_id == controller).map(member)
}

fn new_topic(topic: NewTopic) -> Result<create_topics::CreatableTopic, Misuse> {
    let replication_factor = i16::try_from(topic.replication_factor.unwrap_or(-1))
        .map_err(|_| Misuse::TooLarge("a replication factor"))?;
    let configs = topic.configs.into_iter();
    let assignments = topic.assignments.into_iter();
    Ok(create_topics::CreatableTopic {
        name: topic.name,
        num_partitions: topic.partitions.unwrap_or(-1),
        replication_factor,
        assignments: assignments
            .map(|assigned| create_topics::CreatableReplicaAssignment {
                partition_index: assigned.partition,
                broker_ids: assigned.node_ids,
            })
            .collect(),
        configs: configs
            .map(|(name, value)| create_topics::CreatableTopicConfig { name, value: Some(value) })
            .collect(),
    })
}

fn wider(topic: WiderTopic) -> create_partitions::CreatePartitionsTopic {
    let assignments = topic.assignments.into_iter();
    let assignments: Vec<_> = assignments
        .map(|assigned| create_partitions::CreatePartitionsAssignment { broker_ids: assigned.node_ids })
        .collect();
    create_partitions::CreatePartitionsTopic {
        name: topic.name,
        count: topic.partitions,
        assignments: (!assignments.is_empty()).then_some(assignments),
    }
}

fn topic(known: metadata::MetadataResponseTopic) -> Topic {
    let partitions = known.partitions.into_iter();
    Topic {
        name: known.name.unwrap_or_default(),
        topic_id: id(known.topic_id),
        is_internal: known.is_internal,
        partitions: partitions
            .map(|partition| Partition {
                partition: partition.partition_index,
                leader_id: partition.leader_id,
                leader_epoch: partition.leader_epoch,
                replica_ids: partition.replica_nodes,
                in_sync_ids: partition.isr_nodes,
                offline_ids: partition.offline_replicas,
                error: error::error(Asked::Read, partition.error_code, None),
            })
            .collect(),
        error: error::error(Asked::Read, known.error_code, None),
    }
}

fn broker(node: metadata::MetadataResponseBroker) -> Node {
    let rack = node.rack.unwrap_or_default();
    Node { node_id: node.node_id, host: node.host, port: node.port, rack }
}

fn member(node: describe_cluster::DescribeClusterBroker) -> Node {
    let rack = node.rack.unwrap_or_default();
    Node { node_id: node.broker_id, host: node.host, port: node.port, rack }
}

/// An id; zero is none.
fn id(id: [u8; 16]) -> Bytes {
    if id == [0; 16] { Bytes::new() } else { Bytes::copy_from_slice(&id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(error_code: i16) -> metadata::MetadataResponse {
        let part =
            metadata::MetadataResponsePartition { partition_index: 1, leader_id: 7, ..Default::default() };
        let topic = metadata::MetadataResponseTopic {
            error_code,
            name: Some("t".into()),
            partitions: vec![part],
            ..Default::default()
        };
        let node = |node_id| metadata::MetadataResponseBroker {
            node_id,
            host: format!("host-{node_id}"),
            ..Default::default()
        };
        metadata::MetadataResponse {
            topics: vec![topic],
            brokers: vec![node(6), node(7)],
            ..Default::default()
        }
    }

    #[test]
    fn one_topic_that_is_not_there_fails_the_call_and_among_all_it_does_not() {
        let named = GetTopicMetadataRequest { topics: vec!["t".into()], ..Default::default() };
        let error = known(&to_metadata(named), answer(3)).expect_err("it was named");
        assert_eq!(error.name, "UNKNOWN_TOPIC_OR_PARTITION");
        let all = known(&to_metadata(GetTopicMetadataRequest::default()), answer(3)).expect("all");
        assert_eq!(all.topics[0].error, Some(error));
    }

    #[test]
    fn a_leader_has_an_address_if_its_node_is_known() {
        assert_eq!(leader(answer(0), 1).map(|node| node.host), Some("host-7".into()));
        assert_eq!(leader(answer(0), 0), None);
        let without = metadata::MetadataResponse { brokers: Vec::new(), ..answer(0) };
        assert_eq!(leader(without, 1), None);
    }

    #[test]
    fn an_id_of_another_length_is_none() {
        let request = |id: &'static [u8]| DeleteTopicsRequest {
            topic_ids: vec![Bytes::from_static(id)],
            ..Default::default()
        };
        assert_eq!(to_delete(request(b"short"), 9).err(), Some(Misuse::NoTopicId));
        let asked = to_delete(request(b"0123456789abcdef"), 9).expect("an id");
        assert_eq!((asked.topics[0].topic_id, asked.timeout_ms), (*b"0123456789abcdef", 9));
    }
}
