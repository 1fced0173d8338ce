//! Whether a peer is who it says, where the cluster has no secret to show it by.
//!
//! A peer that this node has dialled is at the address that the configuration names; one that dialled in may be anybody
//! who can reach the port. What a cluster is founded with is for ever, so before that this node dials the peer's
//! configured address once and asks who is there: the same node, disk and start must answer, with the number that was
//! just drawn. It is the one link that the node with the higher id dials (law 10 in ARCHITECTURE.md).
//!
//! What this leaves open: whoever can answer at a member's address, or change bytes on the way, is believed. A secret
//! closes the first.
//!
//! Invariant: a node that has secrets neither asks nor answers.

use super::{Endpoint, Peers, Stage};
use crate::action::{Action, Notice};
use crate::ids::{BootId, DiskId, LinkId, NodeId};
use crate::link::LaneKind;
use crate::now::Mono;
use crate::peer::hello::{read_cluster, read_id};
use crate::peer::outcome::Outcome;
use bytes::Bytes;
use rust_mq_proto::peer::message::{GREETING_VERSION, IAm, PeerBody, WhoAreYou};

impl Peers {
    /// Whether it is known that a peer that is up is the one that was configured.
    pub fn is_vouched(&self, node: NodeId) -> bool {
        let remote = self.remotes.get(&node);
        !self.secrets.is_empty() || remote.is_some_and(|remote| remote.is_dialled || remote.is_vouched)
    }

    /// Asks at a peer's configured address who is there: `Vouched` follows, or the peer's lanes are ended.
    pub fn ask_who(&mut self, node: NodeId, now: Mono) {
        let is_asked = self.links.values().any(|endpoint| endpoint.asks == Some(node));
        let Some(remote) = self.remotes.get(&node).filter(|_| !is_asked) else { return };
        let (link, lane) = (LinkId(self.next_link), LaneKind::Raft);
        self.next_link += 2;
        self.actions.push(Action::Dial { link, address: remote.address.clone(), lane });
        let endpoint = Endpoint { asks: Some(node), ..Endpoint::new(lane, Stage::Dialled, None, now) };
        self.links.insert(link, endpoint);
    }

    /// The address answers: what is to be said first.
    pub(super) fn ask(&mut self, link: LinkId) {
        let nonce = Bytes::copy_from_slice(&self.links[&link].nonce.0);
        let parts = PeerBody::WhoAreYou(WhoAreYou { nonce }).into_parts(GREETING_VERSION);
        self.actions.push(Action::Send { link, parts });
    }

    /// Somebody asks who is here.
    pub(super) fn asked_who(&mut self, link: LinkId, asked: WhoAreYou, now: Mono) {
        if !self.secrets.is_empty() || asked.nonce.len() != 32 {
            return self.reject(link, "asks who is here, which the secret would show".into(), now);
        }
        let me = self.me.as_ref().expect("without credit nothing comes before the start");
        let parts = PeerBody::IAm(me.i_am(asked.nonce)).into_parts(GREETING_VERSION);
        self.actions.push(Action::Send { link, parts });
        self.actions.push(Action::Close { link });
        self.links.remove(&link);
    }

    /// Who is at the address of a peer.
    pub(super) fn told_who(&mut self, link: LinkId, said: &IAm, now: Mono) {
        let Some(endpoint) = self.links.remove(&link) else { return };
        self.actions.push(Action::Abort { link });
        let node = endpoint.asks.expect("only a link that asks is answered");
        let Some(remote) = self.remotes.get_mut(&node) else { return };
        let is_same = remote.greeting.is_some_and(|greeting| {
            said.nonce[..] == endpoint.nonce.0
                && NodeId(said.node) == node
                && read_id(&said.disk).map(DiskId) == Some(greeting.disk)
                && BootId(said.boot) == greeting.boot
        });
        match read_cluster(&said.cluster).filter(|_| is_same) {
            Some(cluster) => {
                remote.is_vouched = true;
                self.outcomes.push_back(Outcome::Vouched(node, cluster));
            }
            None => self.not_vouched(node, now),
        }
    }

    /// Nobody at a peer's address says that it is the one who came.
    pub(super) fn not_vouched(&mut self, node: NodeId, now: Mono) {
        let Some(remote) = self.remotes.get(&node).filter(|remote| remote.is_up()) else { return };
        let (links, address) = ([remote.raft.link(), remote.bulk.link()], remote.address.clone());
        if self.refusals.may_say("not vouched", Some(node), now) {
            let reason = format!(
                "who came as node {node} is not confirmed at its address {address}, and founds no cluster with this \
                 node: a stranger came, or the address is wrong or cannot be reached from here"
            );
            self.actions.push(Action::Note(Notice::PeerRefused { reason }));
        }
        links.into_iter().flatten().for_each(|link| self.abort(link, now));
    }
}
