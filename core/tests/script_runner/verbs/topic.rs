//! `topic t partitions=1 on=1,2,3`: CreateTopics, at node 1 or `at=`. With `on=` every partition's replicas are on
//! those nodes and the first leads; otherwise `rf=` (as many as there are, at most three). Other options are the
//! topic's own, with `_` for `.`: `retention_ms=1000`.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};

const CONFIGS: &[&str] = &[
    "retention_ms",
    "retention_bytes",
    "max_message_bytes",
    "min_insync_replicas",
    "message_timestamp_type",
    "segment_bytes",
    "segment_ms",
    "cleanup_policy",
    "delete_retention_ms",
    "min_cleanable_dirty_ratio",
];

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&[&["partitions", "rf", "on", "at", "client"], CONFIGS].concat())?;
    let partitions: i32 = command.option_or("partitions", 1)?;
    let on: Option<String> = command.option("on")?;
    let mut assignments = Vec::new();
    if let Some(on) = &on {
        let ids: Result<Vec<i32>, _> = on.split(',').map(str::parse).collect();
        let broker_ids = ids.map_err(|_| format!("`{on}` are no nodes"))?;
        let assign =
            |partition_index| CreatableReplicaAssignment { partition_index, broker_ids: broker_ids.clone() };
        assignments.extend((0..partitions).map(assign));
    }
    let factor = i16::try_from(world.nodes.len().min(3)).expect("at most 3");
    let mut configs = Vec::new();
    for name in CONFIGS {
        if let Some(value) = command.option::<String>(name)? {
            configs.push(CreatableTopicConfig { name: name.replace('_', "."), value: Some(value) });
        }
    }
    let topic = CreatableTopic {
        name: command.word(0)?.to_owned(),
        num_partitions: if on.is_some() { -1 } else { partitions },
        replication_factor: if on.is_some() { -1 } else { command.option_or("rf", factor)? },
        assignments,
        configs,
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let to = (command.option_or("at", 1)?, command.option("client")?);
    world.ask(to, 7, &RequestBody::CreateTopics(request), true, &command.text)
}
