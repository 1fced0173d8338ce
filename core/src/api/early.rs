//! Requests that came too early: before this node is open, or, of those that ask for all topics, before it knows them.
//! Every other request has a word for "not yet"; a list has none, and what it lacks is taken for what there is not.
//!
//! - Invariant: requests of one kind are taken up in the order they came.
//! - Invariant: a list waits for at most `limits::TOPICS_AWAITED_MAX`; then its connection is closed, and the client asks
//!   another node.
//!
//! Bounded by what connections may hold: their slots and their bytes stay taken.

use super::{Origin, metadata};
use crate::limits::TOPICS_AWAITED_MAX;
use crate::node::Node;
use crate::now::{Mono, Now};
use rust_mq_proto::kafka::api::RequestBody;
use std::collections::VecDeque;

/// Those that wait.
#[derive(Default)]
pub(super) struct Early {
    waiting: VecDeque<Held>,
}

struct Held {
    origin: Origin,
    body: RequestBody,
    is_list: bool,
    until: Mono,
}

impl Held {
    fn is_ripe(&self, node: &Node) -> bool {
        node.is_open() && (!self.is_list || node.knows_topics())
    }

    /// Until when it waits for more than the node's being open.
    fn until(&self) -> Option<Mono> {
        self.is_list.then_some(self.until)
    }
}

impl Early {
    /// Holds a request back, or gives it back if there is no need to.
    pub fn hold(&mut self, node: &Node, now: Now, origin: Origin, body: RequestBody) -> Option<RequestBody> {
        let is_list = match &body {
            RequestBody::ApiVersions(_) => return Some(body),
            // Alone a node knows all there is once it is open.
            RequestBody::Metadata(request) if !node.config.is_single() => {
                metadata::wants_all(request, origin.version)
            }
            _ => false,
        };
        let held = Held { origin, body, is_list, until: now.mono + TOPICS_AWAITED_MAX };
        if held.is_ripe(node) {
            return Some(held.body);
        }
        self.waiting.push_back(held);
        None
    }

    /// Those that can be taken up now, and those that have waited too long, with the reason why they are refused.
    pub fn take(&mut self, node: &Node, now: Now) -> Vec<(Origin, Result<RequestBody, String>)> {
        let mut taken = Vec::new();
        for held in std::mem::take(&mut self.waiting) {
            if held.is_ripe(node) {
                taken.push((held.origin, Ok(held.body)));
            } else if held.until().is_some_and(|until| until <= now.mono) {
                let reason = "asks for all topics, and no leader has told yet which there are";
                taken.push((held.origin, Err(reason.into())));
            } else {
                self.waiting.push_back(held);
            }
        }
        taken
    }

    /// Where all that wait came from: nothing of it will be taken up.
    pub fn take_all(&mut self) -> impl Iterator<Item = Origin> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|held| held.origin)
    }

    /// Whether none waits, as almost always.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether one can be taken up, or sent away.
    pub fn has_ripe(&self, node: &Node) -> bool {
        !self.is_empty() && (node.sends_clients_away() || self.waiting.iter().any(|held| held.is_ripe(node)))
    }

    /// When one has waited too long.
    pub fn next_deadline(&self) -> Option<Mono> {
        self.waiting.iter().filter_map(Held::until).min()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}
