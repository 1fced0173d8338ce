//! What the floors above learn from this room, in the order it happened.

use super::bulk::{Bulk, CallId};
use super::hello::{Greeting, id_bytes, read_id};
use crate::ids::{ClusterId, DiskId, Index, NodeId, ReplicaId};
use crate::level::Level;
use crate::limits::MEMBERS_MAX;
use bytes::Bytes;
use rust_mq_proto::peer::message::{self as wire, PeerBody, Turned};
use rust_mq_proto::peer::raft::RaftMessage;
use std::collections::BTreeSet;

/// Something the peers did.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A peer's raft lane is ready. Its start and its disk are in the greeting.
    Up(Greeting),
    /// A peer is gone: its lane broke, it was silent, or it has restarted (an `Up` follows).
    Down(NodeId),
    /// At a peer's configured address the same node answers, and says to which cluster it belongs.
    Vouched(NodeId, Option<ClusterId>),
    /// A member turns this node away.
    TurnedAway(NodeId, Turned),
    /// Messages for any replicas of this node.
    Raft(NodeId, Vec<RaftMessage>),
    /// The cluster was founded so, says this node.
    Found(NodeId, Founding),
    /// A peer asks this node to decide something; answer with `Peers::forwarded`.
    Forward {
        /// Who asks.
        node: NodeId,
        /// Given back with the answer.
        id: CallId,
        /// In the codec of the machine it is for.
        request: Bytes,
    },
    /// The answer to what this node forwarded.
    Forwarded {
        /// As `Peers::forward` gave it.
        id: CallId,
        /// What the local image must have applied before the answer is told.
        index: Index,
        /// In the codec of the machine that was asked.
        reply: Bytes,
    },
    /// What this node forwarded will not be answered, whether or not it was done.
    ForwardLost(CallId),
    /// A message of the bulk lane.
    Bulk(NodeId, Bulk),
    /// A peer's bulk lane is gone, and with it every answer that was to come on it.
    BulkDown(NodeId),
}

/// How a cluster was founded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// Its id.
    pub cluster: ClusterId,
    /// Its first feature level.
    pub level: Level,
    /// The metadata partition's members.
    pub members: Vec<Founder>,
}

/// A first member of the metadata partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Founder {
    /// Its replica id.
    pub replica: ReplicaId,
    /// Where it lies.
    pub node: NodeId,
    /// The disk it is bound to.
    pub disk: DiskId,
}

impl Founding {
    /// As the wire says it.
    pub(super) fn into_body(self) -> PeerBody {
        let member = |founder: Founder| wire::FoundMember {
            replica: founder.replica.0,
            node: founder.node.0,
            disk: id_bytes(founder.disk.0),
        };
        PeerBody::Found(wire::Found {
            cluster: id_bytes(self.cluster.0),
            level: self.level.0,
            members: self.members.into_iter().map(member).collect(),
        })
    }

    /// What the wire said; `None` if it holds ids that are none, or one of them twice.
    pub(super) fn read(found: &wire::Found) -> Option<Founding> {
        let member = |member: &wire::FoundMember| {
            Some(Founder {
                replica: ReplicaId(member.replica),
                node: NodeId(member.node),
                disk: DiskId(read_id(&member.disk)?),
            })
        };
        if found.members.len() > MEMBERS_MAX {
            return None;
        }
        let members = found.members.iter().map(member).collect::<Option<Vec<_>>>()?;
        let is_replica = |founder: &Founder| (ReplicaId(1)..=ReplicaId::MAX).contains(&founder.replica);
        let count = |ids: BTreeSet<u128>| ids.len();
        let distinct = [
            count(members.iter().map(|founder| u128::from(founder.replica.0)).collect()),
            count(members.iter().map(|founder| u128::from(founder.node.0.unsigned_abs())).collect()),
            count(members.iter().map(|founder| founder.disk.0).collect()),
        ];
        let is_sound = members.iter().all(is_replica) && distinct.iter().all(|count| *count == members.len());
        let (cluster, level) = (ClusterId(read_id(&found.cluster)?), Level(found.level));
        (is_sound && level > Level(0)).then_some(Founding { cluster, level, members })
    }
}
