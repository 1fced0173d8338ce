//! What a reader's questions and answers say of its group: which generation there is, who has what in it, which offsets it
//! commits and what it reads back (C13, `c13_commits_are_current`). Overheard between the machine and its errands, whether the
//! machine still wants to know or not: what a node said was said.

use crate::claims::c13_commits_are_current::Sent;
use crate::client::Street;
use crate::client::member_told::identity;
use crate::clock::Moment;
use rust_mq_client::Error;
use rust_mq_client::machine::consumer::protocol;
use rust_mq_client::machine::question::{Answer, Question};
use rust_mq_proto::grpc::{GetTopicMetadataResponse, SyncGroupRequest};
use std::collections::BTreeMap;

/// NOT_COORDINATOR and COORDINATOR_NOT_AVAILABLE: it never came to a decision.
const UNDECIDED: [i32; 2] = [15, 16];
/// The generation of who is no member.
const NO_MEMBER: i32 = -1;

/// What is to be known of a question when its answer comes.
#[derive(Clone, Debug)]
pub struct Asked {
    at: Moment,
    group: String,
    /// As whom it syncs.
    syncs: Option<SyncGroupRequest>,
    /// What it commits.
    sent: Vec<Sent>,
    /// The topics that it means.
    ids: BTreeMap<String, [u8; 16]>,
}

/// A question leaves.
pub fn asked(question: &Question, ids: &BTreeMap<String, [u8; 16]>, street: &mut Street<'_>) -> Asked {
    let (at, ids) = (street.now(), ids.clone());
    let plain =
        |group: &str| Asked { at, group: group.to_owned(), syncs: None, sent: Vec::new(), ids: ids.clone() };
    match question {
        Question::Join(asked) => plain(&asked.group_id),
        Question::Sync(asked) => Asked { syncs: Some(asked.clone()), ..plain(&asked.group_id) },
        Question::Committed(asked) => plain(&asked.group_id),
        Question::Commit(asked) => {
            let generation = asked.generation_id.unwrap_or(NO_MEMBER);
            let known = asked.offsets.iter().filter_map(|one| Some((ids.get(&one.topic)?, one)));
            let sent = known.map(|(id, one)| {
                let place = (asked.group_id.clone(), *id, one.partition);
                street.groups.commits_at(place, one.offset, generation, at)
            });
            let sent = sent.collect();
            Asked { sent, ..plain(&asked.group_id) }
        }
        _ => plain(""),
    }
}

/// The topics that an answer tells of.
pub fn ids(told: &GetTopicMetadataResponse, street: &mut Street<'_>) -> Vec<(String, [u8; 16])> {
    let mut ids = Vec::new();
    for topic in told.topics.iter().filter(|topic| topic.error.is_none()) {
        if let Ok(id) = <[u8; 16]>::try_from(&topic.topic_id[..]) {
            street.ids.served(&topic.name, id, street.verdict);
            ids.push((topic.name.clone(), id));
        }
    }
    ids
}

/// It is answered.
pub fn answered(asked: &Asked, answer: &Result<Answer, Error>, street: &mut Street<'_>) {
    let group = asked.group.as_str();
    match answer {
        Ok(Answer::Join(joined)) => {
            street.marks.hit("guest.joined_a_generation");
            let leader = identity(&joined.leader_id);
            street.groups.joined(group, joined.generation_id, leader, street.verdict);
        }
        Ok(Answer::Sync(shared)) => {
            let Some(own) = &asked.syncs else { return };
            for (topic, partition) in protocol::places_of(&shared.assignment).unwrap_or_default() {
                let who = (group, own.generation_id, identity(&own.member_id));
                street.groups.assigned(who, &format!("{topic}/{partition}"), street.verdict);
            }
        }
        Ok(Answer::Commit(kept)) => {
            for sent in &asked.sent {
                let is_its = |topic: &str, partition: i32| {
                    asked.ids.get(topic) == Some(&sent.place.1) && partition == sent.place.2
                };
                let part = kept.partitions.iter().find(|part| is_its(&part.topic, part.partition));
                let error = part.and_then(|part| part.error.as_ref());
                settle(sent, error.map(|error| (error.code, error.may_take_effect)), street);
            }
        }
        Ok(Answer::Committed(told)) => {
            street.marks.hit("guest.asked_how_far_its_group_is");
            for one in told.offsets.iter().filter(|one| one.error.is_none()) {
                let Some(id) = asked.ids.get(&one.topic) else { continue };
                let place = (group.to_owned(), *id, one.partition);
                street.groups.read(&place, one.offset, asked.at, street.verdict);
            }
        }
        Err(error) => {
            if let Some(code) = error.code() {
                let outcome = Some((code, error.may_take_effect()));
                asked.sent.iter().for_each(|sent| settle(sent, outcome, street));
            }
        }
        Ok(_) => {}
    }
}

/// What became of a commit; `refused` is a code, and whether it may count all the same.
fn settle(sent: &Sent, refused: Option<(i32, bool)>, street: &mut Street<'_>) {
    let now = street.now();
    match refused {
        None => {
            street.marks.hit("guest.committed_as_a_reader");
            street.groups.settled(sent, true, now, street.verdict);
        }
        Some((code, may_take_effect)) if may_take_effect || UNDECIDED.contains(&code) => {}
        Some(_) => {
            street.marks.hit("guest.was_refused_a_commit");
            street.groups.settled(sent, false, now, street.verdict);
        }
    }
}
