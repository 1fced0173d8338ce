//! What other nodes bring and are told: Raft's messages to the replicas they are for, forwarded requests to the
//! metadata machine, and who is there.
//!
//! When a peer goes down, the partitions it led need not wait for a timeout: every follower ends its lease and
//! stands for election, staggered by its rank, so that the first usually wins.

use super::Node;
use crate::action::{Action, HaltReason, Notice};
use crate::entry::EntryKind;
use crate::event::Nonce;
use crate::ids::{Index, LinkId, NodeId, ReplicaId};
use crate::limits::{FORWARDS_MAX, TICK};
use crate::link::LaneKind;
use crate::machine::Waiter;
use crate::metadata::{Reply, Request};
use crate::now::Now;
use crate::peer::{CallId, Identity, Outcome};
use crate::replica::Refused;
use bytes::BytesMut;
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};

/// Waiters of peers' requests are told from those of the desk by this bit; the rest of the number is this
/// node's own count.
const PEERS: u64 = 1 << 63;

impl Node {
    /// Whether a link is a peer's lane.
    pub fn is_peer(&self, link: LinkId) -> bool {
        self.peers.owns(link)
    }

    /// A lane opened.
    pub fn peer_opened(&mut self, now: Now, link: LinkId, lane: LaneKind, nonce: Nonce) {
        self.peers.opened(link, lane, nonce, now.mono);
    }

    /// A peer's message.
    pub fn peer_received(&mut self, now: Now, link: LinkId, message: BytesMut) {
        self.peers.received(link, message, now.mono);
        self.peers_news(now);
    }

    /// Bytes to a peer left the driver's buffer.
    pub fn peer_sent(&mut self, now: Now, link: LinkId, bytes: u64) {
        self.peers.sent(link, bytes, now.mono);
    }

    /// A lane is gone.
    pub fn peer_closed(&mut self, now: Now, link: LinkId) {
        self.peers.closed(link, now.mono);
        self.peers_news(now);
    }

    pub(super) fn peers_woke(&mut self, now: Now) {
        self.peers.woke(now.mono);
        self.peers_news(now);
    }

    /// From now on other nodes are dialled and greeted: who this node is, is on its disk.
    pub(super) fn begin_peering(&mut self, now: Now) {
        let Some(identity) = self.identity else { return };
        let feature_level = crate::metadata::FEATURE_LEVEL;
        let identity =
            Identity { disk: identity.disk, boot: self.boot, cluster: identity.cluster, feature_level };
        self.peers.started(identity, now.mono);
    }

    /// This node is a member: peers hear of its cluster, and each is held to the disk that its replicas are on.
    pub(super) fn bind_peers(&mut self, now: Now) {
        let Some(founding) = self.founding() else { return };
        self.peers.founded(founding.cluster);
        for founder in &founding.members {
            self.peers.bind(founder.node, founder.disk, now.mono);
            let is_told = self.peers.greeting(founder.node).is_none_or(|greeting| greeting.cluster.is_some());
            if !is_told {
                self.peers.send_found(founder.node, founding.clone());
            }
        }
    }

    fn peers_news(&mut self, now: Now) {
        while let Some(outcome) = self.peers.next_outcome() {
            match outcome {
                Outcome::Up(greeting) => self.peer_up(now, greeting.node, greeting.cluster.is_none()),
                Outcome::Down(node) => self.peer_down(now, node),
                Outcome::Raft(node, messages) => {
                    messages.into_iter().for_each(|message| self.step(now, node, message));
                }
                Outcome::Found(node, founding) => self.told_founding(now, node, founding),
                Outcome::Vouched(node, cluster) => self.vouched(now, node, cluster),
                Outcome::TurnedAway(_, why) => self.turned_away(why),
                Outcome::Forward { node, id, request } => self.asked_by_peer(now, node, id, &request),
                Outcome::Forwarded { id, index, reply } => self.forwarded(id, Some((index, &reply))),
                Outcome::ForwardLost(id) => self.forwarded(id, None),
                Outcome::Bulk(node, bulk) => self.bulk(now, node, bulk),
                Outcome::BulkDown(node) => {
                    self.catch_ups_lost(now, node);
                    self.mendings_lost(now, node);
                }
            }
        }
    }

    fn peer_up(&mut self, now: Now, node: NodeId, is_unfounded: bool) {
        self.is_turned_away = false;
        if is_unfounded && let Some(founding) = self.founding() {
            self.peers.send_found(node, founding);
        }
        self.found_if_complete(now);
        for (id, peer) in self.residents.with(node) {
            let Some(resident) = self.residents.get_mut(id) else { continue };
            resident.replica_mut().peer_found(peer);
            let has_no_leader = resident.replica().leader() == ReplicaId::NOBODY;
            resident.follower_returned(peer, now.mono);
            self.tell_who_lags(id);
            if has_no_leader {
                // Perhaps there is a majority again. A leader that the peer has is heard before a turn is over.
                let wait = TICK * (1 + self.turn(id));
                self.elections.arm(now.mono + wait, id);
            }
            self.touch(id);
        }
        self.news.is_leader_changed = true;
    }

    /// A replica's place among those of its group that are there: in this order they stand for election, a tick
    /// apart, so that the first usually wins.
    fn turn(&self, id: ReplicaId) -> u32 {
        let live = self.live_members(id);
        let Some(replica) = self.residents.replica(id) else { return 0 };
        let rank = replica
            .members()
            .voters
            .iter()
            .filter(|voter| live.contains(voter))
            .position(|voter| *voter == id);
        u32::try_from(rank.unwrap_or(0)).unwrap_or(0)
    }

    fn peer_down(&mut self, now: Now, node: NodeId) {
        for (id, peer) in self.residents.with(node) {
            let live = self.live_members(id);
            let Some(replica) = self.residents.replica_mut(id) else { continue };
            replica.peer_lost(peer);
            if replica.is_leader() {
                replica.step_down_without_quorum(&live);
            } else if replica.leader() == peer {
                replica.leader_lost();
                let wait = TICK * self.turn(id);
                self.elections.arm(now.mono + wait, id);
            }
            if let Some(resident) = self.residents.get_mut(id) {
                resident.follower_lost(peer);
            }
            self.tell_who_lags(id);
            self.touch(id);
        }
        self.news.is_leader_changed = true;
    }

    /// Tells the other nodes which replicas are not in sync, if this one leads.
    pub(super) fn tell_who_lags(&mut self, id: ReplicaId) {
        let Some(partition) =
            self.residents.partition(id).filter(|partition| partition.replica().is_leader())
        else {
            return;
        };
        let (of, term) = (partition.of(), partition.replica().term());
        let lagging: Vec<NodeId> =
            partition.out_of_sync().filter_map(|replica| self.residents.node_of(of, replica)).collect();
        self.peers.learn_lagging(of, term, lagging);
    }

    /// Replicas whose leader's node died stand for election when their turn has come, unless another did.
    pub(super) fn hold_elections(&mut self, now: Now) {
        while let Some(id) = self.elections.pop_due(now.mono) {
            if self.residents.replica(id).is_some_and(|replica| replica.leader() == ReplicaId::NOBODY) {
                self.campaign(id);
            }
        }
    }

    fn live_members(&self, id: ReplicaId) -> Vec<ReplicaId> {
        let Some(of) = self.residents.partition_of(id) else { return Vec::new() };
        let nodes = self.config.members.iter().map(|member| member.node).filter(|node| self.is_alive(*node));
        nodes.filter_map(|node| self.residents.replica_on(of, node)).collect()
    }

    fn step(&mut self, now: Now, node: NodeId, message: RaftMessage) {
        let id = ReplicaId(message.to);
        if let Err(said) = self.residents.check_message(node, &message) {
            return self.peers.disbelieve(node, said.kind(), &said, now.mono);
        }
        let is_full = !self.storage.accepts_records();
        if message.kind() == RaftKind::TransferWanted && !self.is_heard_by_more(id, ReplicaId(message.from)) {
            return;
        }
        let Some(replica) = self.residents.replica_mut(id) else { return };
        // A full disk takes no records from a leader either: it hears nothing and sends them again.
        if is_full && message.entries.iter().any(|entry| entry.kind == EntryKind::Batch as u32) {
            return;
        }
        match replica.step(message) {
            Ok(()) => self.touch(id),
            Err(Refused::LostTail) => self.retire(id, "has lost entries that its disk had promised to keep"),
            // What else the guard refuses is a message lost: Raft sends again what matters.
            Err(_) => {}
        }
    }

    /// A disk has lost what it had promised: a leader knows of entries here that are not here, or what was committed
    /// elsewhere is not what is committed now. This replica must never vote nor acknowledge again; its files stay where
    /// they are. A node without its image is none: it says nothing any more, and ends once its disk knows why. Before
    /// that, the next start would vote.
    pub(super) fn retire(&mut self, id: ReplicaId, what: &str) {
        let Some(resident) = self.residents.remove(id) else { return };
        let reason = format!("{}: {id} {what}", resident.of());
        self.disk_actions.push(Action::Note(Notice::ReplicaDead { reason: reason.clone() }));
        self.dead.insert(id);
        if self.image().is_none() {
            self.ending = Some(HaltReason::Undecodable { reason });
        } else {
            // Checkpoints go on naming what it had.
            self.unclaimed.insert(id, resident.remains());
            self.abandon(resident);
            self.reads_lost(id);
            self.catch_up_stopped(id);
            self.mending_over(id);
        }
        self.write_meta();
    }

    /// Messages of a replica to its group.
    pub(super) fn say(&mut self, id: ReplicaId, messages: Vec<RaftMessage>) {
        let Some(of) = self.residents.partition_of(id) else { return };
        for message in messages {
            if let Some(node) = self.residents.node_of(of, ReplicaId(message.to)) {
                self.peers.send_raft(node, message);
            }
        }
    }

    fn asked_by_peer(&mut self, now: Now, node: NodeId, id: CallId, request: &[u8]) {
        let Ok(request) = Request::decode(request) else { return };
        if self.peer_calls.len() >= FORWARDS_MAX {
            // Whoever asks gives up after a while, and is no worse off than with an answer that came too late.
            return;
        }
        self.next_context += 1;
        let waiter = Waiter(PEERS | self.next_context);
        self.peer_calls.insert(waiter, (node, id));
        let Some(id) = self.residents.metadata().map(|host| host.replica().id()) else {
            self.answer_peer(waiter, Index(0), &Reply::NotController);
            return;
        };
        self.with(id, |resident, told| resident.request(now, waiter, request, told));
        self.touch(id);
    }

    /// Sends an answer to the node that forwarded the request, if one did.
    pub(super) fn answer_peer(&mut self, waiter: Waiter, index: Index, reply: &Reply) -> bool {
        let Some((node, id)) = self.peer_calls.remove(&waiter) else { return false };
        self.peers.forwarded(node, id, index, reply.encode());
        true
    }

    /// Ends the turn: everything that is to leave leaves.
    pub fn flush(&mut self, now: Now, actions: &mut Vec<Action>) {
        actions.append(&mut self.disk_actions);
        self.storage.flush(now.mono, actions, &mut self.disk_news);
        self.charge_behind();
        self.connections.flush(now.mono, &mut self.budget, actions);
        if !self.config.is_single() {
            let metadata_end = self.metadata().map_or(Index(0), |host| host.replica().last_index());
            self.peers.tell(metadata_end, self.handing_over.is_node_reluctant());
        }
        self.peers.flush(now.mono, actions);
    }
}
