//! `list 1 t-0 latest`: ListOffsets; `earliest`, `latest`, `max`, or a time in ms since the story's start.

use crate::script_runner::command::Command;
use crate::script_runner::process::EPOCH_MS;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["epoch", "client", "version"])?;
    let (name, partition_index) = command.partition(1)?;
    let timestamp = match command.word(2)? {
        "latest" => -1,
        "earliest" => -2,
        "max" => -3,
        _ => EPOCH_MS + command.number::<i64>(2)?,
    };
    let current_leader_epoch = command.option_or("epoch", -1)?;
    let asked = ListOffsetsPartition { partition_index, current_leader_epoch, timestamp };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: vec![ListOffsetsTopic { name, partitions: vec![asked] }],
        ..ListOffsetsRequest::default()
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 7)?, &RequestBody::ListOffsets(request), true, &command.text)
}
