//! `coordinator 1 g`: FindCoordinator, asked at node 1; `type=1` is a transaction's, `version=`.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::find_coordinator::FindCoordinatorRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["type", "version", "client"])?;
    let version = command.option_or("version", 4)?;
    let keys = command.words[1..].to_vec();
    let request = FindCoordinatorRequest {
        key: if version < 4 { command.word(1)?.to_owned() } else { String::new() },
        key_type: command.option_or("type", 0)?,
        coordinator_keys: if version < 4 { Vec::new() } else { keys },
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, version, &RequestBody::FindCoordinator(request), true, &command.text)
}
