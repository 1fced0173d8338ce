//! `versions 1`: ApiVersions, which APIs a node says that it serves.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::api_versions::ApiVersionsRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["version", "client"])?;
    let request =
        ApiVersionsRequest { client_software_name: "story".into(), client_software_version: "1".into() };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 4)?, &RequestBody::ApiVersions(request), true, &command.text)
}
