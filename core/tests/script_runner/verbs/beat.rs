//! `beat 1 g me 0 topics=t,u pattern=t.* instance=i rack=r assignor=range has=t-0+t-1 rebalance=60s`: a heartbeat of a
//! member of a consumer group at that epoch. What is not given is not said, but for an epoch of 0, which says all.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::consumer_group_heartbeat::{ConsumerGroupHeartbeatRequest, TopicPartitions};
use std::time::Duration;

const OPTIONS: &[&str] =
    &["topics", "pattern", "instance", "rack", "assignor", "has", "rebalance", "version", "client"];

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(OPTIONS)?;
    let member_epoch: i32 = command.number(3)?;
    let is_joining = member_epoch == 0;
    let rebalance = command.time_or("rebalance", Duration::from_secs(60))?;
    let rebalance_ms = i32::try_from(rebalance.as_millis()).map_err(|_| "too long a wait")?;
    let has_rebalance = is_joining || command.option::<String>("rebalance")?.is_some();
    let topics: Option<String> = command.option("topics")?;
    let names = |topics: String| -> Vec<String> {
        topics.split(',').filter(|topic| !topic.is_empty()).map(str::to_owned).collect()
    };
    let has: Option<String> = command.option("has")?;
    let has = has.or(is_joining.then(String::new));
    let has = has.map(|has| partitions(world, &has)).transpose()?;
    let request = ConsumerGroupHeartbeatRequest {
        group_id: command.word(1)?.to_owned(),
        member_id: command.word(2)?.trim_matches('-').to_owned(),
        member_epoch,
        instance_id: command.option("instance")?,
        rack_id: command.option("rack")?,
        rebalance_timeout_ms: if has_rebalance { rebalance_ms } else { -1 },
        subscribed_topic_names: topics.map(names),
        subscribed_topic_regex: command.option("pattern")?,
        server_assignor: command.option("assignor")?,
        topic_partitions: has,
    };
    let to = (command.number(0)?, command.option("client")?);
    let version = command.option_or("version", 1)?;
    world.ask(to, version, &RequestBody::ConsumerGroupHeartbeat(request), true, &command.text)
}

fn partitions(world: &World, text: &str) -> Result<Vec<TopicPartitions>, String> {
    let mut topics: Vec<TopicPartitions> = Vec::new();
    for place in text.split('+').filter(|place| !place.is_empty()) {
        let (name, number) = place.rsplit_once('-').ok_or("a partition is spelled t-0")?;
        let number = number.parse().map_err(|_| format!("`{number}` is no number"))?;
        let topic_id = world.topic_id(name);
        match topics.iter_mut().find(|topic| topic.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(number),
            None => topics.push(TopicPartitions { topic_id, partitions: vec![number] }),
        }
    }
    Ok(topics)
}
