//! `list 1 t-0 latest`: ListOffsets; `earliest`, `latest`, `max`, or a time in ms since the story's start. `t-0,t-1`
//! asks about both in one request.

use crate::script_runner::command::{Command, split_partition};
use crate::script_runner::process::EPOCH_MS;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["epoch", "client", "version"])?;
    let of = command.word(1)?.split(',').map(split_partition).collect::<Result<Vec<_>, _>>()?;
    let timestamp = match command.word(2)? {
        "latest" => -1,
        "earliest" => -2,
        "max" => -3,
        _ => EPOCH_MS + command.number::<i64>(2)?,
    };
    let current_leader_epoch = command.option_or("epoch", -1)?;
    let topic = |(name, partition_index)| ListOffsetsTopic {
        name,
        partitions: vec![ListOffsetsPartition { partition_index, current_leader_epoch, timestamp }],
    };
    let request = ListOffsetsRequest {
        replica_id: -1,
        topics: of.into_iter().map(topic).collect(),
        ..ListOffsetsRequest::default()
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 7)?, &RequestBody::ListOffsets(request), true, &command.text)
}
