//! A consumer's side of a fetch session (KIP-227), as Java's `FetchSessionHandler` has it: the first fetch names everything;
//! the next ones what is new or asked otherwise, and what is not wanted any more. Whatever goes wrong, it begins anew, and
//! asks for the old session to be ended.
//!
//! Not here: what is to be read (`consumer`).

use crate::dice::Dice;
use rust_mq_proto::kafka::api::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic,
};
use std::collections::BTreeMap;

/// The epoch of a fetch that begins a session, and of one that wants none.
const FIRST: i32 = 0;
const NONE: i32 = -1;

/// A partition by its topic's name and id.
type Name = (String, [u8; 16], i32);

/// With one node.
#[derive(Debug, Default)]
pub struct FetchSession {
    /// As the node has called it; 0 while there is none.
    id: i32,
    /// Of the next fetch.
    epoch: i32,
    /// What the node knows of it.
    parts: BTreeMap<Name, FetchPartition>,
    /// What it knows once the fetch that is under way is answered.
    sent: BTreeMap<Name, FetchPartition>,
}

impl FetchSession {
    /// A fetch of all that is wanted, as one of the session; `ends` it with that.
    pub fn request(&mut self, whole: FetchRequest, ends: bool) -> FetchRequest {
        let wanted = parts(&whole.topics);
        if self.id == 0 || self.epoch == FIRST || ends {
            let session_epoch = if ends { NONE } else { FIRST };
            let request = FetchRequest { session_id: self.id, session_epoch, ..whole };
            (self.sent, self.epoch) = (if ends { BTreeMap::new() } else { wanted }, FIRST);
            return request;
        }
        let changed = wanted.iter().filter(|(name, part)| self.parts.get(*name) != Some(part));
        let gone = self.parts.keys().filter(|name| !wanted.contains_key(*name));
        let topics = changed.map(|((topic, topic_id, _), part)| FetchTopic {
            topic: topic.clone(),
            topic_id: *topic_id,
            partitions: vec![part.clone()],
        });
        let forgotten = gone.map(|(topic, topic_id, partition)| ForgottenTopic {
            topic: topic.clone(),
            topic_id: *topic_id,
            partitions: vec![*partition],
        });
        let request = FetchRequest {
            session_id: self.id,
            session_epoch: self.epoch,
            topics: topics.collect(),
            forgotten_topics_data: forgotten.collect(),
            ..whole
        };
        self.sent = wanted;
        request
    }

    /// The answer, or that there is none. Whether it was one of a session that goes on.
    pub fn answered(&mut self, response: Option<&FetchResponse>) -> bool {
        let sent = std::mem::take(&mut self.sent);
        let Some(response) = response.filter(|response| response.error_code == 0) else {
            // The node may have it still: the next one asks to end it.
            self.epoch = FIRST;
            self.parts.clear();
            return false;
        };
        let goes_on = self.epoch > FIRST && self.id == response.session_id;
        self.id = response.session_id;
        self.epoch = if self.id == 0 { FIRST } else { self.epoch.checked_add(1).unwrap_or(1) };
        self.parts = if self.id == 0 { BTreeMap::new() } else { sent };
        goes_on
    }
}

fn parts(topics: &[FetchTopic]) -> BTreeMap<Name, FetchPartition> {
    let of = |topic: &FetchTopic| {
        let name = (topic.topic.clone(), topic.topic_id);
        topic
            .partitions
            .iter()
            .map(move |part| ((name.0.clone(), name.1, part.partition), part.clone()))
            .collect::<Vec<_>>()
    };
    topics.iter().flat_map(of).collect()
}

/// Whether a fetch is to be the last of its session.
pub fn ends(ends_ppm: u64, dice: &mut Dice) -> bool {
    ends_ppm > 0 && dice.chance(ends_ppm)
}
