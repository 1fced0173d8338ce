//! What other nodes bring and are told: Raft's messages to the replicas they are for, forwarded requests to the
//! metadata machine, and who is there.
//!
//! When a peer goes down, the partitions it led need not wait for a timeout: every follower ends its lease and
//! stands for election, staggered by its rank, so that the first usually wins.

use super::company::Company;
use super::founding::founding_of;
use super::serving::give_snapshot;
use super::{Node, behind};
use crate::action::Action;
use crate::entry::EntryKind;
use crate::event::Nonce;
use crate::ids::{ClusterId, Index, LinkId, NodeId, ReplicaId};
use crate::link::LaneKind;
use crate::now::Now;
use crate::peer::{Bulk, Founding, Outcome};
use crate::replica::Refused;
use bytes::BytesMut;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

impl Node {
    /// Whether a link is a peer's lane.
    pub fn is_peer(&self, link: LinkId) -> bool {
        self.ports.peers.owns(link)
    }

    /// A lane opened.
    pub fn peer_opened(&mut self, now: Now, link: LinkId, lane: LaneKind, nonce: Nonce) {
        self.ports.peers.opened(link, lane, nonce, now.mono);
    }

    /// A peer's message.
    pub fn peer_received(&mut self, now: Now, link: LinkId, message: BytesMut) {
        self.ports.peers.received(link, message, now.mono);
        self.peers_news(now);
    }

    /// Bytes to a peer left the driver's buffer.
    pub fn peer_sent(&mut self, now: Now, link: LinkId, bytes: u64) {
        self.ports.peers.sent(link, bytes, now.mono);
    }

    /// A lane is gone.
    pub fn peer_closed(&mut self, now: Now, link: LinkId) {
        self.ports.peers.closed(link, now.mono);
        self.peers_news(now);
    }

    pub(super) fn peers_woke(&mut self, now: Now) {
        self.ports.peers.woke(now.mono);
        self.peers_news(now);
    }

    /// From now on other nodes are dialled and greeted: who this node is, is on its disk.
    pub(super) fn greet(&mut self, now: Now) {
        if let Some(greeting) = self.identity.greeting(self.config.levels) {
            self.ports.peers.started(greeting, now.mono);
        }
    }

    /// This node is a member: peers hear of its cluster, and each is held to the disk that its replicas are on.
    pub(super) fn bind_peers(&mut self, now: Now, founding: &Founding) {
        let peers = &mut self.ports.peers;
        peers.founded(founding.cluster);
        for founder in &founding.members {
            peers.bind(founder.node, founder.disk, now.mono);
            let is_told = peers.greeting(founder.node).is_none_or(|greeting| greeting.cluster.is_some());
            if !is_told {
                peers.send_found(founder.node, founding.clone());
            }
        }
    }

    /// Founds the cluster if this node is to, and knows enough.
    pub(super) fn found_if_complete(&mut self, now: Now) {
        self.membership.found_if_complete(now, &self.identity, &self.config, &mut self.ports);
    }

    fn peers_news(&mut self, now: Now) {
        while let Some(outcome) = self.ports.peers.next_outcome() {
            self.peer_news(now, outcome);
        }
    }

    fn peer_news(&mut self, now: Now, outcome: Outcome) {
        let (residents, ports) = (&mut self.residents, &mut self.ports);
        match outcome {
            Outcome::Up(greeting) => self.peer_up(now, greeting.node, greeting.cluster),
            Outcome::Down(node) => self.peer_down(now, node),
            Outcome::Raft(node, messages) => {
                messages.into_iter().for_each(|message| self.step(now, node, message));
            }
            Outcome::Found(node, founding) => {
                self.membership.told(now, (node, founding), &self.identity, &self.config, ports);
            }
            Outcome::Vouched(node, cluster) => {
                if self.membership.vouched(node, cluster, ports) {
                    self.found_if_complete(now);
                }
            }
            Outcome::TurnedAway(_, why) => self.membership.turned_away(why),
            Outcome::Forward { node, id, request } => {
                self.asking.asked_by(now, (node, id), &request, residents, ports);
            }
            Outcome::Forwarded { id, index, reply } => {
                self.asking.forwarded(id, Some((index, &reply)), residents, ports);
            }
            Outcome::ForwardLost(id) => self.asking.forwarded(id, None, residents, ports),
            Outcome::Bulk(node, bulk) => self.bulk(now, node, bulk),
            Outcome::BulkDown(node) => {
                self.catch_ups.lost(now, node, residents, ports);
                self.mendings.lost(now, node);
            }
        }
    }

    /// A message of a peer's bulk lane.
    fn bulk(&mut self, now: Now, node: NodeId, bulk: Bulk) {
        let (residents, ports) = (&mut self.residents, &mut self.ports);
        match bulk {
            Bulk::CatchUp(told) => self.catch_ups.told(now, node, &told, residents, ports),
            Bulk::Fetch(fetch) => {
                self.serving.give_batches(node, &fetch, residents, ports, &mut self.handing_over);
            }
            Bulk::Fetched(fetched) => {
                if !self.mendings.fetched(now, node, &fetched, residents, ports) {
                    self.catch_ups.fetched(now, node, &fetched, residents, ports);
                }
            }
            Bulk::SnapshotWanted(wanted) => {
                give_snapshot(node, &wanted, residents, ports, &mut self.handing_over);
            }
            Bulk::Snapshot(snapshot) => {
                self.catch_ups.snapshot_came(now, node, snapshot, residents, ports);
            }
        }
    }

    fn peer_up(&mut self, now: Now, node: NodeId, cluster: Option<ClusterId>) {
        self.membership.is_welcome();
        if cluster.is_none()
            && let Some(image) = self.residents.image()
        {
            self.ports.peers.send_found(node, founding_of(image));
        }
        self.found_if_complete(now);
        for (id, peer) in self.residents.with(node) {
            let Some(resident) = self.residents.get_mut(id) else { continue };
            resident.replica_mut().peer_found(peer);
            let has_no_leader = resident.replica().leader() == ReplicaId::NOBODY;
            resident.follower_returned(peer, now.mono);
            self.tell_who_lags(id);
            if has_no_leader {
                self.elections.member_found(now, id, Company::of(&self.residents, &self.ports));
            }
            self.ports.touch(id);
        }
        self.ports.news.is_leader_changed = true;
    }

    fn peer_down(&mut self, now: Now, node: NodeId) {
        for (id, peer) in self.residents.with(node) {
            let Some(of) = self.residents.partition_of(id) else { continue };
            let live = self.company().live_members(of);
            let Some(resident) = self.residents.get_mut(id) else { continue };
            let replica = resident.replica_mut();
            replica.peer_lost(peer);
            let has_lost_leader = !replica.is_leader() && replica.leader() == peer;
            if replica.is_leader() {
                replica.step_down_without_quorum(&live);
            } else if has_lost_leader {
                replica.leader_lost();
            }
            resident.follower_lost(peer);
            if has_lost_leader {
                self.elections.leader_lost(now, id, Company::of(&self.residents, &self.ports));
            }
            self.tell_who_lags(id);
            self.ports.touch(id);
        }
        self.ports.news.is_leader_changed = true;
    }

    /// Tells the other nodes which replicas are not in sync, if this one leads.
    pub(super) fn tell_who_lags(&mut self, id: ReplicaId) {
        let Some(partition) = self.residents.partition(id).filter(|one| one.replica().is_leader()) else {
            return;
        };
        let (of, term) = (partition.of(), partition.replica().term());
        let lagging = partition.out_of_sync().filter_map(|replica| self.residents.node_of(of, replica));
        self.ports.peers.learn_lagging(of, term, lagging.collect());
    }

    fn step(&mut self, now: Now, node: NodeId, message: RaftMessage) {
        let id = ReplicaId(message.to);
        if self.unstarted.hurry_replica(id) {
            // If this turn may not start it any more, the message is lost: Raft sends again what matters.
            let mut actions = std::mem::take(&mut self.ports.actions);
            self.go_on_starting(now, &mut actions);
            self.ports.actions.splice(0..0, actions);
        }
        if let Err(said) = self.residents.check_message(node, &message) {
            return self.ports.peers.disbelieve(node, said.kind(), &said, now.mono);
        }
        let is_full = !self.ports.storage.accepts_records();
        let from = ReplicaId(message.from);
        if message.kind() == RaftKind::TransferWanted && !self.company().is_heard_better(id, from) {
            return;
        }
        let Some(replica) = self.residents.replica_mut(id) else { return };
        // A full disk takes no records from a leader either: it hears nothing and sends them again.
        if is_full && message.entries.iter().any(|entry| entry.kind == EntryKind::Batch as u32) {
            return;
        }
        match replica.step(message) {
            Ok(()) => self.ports.touch(id),
            Err(Refused::LostTail) => self.retire(id, "has lost entries that its disk had promised to keep"),
            // What else the guard refuses is a message lost: Raft sends again what matters.
            Err(_) => {}
        }
    }

    /// Ends the turn: everything that is to leave leaves.
    pub fn flush(&mut self, now: Now, actions: &mut Vec<Action>) {
        actions.append(&mut self.ports.actions);
        self.ports.storage.flush(now.mono, actions, &mut self.ports.outcomes);
        behind::charge(&self.residents, &self.ports, &mut self.budget);
        self.connections.flush(now.mono, &mut self.budget, actions);
        if !self.config.is_single() {
            let metadata_end = self.metadata().map_or(Index(0), |host| host.replica().last_index());
            self.ports.peers.tell(metadata_end, self.handing_over.is_node_reluctant());
        }
        self.ports.peers.flush(now.mono, actions);
    }
}
