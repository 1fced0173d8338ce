//! What Kafka's consumers say within the classic protocol: what they subscribe to and have, and what they are assigned. The
//! coordinator reads and writes it where members of both protocols share a group.
//!
//! Sources: Kafka's `ConsumerProtocolSubscription.json`, `ConsumerProtocolAssignment.json`; later versions append fields.

use crate::group::sharing::Partitions;
use crate::metadata::Metadata;
use bytes::{Buf, BufMut};
use std::collections::BTreeMap;

/// What a member says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    /// The topics that it wants.
    pub topics: Vec<String>,
    /// What it has, by name.
    pub owned: Vec<(String, i32)>,
    /// Where it stands.
    pub rack: Option<String>,
}

impl Subscription {
    /// What those bytes say, if they are such.
    pub fn read(mut bytes: &[u8]) -> Option<Subscription> {
        let version = i16_of(&mut bytes)?;
        if version < 0 {
            return None;
        }
        let mut subscription = Subscription::default();
        for _ in 0..count(&mut bytes, 2)? {
            subscription.topics.push(text(&mut bytes)??);
        }
        user_data(&mut bytes)?;
        if version >= 1 {
            subscription.owned = places(&mut bytes)?;
        }
        if version >= 2 {
            i32_of(&mut bytes)?;
        }
        if version >= 3 {
            subscription.rack = text(&mut bytes)?;
        }
        Some(subscription)
    }
}

/// What a member was assigned, by name, and whether there is more to it than partitions; `None` if those bytes say no such
/// thing.
pub fn read_assignment(mut bytes: &[u8]) -> Option<(Vec<(String, i32)>, bool)> {
    if bytes.is_empty() {
        return Some((Vec::new(), false));
    }
    if i16_of(&mut bytes)? < 0 {
        return None;
    }
    let places = places(&mut bytes)?;
    let has_more = user_data(&mut bytes)?;
    Some((places, has_more))
}

/// An assignment as a member reads it who subscribes with that.
pub fn written_assignment(partitions: &Partitions, image: &Metadata, subscription: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.put_slice(subscription.get(..2).unwrap_or(&[0, 0]));
    let topics: Vec<_> = partitions
        .topics()
        .filter_map(|(id, partitions)| Some((&image.topic(id)?.name, partitions)))
        .collect();
    put_count(&mut bytes, topics.len());
    for (name, partitions) in topics {
        bytes.put_i16(i16::try_from(name.len()).expect("names are short"));
        bytes.put_slice(name.as_bytes());
        put_count(&mut bytes, partitions.len());
        partitions.iter().for_each(|partition| bytes.put_i32(*partition));
    }
    bytes.put_i32(-1);
    bytes
}

/// Those of them that there are, by id.
pub fn known(places: &[(String, i32)], image: &Metadata) -> Partitions {
    let ids: BTreeMap<&str, _> =
        places.iter().filter_map(|(name, _)| Some((name.as_str(), image.topic_id(name)?))).collect();
    places.iter().filter_map(|(name, partition)| Some((*ids.get(name.as_str())?, *partition))).collect()
}

fn places(bytes: &mut &[u8]) -> Option<Vec<(String, i32)>> {
    let mut places = Vec::new();
    for _ in 0..count(bytes, 6)? {
        let name = text(bytes)??;
        for _ in 0..count(bytes, 4)? {
            places.push((name.clone(), i32_of(bytes)?));
        }
    }
    Some(places)
}

/// Bytes that mean nothing here; whether there are any.
fn user_data(bytes: &mut &[u8]) -> Option<bool> {
    let length = usize::try_from(i32_of(bytes)?).unwrap_or(0);
    bytes.split_off(..length)?;
    Some(length > 0)
}

fn text(bytes: &mut &[u8]) -> Option<Option<String>> {
    let Ok(length) = usize::try_from(i16_of(bytes)?) else { return Some(None) };
    let text = bytes.split_off(..length)?;
    Some(Some(String::from_utf8(text.to_vec()).ok()?))
}

/// A count of things that take so much at least: one that lies costs nothing.
fn count(bytes: &mut &[u8], least_bytes: usize) -> Option<usize> {
    let count = usize::try_from(i32_of(bytes)?).ok()?;
    (count <= bytes.len() / least_bytes).then_some(count)
}

fn i16_of(bytes: &mut &[u8]) -> Option<i16> {
    bytes.try_get_i16().ok()
}

fn i32_of(bytes: &mut &[u8]) -> Option<i32> {
    bytes.try_get_i32().ok()
}

fn put_count(bytes: &mut Vec<u8>, count: usize) {
    bytes.put_i32(i32::try_from(count).expect("partitions are counted in 31 bits"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_is_read_in_each_of_its_versions() {
        let topics = [&[0, 0, 0, 1, 0, 1][..], b"t", &[255, 255, 255, 255]].concat();
        let owned = [&[0, 0, 0, 1, 0, 1][..], b"t", &[0, 0, 0, 1, 0, 0, 0, 5]].concat();
        let whole = [&topics[..], &owned, &[0, 0, 0, 9], &[0, 1], b"r", &[7]].concat();
        let read = |version: u8, bytes: &[u8]| Subscription::read(&[&[0, version][..], bytes].concat());
        let names = vec!["t".to_owned()];
        let places = vec![("t".to_owned(), 5)];
        let none = Subscription { topics: names, ..Subscription::default() };
        let some = Subscription { owned: places, ..none.clone() };
        assert_eq!(read(0, &topics), Some(none));
        assert_eq!(read(1, &whole), Some(some.clone()));
        assert_eq!(read(4, &whole), Some(Subscription { rack: Some("r".into()), ..some }));
        assert_eq!(read(1, &topics), None);
        assert_eq!(read(0, &[127, 255, 255, 255]), None, "a count that lies costs nothing");
    }
}
