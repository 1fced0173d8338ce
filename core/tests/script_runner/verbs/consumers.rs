//! `consumers 1 g h`: ConsumerGroupDescribe.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::consumer_group_describe::ConsumerGroupDescribeRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["version", "client"])?;
    let group_ids = command.words[1..].to_vec();
    let request = ConsumerGroupDescribeRequest { group_ids, include_authorized_operations: false };
    let to = (command.number(0)?, command.option("client")?);
    let version = command.option_or("version", 1)?;
    world.ask(to, version, &RequestBody::ConsumerGroupDescribe(request), true, &command.text)
}
