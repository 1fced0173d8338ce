//! `heartbeat 1 g 1 member=m1 instance=i`: Heartbeat in generation 1.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::heartbeat::HeartbeatRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["member", "instance", "client"])?;
    let request = HeartbeatRequest {
        group_id: command.word(1)?.to_owned(),
        generation_id: command.number(2)?,
        member_id: world.member(command.option("member")?),
        group_instance_id: command.option("instance")?,
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 4, &RequestBody::Heartbeat(request), true, &command.text)
}
