//! What arrives on a link: first the hello, which makes it a lane or ends it, then the lane's messages.
//!
//! A reason to refuse ends the link, and leaves a line in the log as seldom as `refusals` says. What an accepted peer says
//! on its lanes goes up as an outcome; how far it is believed is the floor above's to judge.

use super::{Endpoint, Peers, Stage};
use crate::action::{Action, Notice};
use crate::ids::{LinkId, NodeId};
use crate::limits::{PEER_CREDIT_BYTES, PEER_STRANGER_BYTES_MAX};
use crate::link::LaneKind;
use crate::mutant::{Mutant, is_planted};
use crate::now::Mono;
use crate::peer::bulk::{Bulk, CallId, index as index_of};
use crate::peer::hello::{Greeting, Refusal};
use crate::peer::outcome::{Founding, Outcome};
use crate::peer::proof::{self, Role, Talk};
use crate::peer::sign::Sign;
use bytes::Bytes;
use rust_mq_proto::peer::message::{
    Forward, Forwarded, GREETING_VERSION, Hello, PeerBody, Proof, Refused, Turned,
};

impl Peers {
    /// Says hello, outside any queue: it is the first message.
    pub(super) fn greet(&mut self, link: LinkId, now: Mono) {
        let me = self.me.as_ref().expect("nobody is greeted before the start");
        let parts = PeerBody::Hello(me.hello(self.links[&link].nonce)).into_parts(GREETING_VERSION);
        self.send_now(link, parts, now);
    }

    fn send_now(&mut self, link: LinkId, parts: Vec<Bytes>, now: Mono) {
        let endpoint = &self.links[&link];
        let node = endpoint.peer.expect("only a peer that is known is spoken to");
        let remote = self.remotes.get_mut(&node).expect("an endpoint names a peer there is");
        remote.lane(endpoint.kind).send(parts, now, &mut self.actions);
    }

    /// Fills up the credit: a stranger's is small, and filled once.
    pub(super) fn allow(&mut self, link: LinkId) {
        let endpoint = self.links.get_mut(&link).expect("only a known link is given credit");
        let is_ready = endpoint.stage == Stage::Ready;
        let credit = if is_ready { PEER_CREDIT_BYTES } else { PEER_STRANGER_BYTES_MAX };
        let bytes = credit - endpoint.credit_bytes;
        (endpoint.credit_bytes, endpoint.is_allowed) = (credit, true);
        self.actions.push(Action::Allow { link, bytes: bytes as u64 });
    }

    pub(super) fn heard(&mut self, link: LinkId, body: PeerBody, now: Mono) {
        match (self.links[&link].stage, body) {
            (Stage::Greeting, PeerBody::Hello(hello)) => self.greeted(link, &hello, now),
            (Stage::Greeting, PeerBody::WhoAreYou(asked)) if self.links[&link].is_strangers() => {
                self.asked_who(link, asked, now);
            }
            (Stage::Confirming, PeerBody::Proof(proof)) => self.proven(link, &proof, now),
            (Stage::Asking, PeerBody::IAm(said)) => self.told_who(link, &said, now),
            (Stage::Greeting | Stage::Confirming | Stage::Ready, PeerBody::Refused(refused)) => {
                self.turned_away(link, refused, now);
            }
            (Stage::Ready, PeerBody::Hello(_)) => self.reject(link, "a second hello".into(), now),
            (Stage::Ready, body) => self.dispatch(link, body, now),
            (Stage::Confirming, _) => self.reject(link, "no proof follows the hello".into(), now),
            (_, _) => self.reject(link, "the first message is no hello".into(), now),
        }
    }

    /// The other side has said who it is.
    fn greeted(&mut self, link: LinkId, hello: &Hello, now: Mono) {
        let me = self.me.as_ref().expect("without credit nothing comes before the start");
        let endpoint = &self.links[&link];
        let (lane, dialled, mine) = (endpoint.kind, endpoint.peer, me.said(endpoint.nonce));
        let said = match me.check(hello, dialled) {
            Ok(said) if self.is_other_disk(&said.greeting) => Err(Refusal::OtherDisk(said.greeting.node)),
            judged => judged,
        };
        let said = match said {
            Ok(said) => said,
            Err(refusal) => return self.send_away(link, &refusal, NodeId(hello.node), now),
        };
        let node = said.greeting.node;
        if dialled.is_none() {
            let talk = Talk { lane, dialler: said, acceptor: mine };
            let proofs = proof::show(&self.secrets, Role::Acceptor, &talk);
            let parts =
                PeerBody::Hello(Hello { proofs, ..me.hello(mine.nonce) }).into_parts(GREETING_VERSION);
            let endpoint = self.links.get_mut(&link).expect("looked at just now");
            (endpoint.stage, endpoint.talk) = (Stage::Confirming, Some(talk));
            self.actions.push(Action::Send { link, parts });
            return;
        }
        let talk = Talk { lane, dialler: mine, acceptor: said };
        if let Err(refusal) = self.check_proof(Role::Acceptor, &talk, &hello.proofs, node) {
            return self.send_away(link, &refusal, node, now);
        }
        self.accepted(link, said.greeting, now);
        let proofs = proof::show(&self.secrets, Role::Dialler, &talk);
        self.send_now(link, PeerBody::Proof(Proof { proofs }).into_parts(GREETING_VERSION), now);
        self.become_ready(link, now);
    }

    /// Who has dialled shows that it may.
    fn proven(&mut self, link: LinkId, proof: &Proof, now: Mono) {
        let talk = self.links[&link].talk.expect("both sides have said hello");
        let greeting = talk.dialler.greeting;
        let shown = self.check_proof(Role::Dialler, &talk, &proof.proofs, greeting.node);
        let refusal = if let Err(refusal) = shown {
            refusal
        } else if self.is_other_disk(&greeting) {
            Refusal::OtherDisk(greeting.node)
        } else {
            self.accepted(link, greeting, now);
            let remote = self.remotes.get_mut(&greeting.node).expect("the check knows all members");
            remote.lane(talk.lane).connect(link);
            return self.become_ready(link, now);
        };
        self.send_away(link, &refusal, greeting.node, now);
    }

    fn check_proof(&self, role: Role, talk: &Talk, shown: &[Bytes], node: NodeId) -> Result<(), Refusal> {
        if self.secrets.is_empty() {
            return if shown.is_empty() { Ok(()) } else { Err(Refusal::NoSecret(node)) };
        }
        let is_shown = is_planted(self.mutant, Mutant::SecretNotChecked)
            || proof::is_shown(&self.secrets, role, talk, shown);
        if is_shown { Ok(()) } else { Err(Refusal::Secret(node)) }
    }

    /// A link is a peer's from now on, in the place of any older one.
    fn accepted(&mut self, link: LinkId, greeting: Greeting, now: Mono) {
        let kind = self.links[&link].kind;
        self.drop_older(link, kind, &greeting, now);
        let endpoint = self.links.get_mut(&link).expect("only older links were dropped");
        (endpoint.peer, endpoint.greeting) = (Some(greeting.node), Some(greeting));
    }

    /// Tells the other side that it is turned away, and says so here.
    pub(super) fn send_away(&mut self, link: LinkId, refusal: &Refusal, node: NodeId, now: Mono) {
        let member = self.remotes.contains_key(&node).then_some(node);
        if self.refusals.may_say(refusal.kind(), member, now) {
            let reason = refusal.to_string();
            self.actions.push(Action::Note(Notice::PeerRefused { reason }));
        }
        let why = refusal.told() as i32;
        let parts = PeerBody::Refused(Refused { node: self.node.0, why }).into_parts(GREETING_VERSION);
        self.actions.push(Action::Send { link, parts });
        self.actions.push(Action::Close { link });
        self.closed(link, now);
    }

    /// The other side turns this one away.
    fn turned_away(&mut self, link: LinkId, refused: Refused, now: Mono) {
        let endpoint = &self.links[&link];
        let said = endpoint.talk.map(|talk| talk.dialler.greeting.node);
        // Whom it dialled, or who said to be a member; nobody else's opinion matters.
        if let Some(node) = endpoint.peer.or(said) {
            self.outcomes.push_back(Outcome::TurnedAway(node, refused.why()));
            // Once, whoever says it first: it is about this node.
            let reason = reason(refused.why());
            if self.refusals.may_say(reason, None, now) {
                self.actions.push(Action::Note(Notice::TurnedAway { by: node, reason: reason.into() }));
            }
        }
        self.abort(link, now);
    }

    /// Ends the link that this one replaces, and the other lane's if it is of an earlier start.
    fn drop_older(&mut self, link: LinkId, kind: LaneKind, greeting: &Greeting, now: Mono) {
        let is_older = |(other, endpoint): &(&LinkId, &Endpoint)| {
            endpoint.peer == Some(greeting.node)
                && **other != link
                && (endpoint.kind == kind || endpoint.greeting.is_some_and(|said| said.boot != greeting.boot))
        };
        let older: Vec<LinkId> = self.links.iter().filter(is_older).map(|(other, _)| *other).collect();
        older.into_iter().for_each(|other| self.abort(other, now));
    }

    fn become_ready(&mut self, link: LinkId, now: Mono) {
        let endpoint = self.links.get_mut(&link).expect("only a known link becomes ready");
        endpoint.stage = Stage::Ready;
        let kind = endpoint.kind;
        let greeting = endpoint.greeting.expect("both sides have said hello");
        let ours = self.me.as_ref().expect("nobody is greeted before the start").protocol();
        let remote = self.remotes.get_mut(&greeting.node).expect("the check knows all members");
        remote.lane(kind).become_ready();
        remote.version =
            ours.common(greeting.protocol).expect("the check has found a version that both speak");
        if kind == LaneKind::Raft {
            remote.come_up(greeting, now);
            self.note_whom_it_hears();
            self.refusals.forget(greeting.node);
            self.actions.push(Action::Note(Notice::PeerUp(greeting.node)));
            self.outcomes.push_back(Outcome::Up(greeting));
        }
        self.allow(link);
    }

    /// Hands on a message of a lane that is ready.
    fn dispatch(&mut self, link: LinkId, body: PeerBody, now: Mono) {
        let endpoint = &self.links[&link];
        let node = endpoint.peer.expect("a lane that is ready has a peer");
        let read = match endpoint.kind {
            LaneKind::Raft => {
                self.remotes.get_mut(&node).expect("an endpoint names a peer there is").heard_at = now;
                self.dispatch_raft(node, body)
            }
            LaneKind::Bulk => self.dispatch_bulk(node, body),
        };
        if let Err(reason) = read {
            self.reject(link, reason, now);
        }
    }

    fn dispatch_raft(&mut self, node: NodeId, body: PeerBody) -> Result<(), String> {
        match body {
            PeerBody::Raft(raft) => {
                let messages = raft.parse().map_err(|bad| bad.to_string())?;
                self.outcomes.push_back(Outcome::Raft(node, messages));
            }
            PeerBody::Alive(alive) => {
                for leader in &alive.leaders {
                    self.leaders.hear(leader, node, &self.members)?;
                }
                let sign = Sign::read(&alive, &self.members)?;
                self.remotes.get_mut(&node).expect("an endpoint names a peer there is").sign = Some(sign);
            }
            PeerBody::Found(found) => {
                let founding = Founding::read(&found).ok_or("a founding that cannot be")?;
                self.outcomes.push_back(Outcome::Found(node, founding));
            }
            _ => return Err("a bulk message on the raft lane".into()),
        }
        Ok(())
    }

    fn dispatch_bulk(&mut self, node: NodeId, body: PeerBody) -> Result<(), String> {
        match body {
            PeerBody::Forward(Forward { id, request }) => {
                self.outcomes.push_back(Outcome::Forward { node, id: CallId(id), request });
            }
            PeerBody::Forwarded(Forwarded { id, index, reply }) => {
                let index = index_of(index).ok_or("an answer as of an index that no log reaches")?;
                if self.forwards.close(CallId(id), node) {
                    let id = CallId(id);
                    self.outcomes.push_back(Outcome::Forwarded { id, index, reply });
                }
            }
            body => {
                let bulk = Bulk::read(body).ok_or("a message that is none of the bulk lane's")?;
                self.outcomes.push_back(Outcome::Bulk(node, bulk));
            }
        }
        Ok(())
    }

    fn is_other_disk(&self, greeting: &Greeting) -> bool {
        let remote = self.remotes.get(&greeting.node);
        remote.and_then(|remote| remote.disk).is_some_and(|disk| disk != greeting.disk)
    }

    /// Ends a link that broke the protocol.
    pub(super) fn reject(&mut self, link: LinkId, reason: String, now: Mono) {
        let peer = self.links.get(&link).and_then(|endpoint| endpoint.peer);
        if self.refusals.may_say("protocol", peer, now) {
            self.actions.push(Action::Note(Notice::Rejected { link, reason }));
        }
        self.abort(link, now);
    }

    /// Ends a link from this side. One that is still being dialled is left to the driver, which answers.
    pub(super) fn abort(&mut self, link: LinkId, now: Mono) {
        if self.links.get(&link).is_none_or(|endpoint| endpoint.stage == Stage::Dialled) {
            return;
        }
        self.actions.push(Action::Abort { link });
        self.closed(link, now);
    }
}

/// What a node that is turned away has to know.
fn reason(why: Turned) -> &'static str {
    match why {
        Turned::Version => "it runs another version: upgrade the older of the two",
        Turned::Stranger => {
            "this node's id is not the one that is expected here: compare node_id, initial_members and the addresses"
        }
        Turned::Members => {
            "this node was configured with other initial_members: they must be the same everywhere"
        }
        Turned::Cluster => {
            "this node's data directory belongs to another cluster: give it the right storage_path, or an empty one if \
             it has never been a member"
        }
        Turned::Disk => {
            "this node's data directory is not the one that the cluster knows: it was emptied, replaced or mistaken. \
             Bring the old one back; nothing was changed. Without it this node cannot be a member again, and the \
             others go on as long as they are a majority"
        }
        Turned::Secret => "this node does not show the cluster's secret: give it the same cluster.secret",
        Turned::Level => {
            "this build does not read the cluster's feature level: start the build that it ran before, or a newer one"
        }
        Turned::Otherwise => "it did not say why: look in its log",
    }
}
