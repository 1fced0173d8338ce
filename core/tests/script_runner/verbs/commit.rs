//! `commit 1 g t-0,t-1 5 member=m1 generation=1`: OffsetCommit of offset 5, from a member or, without one, from nobody's.
//! `instance= say=TEXT epoch=3 keep=60s version=9`; `id=` names the topic by its id (version 10).

use crate::script_runner::command::{Command, split_partition};
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use std::time::Duration;

const OPTIONS: &[&str] = &["member", "generation", "instance", "say", "epoch", "keep", "version", "client"];

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(OPTIONS)?;
    let version = command.option_or("version", 9)?;
    let mut topics = Vec::new();
    for word in command.word(2)?.split(',') {
        let (name, partition_index) = split_partition(word)?;
        let partition = OffsetCommitRequestPartition {
            partition_index,
            committed_offset: command.number(3)?,
            committed_leader_epoch: command.option_or("epoch", -1)?,
            committed_metadata: command.option("say")?,
        };
        let topic_id = if version >= 10 { world.topic_id(&name) } else { [0; 16] };
        let name = if version >= 10 { String::new() } else { name };
        topics.push(OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] });
    }
    let keep = command.time_or("keep", Duration::MAX)?;
    let request = OffsetCommitRequest {
        group_id: command.word(1)?.trim_matches('"').to_owned(),
        generation_id_or_member_epoch: command.option_or("generation", -1)?,
        member_id: world.member(command.option("member")?),
        group_instance_id: command.option("instance")?,
        retention_time_ms: i64::try_from(keep.as_millis()).unwrap_or(-1),
        topics,
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, version, &RequestBody::OffsetCommit(request), true, &command.text)
}
