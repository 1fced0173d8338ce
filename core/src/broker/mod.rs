//! The door: takes a turn's events in, hands each to the room that knows, and lets the actions out. It holds no
//! meaning; it holds the order.
//!
//! ```text
//! one turn   what was left over     requests that an earlier turn has not finished, links that were held back
//!            events, one by one     a client's bytes -> requests -> api; Done -> storage -> replicas; peers; time
//!            readies                each touched replica makes one, if the next journal frame has room
//!            settling               what waits at the desk and is true now is answered
//!            flushing               at most one Send a link, one message a peer lane, one frame to the disk
//!            one WakeAt             the earliest deadline of all rooms; now, if work was left over
//! ```
//!
//! The driver's laws, which the core relies on and `tests/src/contract.rs` tests, are in ARCHITECTURE.md.
//!
//! - Invariant: same config, seed and turns give byte-equal actions.
//! - Invariant: nothing from outside makes a turn panic; a broken invariant of ours does, at once.

#[cfg(feature = "simulation")]
pub mod observe;

use crate::action::{Action, Answer, HaltReason};
use crate::api::Desk;
use crate::config::Config;
use crate::connection::Client;
use crate::event::{Event, LinkKind, Question};
use crate::ids::LinkId;
use crate::limits::{CLOSE_PATIENCE, STOP_PATIENCE};
use crate::mutant::Mutant;
use crate::node::Node;
use crate::now::{Mono, Now, earliest};

/// One node's whole state.
pub struct Broker {
    node: Node,
    desk: Desk,
    stopping: Option<Stopping>,
    wake_at: Option<Mono>,
    is_halted: bool,
}

/// How far stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    /// What waits for a commit is let finish.
    Answering {
        /// At the latest then it is not waited for any longer.
        until: Mono,
    },
    /// The disk is being left clean.
    Closing {
        /// At the latest then the process ends without that.
        until: Mono,
    },
}

impl Broker {
    /// A node before its start. The seed is mandatory: there is no ambient entropy. A process draws a fresh
    /// one at every start; the boot id comes from it.
    pub fn new(config: Config, seed: u64) -> Broker {
        Broker {
            desk: Desk::new(config.turn_work_bytes),
            node: Node::new(config, seed),
            stopping: None,
            wake_at: None,
            is_halted: false,
        }
    }

    /// One turn: consumes `events` in order, then appends every action they caused to `actions`.
    pub fn handle(&mut self, now: Now, events: &mut Vec<Event>, actions: &mut Vec<Action>) {
        if self.is_halted {
            events.clear();
            return;
        }
        let first = actions.len();
        self.node.turn_begins(now, actions);
        self.desk.go_on(&mut self.node, now);
        self.desk.take_early(&mut self.node, now);
        self.take_held_back(now);
        for event in events.drain(..) {
            self.take(now, event, actions);
        }
        // Whom the turn's events asked for has come first.
        self.node.go_on_starting(now, actions);
        self.node.hurry_retention(now);
        self.node.make_ready(now, actions);
        self.desk.settle(&mut self.node, now);
        self.node.checkpoint_if_due(now, actions);
        self.node.say_serving(actions);
        self.advance_stop(now, actions);
        self.node.flush(now, actions);
        let is_work_left = self.node.can_go_on() || self.desk.has_more() || self.desk.has_early(&self.node);
        self.set_alarm(now, is_work_left, actions);
        if let Some(at) = actions[first..].iter().position(|action| matches!(action, Action::Halt(_))) {
            // Nothing else will come: what was said before still leaves.
            actions.truncate(first + at + 1);
            self.is_halted = true;
        }
    }

    /// The node behind the door, to be looked at: for stories and for the simulator's checks.
    pub fn node(&self) -> &Node {
        &self.node
    }

    fn take(&mut self, now: Now, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::Started => self.node.started(actions),
            Event::Opened { link, kind } => match kind {
                LinkKind::Kafka { listener, local, remote } => {
                    let client = Client { listener, local, remote, name: String::new() };
                    self.node.client_opened(now, link, client);
                }
                LinkKind::Peer { lane, nonce } => self.node.peer_opened(now, link, lane, nonce),
            },
            Event::Received { link, bytes } => {
                if self.node.is_peer(link) {
                    self.node.peer_received(now, link, bytes);
                } else {
                    self.node.client_received(now, link, bytes);
                    self.take_requests(now, link);
                }
            }
            Event::Sent { link, bytes } => {
                if self.node.is_peer(link) {
                    self.node.peer_sent(now, link, bytes);
                } else {
                    self.node.client_sent(now, link, bytes);
                }
            }
            Event::Closed { link, .. } => {
                if self.node.is_peer(link) {
                    self.node.peer_closed(now, link);
                } else if !self.node.is_planted(Mutant::ConnectionsRemembered) {
                    self.node.client_closed(link);
                }
            }
            Event::Done { ticket, result } => self.node.disk_done(now, ticket, result, actions),
            Event::Woke => {
                self.wake_at = None;
                self.node.woke(now, actions);
                self.desk.woke(&mut self.node, now);
            }
            Event::Asked { question, what } => self.asked(now, question, what, actions),
        }
    }

    /// Requests that were held back by a limit, and may be taken up now.
    fn take_held_back(&mut self, now: Now) {
        while self.desk.may_begin()
            && let Some(link) = self.node.next_ready_client()
        {
            self.take_requests(now, link);
        }
    }

    fn take_requests(&mut self, now: Now, link: LinkId) {
        while self.desk.may_begin()
            && let Some(request) = self.node.next_request(now, link)
        {
            self.desk.take(&mut self.node, now, link, request);
        }
    }

    fn asked(&mut self, now: Now, question: u64, what: Question, actions: &mut Vec<Action>) {
        match what {
            Question::Stop => {
                if self.stopping.is_none() {
                    let until = now.mono + STOP_PATIENCE;
                    self.stopping = Some(Stopping::Answering { until });
                    self.node.stop();
                    self.desk.stop(&mut self.node, now);
                }
            }
            Question::Health => {
                let answer = Answer::Health { is_serving: self.node.is_serving() };
                actions.push(Action::Tell { question, answer });
            }
            Question::Readiness => {
                let answer = Answer::Readiness(self.node.unready());
                actions.push(Action::Tell { question, answer });
            }
            Question::Metrics(wanted) => {
                let answer = Answer::Metrics(self.desk.tell(&self.node, wanted));
                actions.push(Action::Tell { question, answer });
            }
        }
    }

    fn advance_stop(&mut self, now: Now, actions: &mut Vec<Action>) {
        if let Some(Stopping::Answering { until }) = self.stopping {
            let is_late = until <= now.mono;
            // Late or not, others are to lead from here on.
            let is_handed_over = (self.desk.is_quiet() || is_late) && self.node.hand_over();
            if is_handed_over || is_late {
                self.desk.give_up(&mut self.node, now);
                self.stopping = Some(Stopping::Closing { until: now.mono + CLOSE_PATIENCE });
            }
        }
        let Some(Stopping::Closing { until }) = self.stopping else { return };
        let is_clean = self.node.close(now, actions);
        if is_clean || until <= now.mono {
            self.desk.give_up(&mut self.node, now);
            self.node.flush(now, actions);
            let reason = if is_clean { HaltReason::Stopped } else { HaltReason::StoppedUnclean };
            actions.push(Action::Halt(reason));
        }
    }

    fn set_alarm(&mut self, now: Now, is_work_left: bool, actions: &mut Vec<Action>) {
        let patience = match self.stopping {
            Some(Stopping::Answering { until } | Stopping::Closing { until }) => Some(until),
            None => None,
        };
        let left = is_work_left.then_some(now.mono);
        let deadlines = [self.node.next_deadline(), self.desk.next_deadline(), patience, left];
        let Some(at) = earliest(deadlines) else { return };
        if self.wake_at != Some(at) {
            self.wake_at = Some(at);
            actions.push(Action::WakeAt { mono: at });
        }
    }
}
