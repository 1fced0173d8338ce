//! `produce 1 t-0 a b acks=all`: one batch of values to a node. `pid=`, `epoch=` and `seq=` make it an idempotent
//! producer's; `txn=` names a transactional id; `time=` is the records' time in ms since the story's start, or `none`.
//! `t-0,t-1` sends it to both in one request. `times=9` does it nine times, and prints the last answer.

use crate::script_runner::command::{Command, split_partition};
use crate::script_runner::process::{EPOCH_MS, clocks};
use crate::script_runner::values::batch;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use rust_mq_proto::records::{NO_TIMESTAMP, Producer};
use std::time::Duration;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    let times: u32 = command.option_or("times", 1)?;
    for _ in 1..times {
        once(world, command)?;
    }
    if times > 1 {
        // Only the last answer is of interest, unless they differ.
        world.said.retain(|line| !line.contains(": offset "));
    }
    once(world, command)
}

fn once(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["times", "acks", "pid", "epoch", "seq", "txn", "timeout", "time", "client"])?;
    let to = command.word(1)?.split(',').map(split_partition).collect::<Result<Vec<_>, _>>()?;
    let acks: String = command.option_or("acks", "all".to_owned())?;
    let acks = if acks == "all" { -1 } else { acks.parse().map_err(|_| "acks is all, or a number")? };
    let producer = match command.option("pid")? {
        Some(id) => Some(Producer {
            id,
            epoch: command.option_or("epoch", 0)?,
            base_sequence: command.option_or("seq", 0)?,
        }),
        None => None,
    };
    let time = match command.option::<String>("time")?.as_deref() {
        None => clocks(world.now).wall.0,
        Some("none") => NO_TIMESTAMP,
        Some(time) => EPOCH_MS + time.parse::<i64>().map_err(|_| "time is in ms, or none")?,
    };
    let transactional_id: Option<String> = command.option("txn")?;
    let records = batch::of(&command.words[2..], time, producer, transactional_id.is_some());
    let topic = |(name, index)| TopicProduceData {
        name,
        partition_data: vec![PartitionProduceData { index, records: Some(records.clone()) }],
        ..TopicProduceData::default()
    };
    let timeout = command.time_or("timeout", Duration::from_secs(30))?;
    let request = ProduceRequest {
        transactional_id,
        acks,
        timeout_ms: i32::try_from(timeout.as_millis()).map_err(|_| "too long a timeout")?,
        topic_data: to.into_iter().map(topic).collect(),
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 12, &RequestBody::Produce(request), acks != 0, &command.text)
}
