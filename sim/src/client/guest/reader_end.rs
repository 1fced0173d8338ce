//! How a reader comes to its end, once faults are over: it reads to where each of its partitions ended when they froze, of
//! whatever it is given until then, commits that if it has a group, and closes. What a rebalance takes from it before its
//! commit is kept is another's to read, or is given to it anew.

use super::now;
use super::reader::{End, Reader};
use crate::claims::c13_handed_out::Place;
use crate::claims::ledger::Shelf;
use crate::client::Street;
use crate::client::map::Map;
use crate::client::member::OFFSETS;
use rust_mq_client::Error;
use rust_mq_client::machine::consumer::Event;
use rust_mq_core::group::partition_of;

/// Records that it takes at a time then.
const APPETITE: u64 = 100;

impl Reader {
    /// What is open.
    pub fn open_work(&self, map: &Map) -> Option<String> {
        if !self.is_calm || self.end == End::Gone || self.is_excused(map) {
            return None;
        }
        let unread = self.unread(map).join(", ");
        let who = self.habits.group.as_deref().unwrap_or("nobody");
        let error = &self.last_error;
        Some(format!("a reader of {who} (last error {error}) is {:?}, has to read {unread}", self.end))
    }

    /// Reads all there was, commits, and goes.
    pub(super) fn come_to_the_end(&mut self, map: &Map, street: &mut Street<'_>) {
        self.remember_ends(street);
        match self.end {
            End::Reading => {
                for _ in 0..APPETITE {
                    if !self.take_one(street) {
                        break;
                    }
                }
                if self.has_assignment && self.unread(map).is_empty() {
                    self.end = match self.habits.group {
                        Some(_) => End::Committing(self.commit(street)),
                        None => self.close(street),
                    };
                }
            }
            End::Committing(_) | End::Closing | End::Gone => {}
        }
    }

    /// Where the partitions end, as far as anybody knows.
    fn remember_ends(&mut self, street: &Street<'_>) {
        if !self.ends.is_empty() {
            return;
        }
        for topic in self.topics.iter().filter(|topic| topic.name != OFFSETS) {
            let Some(id) = street.ids.newest(&topic.name) else { continue };
            for partition in 0..topic.partitions {
                let end = street.ledger.known_end(Shelf { topic: id, partition });
                self.ends.insert((topic.name.clone(), partition), end);
            }
        }
    }

    /// What of its own it has not read yet.
    fn unread(&self, map: &Map) -> Vec<String> {
        if !self.has_assignment {
            return vec!["what it is given".to_owned()];
        }
        let is_unread = |place: &Place| {
            let end = self.ends.get(place).copied().unwrap_or(0);
            let is_there = self.machine.position(place).is_some_and(|at| at >= end);
            !is_there && !map.is_excused(&place.0, place.1)
        };
        let places = self.machine.assignment().into_iter().filter(is_unread);
        places
            .map(|place| format!("{}/{} at {:?}", place.0, place.1, self.machine.position(&place)))
            .collect()
    }

    /// Whether its group cannot be expected to work.
    fn is_excused(&self, map: &Map) -> bool {
        let Some(group) = &self.habits.group else { return false };
        let partitions = map.topic(OFFSETS).map_or(16, |topic| topic.partitions.len().max(1));
        map.is_excused(OFFSETS, partition_of(group, partitions).partition.0)
    }

    /// A commit is answered.
    pub(super) fn committed(&mut self, id: u64, outcome: Result<(), Error>, street: &mut Street<'_>) {
        match (&outcome, self.end) {
            (Ok(()), End::Committing(own)) if own == id => {
                self.steps += 1;
                self.end = self.close(street);
            }
            (Err(_), End::Committing(own)) if own == id => self.end = End::Reading,
            _ => {}
        }
        match outcome {
            Ok(()) => street.marks.hit("guest.committed_by_hand"),
            Err(error) => self.last_error = error.to_string(),
        }
    }

    fn close(&mut self, street: &mut Street<'_>) -> End {
        self.handed.comes_back();
        self.machine.take(now(street.now()), Event::Close);
        End::Closing
    }
}
