//! `widen t 4`: CreatePartitions, at node 1 or `at=`: topic t is to have 4 partitions; `on=2,3` says where the one that is
//! new goes, `check=yes` only asks.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["at", "on", "check", "client"])?;
    let on: Option<String> = command.option("on")?;
    let nodes = on.map(|on| on.split(',').map(str::parse).collect::<Result<Vec<i32>, _>>()).transpose();
    let nodes = nodes.map_err(|_| "`on` names nodes by their numbers".to_owned())?;
    let assignments = nodes.map(|broker_ids| vec![CreatePartitionsAssignment { broker_ids }]);
    let topic =
        CreatePartitionsTopic { name: command.word(0)?.to_owned(), count: command.number(1)?, assignments };
    let validate_only = command.option::<String>("check")?.is_some();
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only };
    let to = (command.option_or("at", 1)?, command.option("client")?);
    world.ask(to, 3, &RequestBody::CreatePartitions(request), true, &command.text)
}
