//! What names topics and partitions one by one, gathered as Kafka's requests have it: topic by topic.

use std::collections::BTreeMap;

/// The same by topic, each in the order in which it came first.
pub(super) fn by_topic<P>(items: Vec<(String, P)>) -> Vec<(String, Vec<P>)> {
    let mut topics: Vec<(String, Vec<P>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (topic, partition) in items {
        // Most name one topic only.
        if let Some((last, partitions)) = topics.last_mut()
            && *last == topic
        {
            partitions.push(partition);
            continue;
        }
        match places.get(&topic) {
            Some(place) => topics[*place].1.push(partition),
            None => {
                places.insert(topic.clone(), topics.len());
                topics.push((topic, vec![partition]));
            }
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_comes_again_is_gathered_where_it_came_first() {
        let items = [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)];
        let items = items.map(|(topic, partition)| (topic.to_owned(), partition)).to_vec();
        assert_eq!(by_topic(items), [("a".to_owned(), vec![1, 2, 3]), ("b".to_owned(), vec![1, 2])]);
    }
}
