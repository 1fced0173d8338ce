//! Deciding a CreateTopics request: each topic by itself, in the order asked, each seeing the ones before it.
//! A name that stands there twice is refused as a whole, as Kafka does, and answered once, at the end.

use super::request::{CreatedTopic, NewTopic, Refusal, Setting};
use super::room::RoomLeft;
use super::{Command, Metadata, TopicBirth, placement, topic_name};
use crate::entry::Stamp;
use crate::ids::{NodeId, TopicId};
use crate::limits::{CREATE_PARTITIONS_MAX, PARTITIONS_MAX};
use crate::machine::{Context, Machine};
use crate::mutant::{Mutant, is_planted};
use crate::settings::{self, Layers, Table};
use rust_mq_proto::kafka::ErrorCode;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

type Results = Vec<(String, Result<CreatedTopic, Refusal>)>;

/// The commands, and what to answer for each name.
pub fn decide(
    metadata: &Metadata,
    context: &mut Context<'_, ()>,
    topics: Vec<NewTopic>,
) -> (Vec<Command>, Results) {
    // A working copy, so that a request naming both 'a.b' and 'a_b' meets itself.
    let mut draft = Cow::Borrowed(metadata);
    let mut left = RoomLeft::on(metadata, context.room, context.mutant);
    let mut commands = Vec::new();
    let mut results = Vec::with_capacity(topics.len());
    let mut asked = 0;
    let (topics, twice) = apart(topics);
    for new in topics {
        asked += usize::try_from(new.partitions.max(0)).unwrap_or(0).max(new.assignments.len());
        let result = if asked > CREATE_PARTITIONS_MAX {
            let most = format!("one request makes at most {CREATE_PARTITIONS_MAX} partitions");
            Err(refusal(ErrorCode::PolicyViolation, most))
        } else {
            create(&draft, context, &new)
        };
        let result = result.and_then(|(command, created)| {
            left.take(&command, &new.name)?;
            draft.to_mut().apply(Stamp::default(), &command);
            commands.push(command);
            Ok(created)
        });
        results.push((new.name, result));
    }
    let named_twice =
        |name| (name, Err(refusal(ErrorCode::InvalidRequest, "the request names it twice".into())));
    results.extend(twice.into_iter().map(named_twice));
    (commands, results)
}

/// The topics that are named once, and the names of the others: which of two was meant is not ours to guess.
fn apart(topics: Vec<NewTopic>) -> (Vec<NewTopic>, BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<String> = topics
        .iter()
        .filter(|topic| !seen.insert(topic.name.as_str()))
        .map(|topic| topic.name.clone())
        .collect();
    (topics.into_iter().filter(|topic| !twice.contains(&topic.name)).collect(), twice)
}

fn create(
    draft: &Metadata,
    context: &mut Context<'_, ()>,
    new: &NewTopic,
) -> Result<(Command, CreatedTopic), Refusal> {
    if let Some(fault) = topic_name::fault(&new.name) {
        return Err(refusal(ErrorCode::InvalidTopicException, fault));
    }
    if draft.names.contains_key(&new.name) {
        return Err(refusal(ErrorCode::TopicAlreadyExists, format!("topic '{}' already exists", new.name)));
    }
    if draft.collides(&new.name) {
        let words = format!("'{}' collides with a topic whose name differs only in '.' and '_'", new.name);
        return Err(refusal(ErrorCode::InvalidTopicException, words));
    }
    let nodes = place(draft, new)?;
    let replication_factor = nodes.first().map_or(0, Vec::len);
    let configs = settings::check_new(&new.configs, draft.level)
        .map_err(|bad| refusal(ErrorCode::InvalidConfig, bad.to_string()))?;
    let after = draft.partitions + nodes.len() as u64;
    let most = PARTITIONS_MAX.min(context.room.partitions_max);
    if after > most as u64 {
        let why = if most < PARTITIONS_MAX { " by this node's memory limit" } else { "" };
        let words = format!("the cluster would have {after} partitions; its limit is {most}{why}");
        return Err(refusal(ErrorCode::PolicyViolation, words));
    }
    let id = fresh_id(draft, context, &new.name);
    let (partitions, _) = placement::number(&nodes, draft.next_replica);
    let created = CreatedTopic {
        id,
        partitions: i32::try_from(nodes.len()).expect("bounded by CREATE_PARTITIONS_MAX above"),
        replication_factor: i16::try_from(replication_factor).unwrap_or(i16::MAX),
        settings: Layers::own(&configs).describe(Table::Topic).map(Setting::from).collect(),
    };
    let topic = TopicBirth { name: new.name.clone(), partitions, configs };
    Ok((Command::TopicCreated { id, topic }, created))
}

/// By partition, the nodes of its replicas.
fn place(draft: &Metadata, new: &NewTopic) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let nodes: Vec<NodeId> = draft.nodes.keys().copied().collect();
    if !new.assignments.is_empty() {
        return assigned(&nodes, &new.assignments);
    }
    let Some(partitions) = usize::try_from(new.partitions).ok().filter(|count| *count > 0) else {
        let words = format!("a topic has at least one partition, not {}", new.partitions);
        return Err(refusal(ErrorCode::InvalidPartitions, words));
    };
    let factor =
        usize::try_from(new.replication_factor).ok().filter(|factor| (1..=nodes.len()).contains(factor));
    let Some(factor) = factor else {
        let words = format!(
            "replication factor {} is not between 1 and the {} node(s) of the cluster",
            new.replication_factor,
            nodes.len()
        );
        return Err(refusal(ErrorCode::InvalidReplicationFactor, words));
    };
    Ok(placement::spread(&nodes, draft.partitions, partitions, factor))
}

fn assigned(nodes: &[NodeId], assignments: &[(i32, Vec<NodeId>)]) -> Result<Vec<Vec<NodeId>>, Refusal> {
    let invalid = |words: String| refusal(ErrorCode::InvalidReplicaAssignment, words);
    let by_number: BTreeMap<i32, &Vec<NodeId>> =
        assignments.iter().map(|(number, to)| (*number, to)).collect();
    let is_dense = by_number.keys().zip(0..).all(|(number, expected)| *number == expected);
    if by_number.len() != assignments.len() || !is_dense {
        return Err(invalid("assigned partitions must be numbered from 0, each once".into()));
    }
    let factor = by_number.values().next().map_or(0, |to| to.len());
    for (number, to) in &by_number {
        let distinct: BTreeSet<NodeId> = to.iter().copied().collect();
        if to.is_empty() || to.len() != factor || distinct.len() != to.len() {
            return Err(invalid(format!(
                "partition {number} must name {factor} different nodes, and at least one"
            )));
        }
        if let Some(stranger) = to.iter().find(|node| !nodes.contains(node)) {
            return Err(invalid(format!("partition {number} names node {}, which is no member", stranger.0)));
        }
    }
    Ok(by_number.into_values().cloned().collect())
}

fn fresh_id(draft: &Metadata, context: &mut Context<'_, ()>, name: &str) -> TopicId {
    if is_planted(context.mutant, Mutant::TopicIdOfName) {
        return TopicId(std::array::from_fn(|place| name.as_bytes().get(place).copied().unwrap_or(1)));
    }
    loop {
        // Kafka keeps ids with a leading '-' in base64 out of the way of command lines (Uuid.randomUuid).
        let id = TopicId(context.rng.next_u128().to_be_bytes());
        let is_reserved = id.0[..15].iter().all(|byte| *byte == 0) || id.0[0] >> 2 == 62;
        if !is_reserved && !draft.topics.contains_key(&id) {
            return id;
        }
    }
}

fn refusal(code: ErrorCode, message: String) -> Refusal {
    Refusal { code, message }
}
