//! The hello: who I am, and whether who answers is who it should be.
//!
//! Pure checks. What follows from a refusal (abort, a line in the log, another dial) is `peers`' business.

use crate::event::Nonce;
use crate::ids::{BootId, ClusterId, DiskId, NodeId};
use crate::rng;
use bytes::Bytes;
use rust_mq_proto::peer::message::{Hello, IAm, PROTOCOL_VERSION, Turned};

/// Who this node is, once its disk has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its data directory.
    pub disk: DiskId,
    /// This start.
    pub boot: BootId,
    /// The cluster it belongs to; `None` before it is founded.
    pub cluster: Option<ClusterId>,
    /// The newest feature level it knows.
    pub feature_level: u32,
}

/// Who a peer says it is, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its node id.
    pub node: NodeId,
    /// Its data directory.
    pub disk: DiskId,
    /// Its start.
    pub boot: BootId,
    /// The cluster it belongs to; `None` before it is founded.
    pub cluster: Option<ClusterId>,
    /// The newest feature level it knows.
    pub feature_level: u32,
}

/// What one side said of itself: all that its hello holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub greeting: Greeting,
    pub members_checksum: u64,
    pub nonce: Nonce,
}

/// Why a peer is turned away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a node speaks version {0} of the peers' protocol, this one {PROTOCOL_VERSION}")]
    Version(u32),
    #[error("a hello of node {0} with ids that are none")]
    Ids(i32),
    #[error("node {0} is this node itself: two processes have the same node id, or an address is wrong")]
    Myself(NodeId),
    #[error("node {found} answers where node {expected} was expected: an address is wrong")]
    Unexpected { expected: NodeId, found: NodeId },
    #[error("node {0} dials this one, though the lower id does")]
    Direction(NodeId),
    #[error("node {0} is no member of this cluster")]
    Stranger(NodeId),
    #[error("node {0} was configured with other members than this one")]
    OtherMembers(NodeId),
    #[error("node {node} belongs to cluster {theirs}, this one to {ours}")]
    OtherCluster { node: NodeId, theirs: ClusterId, ours: ClusterId },
    #[error("node {0} came back with another data directory; its replicas must be replaced first")]
    OtherDisk(NodeId),
    #[error("node {0} shows no sign that it knows the cluster's secret: it has none, or another")]
    Secret(NodeId),
    #[error("node {0} shows that the cluster has a secret, and this node was given none")]
    NoSecret(NodeId),
}

impl Refusal {
    /// By which lines about it are counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Refusal::Version(_) => "version",
            Refusal::Ids(_) => "ids",
            Refusal::Myself(_) => "myself",
            Refusal::Unexpected { .. } => "unexpected",
            Refusal::Direction(_) => "direction",
            Refusal::Stranger(_) => "stranger",
            Refusal::OtherMembers(_) => "other members",
            Refusal::OtherCluster { .. } => "other cluster",
            Refusal::OtherDisk(_) => "other disk",
            Refusal::Secret(_) => "secret",
            Refusal::NoSecret(_) => "no secret",
        }
    }

    /// What the one who is turned away is told.
    pub fn told(&self) -> Turned {
        match self {
            Refusal::Version(_) => Turned::Version,
            Refusal::Stranger(_) | Refusal::Unexpected { .. } | Refusal::Myself(_) => Turned::Stranger,
            Refusal::OtherMembers(_) => Turned::Members,
            Refusal::OtherCluster { .. } => Turned::Cluster,
            Refusal::OtherDisk(_) => Turned::Disk,
            Refusal::Secret(_) | Refusal::NoSecret(_) => Turned::Secret,
            Refusal::Ids(_) | Refusal::Direction(_) => Turned::Otherwise,
        }
    }
}

/// What both sides must agree on.
#[derive(Clone, Debug)]
pub(super) struct Me {
    pub node: NodeId,
    pub members: Vec<NodeId>,
    pub identity: Identity,
}

impl Me {
    /// This node's own hello on a link, without proofs.
    pub fn hello(&self, nonce: Nonce) -> Hello {
        Hello {
            nonce: Bytes::copy_from_slice(&nonce.0),
            proofs: Vec::new(),
            protocol_version: PROTOCOL_VERSION,
            feature_level: self.identity.feature_level,
            cluster: self.identity.cluster.map_or_else(Bytes::new, |cluster| id_bytes(cluster.0)),
            node: self.node.0,
            disk: id_bytes(self.identity.disk.0),
            boot: self.identity.boot.0,
            members_checksum: self.members_checksum(),
        }
    }

    /// What that hello says, as a proof counts it.
    pub fn said(&self, nonce: Nonce) -> Said {
        let Identity { disk, boot, cluster, feature_level } = self.identity;
        let greeting = Greeting { node: self.node, disk, boot, cluster, feature_level };
        Said { greeting, members_checksum: self.members_checksum(), nonce }
    }

    /// Who answers at this node's address.
    pub fn i_am(&self, nonce: Bytes) -> IAm {
        let Hello { cluster, node, disk, boot, .. } = self.hello(Nonce::default());
        IAm { nonce, node, disk, boot, cluster }
    }

    /// Judges a peer's hello. `expected` is whom this node dialled; a node that dials here must have the
    /// lower id.
    pub fn check(&self, hello: &Hello, expected: Option<NodeId>) -> Result<Said, Refusal> {
        let node = NodeId(hello.node);
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(Refusal::Version(hello.protocol_version));
        }
        if node == self.node {
            return Err(Refusal::Myself(node));
        }
        match expected {
            Some(expected) if expected != node => return Err(Refusal::Unexpected { expected, found: node }),
            None if node > self.node => return Err(Refusal::Direction(node)),
            _ => {}
        }
        if !self.members.contains(&node) {
            return Err(Refusal::Stranger(node));
        }
        let said = read(hello).ok_or(Refusal::Ids(hello.node))?;
        let greeting = said.greeting;
        if let (Some(theirs), Some(ours)) = (greeting.cluster, self.identity.cluster)
            && theirs != ours
        {
            return Err(Refusal::OtherCluster { node, theirs, ours });
        }
        if hello.members_checksum != self.members_checksum() {
            return Err(Refusal::OtherMembers(node));
        }
        Ok(said)
    }

    /// Ids alone: each member may well be known by another address elsewhere.
    fn members_checksum(&self) -> u64 {
        let ids: Vec<u64> = self.members.iter().map(|node| u64::from(node.0.unsigned_abs())).collect();
        rng::hash(&ids)
    }
}

/// A 128-bit id on the wire.
pub(super) fn id_bytes(id: u128) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

/// The cluster that `bytes` name; `Some(None)` if none is named.
pub(super) fn read_cluster(bytes: &[u8]) -> Option<Option<ClusterId>> {
    match bytes.len() {
        0 => Some(None),
        _ => Some(Some(ClusterId(read_id(bytes)?))),
    }
}

/// The 128-bit id that `bytes` are.
pub(super) fn read_id(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes)
}

fn read(hello: &Hello) -> Option<Said> {
    let greeting = Greeting {
        node: NodeId(hello.node),
        disk: DiskId(read_id(&hello.disk)?),
        boot: BootId(hello.boot),
        cluster: read_cluster(&hello.cluster)?,
        feature_level: hello.feature_level,
    };
    let nonce = Nonce(hello.nonce.as_ref().try_into().ok()?);
    Some(Said { greeting, members_checksum: hello.members_checksum, nonce })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me(node: i32) -> Me {
        let identity = Identity {
            disk: DiskId(u128::try_from(node).expect("positive")),
            boot: BootId(1),
            cluster: Some(ClusterId(9)),
            feature_level: 1,
        };
        Me { node: NodeId(node), members: vec![NodeId(1), NodeId(2), NodeId(3)], identity }
    }

    /// What node 2 says to a hello of node 1 that was changed so.
    fn judged(expected: Option<NodeId>, change: impl FnOnce(&mut Hello)) -> Result<Greeting, Refusal> {
        let mut hello = me(1).hello(Nonce([5; 32]));
        change(&mut hello);
        me(2).check(&hello, expected).map(|said| said.greeting)
    }

    #[test]
    fn a_hello_is_accepted_or_refused_for_its_reason() {
        let (one, two) = (NodeId(1), NodeId(2));
        let good = judged(None, |_| {}).expect("nothing is wrong");
        assert_eq!((good.node, good.disk, good.cluster), (one, DiskId(1), Some(ClusterId(9))));
        assert_eq!(judged(Some(one), |_| {}), Ok(good));
        assert!(judged(None, |hello| hello.cluster = Bytes::new()).is_ok(), "one side may be unfounded");
        let theirs = ClusterId(8);
        let cases: [(Result<Greeting, Refusal>, Refusal); 9] = [
            (judged(None, |hello| hello.protocol_version = 1), Refusal::Version(1)),
            (judged(None, |hello| hello.nonce = Bytes::from_static(b"short")), Refusal::Ids(1)),
            (judged(None, |hello| hello.node = 2), Refusal::Myself(two)),
            (judged(Some(NodeId(3)), |_| {}), Refusal::Unexpected { expected: NodeId(3), found: one }),
            (judged(None, |hello| hello.node = 3), Refusal::Direction(NodeId(3))),
            (judged(None, |hello| hello.node = -4), Refusal::Stranger(NodeId(-4))),
            (
                judged(None, |hello| hello.cluster = id_bytes(8)),
                Refusal::OtherCluster { node: one, theirs, ours: ClusterId(9) },
            ),
            (judged(None, |hello| hello.disk = Bytes::from_static(b"short")), Refusal::Ids(1)),
            (judged(None, |hello| hello.members_checksum ^= 1), Refusal::OtherMembers(one)),
        ];
        for (judged, refusal) in cases {
            assert_eq!(judged, Err(refusal));
        }
    }
}
