//! `forget 1 g t-0`: OffsetDelete.

use crate::script_runner::command::{Command, split_partition};
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let mut topics = Vec::new();
    for word in &command.words[2..] {
        let (name, partition_index) = split_partition(word)?;
        let partitions = vec![OffsetDeleteRequestPartition { partition_index }];
        topics.push(OffsetDeleteRequestTopic { name, partitions });
    }
    let request = OffsetDeleteRequest { group_id: command.word(1)?.to_owned(), topics };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 0, &RequestBody::OffsetDelete(request), true, &command.text)
}
