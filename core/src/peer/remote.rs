//! One peer as this node sees it: its two lanes, what it said of itself, and what it is to be told this turn.
//!
//! Not here: how its links come and go (`peers`).

use super::hello::Greeting;
use super::lane::Lane;
use super::leaders::Leaders;
use super::sign::Sign;
use crate::action::Action;
use crate::ids::{DiskId, LinkId};
use crate::limits::{PEER_MESSAGE_BYTES_MAX, PEER_QUEUE_BYTES_MAX};
use crate::link::{Address, LaneKind};
use crate::now::{Mono, earliest};
use rust_mq_proto::peer::codec::{FIELDS_MAX, raft_bytes, raft_parts};
use rust_mq_proto::peer::message::{Alive, PROTOCOL_OLDEST, PeerBody};
use rust_mq_proto::peer::raft::{RaftKind, RaftMessage};
use std::time::Duration;

/// A peer.
#[derive(Debug)]
pub(super) struct Remote {
    pub address: Address,
    /// Whether this node is the one that dials.
    pub is_dialled: bool,
    /// Whether its configured address has confirmed who it is, since it is up.
    pub is_vouched: bool,
    /// The disk that its replicas are bound to, once there are some.
    pub disk: Option<DiskId>,
    pub raft: Lane,
    pub bulk: Lane,
    /// While the raft lane is ready: who is there.
    pub greeting: Option<Greeting>,
    /// The version that both sides speak, since they last greeted each other.
    pub version: u8,
    /// What it last said of itself.
    pub sign: Option<Sign>,
    /// When something last came on the raft lane.
    pub heard_at: Mono,
    /// When something last left on it.
    spoke_at: Mono,
    /// It has not been told the leader table since it came up.
    owes_table: bool,
    messages: Vec<RaftMessage>,
    others: Vec<PeerBody>,
}

impl Remote {
    pub fn new(address: Address, is_dialled: bool) -> Remote {
        Remote {
            address,
            is_dialled,
            is_vouched: false,
            version: PROTOCOL_OLDEST,
            disk: None,
            raft: Lane::default(),
            bulk: Lane::default(),
            greeting: None,
            sign: None,
            heard_at: Mono::default(),
            spoke_at: Mono::default(),
            owes_table: false,
            messages: Vec::new(),
            others: Vec::new(),
        }
    }

    pub fn lane(&mut self, kind: LaneKind) -> &mut Lane {
        match kind {
            LaneKind::Raft => &mut self.raft,
            LaneKind::Bulk => &mut self.bulk,
        }
    }

    pub fn is_up(&self) -> bool {
        self.raft.is_ready()
    }

    /// The raft lane is ready.
    pub fn come_up(&mut self, greeting: Greeting, now: Mono) {
        self.greeting = Some(greeting);
        self.sign = None;
        self.is_vouched = false;
        self.heard_at = now;
        self.owes_table = true;
    }

    /// The raft lane is gone.
    pub fn go_down(&mut self) {
        self.greeting = None;
        self.messages.clear();
        self.others.clear();
    }

    /// To be packed with all others of this turn.
    pub fn say_raft(&mut self, message: RaftMessage) {
        if self.is_up() {
            self.messages.push(message);
        }
    }

    /// Anything else for the raft lane.
    pub fn say(&mut self, body: PeerBody) {
        if self.is_up() {
            self.others.push(body);
        }
    }

    /// The links to give up: both if the peer is silent, and a lane that is not read.
    pub fn gone(&self, silence_max: Duration, now: Mono) -> impl Iterator<Item = LinkId> {
        let is_silent = self.silence_due(silence_max).is_some_and(|at| at <= now);
        let lanes = [&self.raft, &self.bulk];
        lanes
            .into_iter()
            .filter(move |lane| is_silent || lane.unread_due().is_some_and(|at| at <= now))
            .filter_map(Lane::link)
    }

    /// What time will bring next.
    pub fn next_deadline(&self, heartbeat: Duration, silence_max: Duration) -> Option<Mono> {
        earliest([
            self.raft.next_dial(),
            self.bulk.next_dial(),
            self.raft.unread_due(),
            self.bulk.unread_due(),
            self.silence_due(silence_max),
            self.is_up().then(|| self.spoke_at + heartbeat),
        ])
    }

    /// Lets out what this turn has brought: leaders first, then the other messages, then Raft's; a sign of
    /// life if there was nothing else for too long.
    pub fn flush(
        &mut self,
        now: Mono,
        heartbeat: Duration,
        (sign, leaders, news): (&Sign, &Leaders, &[Alive]),
        actions: &mut Vec<Action>,
    ) {
        self.bulk.flush(now, actions);
        if !self.is_up() {
            return;
        }
        let before = actions.len();
        let table = std::mem::take(&mut self.owes_table).then(|| leaders.whole());
        for alive in table.as_deref().unwrap_or(news) {
            self.raft.send(PeerBody::Alive(sign.written(alive)).into_parts(self.version), now, actions);
        }
        for body in self.others.drain(..) {
            self.raft.send(body.into_parts(self.version), now, actions);
        }
        self.flush_raft(now, actions);
        if actions.len() == before && self.spoke_at + heartbeat <= now {
            let alive = sign.written(&Alive::default());
            self.raft.send(PeerBody::Alive(alive).into_parts(self.version), now, actions);
        }
        if actions.len() > before {
            self.spoke_at = now;
        }
    }

    fn silence_due(&self, silence_max: Duration) -> Option<Mono> {
        self.is_up().then(|| self.heard_at + silence_max)
    }

    /// All of Raft's messages of the turn as one, or as few as fit.
    fn flush_raft(&mut self, now: Mono, actions: &mut Vec<Action>) {
        let mut messages = std::mem::take(&mut self.messages);
        drop_what_has_no_room(&mut messages, self.raft.unsent_bytes());
        let (mut start, mut bytes) = (0, 0);
        for at in 0..messages.len() {
            let more = raft_bytes(&messages[at]);
            assert!(more <= PEER_MESSAGE_BYTES_MAX - HEAD_BYTES_MAX, "a Raft message fits a peer message");
            if bytes + more > PEER_MESSAGE_BYTES_MAX - HEAD_BYTES_MAX || at - start == FIELDS_MAX {
                self.raft.send(raft_parts(&messages[start..at], self.version), now, actions);
                (start, bytes) = (at, 0);
            }
            bytes += more;
        }
        if start < messages.len() {
            self.raft.send(raft_parts(&messages[start..], self.version), now, actions);
        }
        messages.clear();
        self.messages = messages;
    }
}

/// Bytes of a message's own key and length, at most.
const HEAD_BYTES_MAX: usize = 16;

/// Drops entries above the bound, which Raft sends again, and everything (Raft bears that too) once a message
/// more than the bound waits.
fn drop_what_has_no_room(messages: &mut Vec<RaftMessage>, unsent_bytes: u64) {
    let mut waiting = unsent_bytes;
    messages.retain(|message| {
        let is_append = message.kind == RaftKind::Append as i32 && !message.entries.is_empty();
        let slack = if is_append { 0 } else { PEER_MESSAGE_BYTES_MAX };
        let after = waiting + raft_bytes(message) as u64;
        let has_room = after <= (PEER_QUEUE_BYTES_MAX + slack) as u64;
        if has_room {
            waiting = after;
        }
        has_room
    });
}
