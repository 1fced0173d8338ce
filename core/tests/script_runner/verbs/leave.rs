//! `leave 1 g member=m1,m2`: LeaveGroup; `instance=i,j` leave by what they are called, `version=5`.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::leave_group::{LeaveGroupRequest, MemberIdentity};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["member", "instance", "version", "client"])?;
    let version = command.option_or("version", 5)?;
    let list = |name| -> Result<Vec<String>, String> {
        let listed: String = command.option_or(name, String::new())?;
        Ok(listed.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect())
    };
    let members = list("member")?.into_iter().map(|member| world.member(Some(member)));
    let mut members: Vec<MemberIdentity> =
        members.map(|member_id| MemberIdentity { member_id, ..Default::default() }).collect();
    for (at, instance) in list("instance")?.into_iter().enumerate() {
        if at == members.len() {
            members.push(MemberIdentity::default());
        }
        members[at].group_instance_id = Some(instance);
    }
    let (member_id, members) = match version {
        ..3 => (members.first().map(|one| one.member_id.clone()).unwrap_or_default(), Vec::new()),
        _ => (String::new(), members),
    };
    let request = LeaveGroupRequest { group_id: command.word(1)?.to_owned(), member_id, members };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, version, &RequestBody::LeaveGroup(request), true, &command.text)
}
