//! `sync 1 g 1 member=m1 give=m1:t-0+t-1,m2:t-2`: SyncGroup in generation 1, from the leader with what each gets.
//! `type= protocol=` are what it thinks of the group, `version=5`; `as=kafka` says it in the bytes of Kafka's consumers.

use crate::script_runner::command::Command;
use crate::script_runner::embedded;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["member", "instance", "give", "type", "protocol", "version", "client", "as"])?;
    let is_kafkas = command.option::<String>("as")?.is_some_and(|how| how == "kafka");
    let give: String = command.option_or("give", String::new())?;
    let mut assignments = Vec::new();
    for given in give.split(',').filter(|given| !given.is_empty()) {
        let (member, what) = given.split_once(':').ok_or("write give=m1:t-0")?;
        let member_id = world.member(Some(member.to_owned()));
        let assignment = match is_kafkas {
            true => embedded::assignment(what)?,
            false => what.to_owned().into(),
        };
        assignments.push(SyncGroupRequestAssignment { member_id, assignment });
    }
    let request = SyncGroupRequest {
        group_id: command.word(1)?.to_owned(),
        generation_id: command.number(2)?,
        member_id: world.member(command.option("member")?),
        group_instance_id: command.option("instance")?,
        protocol_type: Some(command.option_or("type", "consumer".to_owned())?),
        protocol_name: Some(command.option_or("protocol", "range".to_owned())?),
        assignments,
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 5)?, &RequestBody::SyncGroup(request), true, &command.text)
}
