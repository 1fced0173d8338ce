//! `committed 1 g t-0 t-1`: OffsetFetch of some partitions, or of all there are. `version=9`; from 10 on by topics' ids;
//! several groups `g,h` from 8 on.

use crate::script_runner::command::{Command, split_partition};
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["version", "client"])?;
    let version = command.option_or("version", 9)?;
    let named: Vec<(String, i32)> =
        command.words[2..].iter().map(|word| split_partition(word)).collect::<Result<_, _>>()?;
    let groups = command.word(1)?.trim_matches('"').to_owned();
    let request = if version < 8 {
        let topics = named.iter().map(|(name, number)| OffsetFetchRequestTopic {
            name: name.clone(),
            partition_indexes: vec![*number],
        });
        let topics: Vec<_> = topics.collect();
        let topics = if topics.is_empty() && version >= 2 { None } else { Some(topics) };
        OffsetFetchRequest { group_id: groups, topics, ..Default::default() }
    } else {
        let topics = named.iter().map(|(name, number)| OffsetFetchRequestTopics {
            name: if version >= 10 { String::new() } else { name.clone() },
            topic_id: if version >= 10 { world.topic_id(name) } else { [0; 16] },
            partition_indexes: vec![*number],
        });
        let topics: Vec<_> = topics.collect();
        let topics = if topics.is_empty() { None } else { Some(topics) };
        let group = |group: &str| OffsetFetchRequestGroup {
            group_id: group.to_owned(),
            topics: topics.clone(),
            ..Default::default()
        };
        OffsetFetchRequest { groups: groups.split(',').map(group).collect(), ..Default::default() }
    };
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, version, &RequestBody::OffsetFetch(request), true, &command.text)
}
