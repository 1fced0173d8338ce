//! The hand of a restless admin on settings: of its own topics at their extremes, of the topics of the plan and of all
//! brokers what no promise to others goes by, of groups and of who is not there; it lists and describes them too, and
//! makes topics of its own wider. Each API has a die of its own.

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::purpose::Purpose;
use crate::dice::Dice;
use rust_mq_proto::kafka::api::alter_configs::{self, AlterConfigsRequest};
use rust_mq_proto::kafka::api::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use rust_mq_proto::kafka::api::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use rust_mq_proto::kafka::api::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use rust_mq_proto::kafka::api::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, TopicRequest,
};
use rust_mq_proto::kafka::api::incremental_alter_configs::{self, IncrementalAlterConfigsRequest};
use rust_mq_proto::kafka::api::list_config_resources::ListConfigResourcesRequest;
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

/// Changes of a topic of the admin's own: operation, name, value.
const OWN: [(i8, &str, &str); 12] = [
    (0, "retention.ms", "1000"),
    (0, "retention.bytes", "0"),
    (1, "retention.ms", ""),
    (0, "max.message.bytes", "100"),
    (1, "max.message.bytes", ""),
    (0, "cleanup.policy", ""),
    (2, "cleanup.policy", "delete"),
    (3, "cleanup.policy", "delete"),
    (0, "min.insync.replicas", "3"),
    (0, "segment.bytes", "5"),
    (2, "retention.ms", "5"),
    (0, "no.such.setting", "1"),
];

/// Changes of topics that others use: where segments end, which nobody is promised.
const OTHERS: [(i8, &str, &str); 5] = [
    (0, "segment.bytes", "1048576"),
    (0, "segment.ms", "1"),
    (0, "segment.ms", "1000"),
    (1, "segment.ms", ""),
    (0, "index.interval.bytes", "7"),
];

/// Changes of brokers, with a default of new topics that is made on the way.
const BROKERS: [(i8, &str, &str); 6] = [
    (0, "log.segment.bytes", "1048576"),
    (0, "log.roll.ms", "1"),
    (1, "log.roll.ms", ""),
    (0, "num.partitions", "2"),
    (0, "node.id", "7"),
    (0, "log.roll.ms", "-1"),
];

const GROUPS: [(i8, &str, &str); 2] =
    [(0, "consumer.session.timeout.ms", "50000"), (0, "consumer.session.timeout.ms", "1")];

type Change = (i8, &'static str, &'static str);

/// Whose settings, and one change of them.
fn whose(number: usize, site: usize, dice: &mut Dice) -> (i8, String, Change) {
    match dice.below(8) {
        0..=3 => (TOPIC, format!("a{number}-{}", dice.below(4)), *dice.pick(&OWN)),
        4 => (TOPIC, format!("t{}", dice.below(3)), *dice.pick(&OTHERS)),
        5 => (BROKER, String::new(), *dice.pick(&BROKERS)),
        6 => (BROKER, (site + 1).to_string(), *dice.pick(&BROKERS)),
        _ => (GROUP, format!("g{}", dice.below(3)), *dice.pick(&GROUPS)),
    }
}

/// Does some of it. How many requests are on their way.
pub fn act(
    number: usize,
    site: usize,
    connections: &mut Connections,
    chance: &mut Chance,
    street: &mut Street<'_>,
) -> usize {
    let mut asked = alter(number, site, connections, chance.of(ApiKey::IncrementalAlterConfigs), street);
    asked += replace(number, site, connections, chance.of(ApiKey::AlterConfigs), street);
    asked += describe(number, site, connections, chance.of(ApiKey::DescribeConfigs), street);
    asked += widen(number, site, connections, chance.of(ApiKey::CreatePartitions), street);
    let dice = chance.of(ApiKey::DescribeLogDirs);
    if dice.below(8) == 0 {
        let topic =
            DescribableLogDirTopic { topic: format!("t{}", dice.below(3)), partitions: vec![0, 1, 7] };
        let request = DescribeLogDirsRequest { topics: dice.coin().then(|| vec![topic]) };
        asked += usize::from(connections.request(site, &request, Purpose::Nothing, street));
    }
    let dice = chance.of(ApiKey::DescribeTopicPartitions);
    if dice.below(8) == 0 {
        let name = format!("t{}", dice.below(3));
        let cursor =
            dice.coin().then(|| Cursor { topic_name: name.clone(), partition_index: dice.below(3) as i32 });
        let request = DescribeTopicPartitionsRequest {
            topics: if dice.coin() { Vec::new() } else { vec![TopicRequest { name }] },
            response_partition_limit: *dice.pick(&[1, 2, 2_000, -1]),
            cursor,
        };
        asked += usize::from(connections.request(site, &request, Purpose::Nothing, street));
    }
    let dice = chance.of(ApiKey::ListConfigResources);
    if dice.below(8) == 0 {
        let resource_types = (*dice.pick(&[&[][..], &[TOPIC], &[BROKER, GROUP], &[77]])).to_vec();
        let request = ListConfigResourcesRequest { resource_types };
        asked += usize::from(connections.request(site, &request, Purpose::Nothing, street));
    }
    asked
}

/// A topic of the admin's own becomes wider, or cannot.
fn widen(
    number: usize,
    site: usize,
    connections: &mut Connections,
    dice: &mut Dice,
    street: &mut Street<'_>,
) -> usize {
    if dice.below(5) > 0 {
        return 0;
    }
    let broker_ids = vec![1 + site as i32];
    let topic = CreatePartitionsTopic {
        name: format!("{}{number}-{}", dice.pick(&["a", "w"]), dice.below(4)),
        count: *dice.pick(&[2, 3, 4, 5, 0, -1]),
        assignments: (dice.below(4) == 0).then(|| vec![CreatePartitionsAssignment { broker_ids }]),
    };
    let request = CreatePartitionsRequest {
        topics: vec![topic; *dice.pick(&[1, 1, 1, 2])],
        timeout_ms: *dice.pick(&[5_000, 0, i32::MAX]),
        validate_only: dice.below(5) == 0,
    };
    let purpose = if request.validate_only { Purpose::Nothing } else { Purpose::Tuning };
    usize::from(connections.request(site, &request, purpose, street))
}

fn alter(
    number: usize,
    site: usize,
    connections: &mut Connections,
    dice: &mut Dice,
    street: &mut Street<'_>,
) -> usize {
    if dice.below(3) > 0 {
        return 0;
    }
    let count = *dice.pick(&[1, 1, 2, 3]);
    let resource = |dice: &mut Dice| {
        let (resource_type, resource_name, (config_operation, name, value)) = whose(number, site, dice);
        let value = Some(value.to_owned()).filter(|_| dice.below(16) > 0);
        let config =
            incremental_alter_configs::AlterableConfig { name: name.into(), config_operation, value };
        let configs = vec![config; *dice.pick(&[1, 1, 1, 2])];
        incremental_alter_configs::AlterConfigsResource { resource_type, resource_name, configs }
    };
    let resources = (0..count).map(|_| resource(dice)).collect();
    let request = IncrementalAlterConfigsRequest { resources, validate_only: dice.below(5) == 0 };
    let purpose = if request.validate_only { Purpose::Nothing } else { Purpose::Tuning };
    usize::from(connections.request(site, &request, purpose, street))
}

fn replace(
    number: usize,
    site: usize,
    connections: &mut Connections,
    dice: &mut Dice,
    street: &mut Street<'_>,
) -> usize {
    if dice.below(8) > 0 {
        return 0;
    }
    let (resource_type, resource_name, (_, name, value)) = whose(number, site, dice);
    // What the plan has set for others stays: only of its own it takes all away.
    let is_others = resource_type == TOPIC && resource_name.starts_with('t');
    let config = alter_configs::AlterableConfig { name: name.into(), value: Some(value.into()) };
    let resource =
        alter_configs::AlterConfigsResource { resource_type, resource_name, configs: vec![config] };
    let request = AlterConfigsRequest { resources: vec![resource], validate_only: is_others };
    usize::from(connections.request(site, &request, Purpose::Nothing, street))
}

fn describe(
    number: usize,
    site: usize,
    connections: &mut Connections,
    dice: &mut Dice,
    street: &mut Street<'_>,
) -> usize {
    if dice.below(5) > 0 {
        return 0;
    }
    let resource = |dice: &mut Dice| {
        let (resource_type, resource_name, (_, name, _)) = whose(number, site, dice);
        let configuration_keys = dice.coin().then(|| vec![name.to_owned()]);
        DescribeConfigsResource { resource_type, resource_name, configuration_keys }
    };
    let count = *dice.pick(&[1, 1, 2, 3]);
    let request = DescribeConfigsRequest {
        resources: (0..count).map(|_| resource(dice)).collect(),
        include_synonyms: dice.coin(),
        include_documentation: dice.coin(),
    };
    usize::from(connections.request(site, &request, Purpose::Nothing, street))
}

/// What came of it.
pub fn settled(body: &ResponseBody, is_real: bool, street: &mut Street<'_>) {
    match body {
        ResponseBody::IncrementalAlterConfigs(response) => {
            for response in &response.responses {
                let mark = match (response.error_code, response.resource_type) {
                    (0, TOPIC) if is_real => "client.changed_a_topics_setting",
                    (0, BROKER) if is_real => "client.changed_a_brokers_setting",
                    (0, _) => continue,
                    _ => "client.was_refused_a_change",
                };
                street.marks.hit(mark);
            }
        }
        ResponseBody::CreatePartitions(response) if is_real => {
            let made = response.results.iter().filter(|result| result.error_code == 0);
            made.for_each(|_| street.marks.hit("client.made_a_topic_wider"));
        }
        ResponseBody::DescribeConfigs(response) => {
            let is_set = |source: i8| source < 4;
            let mut configs = response.results.iter().flat_map(|result| &result.configs);
            if configs.any(|config| is_set(config.config_source)) {
                street.marks.hit("client.saw_a_setting");
            }
        }
        _ => {}
    }
}
