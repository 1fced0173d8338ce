//! `fetch 1 t-0 u-0 from=0 wait=500ms min=1 max=BYTES`: records of some partitions, from one offset on. `epoch=`
//! is what the client thinks the leader epoch is, `last=` the epoch of the last record it read, `session=` and
//! `session_epoch=` are of a fetch session, `forget=t-0,t-1` what it is not to be about any more.

use crate::script_runner::command::{Command, split_partition};
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use std::time::Duration;

const OPTIONS: &[&str] = &[
    "from",
    "wait",
    "min",
    "max",
    "partition_max",
    "epoch",
    "last",
    "client",
    "session",
    "session_epoch",
    "forget",
];

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(OPTIONS)?;
    let max: i32 = command.option_or("max", 1 << 20)?;
    let mut topics = Vec::new();
    for word in &command.words[1..] {
        let (topic, partition) = split_partition(word)?;
        let asked = FetchPartition {
            partition,
            current_leader_epoch: command.option_or("epoch", -1)?,
            fetch_offset: command.option_or("from", 0)?,
            last_fetched_epoch: command.option_or("last", -1)?,
            partition_max_bytes: command.option_or("partition_max", max)?,
            ..FetchPartition::default()
        };
        topics.push(FetchTopic { topic, partitions: vec![asked], ..FetchTopic::default() });
    }
    let mut forgotten_topics_data = Vec::new();
    let forgotten: String = command.option_or("forget", String::new())?;
    for word in forgotten.split(',').filter(|word| !word.is_empty()) {
        let (topic, partition) = split_partition(word)?;
        let forgotten = ForgottenTopic { topic, partitions: vec![partition], ..ForgottenTopic::default() };
        forgotten_topics_data.push(forgotten);
    }
    let wait = command.time_or("wait", Duration::ZERO)?;
    let request = FetchRequest {
        replica_id: -1,
        max_wait_ms: i32::try_from(wait.as_millis()).map_err(|_| "too long a wait")?,
        min_bytes: command.option_or("min", 1)?,
        max_bytes: max,
        session_id: command.option_or("session", 0)?,
        session_epoch: command.option_or("session_epoch", -1)?,
        topics,
        forgotten_topics_data,
        ..FetchRequest::default()
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 12, &RequestBody::Fetch(request), true, &command.text)
}
