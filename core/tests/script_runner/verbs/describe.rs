//! `dirs 1`: DescribeLogDirs of node 1, all or `t-0`. `producers 1 t-0`: DescribeProducers. `pages 1 t u limit=2
//! from=t-1`: DescribeTopicPartitions, a page; without names of all topics.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use rust_mq_proto::kafka::api::describe_producers::{self, DescribeProducersRequest};
use rust_mq_proto::kafka::api::describe_topic_partitions::{self, Cursor, DescribeTopicPartitionsRequest};

pub fn dirs(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let topics = match command.words.len() {
        1 => None,
        _ => {
            let (topic, partition) = command.partition(1)?;
            Some(vec![DescribableLogDirTopic { topic, partitions: vec![partition] }])
        }
    };
    let request = RequestBody::DescribeLogDirs(DescribeLogDirsRequest { topics });
    world.ask((command.number(0)?, command.option("client")?), 5, &request, true, &command.text)
}

pub fn producers(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client"])?;
    let (name, partition) = command.partition(1)?;
    let topic = describe_producers::TopicRequest { name, partition_indexes: vec![partition] };
    let request = RequestBody::DescribeProducers(DescribeProducersRequest { topics: vec![topic] });
    world.ask((command.number(0)?, command.option("client")?), 0, &request, true, &command.text)
}

/// One page; `from=t-1` is where it begins.
pub fn pages(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["client", "limit", "from"])?;
    let name = |word: &String| describe_topic_partitions::TopicRequest { name: word.clone() };
    let from: Option<String> = command.option("from")?;
    let cursor = |word: String| {
        let (topic_name, partition_index) = crate::script_runner::command::split_partition(&word)?;
        Ok::<Cursor, String>(Cursor { topic_name, partition_index })
    };
    let request = DescribeTopicPartitionsRequest {
        topics: command.words.iter().skip(1).map(name).collect(),
        response_partition_limit: command.option_or("limit", 2_000)?,
        cursor: from.map(cursor).transpose()?,
    };
    let request = RequestBody::DescribeTopicPartitions(request);
    world.ask((command.number(0)?, command.option("client")?), 0, &request, true, &command.text)
}
