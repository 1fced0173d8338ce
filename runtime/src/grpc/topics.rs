//! Topics and the cluster, in gRPC's words and in Kafka's.

use super::call::Call;
use super::refusal::{self, Asked};
use crate::limits::GRPC_DECISION_WAIT;
use rust_mq_proto::grpc::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    CreatedTopic, DeleteTopicsRequest, DeleteTopicsResponse, DeletedTopic, DescribeClusterRequest,
    DescribeClusterResponse, Error, GetTopicMetadataRequest, GetTopicMetadataResponse, NewTopic, Node,
    Partition, Topic, WidenedTopic, WiderTopic,
};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::{
    create_partitions, create_topics, delete_topics, describe_cluster, metadata,
};
use std::sync::Arc;
use std::time::Duration;
use tonic::Status;

const METADATA: i16 = 12;
const CREATE_TOPICS: i16 = 7;
const CREATE_PARTITIONS: i16 = 3;
const DELETE_TOPICS: i16 = 6;
const DESCRIBE_CLUSTER: i16 = 1;

/// Which topics there are.
pub(super) async fn get_metadata(
    call: Arc<Call>,
    request: GetTopicMetadataRequest,
) -> Result<GetTopicMetadataResponse, Status> {
    let is_all = request.topics.is_empty();
    let named = request.topics.into_iter();
    let named =
        named.map(|name| metadata::MetadataRequestTopic { name: Some(name), ..Default::default() }).collect();
    let asked = metadata::MetadataRequest {
        topics: (!is_all).then_some(named),
        allow_auto_topic_creation: request.allow_auto_topic_creation,
        ..Default::default()
    };
    let answer = call.ask(METADATA, &asked).await?;
    refusal::if_any(Asked::Read, answer.error_code, None)?;
    let topics: Vec<Topic> = answer.topics.into_iter().map(topic).collect();
    if !is_all {
        refusal::if_alone(topics.iter().map(|topic| topic.error.as_ref()))?;
    }
    let nodes = answer.brokers.into_iter();
    Ok(GetTopicMetadataResponse {
        cluster_id: answer.cluster_id.unwrap_or_default(),
        controller_id: answer.controller_id,
        nodes: nodes.map(|node| self::node(node.node_id, node.host, node.port, node.rack)).collect(),
        topics,
    })
}

/// Makes topics.
pub(super) async fn create(
    call: Arc<Call>,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, Status> {
    let topics = request.topics.into_iter().map(new_topic).collect::<Result<Vec<_>, _>>()?;
    let asked = create_topics::CreateTopicsRequest {
        topics,
        timeout_ms: wait(&call, request.timeout_ms),
        validate_only: request.validate_only,
    };
    let answer = call.ask(CREATE_TOPICS, &asked).await?;
    let mut topics = Vec::with_capacity(answer.topics.len());
    for made in answer.topics {
        let mut error = refusal::error(Asked::Change, made.error_code, made.error_message);
        send_to_controller(&call, &mut error).await;
        topics.push(CreatedTopic {
            name: made.name,
            topic_id: id(made.topic_id),
            partitions: made.num_partitions,
            replication_factor: i32::from(made.replication_factor),
            error,
        });
    }
    refusal::if_alone(topics.iter().map(|topic| topic.error.as_ref()))?;
    Ok(CreateTopicsResponse { topics })
}

/// Makes topics wider.
pub(super) async fn create_partitions(
    call: Arc<Call>,
    request: CreatePartitionsRequest,
) -> Result<CreatePartitionsResponse, Status> {
    let asked = create_partitions::CreatePartitionsRequest {
        topics: request.topics.into_iter().map(wider).collect(),
        timeout_ms: wait(&call, request.timeout_ms),
        validate_only: request.validate_only,
    };
    let answer = call.ask(CREATE_PARTITIONS, &asked).await?;
    let mut topics = Vec::with_capacity(answer.results.len());
    for widened in answer.results {
        let mut error = refusal::error(Asked::Change, widened.error_code, widened.error_message);
        send_to_controller(&call, &mut error).await;
        topics.push(WidenedTopic { name: widened.name, error });
    }
    refusal::if_alone(topics.iter().map(|topic| topic.error.as_ref()))?;
    Ok(CreatePartitionsResponse { topics })
}

/// Deletes topics.
pub(super) async fn delete(
    call: Arc<Call>,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, Status> {
    let by_name = request.topics.into_iter();
    let by_name =
        by_name.map(|name| Ok(delete_topics::DeleteTopicState { name: Some(name), topic_id: [0; 16] }));
    let by_id = request.topic_ids.iter().map(|id| {
        let topic_id = <[u8; 16]>::try_from(&id[..]);
        let topic_id = topic_id.map_err(|_| Status::invalid_argument("a topic's id has 16 bytes"))?;
        Ok(delete_topics::DeleteTopicState { name: None, topic_id })
    });
    let asked = delete_topics::DeleteTopicsRequest {
        topics: by_name.chain(by_id).collect::<Result<_, Status>>()?,
        timeout_ms: wait(&call, request.timeout_ms),
        ..Default::default()
    };
    let answer = call.ask(DELETE_TOPICS, &asked).await?;
    let mut topics = Vec::with_capacity(answer.responses.len());
    for gone in answer.responses {
        let mut error = refusal::error(Asked::Change, gone.error_code, gone.error_message);
        send_to_controller(&call, &mut error).await;
        topics.push(DeletedTopic { name: gone.name.unwrap_or_default(), topic_id: id(gone.topic_id), error });
    }
    refusal::if_alone(topics.iter().map(|topic| topic.error.as_ref()))?;
    Ok(DeleteTopicsResponse { topics })
}

/// Which nodes there are.
pub(super) async fn describe_cluster(
    call: Arc<Call>,
    _: DescribeClusterRequest,
) -> Result<DescribeClusterResponse, Status> {
    let asked = describe_cluster::DescribeClusterRequest::default();
    let answer = call.ask(DESCRIBE_CLUSTER, &asked).await?;
    refusal::if_any(Asked::Read, answer.error_code, answer.error_message)?;
    let nodes = answer.brokers.into_iter();
    Ok(DescribeClusterResponse {
        cluster_id: answer.cluster_id,
        controller_id: answer.controller_id,
        nodes: nodes.map(|node| self::node(node.broker_id, node.host, node.port, node.rack)).collect(),
    })
}

fn new_topic(topic: NewTopic) -> Result<create_topics::CreatableTopic, Status> {
    let replication_factor = i16::try_from(topic.replication_factor.unwrap_or(-1))
        .map_err(|_| Status::invalid_argument("a replication factor is at most 32767"))?;
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
                error: refusal::error(Asked::Read, partition.error_code, None),
            })
            .collect(),
        error: refusal::error(Asked::Read, known.error_code, None),
    }
}

fn node(node_id: i32, host: String, port: i32, rack: Option<String>) -> Node {
    Node { node_id, host, port, rack: rack.unwrap_or_default() }
}

/// Who is refused because this node is not the controller is told who is.
pub(super) async fn send_to_controller(call: &Call, error: &mut Option<Error>) {
    if let Some(error) = error
        && error.code == i32::from(ErrorCode::NotController.code())
    {
        error.leader = call.controller().await;
    }
}

/// How long a decision is waited for.
pub(super) fn wait(call: &Call, said_ms: i32) -> i32 {
    let said = u64::try_from(said_ms).ok().filter(|said| *said > 0);
    call.wait_ms(said.map_or(GRPC_DECISION_WAIT, Duration::from_millis))
}

/// An id; zero is none.
fn id(id: [u8; 16]) -> bytes::Bytes {
    if id == [0; 16] { bytes::Bytes::new() } else { bytes::Bytes::copy_from_slice(&id) }
}
