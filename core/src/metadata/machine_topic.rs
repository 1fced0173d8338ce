//! The topics of machines, such as `__consumer_offsets`: made when somebody first needs them, by whichever node he asked,
//! and there for good.
//!
//! It is known by its id, which is reserved, and has the name that clients know it by: no client can take either.

use super::request::Refusal;
use super::room::RoomLeft;
use super::{Command, Metadata, TopicBirth, placement, topic_name};
use crate::codec;
use crate::ids::{NodeId, TopicId};
use crate::limits::{CREATE_PARTITIONS_MAX, PARTITIONS_MAX};
use crate::machine::Context;
use rust_mq_proto::kafka::ErrorCode;
use std::collections::BTreeMap;

/// The command, or none if the topic is there.
pub fn decide(
    metadata: &Metadata,
    context: &Context<'_, ()>,
    id: TopicId,
    partitions: i32,
    replication_factor: i16,
) -> Result<Vec<Command>, Refusal> {
    let refuse = |code, message: String| Err(Refusal { code, message });
    if metadata.topic(id).is_some() {
        return Ok(Vec::new());
    }
    let Some(name) = topic_name::of_machine(id) else {
        return refuse(ErrorCode::InvalidTopicException, format!("{id} is no internal topic"));
    };
    let count = usize::try_from(partitions).unwrap_or(0);
    if !(1..=CREATE_PARTITIONS_MAX).contains(&count) {
        let words =
            format!("an internal topic has 1 to {CREATE_PARTITIONS_MAX} partitions, not {partitions}");
        return refuse(ErrorCode::InvalidPartitions, words);
    }
    let after = metadata.partitions + count as u64;
    let most = PARTITIONS_MAX.min(context.room.partitions_max);
    if after > most as u64 {
        let words = format!("with {name} the cluster would have {after} partitions; its limit is {most}");
        return refuse(ErrorCode::PolicyViolation, words);
    }
    let nodes: Vec<NodeId> = metadata.nodes.keys().copied().collect();
    // A cluster that has fewer nodes than copies are wanted has one on each.
    let factor = usize::try_from(replication_factor).unwrap_or(0).clamp(1, nodes.len());
    let nodes = placement::spread(&nodes, metadata.partitions, count, factor);
    let (partitions, _) = placement::number(&nodes, metadata.next_replica);
    let topic = TopicBirth { name: name.into(), partitions, configs: BTreeMap::new() };
    let command = Command::MachineTopicCreated { id, topic };
    if codec::since(&command) > context.level {
        let words = format!(
            "{name} needs feature level {}; the cluster has {}",
            codec::since(&command),
            context.level
        );
        return refuse(ErrorCode::UnsupportedVersion, words);
    }
    RoomLeft::on(metadata, context.room, context.mutant).take(&command, name)?;
    Ok(vec![command])
}
