//! The bytes that members of a group exchange through its coordinator: what each subscribes to, and what each gets. As all
//! of Kafka's clients write them (`ConsumerProtocolSubscription.json` and `ConsumerProtocolAssignment.json` in
//! apache/kafka), so that a group may be shared with them. We write version 0, which everybody reads, and read any: what
//! later versions add stands behind.
//!
//! ```text
//! subscription: version i16, topics [i32 count, each i16 length and name], user data i32 length or -1
//! assignment:   version i16, topics [i32 count, each name, partitions [i32 count, each i32]], user data
//! ```

use super::Place;
use std::collections::BTreeMap;

/// What a member subscribes to.
pub fn subscription(topics: &[String]) -> Vec<u8> {
    let mut out = vec![0, 0];
    put_count(&mut out, topics.len());
    topics.iter().for_each(|topic| put_name(&mut out, topic));
    out.extend_from_slice(&(-1_i32).to_be_bytes());
    out
}

/// What a member says that it subscribes to; None if that is no subscription.
pub fn topics_of(subscription: &[u8]) -> Option<Vec<String>> {
    let mut cursor = Cursor(subscription);
    cursor.i16()?;
    let count = cursor.count()?;
    (0..count).map(|_| cursor.name()).collect()
}

/// What a member gets.
pub fn assignment(places: &[Place]) -> Vec<u8> {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in places {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let mut out = vec![0, 0];
    put_count(&mut out, by_topic.len());
    for (topic, partitions) in by_topic {
        put_name(&mut out, topic);
        put_count(&mut out, partitions.len());
        partitions.iter().for_each(|partition| out.extend_from_slice(&partition.to_be_bytes()));
    }
    out.extend_from_slice(&(-1_i32).to_be_bytes());
    out
}

/// What a member was given; nothing if there are no bytes, None if they are no assignment.
pub fn places_of(assignment: &[u8]) -> Option<Vec<Place>> {
    if assignment.is_empty() {
        return Some(Vec::new());
    }
    let mut cursor = Cursor(assignment);
    cursor.i16()?;
    let mut places = Vec::new();
    for _ in 0..cursor.count()? {
        let topic = cursor.name()?;
        for _ in 0..cursor.count()? {
            places.push((topic.clone(), cursor.i32()?));
        }
    }
    Some(places)
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&(count as i32).to_be_bytes());
}

fn put_name(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(&(name.len() as i16).to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

/// Reads from the front.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    /// How many items follow: each has two bytes at least, so that a false count takes no memory.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.i32()?).ok()?;
        (count <= self.0.len() / 2).then_some(count)
    }

    fn name(&mut self) -> Option<String> {
        let length = usize::try_from(self.i16()?).ok()?;
        let (name, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(name.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let topics = vec!["a".to_owned(), "bc".to_owned()];
        assert_eq!(topics_of(&subscription(&topics)), Some(topics));
        let places = vec![("a".to_owned(), 0), ("a".to_owned(), 3), ("b".to_owned(), 1)];
        assert_eq!(places_of(&assignment(&places)), Some(places));
        assert_eq!(places_of(&[]), Some(Vec::new()));
    }

    #[test]
    fn the_bytes_are_kafkas() {
        let expected = [0, 0, 0, 0, 0, 1, 0, 1, b't', 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(subscription(&["t".into()]), expected);
        let expected = [0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 2, 0xFF, 0xFF, 0xFF, 0xFF];
        assert_eq!(assignment(&[("t".into(), 2)]), expected);
        // Version 1 with partitions that are owned, as Java writes it.
        let java = [0, 1, 0, 0, 0, 1, 0, 1, b't', 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];
        assert_eq!(topics_of(&java), Some(vec!["t".to_owned()]));
    }

    #[test]
    fn nonsense_is_none() {
        for wrong in [&[0][..], &[0, 0, 0x7F, 0xFF, 0xFF, 0xFF], &[0, 0, 0, 0, 0, 1, 0, 9, b't']] {
            assert_eq!((topics_of(wrong), places_of(wrong)), (None, None), "{wrong:?}");
        }
    }
}
