//! Answers as lines of text: what a client's user would want to know, nothing else.

use super::process::EPOCH_MS;
use super::values;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::ResponseBody;
use rust_mq_proto::kafka::api::create_topics::CreateTopicsResponse;
use rust_mq_proto::kafka::api::delete_records::DeleteRecordsResponse;
use rust_mq_proto::kafka::api::delete_topics::DeleteTopicsResponse;
use rust_mq_proto::kafka::api::describe_configs::DescribeConfigsResponse;
use rust_mq_proto::kafka::api::describe_log_dirs::DescribeLogDirsResponse;
use rust_mq_proto::kafka::api::describe_producers::{DescribeProducersResponse, ProducerState};
use rust_mq_proto::kafka::api::describe_topic_partitions::DescribeTopicPartitionsResponse;
use rust_mq_proto::kafka::api::fetch::{FetchResponse, PartitionData};
use rust_mq_proto::kafka::api::list_config_resources::ListConfigResourcesResponse;
use rust_mq_proto::kafka::api::list_offsets::ListOffsetsResponse;
use rust_mq_proto::kafka::api::metadata::MetadataResponse;
use rust_mq_proto::kafka::api::offset_for_leader_epoch::OffsetForLeaderEpochResponse;
use rust_mq_proto::kafka::api::produce::{PartitionProduceResponse, ProduceResponse};
use std::collections::BTreeMap;

/// Names of topics by id.
pub type TopicNames = BTreeMap<[u8; 16], String>;

/// An answer as lines.
pub fn lines(body: &ResponseBody, names: &TopicNames) -> Vec<String> {
    match body {
        ResponseBody::Produce(body) => produce(body, names),
        ResponseBody::Fetch(body) => fetch(body, names),
        ResponseBody::ListOffsets(body) => list_offsets(body),
        ResponseBody::Metadata(body) => metadata(body),
        ResponseBody::CreateTopics(body) => create_topics(body),
        ResponseBody::DeleteTopics(body) => delete_topics(body),
        ResponseBody::OffsetForLeaderEpoch(body) => epochs(body),
        ResponseBody::InitProducerId(body) if body.error_code != 0 => vec![error(body.error_code)],
        ResponseBody::InitProducerId(body) => {
            vec![format!("producer {} epoch {}", body.producer_id, body.producer_epoch)]
        }
        ResponseBody::ApiVersions(body) => {
            let apis = format!("{}, {} APIs", error(body.error_code), body.api_keys.len());
            let finalized = body.finalized_features.iter();
            let finalized =
                finalized.map(|feature| format!(", {} {}", feature.name, feature.max_version_level));
            vec![finalized.fold(apis, |line, feature| line + &feature)]
        }
        ResponseBody::UpdateFeatures(body) => {
            let why = body.error_message.as_deref().map(|why| format!(": {why}"));
            vec![format!("{}{}", error(body.error_code), why.unwrap_or_default())]
        }
        ResponseBody::CreatePartitions(body) => {
            body.results.iter().map(|one| altered(&one.name, one.error_code, &one.error_message)).collect()
        }
        ResponseBody::DeleteRecords(body) => erased(body),
        ResponseBody::DescribeLogDirs(body) => dirs(body),
        ResponseBody::DescribeProducers(body) => producers(body),
        ResponseBody::DescribeTopicPartitions(body) => page(body),
        ResponseBody::DescribeConfigs(body) => described(body),
        ResponseBody::AlterConfigs(body) => body
            .responses
            .iter()
            .map(|one| altered(&one.resource_name, one.error_code, &one.error_message))
            .collect(),
        ResponseBody::IncrementalAlterConfigs(body) => body
            .responses
            .iter()
            .map(|one| altered(&one.resource_name, one.error_code, &one.error_message))
            .collect(),
        ResponseBody::ListConfigResources(body) => holders(body),
        ResponseBody::DescribeCluster(body) => {
            let brokers: Vec<String> = body.brokers.iter().map(|one| one.broker_id.to_string()).collect();
            vec![format!("controller {}, brokers {}", body.controller_id, brokers.join(" "))]
        }
        body => vec![format!("an answer to {}, of which no story tells", body.key())],
    }
}

/// Kafka's name of an error code.
pub fn error(code: i16) -> String {
    ErrorCode::parse(code).map_or_else(|| format!("error {code}"), ErrorCode::name)
}

fn with_leader(error: String, leader: i32, epoch: i32) -> String {
    if leader < 0 { error } else { format!("{error}, the leader is n{leader} since epoch {epoch}") }
}

pub fn topic_name(name: &str, id: &[u8; 16], names: &TopicNames) -> String {
    if *id == [0; 16] { name.to_owned() } else { names.get(id).cloned().unwrap_or_else(|| "?".into()) }
}

fn produce(body: &ProduceResponse, names: &TopicNames) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.responses {
        let name = topic_name(&topic.name, &topic.topic_id, names);
        for part in &topic.partition_responses {
            lines.push(format!("{name}-{}: {}", part.index, produced(part)));
        }
    }
    lines
}

fn produced(part: &PartitionProduceResponse) -> String {
    if part.error_code == 0 {
        return format!("offset {}", part.base_offset);
    }
    let said = part.error_message.as_ref().map_or(String::new(), |message| format!(" \"{message}\""));
    let leader = &part.current_leader;
    with_leader(error(part.error_code) + &said, leader.leader_id, leader.leader_epoch)
}

fn fetch(body: &FetchResponse, names: &TopicNames) -> Vec<String> {
    if body.error_code != 0 {
        return vec![error(body.error_code)];
    }
    let mut lines = Vec::new();
    for topic in &body.responses {
        let name = topic_name(&topic.topic, &topic.topic_id, names);
        for part in &topic.partitions {
            lines.push(format!("{name}-{}: {}", part.partition_index, fetched(part)));
        }
    }
    if lines.is_empty() {
        return vec![format!("nothing, session {}", body.session_id)];
    }
    if body.session_id != 0 {
        lines.push(format!("session {}", body.session_id));
    }
    lines
}

fn fetched(part: &PartitionData) -> String {
    let watermark = format!("(log {}..{})", part.log_start_offset, part.high_watermark);
    if part.error_code != 0 {
        let leader = &part.current_leader;
        let what = with_leader(error(part.error_code), leader.leader_id, leader.leader_epoch);
        return if part.high_watermark < 0 { what } else { format!("{what} {watermark}") };
    }
    if part.diverging_epoch.epoch >= 0 {
        let from = &part.diverging_epoch;
        return format!("diverges: epoch {} ended at {} {watermark}", from.epoch, from.end_offset);
    }
    let Some(records) = &part.records else { return "BREACH: null records".into() };
    let records = values::records(&records.parts().concat());
    let records: Vec<String> = records.iter().map(|(offset, _, value)| format!("{offset} {value}")).collect();
    if records.is_empty() {
        format!("nothing {watermark}")
    } else {
        format!("{} {watermark}", records.join(", "))
    }
}

fn list_offsets(body: &ListOffsetsResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.topics {
        for part in &topic.partitions {
            let what = if part.error_code != 0 {
                error(part.error_code)
            } else if part.offset < 0 {
                "no such offset".into()
            } else if part.timestamp >= 0 {
                let at = part.timestamp - EPOCH_MS;
                format!("offset {} (epoch {}), of {at} ms", part.offset, part.leader_epoch)
            } else {
                format!("offset {} (epoch {})", part.offset, part.leader_epoch)
            };
            lines.push(format!("{}-{}: {what}", topic.name, part.partition_index));
        }
    }
    lines
}

fn nodes(ids: &[i32]) -> String {
    if ids.is_empty() {
        return "none".into();
    }
    ids.iter().map(|id| format!("n{id}")).collect::<Vec<_>>().join(" ")
}

fn metadata(body: &MetadataResponse) -> Vec<String> {
    let brokers: Vec<i32> = body.brokers.iter().map(|broker| broker.node_id).collect();
    let controller =
        if body.controller_id < 0 { "nobody".into() } else { format!("n{}", body.controller_id) };
    let mut lines = vec![format!("controller {controller}, brokers {}", nodes(&brokers))];
    for topic in &body.topics {
        let name = topic.name.as_deref().unwrap_or("?");
        if topic.error_code != 0 {
            lines.push(format!("{name}: {}", error(topic.error_code)));
        }
        for part in &topic.partitions {
            let leader = if part.error_code != 0 {
                error(part.error_code)
            } else {
                format!("leader n{} since epoch {}", part.leader_id, part.leader_epoch)
            };
            let replicas = nodes(&part.replica_nodes);
            let mut line = format!("{name}-{}: {leader}, replicas {replicas}", part.partition_index);
            line += &format!(", in sync {}", nodes(&part.isr_nodes));
            if !part.offline_replicas.is_empty() {
                line += &format!(", offline {}", nodes(&part.offline_replicas));
            }
            lines.push(line);
        }
    }
    lines
}

fn create_topics(body: &CreateTopicsResponse) -> Vec<String> {
    let line = |topic: &rust_mq_proto::kafka::api::create_topics::CreatableTopicResult| {
        if topic.error_code == 0 {
            let (partitions, copies) = (topic.num_partitions, topic.replication_factor);
            return format!("{}: created, {partitions} partition(s) on {copies} node(s)", topic.name);
        }
        let said = topic.error_message.as_ref().map_or(String::new(), |message| format!(" \"{message}\""));
        format!("{}: {}{said}", topic.name, error(topic.error_code))
    };
    body.topics.iter().map(line).collect()
}

fn delete_topics(body: &DeleteTopicsResponse) -> Vec<String> {
    let line = |topic: &rust_mq_proto::kafka::api::delete_topics::DeletableTopicResult| {
        let name = topic.name.as_deref().unwrap_or("?");
        if topic.error_code == 0 {
            format!("{name}: deleted")
        } else {
            format!("{name}: {}", error(topic.error_code))
        }
    };
    body.responses.iter().map(line).collect()
}

fn erased(body: &DeleteRecordsResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.topics {
        for part in &topic.partitions {
            let what = match part.error_code {
                0 => format!("begins at {}", part.low_watermark),
                code => error(code),
            };
            lines.push(format!("{}-{}: {what}", topic.name, part.partition_index));
        }
    }
    lines
}

fn dirs(body: &DescribeLogDirsResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in body.results.iter().flat_map(|dir| &dir.topics) {
        for part in &topic.partitions {
            lines.push(format!("{}-{}: {} bytes", topic.name, part.partition_index, part.partition_size));
        }
    }
    if lines.is_empty() { vec!["nothing".into()] } else { lines }
}

fn producers(body: &DescribeProducersResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.topics {
        for part in &topic.partitions {
            let said = |state: &ProducerState| {
                format!(
                    "{} epoch {} last sequence {}",
                    state.producer_id, state.producer_epoch, state.last_sequence
                )
            };
            let what = match part.error_code {
                0 if part.active_producers.is_empty() => "nobody".into(),
                0 => part.active_producers.iter().map(said).collect::<Vec<_>>().join(", "),
                code => error(code),
            };
            lines.push(format!("{}-{}: {what}", topic.name, part.partition_index));
        }
    }
    lines
}

fn page(body: &DescribeTopicPartitionsResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.topics {
        let name = topic.name.as_deref().unwrap_or("?");
        if topic.error_code != 0 {
            lines.push(format!("{name}: {}", error(topic.error_code)));
        }
        for part in &topic.partitions {
            let (leader, replicas) = (part.leader_id, nodes(&part.replica_nodes));
            lines.push(format!("{name}-{}: leader n{leader}, replicas {replicas}", part.partition_index));
        }
    }
    if let Some(cursor) = &body.next_cursor {
        lines.push(format!("goes on at {}-{}", cursor.topic_name, cursor.partition_index));
    }
    lines
}

/// Where a value comes from; Kafka's `ConfigSource`.
fn source(number: i8) -> &'static str {
    match number {
        1 => "topic",
        2 => "broker",
        3 => "all brokers",
        4 => "configuration",
        5 => "default",
        8 => "group",
        _ => "?",
    }
}

fn described(body: &DescribeConfigsResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for one in &body.results {
        if one.error_code != 0 {
            lines.push(altered(&one.resource_name, one.error_code, &one.error_message));
        }
        // Of all that there is only what somebody has set.
        let is_all = one.configs.len() > 8;
        for config in one.configs.iter().filter(|config| !is_all || config.config_source < 4) {
            let value = config.value.as_deref().unwrap_or("null");
            let mut line = format!("{}={value} ({})", config.name, source(config.config_source));
            for under in config.synonyms.iter().skip(1) {
                let value = under.value.as_deref().unwrap_or("null");
                line += &format!(", {}={value} ({})", under.name, source(under.source));
            }
            lines.push(if config.read_only { line + ", read-only" } else { line });
        }
    }
    if lines.is_empty() { vec!["nothing is set".into()] } else { lines }
}

fn altered(name: &str, code: i16, message: &Option<String>) -> String {
    let said = message.as_ref().map_or(String::new(), |message| format!(" \"{message}\""));
    let what = if code == 0 { "done".into() } else { error(code) };
    format!("{}: {what}{said}", if name.is_empty() { "default" } else { name })
}

fn holders(body: &ListConfigResourcesResponse) -> Vec<String> {
    if body.error_code != 0 {
        return vec![error(body.error_code)];
    }
    let kind = |number| match number {
        2 => "topic",
        4 => "broker",
        32 => "group",
        _ => "?",
    };
    let mut all: Vec<String> = body
        .config_resources
        .iter()
        .map(|one| format!("{} {}", kind(one.resource_type), one.resource_name))
        .collect();
    all.sort();
    vec![all.join(", ")]
}

fn epochs(body: &OffsetForLeaderEpochResponse) -> Vec<String> {
    let mut lines = Vec::new();
    for topic in &body.topics {
        for part in &topic.partitions {
            let what = if part.error_code != 0 {
                error(part.error_code)
            } else if part.leader_epoch < 0 {
                "no such epoch".into()
            } else {
                format!("epoch {} ended at {}", part.leader_epoch, part.end_offset)
            };
            lines.push(format!("{}-{}: {what}", topic.topic, part.partition));
        }
    }
    lines
}
