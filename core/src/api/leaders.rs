//! Requests about new topics that wait, a bounded time, until they have leaders: a client that is told of a topic that
//! cannot take records yet would only ask again after a pause of its own.

use super::desk::Desk;
use super::{Then, Waiting};
use crate::ids::TopicId;
use crate::limits::LEADERS_AWAITED_MAX;
use crate::node::Node;
use crate::now::Now;

/// A request that is answered once its topics have leaders.
pub(super) struct Awaiting {
    /// The last of them is looked at next.
    topics: Vec<TopicId>,
    /// How many partitions of that one had leaders when they were looked at.
    led: usize,
    pub then: Then,
}

/// Waits for the leaders of `topics`.
pub(super) fn wait(desk: &mut Desk, now: Now, topics: Vec<TopicId>, then: Then) {
    let waiter = desk.waiter();
    desk.awaiting_leaders.push(waiter);
    let awaiting = Awaiting { topics, led: 0, then };
    desk.wait_until(waiter, now.mono + LEADERS_AWAITED_MAX, Waiting::Leaders(Box::new(awaiting)));
}

/// Answers those whose topics have leaders now.
pub(super) fn look(desk: &mut Desk, node: &mut Node) {
    for waiter in std::mem::take(&mut desk.awaiting_leaders) {
        let Some(Waiting::Leaders(awaiting)) = desk.waiting_mut(waiter) else { continue };
        if !awaiting.have_leaders(node) {
            desk.awaiting_leaders.push(waiter);
        } else if let Some(Waiting::Leaders(awaiting)) = desk.take_out(waiter) {
            awaiting.then.answer(desk, node);
        }
    }
}

impl Awaiting {
    /// Whether all partitions have leaders. Each is looked at until it has one, and then no more: a turn that
    /// brings no leader costs one look-up.
    fn have_leaders(&mut self, node: &mut Node) -> bool {
        while let Some(topic) = self.topics.last() {
            self.led = node.led_from(*topic, self.led);
            if self.led < node.partition_count(*topic) {
                node.topic_id_wanted(*topic);
                return false;
            }
            self.topics.pop();
            self.led = 0;
        }
        true
    }
}
