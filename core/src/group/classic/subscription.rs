//! What members of protocol type `consumer` say of themselves: which topics they want. The coordinator reads no more than
//! that of it, and only to know what nobody wants (`expiry`, OffsetDelete).
//!
//! Source: Kafka's `ConsumerProtocolSubscription.json`; later versions append fields.

use crate::group::state::Groups;
use crate::group::state::{Group, State};
use std::collections::BTreeSet;

/// The protocol type of Kafka's own consumers.
pub const CONSUMER: &str = "consumer";

/// The topics that a consumer subscribes to, if those bytes say it.
pub fn topics(metadata: &[u8]) -> Option<Vec<&str>> {
    let (version, mut rest) = metadata.split_first_chunk::<2>()?;
    if i16::from_be_bytes(*version) < 0 {
        return None;
    }
    let (count, after) = rest.split_first_chunk::<4>()?;
    rest = after;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let (name, after) = after.split_at_checked(length)?;
        topics.push(std::str::from_utf8(name).ok()?);
        rest = after;
    }
    Some(topics)
}

impl Groups {
    /// The topics that a group of consumers subscribes to; `None` where that cannot be known.
    pub fn subscribed<'a>(&'a self, group: &'a Group) -> Option<BTreeSet<&'a str>> {
        let classic = match &group.state {
            State::Simple => return None,
            State::Classic(classic) => classic,
            State::Consumer(_) => {
                let members = self.consumer_members(group.number);
                let abouts: Vec<_> = members.map(|(_, member)| &member.about).collect();
                // What a pattern means is known where it was looked for.
                let is_known = abouts.iter().all(|about| about.pattern.is_empty());
                let names = abouts.into_iter().flat_map(|about| &about.names).map(String::as_str);
                return is_known.then(|| names.collect());
            }
        };
        if classic.protocol_type != CONSUMER {
            return None;
        }
        let Some(protocol) = classic.protocol.as_deref() else { return Some(BTreeSet::new()) };
        let mut subscribed = BTreeSet::new();
        for (_, member) in self.classic_members(group.number) {
            subscribed.extend(topics(member.subscription(protocol))?);
        }
        Some(subscribed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read_whatever_follows_them() {
        let said = [&[0, 3, 0, 0, 0, 2, 0, 1][..], b"a", &[0, 3], b"b.c", &[255, 255, 255, 255, 9]].concat();
        assert_eq!(topics(&said), Some(vec!["a", "b.c"]));
        assert_eq!(topics(&said[..9]), None, "it ends within a topic");
        assert_eq!(topics(&[]), None);
        assert_eq!(topics(&[0, 0, 127, 255, 255, 255]), None, "a count that lies costs nothing");
    }
}
