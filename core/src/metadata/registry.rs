//! The nodes of the cluster, and which feature levels they read. To be a node is not to be a voter of the metadata's
//! own partition: a later one may be the first alone.
//!
//! A node registers when it runs and the registry does not say of it what is so: at the first start, after an upgrade,
//! with another address. Its disk is never changed by that: a wiped disk is another node's business to let in.
//!
//! Invariant: the cluster's level is one that every registered node reads.

use super::registered::Registered;
use super::request::Refusal;
use super::room::RoomLeft;
use super::{Command, Metadata};
use crate::ids::NodeId;
use crate::level::Level;
use crate::machine::Context;
use rust_mq_proto::kafka::ErrorCode;

/// Deciding that a node says of itself what is so now.
///
/// # Errors
/// It is no node of the cluster, has another disk, does not read the cluster's level, or there is no room.
pub(super) fn register(
    metadata: &Metadata,
    context: &Context<'_, ()>,
    node: NodeId,
    registered: Registered,
) -> Result<Vec<Command>, Refusal> {
    if metadata.nodes.get(&node) == Some(&registered) {
        return Ok(Vec::new());
    }
    let levels = registered.levels;
    let command = Command::NodeRegistered { node, registered };
    if !metadata.takes(&command) {
        let level = metadata.level;
        let message = format!(
            "node {} with feature levels {levels} is no node of this cluster, which has level {level}",
            node.0
        );
        return Err(Refusal { code: ErrorCode::InvalidRequest, message });
    }
    RoomLeft::on(metadata, context.room, context.mutant).take(&command, "")?;
    Ok(vec![command])
}

/// Deciding to raise the level.
///
/// # Errors
/// A level that is below the cluster's, or that a node does not read: it is named.
pub(super) fn raise(metadata: &Metadata, to: Level) -> Result<Vec<Command>, Refusal> {
    let refuse = |message| Err(Refusal { code: ErrorCode::FeatureUpdateFailed, message });
    let level = metadata.level;
    if to == level {
        return Ok(Vec::new());
    }
    if to < level {
        return refuse(format!("the cluster's feature level is {level}, and is never lowered to {to}"));
    }
    if let Some((node, registered)) = metadata.nodes.iter().find(|(_, node)| !node.levels.contains(to)) {
        let levels = registered.levels;
        return refuse(format!("node {} reads feature levels {levels}, not {to}", node.0));
    }
    Ok(vec![Command::LevelRaised { to }])
}
