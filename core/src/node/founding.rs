//! How a cluster begins. The node with `bootstrap` waits until it has met all `initial_members`, draws the
//! cluster's id and a replica of the metadata partition for each, and makes that durable as its first frame. The
//! others are told, check that the disk named for them is theirs, and do the same. Single mode is the same with
//! nobody to wait for.
//!
//! It is for ever, so nobody founds with, or joins by the word of, who only says that it is a member: a peer is
//! vouched for by the secret, or by its configured address (`peer`'s `vouch`).
//!
//! A node that is no member and that members turn away, because its disk was emptied or mistaken, is not on its way
//! anywhere: it says why, serves no client, and sends those that ask to another node by hanging up.
//!
//! - Invariant: a node that has data founds nothing, and joins nothing.
//! - Invariant: every member starts from the same state at the same index and term: the founding is the log's
//!   first entry, as if it had been committed by all.

use super::identity::Identity;
use super::ports::Ports;
use crate::config::Config;
use crate::entry::Members;
use crate::ids::{ClusterId, DiskId, NodeId, ReplicaId};
use crate::level::Level;
use crate::metadata::{self, Metadata};
use crate::now::Now;
use crate::peer::{Founder, Founding};
use crate::resident::founded;
use crate::storage::{RecoveredReplica, Reset};
use rust_mq_proto::peer::message::Turned;

/// How far a node has come on its way into a cluster.
pub(super) struct Membership {
    stage: Stage,
    /// What the first replica starts from, while it is being written.
    joining: Option<(ClusterId, RecoveredReplica)>,
    /// A founding that a peer told, until it is vouched for.
    told: Option<(NodeId, Founding)>,
    /// A member has turned this node away.
    is_turned_away: bool,
}

/// The stages of a node's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It reads its disk.
    Recovering,
    /// Its identity is being written.
    Identifying,
    /// The cluster is not founded, or this node was not told.
    Alone,
    /// Its first replica is being written.
    Joining(ReplicaId),
    /// It has a replica of the metadata partition.
    Member,
}

impl Membership {
    /// Nothing is known yet.
    pub fn new() -> Membership {
        Membership { stage: Stage::Recovering, joining: None, told: None, is_turned_away: false }
    }

    /// The stage.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The disk was nobody's: who this node is is being written.
    pub fn identifies(&mut self) {
        self.stage = Stage::Identifying;
    }

    /// The identity is on the disk. Returns whether that was waited for: from now on other nodes are dialled and greeted.
    pub fn identified(&mut self) -> bool {
        let is_first = matches!(self.stage, Stage::Recovering | Stage::Identifying);
        if is_first {
            self.stage = Stage::Alone;
        }
        is_first
    }

    /// The image is here.
    pub fn is_member(&mut self) {
        self.stage = Stage::Member;
    }

    /// Founds the cluster if this node is to, and knows the disk of every member.
    pub fn found_if_complete(&mut self, now: Now, identity: &Identity, config: &Config, ports: &mut Ports) {
        let Some(disk) = identity.disk() else { return };
        if self.stage != Stage::Alone || !config.bootstrap {
            return;
        }
        let others = config.members.iter().map(|member| member.node);
        let others: Vec<NodeId> = others.filter(|node| *node != config.node).collect();
        // Who belongs to a cluster already founds none, and is not founded anew by a bootstrap node whose disk is empty.
        let are_unfounded = others
            .iter()
            .all(|node| ports.peers.greeting(*node).is_some_and(|greeting| greeting.cluster.is_none()));
        if !are_unfounded {
            return;
        }
        let doubtful: Vec<NodeId> =
            others.into_iter().filter(|node| !ports.peers.is_vouched(*node)).collect();
        if !doubtful.is_empty() {
            return doubtful.into_iter().for_each(|node| ports.peers.ask_who(node, now.mono));
        }
        let disk_of = |node: NodeId| {
            if node == config.node {
                Some(disk)
            } else {
                ports.peers.greeting(node).map(|greeting| greeting.disk)
            }
        };
        let disks: Option<Vec<(NodeId, DiskId)>> =
            config.members.iter().map(|member| Some((member.node, disk_of(member.node)?))).collect();
        let Some(disks) = disks else { return };
        let founder = |(replica, (node, disk))| Founder { replica, node, disk };
        let members = (1..).map(ReplicaId).zip(disks).map(founder).collect();
        let newest = |node: NodeId| ports.peers.greeting(node).map(|greeting| greeting.levels.newest);
        let others = config.members.iter().filter_map(|member| newest(member.node));
        let level = others.fold(config.levels.newest, Level::min);
        let cluster = ClusterId(ports.rng.next_u128());
        self.join(Founding { cluster, level, members }, ports);
    }

    /// A member says how the cluster was founded.
    pub fn told(
        &mut self,
        now: Now,
        (node, founding): (NodeId, Founding),
        identity: &Identity,
        config: &Config,
        ports: &mut Ports,
    ) {
        let members = &founding.members;
        let is_meant = members
            .iter()
            .any(|founder| founder.node == config.node && Some(founder.disk) == identity.disk());
        let is_expected = members.len() == config.members.len()
            && members.iter().all(|founder| config.members.iter().any(|member| member.node == founder.node));
        let is_readable = config.levels.contains(founding.level);
        if self.stage != Stage::Alone || !is_meant || !is_expected || !is_readable {
            return;
        }
        if ports.peers.is_vouched(node) {
            self.join(founding, ports);
        } else {
            self.told = Some((node, founding));
            ports.peers.ask_who(node, now.mono);
        }
    }

    /// At a peer's configured address the same node answers, of that cluster. Returns whether that says nothing of a
    /// founding that was told.
    pub fn vouched(&mut self, node: NodeId, cluster: Option<ClusterId>, ports: &mut Ports) -> bool {
        let is_it = |(teller, _): &mut (NodeId, Founding)| *teller == node && self.stage == Stage::Alone;
        let Some((_, founding)) = self.told.take_if(is_it) else { return true };
        if cluster == Some(founding.cluster) {
            self.join(founding, ports);
        }
        false
    }

    /// A member turns this node away.
    pub fn turned_away(&mut self, why: Turned) {
        // Other reasons pass: a peer is upgraded, or configured anew, and dials again.
        self.is_turned_away |=
            matches!(why, Turned::Disk | Turned::Cluster | Turned::Stranger | Turned::Secret);
    }

    /// A peer takes this node for what it is.
    pub fn is_welcome(&mut self) {
        self.is_turned_away = false;
    }

    /// Whether members turn this node away, and it is none itself.
    pub fn is_outside(&self) -> bool {
        self.is_turned_away && self.stage != Stage::Member
    }

    /// The founding is durable here: the cluster, and what this node's first replica starts from.
    pub fn joined(&mut self) -> (ClusterId, RecoveredReplica) {
        self.joining.take().expect("the stage says that one is being written")
    }

    fn join(&mut self, founding: Founding, ports: &mut Ports) {
        let own = founding.members.iter().find(|founder| founder.node == ports.node);
        let id = own.expect("both callers have looked that this node is among the members").replica;
        let voters = founding.members.iter().map(|founder| founder.replica).collect();
        let founders: Vec<metadata::Founder> = founding
            .members
            .iter()
            .map(|&Founder { replica, node, disk }| metadata::Founder { node, replica, disk })
            .collect();
        let state = Metadata::founded(founding.cluster, founding.level, &founders);
        let known = founded(id, Members { voters, learners: Vec::new() }, &state);
        let reset = Reset {
            index: known.applied,
            term: known.applied_term,
            members: known.members.clone(),
            hard_state: known.hard_state,
            segment_end: known.log_end_of_segments,
            log_start: known.log_start,
            state: known.state.whole().cloned().expect("a founding is in one piece"),
        };
        ports.storage.add_replica(id, known.of);
        ports.storage.reset(id, 0, reset, &[]);
        self.joining = Some((founding.cluster, known));
        self.stage = Stage::Joining(id);
    }
}

/// What a peer that is not founded yet must be told: what was said when the cluster was founded, whatever came since.
pub(super) fn founding_of(image: &Metadata) -> Founding {
    let founder =
        |(node, replica): (NodeId, ReplicaId)| Some(Founder { replica, node, disk: image.node(node)?.disk });
    let (cluster, level) = (image.cluster(), image.first_level());
    Founding { cluster, level, members: image.voters().filter_map(founder).collect() }
}
