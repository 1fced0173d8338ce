//! `brokers 1`: DescribeCluster, which nodes there are and which is the controller.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::describe_cluster::DescribeClusterRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let to = (command.number(0)?, command.option("client")?);
    let request = RequestBody::DescribeCluster(DescribeClusterRequest::default());
    world.ask(to, 1, &request, true, &command.text)
}
