//! Deciding a CreatePartitions request (KIP-195): each topic by itself, in the order asked. A topic only becomes wider;
//! what is in its partitions stays where it is, and keys go elsewhere from then on, as in Kafka.
//!
//! The new partitions have as many replicas as the first one has. A name that stands there twice is refused and answered
//! once, at the end.

use super::request::{Refusal, Widened, Wider};
use super::room::RoomLeft;
use super::topic_name::is_of_machine;
use super::{Command, Metadata, placement};
use crate::codec;
use crate::entry::Stamp;
use crate::ids::NodeId;
use crate::limits::{CREATE_PARTITIONS_MAX, PARTITIONS_MAX};
use crate::machine::{Context, Machine};
use rust_mq_proto::kafka::ErrorCode;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The commands, and what to answer for each topic.
pub fn decide(
    metadata: &Metadata,
    context: &Context<'_, ()>,
    topics: Vec<Wider>,
) -> (Vec<Command>, Vec<Widened>) {
    let mut draft = Cow::Borrowed(metadata);
    let mut left = RoomLeft::on(metadata, context.room, context.mutant);
    let (mut commands, mut results) = (Vec::new(), Vec::with_capacity(topics.len()));
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<String> =
        topics.iter().filter(|topic| !seen.insert(&topic.name)).map(|topic| topic.name.clone()).collect();
    let mut asked = 0;
    for topic in topics.iter().filter(|topic| !twice.contains(&topic.name)) {
        let result = widen(&draft, context, topic, &mut asked).and_then(|command| {
            left.take(&command, "")?;
            draft.to_mut().apply(Stamp::default(), &command);
            commands.push(command);
            Ok(())
        });
        results.push((topic.name.clone(), result));
    }
    let named_twice = || refuse(ErrorCode::InvalidRequest, "the request names it twice".into());
    results.extend(twice.into_iter().map(|name| (name, named_twice())));
    (commands, results)
}

fn widen(
    draft: &Metadata,
    context: &Context<'_, ()>,
    wider: &Wider,
    asked: &mut usize,
) -> Result<Command, Refusal> {
    let topic = draft.topic_id(&wider.name).and_then(|id| Some((id, draft.topic(id)?)));
    let Some((id, topic)) = topic else {
        return refuse(ErrorCode::UnknownTopicOrPartition, format!("there is no topic '{}'", wider.name));
    };
    if is_of_machine(id) {
        return refuse(ErrorCode::InvalidTopicException, "the broker's own topic is as wide as it is".into());
    }
    let has = topic.partitions.len();
    let Some(more) = usize::try_from(wider.count).ok().and_then(|count| count.checked_sub(has)) else {
        let words = format!("the topic has {has} partition(s), and {} are fewer", wider.count);
        return refuse(ErrorCode::InvalidPartitions, words);
    };
    if more == 0 {
        return refuse(ErrorCode::InvalidPartitions, format!("the topic has {has} partition(s) already"));
    }
    *asked = asked.saturating_add(more);
    if *asked > CREATE_PARTITIONS_MAX || has + more > CREATE_PARTITIONS_MAX {
        let most = format!("one request, and one topic, has at most {CREATE_PARTITIONS_MAX} partitions");
        return refuse(ErrorCode::PolicyViolation, most);
    }
    let after = draft.partitions + more as u64;
    let most = PARTITIONS_MAX.min(context.room.partitions_max);
    if after > most as u64 {
        let why = if most < PARTITIONS_MAX { " by this node's memory limit" } else { "" };
        let words = format!("the cluster would have {after} partitions; its limit is {most}{why}");
        return refuse(ErrorCode::PolicyViolation, words);
    }
    let nodes: Vec<NodeId> = draft.nodes.keys().copied().collect();
    let factor = topic.partitions.first().map_or(1, |first| first.target().len());
    let placed = match &wider.assignments {
        Some(assignments) => assigned(&nodes, assignments, more, factor)?,
        None if factor <= nodes.len() => placement::spread(&nodes, draft.partitions, more, factor),
        None => {
            let words = format!("{factor} replicas each do not fit on {} node(s)", nodes.len());
            return refuse(ErrorCode::InvalidReplicationFactor, words);
        }
    };
    let (partitions, _) = placement::number(&placed, draft.next_replica);
    let command = Command::PartitionsAdded { id, partitions };
    let (since, level) = (codec::since(&command), draft.level);
    if since > level {
        let words = format!("partitions can be added from feature level {since} on; the cluster has {level}");
        return refuse(ErrorCode::UnsupportedVersion, words);
    }
    Ok(command)
}

/// Where the client wants them, if that can be.
fn assigned(
    nodes: &[NodeId],
    assignments: &[Vec<NodeId>],
    more: usize,
    factor: usize,
) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let invalid = |words: String| refuse(ErrorCode::InvalidReplicaAssignment, words);
    if assignments.len() != more {
        return invalid(format!("{more} partition(s) are added, and {} are assigned", assignments.len()));
    }
    for to in assignments {
        let distinct: BTreeSet<NodeId> = to.iter().copied().collect();
        if to.len() != factor || distinct.len() != to.len() {
            return invalid(format!("each partition must name {factor} different nodes, as the first has"));
        }
        if let Some(stranger) = to.iter().find(|node| !nodes.contains(node)) {
            return invalid(format!("node {} is no member", stranger.0));
        }
    }
    Ok(assignments.to_vec())
}

fn refuse<T>(code: ErrorCode, message: String) -> Result<T, Refusal> {
    Err(Refusal { code, message })
}
