//! `groups 1 states=stable types=classic`: ListGroups, which says what groups node 1 coordinates.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::list_groups::ListGroupsRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["states", "types", "client"])?;
    let list = |name| -> Result<Vec<String>, String> {
        let listed: String = command.option_or(name, String::new())?;
        Ok(listed.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect())
    };
    let request = ListGroupsRequest { states_filter: list("states")?, types_filter: list("types")? };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 5, &RequestBody::ListGroups(request), true, &command.text)
}
