//! `join 1 g topics=t,u member=m1 instance=i`: JoinGroup, of who subscribes to those topics. `session=10s rebalance=60s`
//! are its time-outs, `protocols=range,sticky` what it knows, its favourite first; `type=consumer`, `version=9`.
//! `has=t-0+t-1` is what it says that it has (KIP-429).
//!
//! Members that were answered to are called m1, m2 and so on in what is told, by when they were first seen.

use crate::script_runner::command::Command;
use crate::script_runner::embedded;
use crate::script_runner::world::World;
use bytes::{BufMut, BytesMut};
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::join_group::{JoinGroupRequest, JoinGroupRequestProtocol};
use std::time::Duration;

const OPTIONS: &[&str] = &[
    "topics",
    "member",
    "instance",
    "session",
    "rebalance",
    "protocols",
    "type",
    "version",
    "client",
    "has",
];

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(OPTIONS)?;
    let ms = |name, default| -> Result<i32, String> {
        let wait = command.time_or(name, Duration::from_secs(default))?;
        i32::try_from(wait.as_millis()).map_err(|_| "too long a wait".into())
    };
    let topics: String = command.option_or("topics", String::new())?;
    let has: Option<String> = command.option("has")?;
    let mut metadata = BytesMut::new();
    let topics: Vec<&str> = topics.split(',').filter(|topic| !topic.is_empty()).collect();
    metadata.put_i16(i16::from(has.is_some()));
    metadata.put_i32(i32::try_from(topics.len()).map_err(|_| "too many topics")?);
    for topic in topics {
        metadata.put_i16(i16::try_from(topic.len()).map_err(|_| "too long a name")?);
        metadata.put_slice(topic.as_bytes());
    }
    metadata.put_i32(-1);
    if let Some(has) = has {
        embedded::put_places(&mut metadata, &has)?;
    }
    let metadata = metadata.freeze();
    let protocols: String = command.option_or("protocols", "range".to_owned())?;
    let protocols = protocols
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| JoinGroupRequestProtocol { name: name.into(), metadata: metadata.clone() });
    let request = JoinGroupRequest {
        group_id: command.words.get(1).cloned().unwrap_or_default(),
        session_timeout_ms: ms("session", 10)?,
        rebalance_timeout_ms: ms("rebalance", 60)?,
        member_id: world.member(command.option("member")?),
        group_instance_id: command.option("instance")?,
        protocol_type: command.option_or("type", "consumer".to_owned())?,
        protocols: protocols.collect(),
        reason: None,
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 9)?, &RequestBody::JoinGroup(request), true, &command.text)
}
