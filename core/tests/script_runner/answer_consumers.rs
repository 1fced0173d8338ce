//! Answers about consumer groups (KIP-848) as lines of text.

use super::answer::{TopicNames, error, topic_name};
use rust_mq_proto::kafka::api::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeResponse, DescribedGroup, Member,
};
use rust_mq_proto::kafka::api::consumer_group_heartbeat::ConsumerGroupHeartbeatResponse;

/// What a member is told.
pub fn beaten(body: &ConsumerGroupHeartbeatResponse, names: &TopicNames) -> Vec<String> {
    if body.error_code != 0 {
        let why = body.error_message.as_ref().map_or(String::new(), |why| format!(" \"{why}\""));
        return vec![format!("{}{why}", error(body.error_code))];
    }
    let member = body.member_id.as_deref().unwrap_or("?");
    let has = body.assignment.as_ref().map_or(String::new(), |assignment| {
        let places = assignment.topic_partitions.iter().flat_map(|topic| {
            let name = topic_name("", &topic.topic_id, names);
            topic.partitions.iter().map(move |number| format!("{name}-{number}"))
        });
        format!(", has {}", or_nothing(places.collect()))
    });
    vec![format!("{member} at epoch {}{has}", body.member_epoch)]
}

/// All about groups.
pub fn described(body: &ConsumerGroupDescribeResponse) -> Vec<String> {
    body.groups.iter().flat_map(group).collect()
}

fn group(group: &DescribedGroup) -> Vec<String> {
    if group.error_code != 0 {
        return vec![format!("{}: {}", group.group_id, error(group.error_code))];
    }
    let (state, assignor) = (&group.group_state, &group.assignor_name);
    let (epoch, assigned) = (group.group_epoch, group.assignment_epoch);
    let first = format!("{}: {state} at epoch {epoch}, assigned at {assigned} by {assignor}", group.group_id);
    std::iter::once(first).chain(group.members.iter().map(member)).collect()
}

fn member(member: &Member) -> String {
    let said = [
        ("instance", &member.instance_id),
        ("rack", &member.rack_id),
        ("pattern", &member.subscribed_topic_regex),
    ];
    let said = said.iter().filter_map(|(what, value)| Some(format!(" {what} {}", value.as_ref()?)));
    let said: String = said.collect();
    let names = member.subscribed_topic_names.join(" ");
    let (has, target) = (places(&member.assignment), places(&member.target_assignment));
    let id = &member.member_id;
    format!("{id} at epoch {}: {names}{said}: has {has}, to have {target}", member.member_epoch)
}

fn places(assignment: &Assignment) -> String {
    let places = assignment
        .topic_partitions
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|number| format!("{}-{number}", topic.topic_name)));
    or_nothing(places.collect())
}

fn or_nothing(places: Vec<String>) -> String {
    if places.is_empty() { "nothing".into() } else { places.join(" ") }
}
