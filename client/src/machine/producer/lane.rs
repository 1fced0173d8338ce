//! The way to one node: a stream of requests, which the node reads and answers in order. When it breaks, all that is
//! unanswered on it may have arrived or not.
//!
//! Invariant: `flying.len() <= IN_FLIGHT_MAX`.

use super::Place;
use crate::machine::moment::Moment;
use crate::machine::question::Ticket;
use std::collections::VecDeque;

/// Tells lanes apart: a new one to the same node has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneId(pub u64);

/// A lane to a node.
#[derive(Debug)]
pub struct Lane {
    /// Which.
    pub id: LaneId,
    /// The requests that are not answered, the oldest first.
    pub flying: VecDeque<Request>,
}

/// A request that is not answered.
#[derive(Debug)]
pub struct Request {
    /// Its number.
    pub ticket: Ticket,
    /// The partitions that it has a batch for.
    pub places: Vec<Place>,
    /// Until when it has to be answered.
    pub until: Moment,
}

impl Lane {
    /// A lane on which nothing flies.
    pub fn new(id: LaneId) -> Lane {
        Lane { id, flying: VecDeque::new() }
    }

    /// Whether a request was not answered in time: then the node, or the way to it, is not there.
    pub fn is_overdue(&self, now: Moment) -> bool {
        self.flying.iter().any(|request| request.until <= now)
    }

    /// The request of that number, which flies no longer.
    pub fn take(&mut self, ticket: Ticket) -> Option<Request> {
        let number = self.flying.iter().position(|request| request.ticket == ticket)?;
        self.flying.remove(number)
    }
}
