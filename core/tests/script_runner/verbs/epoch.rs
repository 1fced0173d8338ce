//! `epoch 1 t-0 2`: OffsetForLeaderEpoch, where epoch 2 ended. `current=` is what the client thinks the epoch is.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["current", "client"])?;
    let (topic, partition) = command.partition(1)?;
    let asked = OffsetForLeaderPartition {
        partition,
        current_leader_epoch: command.option_or("current", -1)?,
        leader_epoch: command.number(2)?,
    };
    let request = OffsetForLeaderEpochRequest {
        replica_id: -1,
        topics: vec![OffsetForLeaderTopic { topic, partitions: vec![asked] }],
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 4, &RequestBody::OffsetForLeaderEpoch(request), true, &command.text)
}
