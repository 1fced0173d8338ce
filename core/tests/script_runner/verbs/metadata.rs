//! `metadata 1 t`: what a client is told of some topics, or of all. `create=yes` lets it create them.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["create", "client"])?;
    let named = command.words.iter().skip(1);
    let topics: Vec<MetadataRequestTopic> = named
        .map(|name| MetadataRequestTopic { name: Some(name.clone()), ..MetadataRequestTopic::default() })
        .collect();
    let create: String = command.option_or("create", "no".to_owned())?;
    let request = MetadataRequest {
        topics: (!topics.is_empty()).then_some(topics),
        allow_auto_topic_creation: create == "yes",
        ..MetadataRequest::default()
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 12, &RequestBody::Metadata(request), true, &command.text)
}
