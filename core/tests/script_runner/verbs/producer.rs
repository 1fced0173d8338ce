//! `producer 1`: InitProducerId; `txn=` with a transactional id.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::init_producer_id::InitProducerIdRequest;

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["txn", "client"])?;
    let request = InitProducerIdRequest {
        transactional_id: command.option("txn")?,
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 4, &RequestBody::InitProducerId(request), true, &command.text)
}
