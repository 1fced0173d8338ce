//! The nodes of the cluster, and which feature levels they read. To be a node is not to be a voter of the metadata's
//! own partition: a later one may be the first alone.
//!
//! A node registers when it runs and the registry does not say of it what is so: at the first start, after an upgrade,
//! with another address. Its disk is never changed by that: a wiped disk is another node's business to let in.
//!
//! Invariant: the cluster's level is one that every registered node reads.

use super::request::Refusal;
use super::room::RoomLeft;
use super::{Command, Metadata};
use crate::error_code::ErrorCode;
use crate::ids::{DiskId, NodeId};
use crate::level::{Level, Levels};
use crate::link::Address;
use crate::machine::Context;

/// A node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Registered {
    /// The disk that its replicas are bound to.
    pub disk: DiskId,
    /// The feature levels that it reads.
    pub levels: Levels,
    /// Where it is; `None` until it has registered for the first time.
    pub place: Option<Place>,
}

/// Where a node is.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct Place {
    /// Where it advertises its Kafka listener.
    pub api: Address,
    /// Where it listens for the other nodes.
    pub rpc: Address,
    /// The rack that it stands in, if that is known.
    pub rack: Option<String>,
    /// The machine that it runs on, if that is known: there may be several nodes on one.
    pub host: Option<String>,
}

/// Longest name of a rack or a host, bytes. Source: chosen; a host name has at most 255.
const NAME_BYTES_MAX: usize = 255;

impl Registered {
    /// Whether a node may say so of itself.
    pub(super) fn is_sound(&self) -> bool {
        let is_short = |name: &Option<String>| name.as_ref().is_none_or(|name| name.len() <= NAME_BYTES_MAX);
        let is_place = |place: &Place| {
            is_short(&place.rack)
                && is_short(&place.host)
                && place.api.host.len() <= NAME_BYTES_MAX
                && place.rpc.host.len() <= NAME_BYTES_MAX
        };
        self.levels.oldest <= self.levels.newest && self.place.as_ref().is_none_or(is_place)
    }
}

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
