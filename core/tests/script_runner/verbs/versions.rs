//! `versions 1`: ApiVersions, which APIs a node says that it serves. `node=2`, `cluster=other`: whom the client means.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::api_versions::ApiVersionsRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["version", "client", "node", "cluster"])?;
    let request = ApiVersionsRequest {
        client_software_name: "story".into(),
        client_software_version: "1".into(),
        cluster_id: command.option("cluster")?,
        node_id: command.option_or("node", -1)?,
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 5)?, &RequestBody::ApiVersions(request), true, &command.text)
}
