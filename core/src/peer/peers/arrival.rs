//! What arrives on a link: first the hello, which makes it a lane or ends it, then the lane's messages.
//!
//! A reason to refuse ends the link and leaves one line in the log; nothing that a peer says can do more.

use super::{Endpoint, Peers, Stage};
use crate::action::{Action, LaneKind, Notice};
use crate::ids::{Index, LinkId, NodeId};
use crate::limits::PEER_CREDIT_BYTES;
use crate::now::Mono;
use crate::peer::bulk::{Bulk, CallId};
use crate::peer::hello::{Greeting, Refusal};
use crate::peer::outcome::{Founding, Outcome};
use crate::peer::remote::confirmation;
use crate::peer::sign::Sign;
use bytes::Bytes;
use rust_mq_proto::peer::message::{Forward, Forwarded, Hello, PeerBody};

impl Peers {
    /// Says hello, outside any queue: it is the first message.
    pub(super) fn greet(&mut self, link: LinkId, now: Mono) {
        let me = self.me.as_ref().expect("nobody is greeted before the start");
        let parts = PeerBody::Hello(me.hello()).into_parts();
        self.send_now(link, parts, now);
    }

    fn send_now(&mut self, link: LinkId, parts: Vec<Bytes>, now: Mono) {
        let endpoint = &self.links[&link];
        let node = endpoint.peer.expect("only a peer that is known is spoken to");
        let remote = self.remotes.get_mut(&node).expect("an endpoint names a peer there is");
        remote.lane(endpoint.kind).send(parts, now, &mut self.actions);
    }

    /// Fills up the credit.
    pub(super) fn allow(&mut self, link: LinkId) {
        let endpoint = self.links.get_mut(&link).expect("only a known link is given credit");
        let bytes = PEER_CREDIT_BYTES - endpoint.credit_bytes;
        endpoint.credit_bytes = PEER_CREDIT_BYTES;
        self.actions.push(Action::Allow { link, bytes: bytes as u64 });
    }

    pub(super) fn heard(&mut self, link: LinkId, body: PeerBody, now: Mono) {
        match (self.links[&link].stage, body) {
            (Stage::Greeting, PeerBody::Hello(hello)) => self.greeted(link, &hello, now),
            (Stage::Greeting | Stage::Dialled, _) => {
                self.reject(link, "the first message is no hello".into(), now)
            }
            (_, PeerBody::Hello(_)) => self.reject(link, "a second hello".into(), now),
            (Stage::Confirming, body) => {
                self.become_ready(link, now);
                self.dispatch(link, body, now);
            }
            (Stage::Ready, body) => self.dispatch(link, body, now),
        }
    }

    /// The other side has said who it is.
    fn greeted(&mut self, link: LinkId, hello: &Hello, now: Mono) {
        let endpoint = &self.links[&link];
        let me = self.me.as_ref().expect("without credit nothing comes before the start");
        let (kind, expected) = (endpoint.kind, endpoint.peer);
        let refused = match me.check(hello, expected) {
            Ok(greeting) if self.is_other_disk(&greeting) => Refusal::OtherDisk(greeting.node),
            Ok(greeting) => return self.accepted(link, kind, expected.is_none(), greeting, now),
            Err(refusal) => refusal,
        };
        self.refuse(refused.to_string());
        self.abort(link, now);
    }

    fn accepted(&mut self, link: LinkId, kind: LaneKind, is_stranger: bool, greeting: Greeting, now: Mono) {
        self.drop_older(link, kind, &greeting, now);
        let endpoint = self.links.get_mut(&link).expect("only older links were dropped");
        endpoint.greeting = Some(greeting);
        if is_stranger {
            endpoint.peer = Some(greeting.node);
            endpoint.stage = Stage::Confirming;
            let remote = self.remotes.get_mut(&greeting.node).expect("the check knows all members");
            remote.lane(kind).connect(link);
            self.greet(link, now);
        } else {
            self.become_ready(link, now);
            if kind == LaneKind::Bulk {
                self.send_now(link, confirmation(), now);
            }
        }
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
        let greeting = endpoint.greeting.expect("both sides have said hello");
        let remote = self.remotes.get_mut(&greeting.node).expect("the check knows all members");
        remote.lane(endpoint.kind).become_ready();
        if endpoint.kind == LaneKind::Raft {
            remote.come_up(greeting, now);
            self.last_refusal.clear();
            self.actions.push(Action::Note(Notice::PeerUp(greeting.node)));
            self.outcomes.push_back(Outcome::Up(greeting));
        }
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
                let founding = Founding::read(&found).ok_or("a founding with ids that are none")?;
                self.outcomes.push_back(Outcome::Found(node, founding));
            }
            _ => return Err("a bulk message on the raft lane".into()),
        }
        Ok(())
    }

    fn dispatch_bulk(&mut self, node: NodeId, body: PeerBody) -> Result<(), String> {
        match body {
            PeerBody::Alive(_) => {}
            PeerBody::Forward(Forward { id, request }) => {
                self.outcomes.push_back(Outcome::Forward { node, id: CallId(id), request });
            }
            PeerBody::Forwarded(Forwarded { id, index, reply }) => {
                if self.forwards.close(CallId(id), node) {
                    let (id, index) = (CallId(id), Index(index));
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

    /// One line for each reason, not one for each of its repetitions.
    fn refuse(&mut self, reason: String) {
        if self.last_refusal != reason {
            self.last_refusal.clone_from(&reason);
            self.actions.push(Action::Note(Notice::PeerRefused { reason }));
        }
    }

    pub(super) fn reject(&mut self, link: LinkId, reason: String, now: Mono) {
        self.actions.push(Action::Note(Notice::Rejected { link, reason }));
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
