//! `delete t u`: DeleteTopics, at node 1 or `at=`.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::delete_topics::DeleteTopicsRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["at", "client"])?;
    let request = DeleteTopicsRequest {
        topic_names: command.words.clone(),
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    let to = (command.option_or("at", 1)?, command.option("client")?);
    world.ask(to, 5, &RequestBody::DeleteTopics(request), true, &command.text)
}
