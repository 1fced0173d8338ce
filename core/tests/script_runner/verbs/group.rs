//! `group 1 g h`: DescribeGroups; `version=6`. `delete_group 1 g h`: DeleteGroups.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::delete_groups::DeleteGroupsRequest;
use rust_mq_proto::kafka::api::describe_groups::DescribeGroupsRequest;

pub fn describe(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["version", "client"])?;
    let groups = command.words[1..].to_vec();
    let request = DescribeGroupsRequest { groups, include_authorized_operations: false };
    let to = (command.number(0)?, command.option("client")?);
    let version = command.option_or("version", 6)?;
    world.ask(to, version, &RequestBody::DescribeGroups(request), true, &command.text)
}

pub fn delete(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let request = DeleteGroupsRequest { groups_names: command.words[1..].to_vec() };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 2, &RequestBody::DeleteGroups(request), true, &command.text)
}
