//! What a member of a classic group was given, in the form on which Kafka's consumers agree
//! (`ConsumerProtocolAssignment`): a version, and partitions topic by topic. What follows them is theirs alone.
//!
//! Bytes of any member come here: what is none of that form is none.

use super::TopicPartition;

/// The partitions of an assignment, if that is what it is.
pub(super) fn partitions(mut bytes: &[u8]) -> Option<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let bytes = &mut bytes;
    let _version = i16::from_be_bytes(take(bytes)?);
    let mut partitions = Vec::new();
    for _ in 0..count(bytes)? {
        let length = usize::try_from(i16::from_be_bytes(take(bytes)?)).ok()?;
        let (name, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        let topic = str::from_utf8(name).ok()?;
        for _ in 0..count(bytes)? {
            partitions.push(TopicPartition::new(topic, i32::from_be_bytes(take(bytes)?)));
        }
    }
    Some(partitions)
}

/// How many follow: never more than there are bytes for.
fn count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(i32::from_be_bytes(take(bytes)?)).ok().filter(|count| *count <= bytes.len())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] =
        &[0, 1, 0, 0, 0, 1, 0, 2, b't', b'o', 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff];

    #[test]
    fn partitions_are_read_topic_by_topic() {
        let expected = vec![TopicPartition::new("to", 4), TopicPartition::new("to", 5)];
        assert_eq!(partitions(TWO), Some(expected));
        assert_eq!(partitions(&[]), Some(Vec::new()));
    }

    #[test]
    fn what_is_none_of_that_form_is_none() {
        for length in 1..TWO.len() - 4 {
            assert_eq!(partitions(&TWO[..length]), None, "{length}");
        }
        assert_eq!(partitions(b"for member 1"), None);
        assert_eq!(partitions(&[0, 0, 0x7f, 0xff, 0xff, 0xff]), None);
        assert_eq!(partitions(&[0, 0, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
