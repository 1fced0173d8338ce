//! Deciding an AlterConfigs or IncrementalAlterConfigs request: each resource by itself, in the order asked, all of its
//! changes or none. What stands afterwards is looked at as a whole, as Kafka's controller does: a change of one setting
//! is refused for another that an older build has let in, until that is mended too.
//!
//! Codes are Kafka's: what is wrong with a topic's or a group's settings is INVALID_CONFIG, with a broker's
//! INVALID_REQUEST (`ConfigAdminManager`), but for lists: INVALID_CONFIG.

use super::request::{Alteration, Altered, Refusal, Resource};
use super::room::RoomLeft;
use super::{Command, Metadata, topic_name};
use crate::codec;
use crate::entry::Stamp;
use crate::machine::{Context, Machine};
use crate::settings::{BadSettings, Holder, NOTHING, Table};
use rust_mq_proto::kafka::ErrorCode;
use std::borrow::Cow;

/// The commands, and what to answer for each resource.
pub fn decide(
    metadata: &Metadata,
    context: &Context<'_, ()>,
    resources: Vec<Alteration>,
) -> (Vec<Command>, Vec<Altered>) {
    // A working copy, so that of two changes to the same resource the second sees the first.
    let mut draft = Cow::Borrowed(metadata);
    let mut left = RoomLeft::on(metadata, context.room, context.mutant);
    let mut commands = Vec::new();
    let mut results = Vec::with_capacity(resources.len());
    for alteration in resources {
        let result = alter(&draft, &alteration).and_then(|command| {
            let Some(command) = command else { return Ok(()) };
            left.take(&command, "")?;
            draft.to_mut().apply(Stamp::default(), &command);
            commands.push(command);
            Ok(())
        });
        results.push((alteration.of, result));
    }
    (commands, results)
}

/// The command, if anything changes.
fn alter(draft: &Metadata, alteration: &Alteration) -> Result<Option<Command>, Refusal> {
    let (of, table) = holder(draft, &alteration.of)?;
    let before = draft.settings(&of);
    let refuse = |bad: BadSettings| {
        let code = match (table, &bad) {
            (Table::Broker, BadSettings::NoList(_)) => ErrorCode::InvalidConfig,
            (Table::Broker, _) => ErrorCode::InvalidRequest,
            _ => ErrorCode::InvalidConfig,
        };
        refusal(code, bad.to_string())
    };
    let from = if alteration.is_whole { &NOTHING } else { before };
    let settings = table.altered(from, &alteration.changes).map_err(refuse)?;
    table.check(&settings, draft.level).map_err(refuse)?;
    let command = Command::Configured { of, settings };
    let (since, level) = (codec::since(&command), draft.level);
    if since > level {
        let words = format!("settings can be changed from feature level {since} on; the cluster has {level}");
        return Err(refusal(ErrorCode::UnsupportedVersion, words));
    }
    let Command::Configured { settings, .. } = &command else { unreachable!("it was just made") };
    Ok((settings != before).then_some(command))
}

/// Who is meant, and what he can have.
fn holder(draft: &Metadata, of: &Resource) -> Result<(Holder, Table), Refusal> {
    match of {
        Resource::Topic(name) => {
            if let Some(fault) = topic_name::fault(name) {
                return Err(refusal(ErrorCode::InvalidTopicException, fault));
            }
            let none = || refusal(ErrorCode::UnknownTopicOrPartition, format!("there is no topic '{name}'"));
            Ok((Holder::Topic(draft.topic_id(name).ok_or_else(none)?), Table::Topic))
        }
        Resource::Cluster => Ok((Holder::Cluster, Table::Broker)),
        Resource::Node(node) if draft.node(*node).is_some() => Ok((Holder::Node(*node), Table::Broker)),
        Resource::Node(node) => {
            Err(refusal(ErrorCode::InvalidRequest, format!("there is no broker {}", node.0)))
        }
        Resource::Group(name) if name.is_empty() => {
            Err(refusal(ErrorCode::InvalidRequest, "a group that has settings has a name".into()))
        }
        Resource::Group(name) => Ok((Holder::Group(name.clone()), Table::Group)),
    }
}

fn refusal(code: ErrorCode, message: String) -> Refusal {
    Refusal { code, message }
}
