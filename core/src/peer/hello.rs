//! The hello: who I am, and whether who answers is who it should be.
//!
//! Pure checks. What follows from a refusal (abort, a line in the log, another dial) is `peers`' business.

use crate::event::Nonce;
use crate::ids::{BootId, ClusterId, DiskId, NodeId};
use crate::level::{Level, Levels};
use crate::rng;
use bytes::Bytes;
use rust_mq_proto::peer::message::{Hello, IAm, PROTOCOL_NEWEST, PROTOCOL_OLDEST, Turned};
use std::fmt;

/// Who this node is, once its disk has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its data directory.
    pub disk: DiskId,
    /// This start.
    pub boot: BootId,
    /// The cluster it belongs to; `None` before it is founded.
    pub cluster: Option<ClusterId>,
    /// The feature levels that it reads.
    pub levels: Levels,
}

/// The versions of the messages between nodes that a build speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The first.
    pub oldest: u32,
    /// The last.
    pub newest: u32,
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
    /// The feature levels that it reads.
    pub levels: Levels,
    /// What it speaks.
    pub protocol: Protocol,
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
    #[error("node {node} speaks versions {theirs} of the protocol between nodes, this one {ours}")]
    Protocol { node: NodeId, theirs: Protocol, ours: Protocol },
    #[error("node {node} reads feature levels {theirs}, and this one {ours}: they have none in common")]
    Levels { node: NodeId, theirs: Levels, ours: Levels },
    #[error("node {node} reads feature levels {theirs}, and the cluster has level {level}")]
    Level { node: NodeId, theirs: Levels, level: Level },
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
            Refusal::Protocol { .. } => "protocol versions",
            Refusal::Levels { .. } | Refusal::Level { .. } => "feature levels",
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
            Refusal::Protocol { .. } | Refusal::Levels { .. } => Turned::Version,
            Refusal::Level { .. } => Turned::Level,
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
    /// The cluster's feature level, once this node knows it.
    pub level: Option<Level>,
}

impl Me {
    /// This node's own hello on a link, without proofs.
    pub fn hello(&self, nonce: Nonce) -> Hello {
        Hello {
            nonce: Bytes::copy_from_slice(&nonce.0),
            proofs: Vec::new(),
            protocol_oldest: self.protocol().oldest,
            protocol_newest: self.protocol().newest,
            level_oldest: self.identity.levels.oldest.0,
            level_newest: self.identity.levels.newest.0,
            cluster: self.identity.cluster.map_or_else(Bytes::new, |cluster| id_bytes(cluster.0)),
            node: self.node.0,
            disk: id_bytes(self.identity.disk.0),
            boot: self.identity.boot.0,
            members_checksum: self.members_checksum(),
        }
    }

    /// What that hello says, as a proof counts it.
    pub fn said(&self, nonce: Nonce) -> Said {
        let Identity { disk, boot, cluster, levels } = self.identity;
        let greeting = Greeting { node: self.node, disk, boot, cluster, levels, protocol: self.protocol() };
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
        let protocol = Protocol { oldest: hello.protocol_oldest, newest: hello.protocol_newest };
        if protocol.common(self.protocol()).is_none() {
            return Err(Refusal::Protocol { node, theirs: protocol, ours: self.protocol() });
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
        self.check_levels(node, greeting.levels)?;
        Ok(said)
    }

    /// Whether a node that reads those levels can be in a cluster with this one.
    fn check_levels(&self, node: NodeId, theirs: Levels) -> Result<(), Refusal> {
        let ours = self.identity.levels;
        match self.level {
            Some(level) if !theirs.contains(level) => Err(Refusal::Level { node, theirs, level }),
            None if theirs.common(ours).is_none() => Err(Refusal::Levels { node, theirs, ours }),
            _ => Ok(()),
        }
    }

    /// What this node speaks. Only the simulator has nodes of a build that is ahead of this one.
    pub fn protocol(&self) -> Protocol {
        let newest = u32::from(PROTOCOL_NEWEST) + self.identity.levels.ahead();
        Protocol { oldest: u32::from(PROTOCOL_OLDEST), newest }
    }

    /// Ids alone: each member may well be known by another address elsewhere.
    fn members_checksum(&self) -> u64 {
        let ids: Vec<u64> = self.members.iter().map(|node| u64::from(node.0.unsigned_abs())).collect();
        rng::hash(&ids)
    }
}

impl Protocol {
    /// The newest version that both speak.
    pub fn common(self, other: Protocol) -> Option<u8> {
        let newest = self.newest.min(other.newest);
        if self.oldest.max(other.oldest) > newest { None } else { u8::try_from(newest).ok() }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} to {}", self.oldest, self.newest)
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
        levels: Levels { oldest: Level(hello.level_oldest), newest: Level(hello.level_newest) },
        protocol: Protocol { oldest: hello.protocol_oldest, newest: hello.protocol_newest },
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
            levels: Levels::BUILD,
        };
        Me { node: NodeId(node), members: vec![NodeId(1), NodeId(2), NodeId(3)], identity, level: None }
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
        let ours = Protocol { oldest: 3, newest: 3 };
        let of_protocol =
            |oldest, newest| Refusal::Protocol { node: one, theirs: Protocol { oldest, newest }, ours };
        let levels = Levels { oldest: Level(8), newest: Level(9) };
        let of_levels = Refusal::Levels { node: one, theirs: levels, ours: Levels::BUILD };
        let cases: [(Result<Greeting, Refusal>, Refusal); 11] = [
            (judged(None, |hello| hello.protocol_newest = 2), of_protocol(3, 2)),
            (
                judged(None, |hello| (hello.protocol_oldest, hello.protocol_newest) = (4, 9)),
                of_protocol(4, 9),
            ),
            (judged(None, |hello| (hello.level_oldest, hello.level_newest) = (8, 9)), of_levels),
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

    #[test]
    fn ranges_that_overlap_are_enough_and_the_newest_that_both_speak_is_spoken() {
        let wider = judged(None, |hello| {
            (hello.protocol_oldest, hello.protocol_newest) = (2, 7);
            (hello.level_oldest, hello.level_newest) = (0, 9);
        });
        let wider = wider.expect("they overlap");
        assert_eq!(me(2).protocol().common(wider.protocol), Some(PROTOCOL_NEWEST));
        assert_eq!(wider.levels, Levels { oldest: Level(0), newest: Level(9) });
    }

    #[test]
    fn who_does_not_read_the_clusters_level_is_turned_away() {
        let hello = me(1).hello(Nonce([5; 32]));
        let mut raised = me(2);
        let Levels { oldest, newest } = Levels::BUILD;
        let next = Level(newest.0 + 1);
        raised.identity.levels.newest = next;
        raised.level = Some(newest);
        assert!(raised.check(&hello, None).is_ok(), "before it is raised");
        raised.level = Some(next);
        let refusal = raised.check(&hello, None).expect_err("it would find what it cannot read");
        let said =
            format!("node n1 reads feature levels {oldest} to {newest}, and the cluster has level {next}");
        assert_eq!((refusal.to_string(), refusal.told()), (said, Turned::Level));
    }
}
