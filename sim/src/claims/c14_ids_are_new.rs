//! C14: ids are never used again. A topic id belongs to one name for ever; an id that a CreateTopics answered is
//! new; a deleted topic's id is never served again after its deletion was acknowledged and another took its name.
//! And a deleted topic's data is never served under a new id: every value names the incarnation it was written to.
//!
//! A producer id is given once. That is C8's, and not looked at where disks may lose anything: the next block is counted
//! in the metadata, which is gone with a majority's disks; a topic's id is drawn by chance, and new even then.
//!
//! Looked at: each topic in a Metadata answer, each CreateTopics that succeeds, each value that is read, each answer to
//! an InitProducerId.

use super::ledger::{Batch, Shelf, Value};
use super::{Claim, Verdict};
use rust_mq_core::ids::TopicId;
use std::collections::{BTreeMap, BTreeSet};

/// Which id stood for which name.
#[derive(Debug, Default)]
pub struct SeenIds {
    names: BTreeMap<[u8; 16], String>,
    created: BTreeMap<[u8; 16], u32>,
    /// By name, the id that was met last.
    newest: BTreeMap<String, [u8; 16]>,
    producers: BTreeSet<i64>,
    /// Ids of topics whose deletion was acknowledged, or whose name another has.
    dead: BTreeSet<[u8; 16]>,
}

impl SeenIds {
    /// A Metadata answer named a topic.
    pub fn served(&mut self, name: &str, id: [u8; 16], verdict: &mut Verdict) {
        verdict.hold(id != [0; 16], Claim::C14, || format!("topic {name} has no id"));
        if !self.names.contains_key(&id) {
            self.newest.insert(name.to_owned(), id);
        }
        let owner = self.names.entry(id).or_insert_with(|| name.to_owned());
        verdict.hold(owner == name, Claim::C14, || {
            format!("id {} stands for {owner} and for {name}", TopicId(id))
        });
    }

    /// The name that an id stands for.
    pub fn name_of(&self, id: [u8; 16]) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// The newest id that anybody has met for a name.
    pub fn newest(&self, name: &str) -> Option<[u8; 16]> {
        self.newest.get(name).copied()
    }

    /// Whether a topic of that id is gone, and who still tells of it has not heard so.
    pub fn is_dead(&self, id: [u8; 16]) -> bool {
        self.dead.contains(&id)
    }

    /// The deletion of a topic was acknowledged.
    pub fn deleted(&mut self, id: [u8; 16]) {
        self.dead.insert(id);
    }

    /// A producer was given an id.
    pub fn given(&mut self, producer: i64, verdict: &mut Verdict) {
        let is_new = self.producers.insert(producer);
        verdict.hold(is_new, Claim::C8, || format!("producer id {producer} was given twice"));
    }

    /// In words, names for ids.
    pub fn in_names(&self, words: &str) -> String {
        self.names
            .iter()
            .fold(words.to_owned(), |words, (id, name)| words.replace(&TopicId(*id).to_string(), name))
    }

    /// A CreateTopics was answered with success.
    pub fn created(&mut self, name: &str, id: [u8; 16], verdict: &mut Verdict) {
        self.served(name, id, verdict);
        let times = self.created.entry(id).or_default();
        *times += 1;
        verdict.hold(*times == 1, Claim::C14, || format!("id {} was given to {name} twice", TopicId(id)));
        if !self.dead.contains(&id) {
            // The name was free when it was given.
            let others = self.names.iter().filter(|(other, owner)| **other != id && *owner == name);
            let others: Vec<[u8; 16]> = others.map(|(other, _)| *other).collect();
            self.dead.extend(others);
        }
    }
}

/// A value of that batch was read from that shelf.
pub fn check_home(value: Value, entry: &Batch, shelf: Shelf, offset: i64, verdict: &mut Verdict) {
    verdict.hold(entry.shelf == shelf, Claim::C14, || {
        format!("{value:?}, written to {:?}, was read at {offset} of {shelf:?}", entry.shelf)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_comes_twice_is_a_breach() {
        let (mut ids, mut verdict) = (SeenIds::default(), Verdict::default());
        ids.created("a", [1; 16], &mut verdict);
        ids.served("a", [1; 16], &mut verdict);
        ids.created("a", [2; 16], &mut verdict);
        assert!(!verdict.is_broken());
        ids.created("a", [2; 16], &mut verdict);
        assert!(verdict.is_broken());
    }
}
