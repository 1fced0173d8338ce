//! What Kafka's consumers say within the classic protocol: what they have, and what each gets.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Partitions, spelled `t-0+t-1`, topic by topic.
pub fn put_places(into: &mut BytesMut, text: &str) -> Result<(), String> {
    let mut topics: Vec<(&str, Vec<i32>)> = Vec::new();
    for place in text.split('+').filter(|place| !place.is_empty()) {
        let (name, number) = place.rsplit_once('-').ok_or("a partition is spelled t-0")?;
        let number: i32 = number.parse().map_err(|_| format!("`{number}` is no number"))?;
        match topics.iter_mut().find(|(known, _)| *known == name) {
            Some((_, numbers)) => numbers.push(number),
            None => topics.push((name, vec![number])),
        }
    }
    let count = |count: usize| i32::try_from(count).expect("a story is short");
    into.put_i32(count(topics.len()));
    for (name, numbers) in topics {
        into.put_i16(i16::try_from(name.len()).map_err(|_| "too long a name")?);
        into.put_slice(name.as_bytes());
        into.put_i32(count(numbers.len()));
        numbers.into_iter().for_each(|number| into.put_i32(number));
    }
    Ok(())
}

/// An assignment of these.
pub fn assignment(text: &str) -> Result<Bytes, String> {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    put_places(&mut bytes, text)?;
    bytes.put_i32(-1);
    Ok(bytes.freeze())
}

/// An assignment as it is spelled here; as it is, if it is not one of those.
pub fn spelled(assignment: &[u8]) -> String {
    places(assignment).unwrap_or_else(|| String::from_utf8_lossy(assignment).into_owned())
}

fn places(mut bytes: &[u8]) -> Option<String> {
    let mut places = Vec::new();
    let _version = bytes.try_get_i16().ok().filter(|version| (0..=3).contains(version))?;
    for _ in 0..bytes.try_get_i32().ok()? {
        let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        let name = String::from_utf8_lossy(bytes.split_off(..length)?).into_owned();
        for _ in 0..bytes.try_get_i32().ok()? {
            places.push(format!("{name}-{}", bytes.try_get_i32().ok()?));
        }
    }
    Some(places.join("+"))
}
