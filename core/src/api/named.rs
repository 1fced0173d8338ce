//! What a request names: topics, and partitions in them, each once, in the order in which each came first. A request
//! that says a thing again costs no more, and gets no more, than one that does not.
//!
//! What Kafka 4.x does about a repeated partition is each API's own:
//!
//! ```text
//! Produce, Fetch         one answer, of the last entry    KafkaApis.handleProduceRequest, FetchRequest.fetchData
//! ListOffsets            one answer, INVALID_REQUEST      ReplicaManager.fetchOffset
//! OffsetForLeaderEpoch   every entry is answered: each is a look-up and no more
//! CreateTopics, DeleteTopics   one answer, INVALID_REQUEST; decided in `metadata`
//! ```
//!
//! Invariant: no two topics have the same name and id, and no two entries of one the same partition.

use std::collections::{BTreeMap, BTreeSet};

/// A topic that a request names, with what it says of its partitions.
pub(super) struct Topic<P> {
    /// By name; empty where it is named by its id.
    pub name: String,
    /// By id; zero where it is named by its name.
    pub id: [u8; 16],
    /// Of each partition the last entry, where the first stood.
    pub partitions: Vec<P>,
    /// Those that the request names more than once.
    pub repeated: BTreeSet<i32>,
}

impl<P> Topic<P> {
    /// As the request has it.
    pub fn new(name: String, id: [u8; 16], partitions: Vec<P>) -> Topic<P> {
        Topic { name, id, partitions, repeated: BTreeSet::new() }
    }

    fn key(&self) -> (&str, &[u8; 16]) {
        (&self.name, &self.id)
    }

    fn keep_last(&mut self, number: fn(&P) -> i32) {
        if self.partitions.is_sorted_by(|one, other| number(one) < number(other)) {
            return;
        }
        let mut places = BTreeMap::new();
        let mut kept = Vec::with_capacity(self.partitions.len());
        for entry in self.partitions.drain(..) {
            let partition = number(&entry);
            match places.get(&partition) {
                Some(place) => {
                    self.repeated.insert(partition);
                    let place: usize = *place;
                    kept[place] = entry;
                }
                None => {
                    places.insert(partition, kept.len());
                    kept.push(entry);
                }
            }
        }
        self.partitions = kept;
    }
}

/// Each topic once, and in it each partition; `number` is an entry's partition.
pub(super) fn once<P>(topics: Vec<Topic<P>>, number: fn(&P) -> i32) -> Vec<Topic<P>> {
    let mut topics = gathered(topics);
    topics.iter_mut().for_each(|topic| topic.keep_last(number));
    topics
}

/// What is said of a topic in several places, where the first is.
fn gathered<P>(mut topics: Vec<Topic<P>>) -> Vec<Topic<P>> {
    if topics.len() < 2 {
        return topics;
    }
    let mut order: Vec<usize> = (0..topics.len()).collect();
    // Stable: of equal ones the first stays the first.
    order.sort_by(|one, other| topics[*one].key().cmp(&topics[*other].key()));
    let mut is_again = vec![false; topics.len()];
    let mut first = order[0];
    for at in order.into_iter().skip(1) {
        if topics[at].key() != topics[first].key() {
            first = at;
            continue;
        }
        is_again[at] = true;
        let more = std::mem::take(&mut topics[at].partitions);
        topics[first].partitions.extend(more);
    }
    topics.into_iter().zip(is_again).filter(|(_, is_again)| !is_again).map(|(topic, _)| topic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Entry = (i32, u32);

    fn topic(name: &str, partitions: &[Entry]) -> Topic<Entry> {
        Topic::new(name.into(), [0; 16], partitions.to_vec())
    }

    fn told(topics: Vec<Topic<Entry>>) -> Vec<(String, Vec<Entry>)> {
        let topics = once(topics, |entry| entry.0);
        topics.into_iter().map(|topic| (topic.name, topic.partitions)).collect()
    }

    #[test]
    fn the_last_entry_stands_where_the_first_did() {
        let asked =
            vec![topic("b", &[(3, 0), (1, 1), (3, 2)]), topic("a", &[(0, 3)]), topic("b", &[(1, 4), (0, 5)])];
        let expected = vec![("b".into(), vec![(3, 2), (1, 4), (0, 5)]), ("a".into(), vec![(0, 3)])];
        assert_eq!(told(asked), expected);
    }

    #[test]
    fn what_was_said_again_is_known() {
        let topics =
            once(vec![topic("t", &[(2, 0), (2, 0), (1, 0)]), topic("t", &[(5, 0), (1, 0)])], |entry| entry.0);
        let repeated: Vec<i32> = topics[0].repeated.iter().copied().collect();
        assert_eq!(repeated, [1, 2]);
    }

    proptest! {
        #[test]
        fn it_is_a_map_that_keeps_the_order_of_first_insertion(
            said in prop::collection::vec(("[ab]", prop::collection::vec((0..4i32, any::<u32>()), 0..6)), 0..6),
        ) {
            let mut expected: Vec<(String, Vec<Entry>)> = Vec::new();
            for (name, entries) in &said {
                let at = expected.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                    expected.push((name.clone(), Vec::new()));
                    expected.len() - 1
                });
                for entry in entries {
                    match expected[at].1.iter_mut().find(|known| known.0 == entry.0) {
                        Some(known) => *known = *entry,
                        None => expected[at].1.push(*entry),
                    }
                }
            }
            let asked = said.iter().map(|(name, entries)| topic(name, entries)).collect();
            prop_assert_eq!(told(asked), expected);
        }
    }
}
