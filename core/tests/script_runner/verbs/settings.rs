//! `settings 1 topic t retention.ms`: DescribeConfigs of node 1: of a `topic`, a `broker` (`default` is all of them) or
//! a `group`, those that are named, or all that somebody has set. `holders 1`: ListConfigResources.
//! `set 1 topic t retention.ms=5 -segment.ms cleanup.policy+=compact cleanup.policy-=delete check=yes`:
//! IncrementalAlterConfigs. `reset 1 topic t retention.ms=5`: AlterConfigs, where what is not named goes.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::alter_configs::{self, AlterConfigsRequest};
use rust_mq_proto::kafka::api::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use rust_mq_proto::kafka::api::incremental_alter_configs::{self, IncrementalAlterConfigsRequest};
use rust_mq_proto::kafka::api::list_config_resources::ListConfigResourcesRequest;

/// Who is meant, and what of his.
fn resource(command: &Command) -> Result<(i8, String), String> {
    let resource_type = match command.word(1)? {
        "topic" => 2,
        "broker" => 4,
        "group" => 32,
        "metrics" => 16,
        other => return Err(format!("`{other}` has no settings: write topic, broker or group")),
    };
    let name = command.word(2)?;
    Ok((resource_type, if name == "default" { String::new() } else { name.to_owned() }))
}

pub fn settings(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let (resource_type, resource_name) = resource(command)?;
    let keys: Vec<String> = command.words.iter().skip(3).cloned().collect();
    let configuration_keys = Some(keys).filter(|keys| !keys.is_empty());
    let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys };
    let request =
        DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, ..Default::default() };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 4, &RequestBody::DescribeConfigs(request), true, &command.text)
}

pub fn holders(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let request = RequestBody::ListConfigResources(ListConfigResourcesRequest::default());
    world.ask((command.number(0)?, command.option("client")?), 1, &request, true, &command.text)
}

/// `name=value`, `name+=value`, `name-=value`, `-name`: Kafka's number of the operation, name and value.
fn change(word: &str) -> (i8, String, Option<String>) {
    if let Some(name) = word.strip_prefix('-') {
        return (1, name.into(), None);
    }
    let (name, value) = word.split_once('=').unwrap_or((word, ""));
    let value = Some(value.to_owned());
    match (name.strip_suffix('+'), name.strip_suffix('-')) {
        (Some(name), _) => (2, name.into(), value),
        (_, Some(name)) => (3, name.into(), value),
        _ => (0, name.into(), value),
    }
}

/// The changes: they look like options of the command.
fn changes(command: &Command) -> impl Iterator<Item = (i8, String, Option<String>)> + '_ {
    let words = command.text.split_whitespace().skip(4);
    words.filter(|word| !word.starts_with("check=") && !word.starts_with("client=")).map(change)
}

pub fn set(world: &mut World, command: &Command) -> Result<(), String> {
    let (resource_type, resource_name) = resource(command)?;
    let config = |(config_operation, name, value)| incremental_alter_configs::AlterableConfig {
        name,
        config_operation,
        value,
    };
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type,
        resource_name,
        configs: changes(command).map(config).collect(),
    };
    let validate_only = command.option::<String>("check")?.is_some();
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 1, &RequestBody::IncrementalAlterConfigs(request), true, &command.text)
}

pub fn reset(world: &mut World, command: &Command) -> Result<(), String> {
    let (resource_type, resource_name) = resource(command)?;
    let config = |(_, name, value)| alter_configs::AlterableConfig { name, value };
    let resource = alter_configs::AlterConfigsResource {
        resource_type,
        resource_name,
        configs: changes(command).map(config).collect(),
    };
    let validate_only = command.option::<String>("check")?.is_some();
    let request = AlterConfigsRequest { resources: vec![resource], validate_only };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, 2, &RequestBody::AlterConfigs(request), true, &command.text)
}
