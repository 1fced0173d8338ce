//! What the registry says of a node.

use crate::ids::DiskId;
use crate::level::Levels;
use crate::link::Address;

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
