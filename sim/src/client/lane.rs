//! A producer's lane: its batches for one partition of one incarnation of a topic, in order, some of them unanswered.
//!
//! An idempotent lane whose batch was lost or refused for the moment waits until nothing of it is under way, then
//! sends again from its first batch that is not acknowledged, with the same sequences (what a Kafka producer does). A
//! plain lane keeps no order.

use super::Street;
use super::draft::{Draft, State};
use crate::claims::ledger::{BatchId, Shelf};
use crate::clock::Moment;
use std::collections::VecDeque;

/// Batches of a lane that may wait.
const LANE_MAX: usize = 12;

/// A lane.
#[derive(Debug)]
pub struct Lane {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub shelf: Shelf,
    /// Its batches.
    pub drafts: VecDeque<Draft>,
    /// The sequence of its next batch.
    pub next_sequence: i32,
    /// It waits until nothing is under way.
    pub is_rewinding: bool,
    /// It sends nothing before then.
    pub hold_until: Moment,
}

impl Lane {
    /// An empty lane that begins at that sequence.
    pub fn new(topic: &str, shelf: Shelf, next_sequence: i32) -> Lane {
        Lane {
            topic: topic.to_owned(),
            shelf,
            drafts: VecDeque::new(),
            next_sequence,
            is_rewinding: false,
            hold_until: Moment(0),
        }
    }

    /// Whether it takes one more.
    pub fn has_room(&self) -> bool {
        self.drafts.len() < LANE_MAX
    }

    /// The batch that it may send now, if so many may be under way.
    pub fn next_to_send(&self, in_flight: usize, now: Moment) -> Option<usize> {
        if self.is_rewinding || now < self.hold_until {
            return None;
        }
        let flying = self.drafts.iter().filter(|draft| draft.state == State::Flying).count();
        if flying >= in_flight {
            return None;
        }
        self.drafts.iter().position(|draft| draft.state == State::Waiting)
    }

    /// The place of a batch, and whether all before it are settled.
    pub fn find(&self, batch: BatchId) -> Option<(usize, bool)> {
        let position = self.drafts.iter().position(|draft| draft.batch == batch)?;
        let is_first = self.drafts.iter().take(position).all(|draft| draft.state == State::Settled);
        Some((position, is_first))
    }

    /// Lets go of everything: what is still flying finds nothing when it is answered, and its fate stays unknown, unless
    /// it is good.
    pub fn give_up(&mut self, street: &mut Street<'_>) {
        for draft in &mut self.drafts {
            if draft.state == State::Waiting && !draft.is_unsure {
                draft.refuse(street);
            }
        }
        self.drafts.clear();
        self.is_rewinding = false;
    }

    /// Lets go of what is settled. Returns whether it may go back to its first batch now.
    pub fn clear(&mut self, keeps_order: bool) -> bool {
        while self.drafts.pop_front_if(|draft| draft.state == State::Settled).is_some() {}
        if !keeps_order {
            self.drafts.retain(|draft| draft.state != State::Settled);
        }
        let is_flying = self.drafts.iter().any(|draft| draft.state == State::Flying);
        let goes_back = self.is_rewinding && !is_flying;
        self.is_rewinding &= !goes_back;
        goes_back
    }
}
