//! Links that wait for the budget: who is given credit next.
//!
//! Those in the middle of a request come first, because a whole request is what frees memory; within a need,
//! in the order they came. While there is no room at all, one link at a time is *exempt*: it may finish its
//! request over the budget, lest half requests hold all of it and none ever becomes whole.
//!
//! Invariants: a link is here iff its connection holds its key, and once; at most one link is exempt.

use super::link::Connection;
use super::slots::Slot;
use crate::ids::LinkId;
use std::collections::BTreeMap;

/// What a waiting link needs credit for. The order is the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// The end of a request.
    Rest,
    /// The beginning of one.
    Next,
}

/// Where a link stands in the queue.
pub(super) type Place = (Need, u64);

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Starved {
    queue: BTreeMap<Place, LinkId>,
    arrivals: u64,
    /// The link, and the slot that its request will get.
    exempt: Option<(LinkId, Slot)>,
}

impl Starved {
    /// Lines a link up, or moves it forward if its need has become more urgent.
    pub fn line_up(&mut self, link: LinkId, connection: &mut Connection) {
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
        self.queue.insert((need, arrival), link);
    }

    /// Takes a link out.
    pub fn remove(&mut self, connection: &mut Connection) {
        if let Some(place) = connection.starved.take() {
            self.queue.remove(&place);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn is_exempt(&self, link: LinkId, connection: &Connection) -> bool {
        self.exempt == Some((link, connection.slots.next()))
    }

    /// Who is given credit next: anyone while there is room, else the first half request if none is exempt.
    pub fn next(&mut self, has_room: bool, links: &BTreeMap<LinkId, Connection>) -> Option<LinkId> {
        let (&(need, _), &link) = self.queue.first_key_value()?;
        if !has_room {
            if need == Need::Next || self.is_someone_exempt(links) {
                return None;
            }
            self.exempt = links.get(&link).map(|connection| (link, connection.slots.next()));
        }
        Some(link)
    }

    fn is_someone_exempt(&self, links: &BTreeMap<LinkId, Connection>) -> bool {
        self.exempt.is_some_and(|(link, slot)| {
            links.get(&link).is_some_and(|connection| connection.is_half() && connection.slots.next() == slot)
        })
    }
}
