//! Who came too early, in order, and whose next requests wait behind them.
//!
//! Invariant: a link is counted once for each of its requests that holds the next one up.

use crate::ids::LinkId;
use crate::machine::Waiter;
use std::collections::{BTreeMap, VecDeque};

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiters: VecDeque<Waiter>,
    /// How many of a link hold its next request up.
    links: BTreeMap<LinkId, usize>,
}

impl Queue {
    /// One more, which holds up what comes next on that link, if it does.
    pub fn push(&mut self, waiter: Waiter, holds_up: Option<LinkId>) {
        self.waiters.push_back(waiter);
        if let Some(link) = holds_up {
            *self.links.entry(link).or_insert(0) += 1;
        }
    }

    /// One leaves, to be answered or ended.
    pub fn left(&mut self, held_up: Option<LinkId>) {
        if let Some(link) = held_up
            && let Some(count) = self.links.get_mut(&link)
        {
            *count -= 1;
            if *count == 0 {
                self.links.remove(&link);
            }
        }
    }

    /// Whether what comes on that link waits for another.
    pub fn holds_up(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// All of them, to be looked at; who goes on waiting is put back.
    pub fn take(&mut self) -> VecDeque<Waiter> {
        std::mem::take(&mut self.waiters)
    }

    /// It goes on waiting.
    pub fn put_back(&mut self, waiter: Waiter) {
        self.waiters.push_back(waiter);
    }

    /// In order.
    pub fn waiters(&self) -> impl ExactSizeIterator<Item = &Waiter> {
        self.waiters.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_held_up_until_the_last_has_left() {
        let (mut queue, link) = (Queue::default(), LinkId(3));
        queue.push(Waiter(1), Some(link));
        queue.push(Waiter(2), Some(link));
        queue.push(Waiter(3), None);
        queue.left(Some(link));
        assert!(queue.holds_up(link));
        queue.left(Some(link));
        queue.left(None);
        assert!(!queue.holds_up(link) && queue.waiters().len() == 3);
    }
}
