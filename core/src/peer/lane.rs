//! One lane to one peer, from this side: its link, when to dial again, and what waits to leave.
//!
//! Invariants: something waits in the own queue only while the driver holds `PEER_BULK_WINDOW_BYTES` or more;
//! `waiting_bytes` is the sum over the queue; a lane that is down holds nothing.

use crate::action::Action;
use crate::ids::LinkId;
use crate::limits::{
    PEER_BULK_WINDOW_BYTES, PEER_DIAL_WAIT_MAX, PEER_DIAL_WAIT_MIN, PEER_MESSAGE_BYTES_MAX,
    PEER_QUEUE_BYTES_MAX, PEER_UNREAD_MAX,
};
use crate::now::Mono;
use crate::peer::bulk::BulkRefused;
use crate::rng::Rng;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// A lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    link: Option<LinkId>,
    is_ready: bool,
    /// When to dial, if this side does and there is no link.
    dial_at: Option<Mono>,
    failures: u32,
    /// Given to the driver and not gone yet.
    unsent_bytes: u64,
    /// When that began, or last became less.
    progress_at: Mono,
    waiting: VecDeque<Vec<Bytes>>,
    waiting_bytes: u64,
}

impl Lane {
    /// Dial then.
    pub fn dial_at(&mut self, at: Mono) {
        self.dial_at = Some(at);
    }

    /// This link is to become the lane.
    pub fn connect(&mut self, link: LinkId) {
        assert!(self.link.is_none(), "a lane has one link at a time");
        self.link = Some(link);
        self.dial_at = None;
    }

    /// Both sides have accepted each other.
    pub fn become_ready(&mut self) {
        assert!(self.link.is_some(), "a lane that is ready has a link");
        self.is_ready = true;
        self.failures = 0;
    }

    /// The link is gone, with all that waited. Says whether the lane was ready.
    pub fn disconnect(&mut self) -> bool {
        let was_ready = self.is_ready;
        *self = Lane { failures: self.failures.saturating_add(1), ..Lane::default() };
        was_ready
    }

    /// How long to wait before the next dial: doubled with each failure, the upper half of it by chance, so
    /// that nodes that lost each other together do not come back together.
    pub fn dial_wait(&self, rng: &mut Rng) -> Duration {
        let doubled = PEER_DIAL_WAIT_MIN.saturating_mul(1 << self.failures.saturating_sub(1).min(10));
        let wait = doubled.min(PEER_DIAL_WAIT_MAX);
        let half = u64::try_from(wait.as_nanos()).expect("a second has few nanoseconds") / 2;
        Duration::from_nanos(half + rng.below(half + 1))
    }

    /// Sends at once, whatever waits with the driver.
    pub fn send(&mut self, parts: Vec<Bytes>, now: Mono, actions: &mut Vec<Action>) {
        let link = self.link.expect("only a lane with a link is sent on");
        if self.unsent_bytes == 0 {
            self.progress_at = now;
        }
        self.unsent_bytes += len(&parts);
        actions.push(Action::Send { link, parts });
    }

    /// Sends as soon as the driver's share allows, in order.
    pub fn queue(&mut self, parts: Vec<Bytes>) -> Result<(), BulkRefused> {
        let bytes = len(&parts);
        if !self.is_ready {
            return Err(BulkRefused::Down);
        }
        if bytes > PEER_MESSAGE_BYTES_MAX as u64 {
            return Err(BulkRefused::TooLarge);
        }
        if self.unsent_bytes + self.waiting_bytes + bytes > PEER_QUEUE_BYTES_MAX as u64 {
            return Err(BulkRefused::Full);
        }
        self.waiting_bytes += bytes;
        self.waiting.push_back(parts);
        Ok(())
    }

    /// Gives the driver what it may have.
    pub fn flush(&mut self, now: Mono, actions: &mut Vec<Action>) {
        while self.unsent_bytes < PEER_BULK_WINDOW_BYTES as u64
            && let Some(parts) = self.waiting.pop_front()
        {
            self.waiting_bytes -= len(&parts);
            self.send(parts, now, actions);
        }
    }

    /// Bytes left the driver's buffer.
    pub fn sent(&mut self, bytes: u64, now: Mono) {
        self.progress_at = now;
        self.unsent_bytes = self.unsent_bytes.saturating_sub(bytes);
    }

    /// When patience with a peer that reads nothing ends.
    pub fn unread_due(&self) -> Option<Mono> {
        (self.unsent_bytes > 0).then(|| self.progress_at + PEER_UNREAD_MAX)
    }

    pub fn link(&self) -> Option<LinkId> {
        self.link
    }

    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub fn next_dial(&self) -> Option<Mono> {
        self.dial_at
    }

    pub fn unsent_bytes(&self) -> u64 {
        self.unsent_bytes
    }
}

fn len(parts: &[Bytes]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}
