//! Links that wait for the budget: who is given credit next.
//!
//! Those in the middle of a request come first, because a whole request is what frees memory; within a need,
//! in the order they came. While there is no room at all, one link at a time is *exempt*: it may finish its
//! request over the budget, lest half requests hold all of it and none ever becomes whole. Where a whole
//! request would only wait, for the disk or to be taken up, nobody is.
//!
//! Invariants: a link is here iff its connection holds its key, and once; at most one link is exempt.

use super::budget::Budget;
use super::link::{Connection, Need, Place};
use super::slots::Slot;
use crate::ids::LinkId;
use std::collections::BTreeMap;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Starved {
    queue: BTreeMap<Place, LinkId>,
    arrivals: u64,
    /// The link, and the slot that its request will get.
    exempt: Option<(LinkId, Slot)>,
}

impl Starved {
    /// The credit that a link gets now. If it lacks more, it waits for it in line.
    pub fn credit_for(&mut self, link: LinkId, connection: &mut Connection, budget: &Budget) -> usize {
        let wanted = connection.wanted_credit();
        if wanted == 0 {
            self.remove(connection);
            return 0;
        }
        let missing = connection.missing_credit();
        if self.is_exempt(link, connection) && budget.is_freed_by_requests() {
            self.remove(connection);
            return missing;
        }
        if budget.has_room() && !self.is_someone_before(missing > 0) {
            self.remove(connection);
            return granted(connection, budget);
        }
        let least = connection.least_credit(budget.least_credit_bytes());
        if missing > 0 || connection.credit_bytes() + least == 0 {
            self.line_up(link, connection);
        } else {
            self.remove(connection);
        }
        least
    }

    /// The credit of a link that `next` has named. It waits no longer.
    pub fn served(&mut self, link: LinkId, connection: &mut Connection, budget: &Budget) -> usize {
        self.remove(connection);
        if self.is_exempt(link, connection) {
            connection.missing_credit()
        } else {
            granted(connection, budget)
        }
    }

    /// How many wait, and how often one has begun to.
    pub fn counted(&self) -> (u64, u64) {
        (self.queue.len() as u64, self.arrivals)
    }

    /// Takes a link out.
    pub fn remove(&mut self, connection: &mut Connection) {
        if let Some(place) = connection.starved.take() {
            assert!(self.queue.remove(&place).is_some(), "whoever holds a place is in it");
        }
    }

    /// Who is given credit next: anyone while there is room, else the first half request if none is exempt and its end
    /// would free memory.
    pub fn next(&mut self, budget: &Budget, links: &BTreeMap<LinkId, Connection>) -> Option<LinkId> {
        let (&(need, _), &link) = self.queue.first_key_value()?;
        if !budget.has_room() {
            if need == Need::Next || !budget.is_freed_by_requests() || self.is_someone_exempt(links) {
                return None;
            }
            self.exempt = links.get(&link).map(|connection| (link, connection.slots.next()));
        }
        Some(link)
    }

    /// Lines a link up, or moves it forward if its need has become more urgent.
    fn line_up(&mut self, link: LinkId, connection: &mut Connection) {
        let need = if connection.is_half() { Need::Rest } else { Need::Next };
        let arrival = match connection.starved {
            Some(place) if place.0 <= need => return,
            Some(place) => {
                self.queue.remove(&place);
                place.1
            }
            None => {
                self.arrivals += 1;
                self.arrivals
            }
        };
        connection.starved = Some((need, arrival));
        let before = self.queue.insert((need, arrival), link);
        assert!(before.is_none(), "a place is one link's");
    }

    /// Whether somebody waits whose turn it is before a newcomer's.
    fn is_someone_before(&self, is_half: bool) -> bool {
        let first = self.queue.first_key_value();
        first.is_some_and(|((need, _), _)| !is_half || *need == Need::Rest)
    }

    fn is_exempt(&self, link: LinkId, connection: &Connection) -> bool {
        self.exempt == Some((link, connection.slots.next())) && connection.is_half()
    }

    fn is_someone_exempt(&self, links: &BTreeMap<LinkId, Connection>) -> bool {
        self.exempt.is_some_and(|(link, slot)| {
            links.get(&link).is_some_and(|connection| connection.is_half() && connection.slots.next() == slot)
        })
    }
}

/// What a link is given where there is room: what it lacks, and more if much credit is left.
fn granted(connection: &Connection, budget: &Budget) -> usize {
    if budget.has_spare_credit() {
        return connection.wanted_credit();
    }
    let least = budget.least_credit_bytes().saturating_sub(connection.credit_bytes());
    connection.missing_credit().max(least)
}
