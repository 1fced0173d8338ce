//! `erase 1 t-0 5`: DeleteRecords, of node 1: what lies below offset 5 goes; `all` is the high watermark.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::delete_records::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client", "timeout"])?;
    let (name, partition_index) = command.partition(1)?;
    let offset = if command.word(2)? == "all" { -1 } else { command.number(2)? };
    let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
    let timeout_ms = command.option_or("timeout", 10_000)?;
    let request = DeleteRecordsRequest { topics: vec![DeleteRecordsTopic { name, partitions }], timeout_ms };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 2, &RequestBody::DeleteRecords(request), true, &command.text)
}
