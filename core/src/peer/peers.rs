//! All peers: the room's face, and the life of their links.
//!
//! Owns every odd link (it alone dials) and every accepted one of kind `Peer`. A link that nobody knows is
//! ignored: it was aborted, and its last events were under way.
//!
//! Invariant: `peer.lane(kind).link() == Some(link)` iff `links[link]` names that peer and kind; an accepted link
//! without a peer is a stranger's, who has not shown who it is.

use super::bulk::{Bulk, BulkRefused, CallId};
use super::forwards::Forwards;
use super::hello::{Greeting, Identity, Me, Refusal};
use super::leaders::Leaders;
use super::outcome::{Founding, Outcome};
use super::proof::Talk;
use super::refusals::Refusals;
use super::remote::Remote;
use super::sign::Sign;
use crate::action::{Action, Notice};
use crate::config::{Config, Secrets};
use crate::event::Nonce;
use crate::ids::{ClusterId, DiskId, Index, LinkId, NodeId, Term, TopicId, TopicPartition};
use crate::level::Level;
use crate::limits::{
    PEER_CREDIT_BYTES, PEER_HELLO_MAX, PEER_MESSAGE_BYTES_MAX, PEER_STRANGER_BYTES_MAX, PEER_STRANGERS_MAX,
};
use crate::link::LaneKind;
use crate::mutant::{Mutant, is_planted};
use crate::now::{Mono, earliest};
use crate::rng::Rng;
use bytes::{Bytes, BytesMut};
use rust_mq_proto::peer::codec::parse;
use rust_mq_proto::peer::message::{Alive, Forward, Forwarded, PROTOCOL_NEWEST, PeerBody};
use rust_mq_proto::peer::raft::RaftMessage;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

mod arrival;
mod vouch;

/// All peers of this node.
#[derive(Debug)]
pub struct Peers {
    node: NodeId,
    members: Vec<NodeId>,
    /// `None` until the disk has been read: nobody is dialled or greeted before.
    me: Option<Me>,
    heartbeat: Duration,
    silence_max: Duration,
    remotes: BTreeMap<NodeId, Remote>,
    links: BTreeMap<LinkId, Endpoint>,
    next_link: u64,
    leaders: Leaders,
    /// What this node says of itself, and what it last said.
    sign: Sign,
    said: Sign,
    forwards: Forwards,
    secrets: Secrets,
    rng: Rng,
    /// Dials, hellos, credit, ends and lines of this turn, before whatever `flush` adds.
    actions: Vec<Action>,
    outcomes: VecDeque<Outcome>,
    refusals: Refusals,
    /// The bug that is planted, if one is.
    mutant: Option<Mutant>,
}

/// One link of this room.
#[derive(Debug)]
struct Endpoint {
    kind: LaneKind,
    stage: Stage,
    since: Mono,
    /// Whether it was given credit: before, nothing can be said on it.
    is_allowed: bool,
    credit_bytes: usize,
    /// For this side's hello.
    nonce: Nonce,
    /// Whose lane it is, or is to be.
    peer: Option<NodeId>,
    /// Whom it only asks who is there.
    asks: Option<NodeId>,
    greeting: Option<Greeting>,
    /// What a stranger has said, and what it was told: its proof is to be of that.
    talk: Option<Talk>,
}

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Asked for; the driver's answer is due.
    Dialled,
    /// Open; the other side's hello is due.
    Greeting,
    /// Both hellos are said; the dialler's proof is due.
    Confirming,
    /// It was asked who is there; the answer is due.
    Asking,
    /// In use.
    Ready,
}

impl Peers {
    /// How many forwarded requests are open.
    #[cfg(feature = "simulation")]
    pub fn held(&self) -> usize {
        self.forwards.held()
    }

    /// The peers of the configured members.
    pub fn new(config: &Config, seed: u64) -> Peers {
        let mut rng = Rng::stream(seed, "peer");
        let remote = |member: &crate::config::Member| {
            (member.node, Remote::new(member.rpc.clone(), config.node < member.node))
        };
        Peers {
            node: config.node,
            members: config.members.iter().map(|member| member.node).collect(),
            me: None,
            heartbeat: config.heartbeat_interval,
            silence_max: config.election_timeout_min,
            remotes: config.members.iter().filter(|member| member.node != config.node).map(remote).collect(),
            links: BTreeMap::new(),
            next_link: 1,
            leaders: Leaders::default(),
            sign: Sign::default(),
            said: Sign::default(),
            forwards: Forwards::new(rng.next_u64()),
            secrets: config.secrets.clone(),
            rng,
            actions: Vec::new(),
            outcomes: VecDeque::new(),
            refusals: Refusals::default(),
            mutant: config.mutant,
        }
    }

    /// The disk has been read: from now on peers are dialled, and those that wait are greeted.
    pub fn started(&mut self, identity: Identity, now: Mono) {
        let members = self.members.clone();
        self.me = Some(Me { node: self.node, members, identity, level: None });
        for remote in self.remotes.values_mut().filter(|remote| remote.is_dialled) {
            remote.raft.dial_at(now);
            remote.bulk.dial_at(now);
        }
        let waiting: Vec<LinkId> = self.links.keys().copied().collect();
        for link in waiting {
            self.links.get_mut(&link).expect("listed just now").since = now;
            self.allow(link);
        }
        self.dial_due(now);
    }

    /// This node belongs to a cluster now. Lanes that stand stay.
    pub fn founded(&mut self, cluster: ClusterId) {
        self.me.as_mut().expect("a node founds or joins after its start").identity.cluster = Some(cluster);
    }

    /// The cluster has this feature level: who does not read it is no peer.
    pub fn level_raised(&mut self, level: Level, now: Mono) {
        let Some(me) = &mut self.me else { return };
        me.level = Some(level);
        let reads = |remote: &Remote| remote.greeting.is_none_or(|greeting| greeting.levels.contains(level));
        let behind = self.remotes.iter().filter(|(_, remote)| !reads(remote));
        let behind: Vec<(NodeId, [Option<LinkId>; 2])> =
            behind.map(|(node, remote)| (*node, [remote.raft.link(), remote.bulk.link()])).collect();
        for (node, links) in behind {
            let theirs = self.greeting(node).map(|greeting| greeting.levels).unwrap_or_default();
            for link in links.into_iter().flatten() {
                self.send_away(link, &Refusal::Level { node, theirs, level }, node, now);
            }
        }
    }

    /// The last version of peers' messages that this node speaks.
    fn newest(&self) -> u8 {
        let newest = self.me.as_ref().map_or(0, |me| me.protocol().newest);
        u8::try_from(newest).unwrap_or(u8::MAX).max(PROTOCOL_NEWEST)
    }

    /// The disk that a peer's replicas are bound to: with another one it is turned away.
    pub fn bind(&mut self, node: NodeId, disk: DiskId, now: Mono) {
        let Some(remote) = self.remotes.get_mut(&node) else { return };
        remote.disk = Some(disk);
        if remote.greeting.is_some_and(|greeting| greeting.disk != disk) {
            let links = [remote.raft.link(), remote.bulk.link()];
            for link in links.into_iter().flatten() {
                self.send_away(link, &Refusal::OtherDisk(node), node, now);
            }
        }
    }

    /// A link is open: one that was dialled is greeted, one that was accepted has to greet.
    pub fn opened(&mut self, link: LinkId, kind: LaneKind, nonce: Nonce, now: Mono) {
        if let Some(endpoint) = self.links.get_mut(&link) {
            (endpoint.since, endpoint.nonce) = (now, nonce);
            if endpoint.asks.is_some() {
                endpoint.stage = Stage::Asking;
                self.ask(link);
            } else {
                endpoint.stage = Stage::Greeting;
                self.greet(link, now);
            }
            self.allow(link);
        } else if link.0.is_multiple_of(2) {
            self.make_room(now);
            self.links.insert(link, Endpoint { nonce, ..Endpoint::new(kind, Stage::Greeting, None, now) });
            if self.me.is_some() {
                self.allow(link);
            }
        }
    }

    /// Lets the oldest stranger go if there are as many as may be.
    fn make_room(&mut self, now: Mono) {
        let strangers = || self.links.iter().filter(|(_, endpoint)| endpoint.is_strangers());
        if strangers().count() >= PEER_STRANGERS_MAX {
            let oldest = strangers().min_by_key(|(link, endpoint)| (endpoint.since, **link));
            let oldest = oldest.map(|(link, _)| *link).expect("there are some");
            self.abort(oldest, now);
        }
    }

    /// One message came.
    pub fn received(&mut self, link: LinkId, bytes: BytesMut, now: Mono) {
        let Some(endpoint) = self.links.get_mut(&link) else { return };
        endpoint.credit_bytes = endpoint.credit_bytes.saturating_sub(bytes.len());
        let is_ready = endpoint.stage == Stage::Ready;
        let most = if is_ready { PEER_MESSAGE_BYTES_MAX } else { PEER_STRANGER_BYTES_MAX };
        if is_ready && endpoint.credit_bytes <= PEER_CREDIT_BYTES / 2 {
            self.allow(link);
        }
        if bytes.len() > most {
            return self.reject(link, format!("a peer message of {} bytes", bytes.len()), now);
        }
        match parse(bytes.freeze(), self.newest()) {
            Ok(body) => self.heard(link, body, now),
            Err(bad) => self.reject(link, bad.to_string(), now),
        }
    }

    /// Whether a link is one of this room's.
    pub fn owns(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// Bytes left the driver's buffer.
    pub fn sent(&mut self, link: LinkId, bytes: u64, now: Mono) {
        if let Some(endpoint) = self.links.get(&link)
            && let Some(remote) = endpoint.peer.and_then(|node| self.remotes.get_mut(&node))
        {
            remote.lane(endpoint.kind).sent(bytes, now);
        }
    }

    /// The link is gone, or the dial has failed.
    pub fn closed(&mut self, link: LinkId, now: Mono) {
        let Some(endpoint) = self.links.remove(&link) else { return };
        if let Some(node) = endpoint.asks {
            return self.not_vouched(node, now);
        }
        let Some(node) = endpoint.peer else { return };
        let remote = self.remotes.get_mut(&node).expect("an endpoint names a peer there is");
        let was_ready = remote.lane(endpoint.kind).disconnect();
        if remote.is_dialled {
            let mut wait = remote.lane(endpoint.kind).dial_wait(&mut self.rng);
            if is_planted(self.mutant, Mutant::NoBackOff) {
                wait = Duration::ZERO;
            }
            remote.lane(endpoint.kind).dial_at(now + wait);
        }
        if !was_ready {
            return;
        }
        match endpoint.kind {
            LaneKind::Raft => {
                remote.go_down();
                self.note_whom_it_hears();
                self.actions.push(Action::Note(Notice::PeerDown(node)));
                self.outcomes.push_back(Outcome::Down(node));
            }
            LaneKind::Bulk => {
                self.outcomes.push_back(Outcome::BulkDown(node));
                self.outcomes.extend(self.forwards.take_lost(node).into_iter().map(Outcome::ForwardLost));
            }
        }
    }

    /// What time has brought: dials, hellos that did not come, peers that are silent or read nothing, answers
    /// that are lost.
    pub fn woke(&mut self, now: Mono) {
        self.dial_due(now);
        let late = |(link, endpoint): (&LinkId, &Endpoint)| {
            endpoint.hello_due().filter(|at| *at <= now).map(|_| *link)
        };
        let late: Vec<LinkId> = self.links.iter().filter_map(late).collect();
        for link in late {
            self.abort(link, now);
        }
        let gone: Vec<LinkId> =
            self.remotes.values().flat_map(|remote| remote.gone(self.silence_max, now)).collect();
        for link in gone {
            self.abort(link, now);
        }
        while let Some(id) = self.forwards.pop_due(now) {
            self.outcomes.push_back(Outcome::ForwardLost(id));
        }
    }

    /// Ends a turn: what is to be said leaves.
    pub fn flush(&mut self, now: Mono, actions: &mut Vec<Action>) {
        actions.append(&mut self.actions);
        #[cfg(any(test, feature = "simulation"))]
        assert!(self.sign.hears.iter().copied().eq(self.hears()), "what is told of peers is what they are");
        let mut news = self.leaders.take_news();
        if self.sign.has_news(&self.said) {
            self.said.clone_from(&self.sign);
            if news.is_empty() {
                news.push(Alive::default());
            }
        }
        for remote in self.remotes.values_mut() {
            remote.flush(now, self.heartbeat, (&self.sign, &self.leaders, &news), actions);
        }
    }

    /// What the other nodes are to know of this one, besides whom it hears; told with the next sign of life.
    pub fn tell(&mut self, metadata_end: Index, is_reluctant: bool) {
        (self.sign.metadata_end, self.sign.is_reluctant) = (metadata_end, is_reluctant);
    }

    /// What a peer last said of itself; whoever was never up has said nothing.
    pub fn sign_of(&self, node: NodeId) -> Option<&Sign> {
        self.remotes.get(&node)?.sign.as_ref()
    }

    /// The peers that this node hears.
    pub fn hears(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.remotes.iter().filter(|(_, remote)| remote.is_up()).map(|(node, _)| *node)
    }

    /// When `woke`, and a flush, must come at the latest.
    pub fn next_deadline(&self) -> Option<Mono> {
        let remotes =
            self.remotes.values().filter_map(|remote| remote.next_deadline(self.heartbeat, self.silence_max));
        let hellos = self.links.values().filter_map(Endpoint::hello_due);
        earliest([remotes.min(), hellos.min(), self.forwards.next_deadline()])
    }

    /// What happened next.
    pub fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Sends a Raft message, packed with all others of the turn. Lost if the peer is down, as Raft expects.
    pub fn send_raft(&mut self, node: NodeId, message: RaftMessage) {
        if let Some(remote) = self.remotes.get_mut(&node) {
            remote.say_raft(message);
        }
    }

    /// Tells a peer how the cluster was founded. Lost if the peer is down: tell it again when it is up.
    pub fn send_found(&mut self, node: NodeId, founding: Founding) {
        if let Some(remote) = self.remotes.get_mut(&node) {
            remote.say(founding.into_body());
        }
    }

    /// Sends on the bulk lane.
    pub fn send_bulk(&mut self, node: NodeId, bulk: Bulk) -> Result<(), BulkRefused> {
        self.queue(node, bulk.into_body())
    }

    /// Forwards a request. `Forwarded` or `ForwardLost` with this id follows; `None` if it cannot be sent now.
    pub fn forward(&mut self, node: NodeId, request: Bytes, now: Mono) -> Option<CallId> {
        let id = self.forwards.next_id()?;
        self.queue(node, PeerBody::Forward(Forward { id: id.0, request })).ok()?;
        self.forwards.open(node, now);
        Some(id)
    }

    /// Answers what a peer forwarded. Lost if its lane is: the asker has been told so.
    pub fn forwarded(&mut self, node: NodeId, id: CallId, index: Index, reply: Bytes) {
        let answer = Forwarded { id: id.0, index: index.0, reply };
        // A full lane loses it too: the asker's wait is bounded, and it must bear a lost answer anyway.
        let _ = self.queue(node, PeerBody::Forwarded(answer));
    }

    /// A replica of this node knows who leads.
    pub fn learn_leader(&mut self, partition: TopicPartition, term: Term, node: NodeId) {
        self.leaders.learn(partition, term, node);
    }

    /// Who leads, by the highest term that anyone has told.
    pub fn leader_of(&self, partition: TopicPartition) -> Option<(Term, NodeId)> {
        self.leaders.of(partition)
    }

    /// A leader of this node knows which replicas are not in sync with it: everybody is told, if that is new.
    pub fn learn_lagging(&mut self, partition: TopicPartition, term: Term, lagging: Vec<NodeId>) {
        if self.leaders.learn_lagging(partition, term, self.node, lagging) {
            self.leaders.tell_again(partition);
        }
    }

    /// The nodes whose replicas of a partition are not in sync, as far as its leader has told.
    pub fn lagging(&self, partition: TopicPartition) -> &[NodeId] {
        self.leaders.lagging(partition)
    }

    /// A topic is no more.
    pub fn forget_leaders(&mut self, topic: TopicId) {
        self.leaders.forget(topic);
    }

    /// A peer said what cannot be, or may not be: nothing follows from it but a line in the log.
    pub fn disbelieve(&mut self, node: NodeId, kind: &'static str, said: &dyn std::fmt::Display, now: Mono) {
        if self.refusals.may_say(kind, Some(node), now) {
            let reason = format!("node {node} said {said}; it changed nothing");
            self.actions.push(Action::Note(Notice::PeerRefused { reason }));
        }
    }

    /// Whether a peer is up.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.greeting(node).is_some()
    }

    /// Who a peer that is up said it is.
    pub fn greeting(&self, node: NodeId) -> Option<&Greeting> {
        self.remotes.get(&node)?.greeting.as_ref()
    }

    /// Whether the bulk lane to a peer is ready.
    pub fn has_bulk(&self, node: NodeId) -> bool {
        self.remotes.get(&node).is_some_and(|remote| remote.bulk.is_ready())
    }
}

impl Peers {
    /// A peer has come up or gone down: this node says so of itself. Not collected anew at the end of every turn.
    fn note_whom_it_hears(&mut self) {
        self.sign.hears = self.hears().collect();
    }

    fn queue(&mut self, node: NodeId, body: PeerBody) -> Result<(), BulkRefused> {
        let remote = self.remotes.get_mut(&node).ok_or(BulkRefused::Down)?;
        let version = remote.version;
        remote.bulk.queue(body.into_parts(version))
    }

    fn dial_due(&mut self, now: Mono) {
        for (node, remote) in &mut self.remotes {
            for kind in [LaneKind::Raft, LaneKind::Bulk] {
                if remote.lane(kind).next_dial().is_some_and(|at| at <= now) {
                    let link = LinkId(self.next_link);
                    self.next_link += 2;
                    remote.lane(kind).connect(link);
                    self.links.insert(link, Endpoint::new(kind, Stage::Dialled, Some(*node), now));
                    self.actions.push(Action::Dial { link, address: remote.address.clone(), lane: kind });
                }
            }
        }
    }
}

impl Endpoint {
    fn new(kind: LaneKind, stage: Stage, peer: Option<NodeId>, now: Mono) -> Endpoint {
        Endpoint {
            kind,
            stage,
            since: now,
            is_allowed: false,
            credit_bytes: 0,
            nonce: Nonce::default(),
            peer,
            asks: None,
            greeting: None,
            talk: None,
        }
    }

    /// Whether somebody has come who has not shown who it is.
    fn is_strangers(&self) -> bool {
        self.peer.is_none() && self.asks.is_none()
    }

    /// When patience with the hellos ends. Not before the start: a link without credit cannot say one.
    fn hello_due(&self) -> Option<Mono> {
        let is_due = matches!(self.stage, Stage::Greeting | Stage::Confirming | Stage::Asking);
        (is_due && self.is_allowed).then(|| self.since + PEER_HELLO_MAX)
    }
}
