//! ConsumerGroupHeartbeat: the one request of a member of a consumer group. What makes no sense whatever the group is
//! refused here, in Kafka's words; the rest is the coordinator's.

use super::{Pending, ask, patience};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::group::{Assignor, Beat, Partitions, Refusal, Reply, Request};
use crate::ids::TopicId;
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: ConsumerGroupHeartbeatRequest,
) {
    let member = request.member_id.clone();
    let checked = sensible(&request, origin.format.version).and_then(|()| {
        node.coordinates(&request.group_id).map_err(|code| Refusal { code, why: String::new() })
    });
    let at = match checked {
        Ok(at) => at,
        Err(refusal) => return refuse(desk, node, origin, refusal),
    };
    let client = node.client(origin.caller.link);
    let owned = request.topic_partitions.map(|topics| {
        let partitions = topics.into_iter().flat_map(|topic| {
            let id = TopicId(topic.topic_id);
            topic.partitions.into_iter().map(move |partition| (id, partition))
        });
        partitions.collect::<Partitions>()
    });
    let is_subscribing = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    let beat = Beat {
        is_full: request.rebalance_timeout_ms != -1 && is_subscribing && owned.is_some(),
        group: request.group_id,
        member,
        epoch: request.member_epoch,
        instance: request.instance_id,
        rack: request.rack_id,
        rebalance_timeout_ms: (request.rebalance_timeout_ms != -1).then_some(request.rebalance_timeout_ms),
        names: request.subscribed_topic_names,
        pattern: request.subscribed_topic_regex,
        assignor: request.server_assignor,
        owned,
        client_id: client.map(|client| client.name.clone()).unwrap_or_default(),
        client_host: client.map(|client| format!("/{}", client.remote.host)).unwrap_or_default(),
    };
    ask(desk, node, now, (at, patience(now)), Request::Beat(Box::new(beat)), Pending::Beat(origin));
}

pub(super) fn answer(desk: &mut Desk, node: &mut Node, origin: Origin, reply: Reply) {
    let beaten = match reply {
        Reply::Beaten(Ok(beaten)) => *beaten,
        Reply::Beaten(Err(refusal)) => return refuse(desk, node, origin, refusal),
        Reply::Done(code) => return refuse(desk, node, origin, Refusal { code, why: String::new() }),
        _ => {
            let refusal = Refusal { code: ErrorCode::NotCoordinator, why: String::new() };
            return refuse(desk, node, origin, refusal);
        }
    };
    let assignment = beaten.assigned.map(|assigned| {
        let topics = assigned.topics().map(|(topic, partitions)| TopicPartitions {
            topic_id: topic.0,
            partitions: partitions.iter().copied().collect(),
        });
        Assignment { topic_partitions: topics.collect() }
    });
    let response = ConsumerGroupHeartbeatResponse {
        member_id: Some(beaten.member),
        member_epoch: beaten.epoch,
        heartbeat_interval_ms: beaten.heartbeat_ms,
        assignment,
        ..Default::default()
    };
    desk.answer(node, origin, &response);
}

fn refuse(desk: &mut Desk, node: &mut Node, origin: Origin, Refusal { code, why }: Refusal) {
    let error_message = (!why.is_empty()).then_some(why);
    let response =
        ConsumerGroupHeartbeatResponse { error_code: code.code(), error_message, ..Default::default() };
    desk.answer(node, origin, &response);
}

/// Whether a heartbeat makes sense, whatever the group.
fn sensible(request: &ConsumerGroupHeartbeatRequest, version: i16) -> Result<(), Refusal> {
    let epoch = request.member_epoch;
    let is_empty = |text: &Option<String>| text.as_deref() == Some("");
    let has_partitions = request.topic_partitions.as_ref().is_none_or(|topics| !topics.is_empty());
    let names_nothing = request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none();
    let nonsense = if request.member_id.is_empty() && (version >= 1 || epoch > 0 || epoch == -1) {
        "MemberId can't be empty."
    } else if request.group_id.is_empty() {
        "GroupId can't be empty."
    } else if is_empty(&request.instance_id) {
        "InstanceId can't be empty."
    } else if is_empty(&request.rack_id) {
        "RackId can't be empty."
    } else if epoch == 0 && request.rebalance_timeout_ms == -1 {
        "RebalanceTimeoutMs must be provided in first request."
    } else if epoch == 0 && has_partitions {
        "TopicPartitions must be empty when (re-)joining."
    } else if epoch == 0 && names_nothing {
        "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining."
    } else if epoch == -2 && request.instance_id.is_none() {
        "InstanceId can't be null."
    } else if epoch < -2 {
        "MemberEpoch is invalid."
    } else {
        ""
    };
    if !nonsense.is_empty() {
        return Err(Refusal { code: ErrorCode::InvalidRequest, why: nonsense.into() });
    }
    match request.server_assignor.as_deref() {
        Some(name) if Assignor::parse(name).is_none() => {
            let why = format!("ServerAssignor {name} is not supported. Supported assignors: uniform, range.");
            Err(Refusal { code: ErrorCode::UnsupportedAssignor, why })
        }
        _ => Ok(()),
    }
}
