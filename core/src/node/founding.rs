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

use super::{Identity, Node, Stage};
use crate::action::{Action, Notice};
use crate::entry::Members;
use crate::ids::{ClusterId, DiskId, NodeId, ReplicaId};
use crate::metadata::{Member, Metadata};
use crate::now::Now;
use crate::peer::{Founder, Founding};
use crate::resident::founded;
use crate::storage::{NodeMeta, Reset};
use rust_mq_proto::peer::message::Turned;

impl Node {
    /// The identity is on the disk.
    pub(super) fn identified_itself(&mut self, now: Now, actions: &mut Vec<Action>) {
        if let Some(reason) = self.ending.take_if(|_| self.metas_waiting == 0) {
            return self.halt(reason, actions);
        }
        if matches!(self.stage, Stage::Recovering | Stage::Identifying) {
            self.stage = Stage::Alone;
            self.begin_peering(now);
            self.found_if_complete(now);
        }
    }

    /// Founds the cluster if this node is to, and knows the disk of every member.
    pub(super) fn found_if_complete(&mut self, now: Now) {
        let Some(identity) = self.identity else { return };
        if self.stage != Stage::Alone || !self.config.bootstrap {
            return;
        }
        let others = self.config.members.iter().map(|member| member.node);
        let others: Vec<NodeId> = others.filter(|node| *node != self.config.node).collect();
        // Who belongs to a cluster already founds none, and is not founded anew by a bootstrap node whose disk is empty.
        let are_unfounded = others
            .iter()
            .all(|node| self.peers.greeting(*node).is_some_and(|greeting| greeting.cluster.is_none()));
        if !are_unfounded {
            return;
        }
        let doubtful: Vec<NodeId> = others.into_iter().filter(|node| !self.peers.is_vouched(*node)).collect();
        if !doubtful.is_empty() {
            return doubtful.into_iter().for_each(|node| self.peers.ask_who(node, now.mono));
        }
        let disk_of = |node: NodeId| {
            if node == self.config.node {
                Some(identity.disk)
            } else {
                self.peers.greeting(node).map(|greeting| greeting.disk)
            }
        };
        let disks: Option<Vec<(NodeId, DiskId)>> =
            self.config.members.iter().map(|member| Some((member.node, disk_of(member.node)?))).collect();
        let Some(disks) = disks else { return };
        let founder = |(replica, (node, disk))| Founder { replica, node, disk };
        let members = (1..).map(ReplicaId).zip(disks).map(founder).collect();
        let cluster = ClusterId(self.rng.next_u128());
        self.join(Founding { cluster, members });
    }

    /// A member says how the cluster was founded.
    pub(super) fn told_founding(&mut self, now: Now, node: NodeId, founding: Founding) {
        let Some(identity) = self.identity else { return };
        let members = &founding.members;
        let is_meant =
            members.iter().any(|founder| founder.node == self.config.node && founder.disk == identity.disk);
        let is_expected = members.len() == self.config.members.len()
            && members
                .iter()
                .all(|founder| self.config.members.iter().any(|member| member.node == founder.node));
        if self.stage != Stage::Alone || !is_meant || !is_expected {
            return;
        }
        if self.peers.is_vouched(node) {
            self.join(founding);
        } else {
            self.told = Some((node, founding));
            self.peers.ask_who(node, now.mono);
        }
    }

    /// At a peer's configured address the same node answers, of that cluster.
    pub(super) fn vouched(&mut self, now: Now, node: NodeId, cluster: Option<ClusterId>) {
        match self.told.take() {
            Some((teller, founding)) if teller == node && self.stage == Stage::Alone => {
                if cluster == Some(founding.cluster) {
                    self.join(founding);
                }
            }
            told => {
                self.told = told;
                self.found_if_complete(now);
            }
        }
    }

    /// A member turns this node away.
    pub(super) fn turned_away(&mut self, why: Turned) {
        // Other reasons pass: a peer is upgraded, or configured anew, and dials again.
        self.is_turned_away |=
            matches!(why, Turned::Disk | Turned::Cluster | Turned::Stranger | Turned::Secret);
    }

    /// Whether clients are sent to other nodes: members turn this node away, and it is none itself.
    pub fn sends_clients_away(&self) -> bool {
        self.is_turned_away && self.stage != Stage::Member && !self.config.is_single()
    }

    fn join(&mut self, founding: Founding) {
        let own = founding.members.iter().find(|founder| founder.node == self.config.node);
        let id = own.expect("both callers have looked that this node is among the members").replica;
        let voters = founding.members.iter().map(|founder| founder.replica).collect();
        let members = founding
            .members
            .iter()
            .map(|founder| (founder.node, Member { replica: founder.replica, disk: founder.disk }))
            .collect();
        let state = Metadata::founded(founding.cluster, members);
        let known = founded(id, Members { voters, learners: Vec::new() }, &state);
        let reset = Reset {
            index: known.applied,
            term: known.applied_term,
            members: known.members.clone(),
            hard_state: known.hard_state,
            segment_end: known.log_end_of_segments,
            log_start: known.log_start,
            state: known.state.clone(),
        };
        self.storage.add_replica(id, known.of);
        self.storage.reset(id, 0, reset, &[]);
        self.joining = Some((founding.cluster, known));
        self.stage = Stage::Joining(id);
    }

    /// The founding is durable here.
    pub(super) fn joined(&mut self, now: Now, actions: &mut Vec<Action>) {
        let (cluster, known) = self.joining.take().expect("the stage says that one is being written");
        let disk = self.identity.map_or(DiskId(0), |identity| identity.disk);
        self.identity = Some(Identity { disk, cluster: Some(cluster) });
        self.write_meta();
        self.start_metadata(now, known, actions);
    }

    /// Who this node is, to its disk.
    pub(super) fn write_meta(&mut self) {
        let Some(identity) = self.identity else { return };
        let dead = self.dead.iter().copied().collect();
        let (node, loss) = (self.config.node, self.loss);
        let meta = NodeMeta { cluster: identity.cluster, node, disk: identity.disk, dead, loss };
        self.metas_waiting += 1;
        self.storage.write_meta(meta, &mut self.disk_actions);
    }

    /// What a peer that is not founded yet must be told, if this node knows.
    pub(super) fn founding(&self) -> Option<Founding> {
        let image = self.image()?;
        let founder =
            |(node, member): (NodeId, Member)| Founder { replica: member.replica, node, disk: member.disk };
        Some(Founding { cluster: image.cluster(), members: image.members().map(founder).collect() })
    }

    /// Says once that clients are served.
    pub fn say_serving(&mut self, actions: &mut Vec<Action>) {
        if !self.has_said_serving && self.is_serving() && self.is_settled() {
            self.has_said_serving = true;
            let partitions = self.residents.partition_count() as u64;
            actions.push(Action::Note(Notice::Serving { journal_bytes: self.journal_bytes, partitions }));
        }
    }

    /// Whether requests are taken up. A node that is its own cluster knows when it is about to lead everything,
    /// and does not tell clients of topics without leaders meanwhile; a member of a larger one may never see a
    /// leader, and says what it knows. Who is no member knows nothing, and nothing is what a client would be told.
    pub fn is_open(&self) -> bool {
        self.has_said_serving || !self.config.is_single() && self.stage == Stage::Member
    }

    fn is_settled(&self) -> bool {
        let is_leading_all = || self.residents.iter().all(|(_, resident)| resident.is_leading());
        !self.config.is_single() || self.image().is_some() && is_leading_all()
    }
}
