//! DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources: what consoles and Kafka's own tools read
//! and change, and how.

use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsRequest, AlterConfigsResource as Whole, AlterableConfig as WholeConfig,
};
use kafka_protocol::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResult;
use kafka_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use kafka_protocol::messages::list_config_resources_request::ListConfigResourcesRequest;
use kafka_protocol::protocol::StrBytes;
use rust_mq_core::settings::Table;
use std::collections::BTreeMap;
use tests::batch::Batch;
use tests::client::Client;
use tests::cluster::Cluster;
use tests::dialogue::{create_topic, create_topics, produce, topic_with};
use tests::folder::Folder;
use tests::node::Node;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TOPIC_EXCEPTION: i16 = 17;
const INVALID_CONFIG: i16 = 40;
const INVALID_REQUEST: i16 = 42;

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn describe_all(client: &mut Client, version: i16, resources: &[(i8, &str)]) -> Vec<DescribeConfigsResult> {
    let resource = |(kind, name): &(i8, &str)| {
        DescribeConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configuration_keys(None)
    };
    let request = DescribeConfigsRequest::default()
        .with_resources(resources.iter().map(resource).collect())
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3);
    client.ask(version, &request).results
}

fn describe(client: &mut Client, kind: i8, name: &str) -> DescribeConfigsResult {
    describe_all(client, 4, &[(kind, name)]).remove(0)
}

fn value(client: &mut Client, kind: i8, name: &str, setting: &str) -> (String, i8) {
    let result = describe(client, kind, name);
    let config = result.configs.iter().find(|config| config.name.as_str() == setting).expect("it is told");
    (config.value.as_deref().unwrap_or("null").to_owned(), config.config_source)
}

type Change<'a> = (i8, &'a str, Option<&'a str>);

fn resource(kind: i8, name: &str, changes: &[Change<'_>]) -> AlterConfigsResource {
    let change = |(operation, name, value): &Change<'_>| {
        AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(changes.iter().map(change).collect())
}

fn alter(client: &mut Client, kind: i8, name: &str, changes: &[Change<'_>]) -> i16 {
    alter_all(client, vec![resource(kind, name, changes)], false)[0]
}

fn alter_all(client: &mut Client, resources: Vec<AlterConfigsResource>, validate_only: bool) -> Vec<i16> {
    let request =
        IncrementalAlterConfigsRequest::default().with_resources(resources).with_validate_only(validate_only);
    let answer = client.ask(1, &request);
    assert!(answer.responses.iter().all(|one| (one.error_code == 0) == one.error_message.is_none()));
    answer.responses.iter().map(|one| one.error_code).collect()
}

#[test]
fn g30_every_setting_is_told_with_value_type_source_and_documentation() {
    let node = Node::in_memory();
    let mut client = node.connect();
    assert_eq!(create_topics(&mut client, vec![topic_with("t", &[("retention.ms", "5")])])[0].error_code, 0);
    for (kind, name, table) in [(TOPIC, "t", Table::Topic), (BROKER, "1", Table::Broker)] {
        let told = describe(&mut client, kind, name);
        assert_eq!((told.error_code, told.resource_type, told.resource_name.as_str()), (0, kind, name));
        let told: BTreeMap<&str, _> =
            told.configs.iter().map(|config| (config.name.as_str(), config)).collect();
        for (name, row) in table.all() {
            let config = told.get(name).unwrap_or_else(|| panic!("{name} is not told"));
            assert!(config.value.is_some() && !config.is_sensitive, "{name}");
            assert_eq!(config.config_type, row.kind as i8, "{name}");
            assert_eq!(config.documentation.as_deref(), Some(row.documentation), "{name}");
            assert_eq!(config.read_only, row.is_read_only(), "{name}");
            let first = config.synonyms.first().expect("at least the default");
            assert_eq!((&first.value, first.source), (&config.value, config.config_source), "{name}");
        }
        assert_eq!(told.len(), table.all().len());
    }
    let (value, source) = value(&mut client, TOPIC, "t", "retention.ms");
    assert_eq!((value.as_str(), source), ("5", 1), "the topic's own");
    // Version 1, which librdkafka speaks, has neither types nor documentation.
    let old = describe_all(&mut client, 1, &[(TOPIC, "t")]).remove(0);
    let has_none = |text: Option<&str>| text.is_none_or(str::is_empty);
    let is_bare = |documentation, kind: i8| has_none(documentation) && kind == 0;
    assert!(old.configs.iter().all(|config| is_bare(config.documentation.as_deref(), config.config_type)));
}

#[test]
fn g30_who_cannot_be_described_is_refused_alone() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "t", 1);
    let asked = [
        (TOPIC, "t", 0),
        (TOPIC, "gone", UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "a b", INVALID_TOPIC_EXCEPTION),
        (BROKER, "", 0),
        (BROKER, "7", INVALID_REQUEST),
        (BROKER, "x", INVALID_REQUEST),
        (BROKER_LOGGER, "1", INVALID_REQUEST),
        (CLIENT_METRICS, "m", INVALID_REQUEST),
        (GROUP, "g", 0),
        (GROUP, "", INVALID_REQUEST),
        (77, "", INVALID_REQUEST),
    ];
    let resources: Vec<(i8, &str)> = asked.iter().map(|(kind, name, _)| (*kind, *name)).collect();
    let told = describe_all(&mut client, 4, &resources);
    let codes: Vec<i16> = told.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, asked.map(|(_, _, code)| code));
    assert!(told[3].configs.is_empty(), "of all brokers nothing is set");
    assert_eq!(told[8].configs.len(), 3, "of a group that is not there the defaults");
}

#[test]
fn g30_settings_are_set_deleted_appended_and_taken_away() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "t", 1);
    let policy = |client: &mut Client| value(client, TOPIC, "t", "cleanup.policy").0;
    assert_eq!(alter(&mut client, TOPIC, "t", &[(SUBTRACT, "cleanup.policy", Some("delete"))]), 0);
    assert_eq!(policy(&mut client), "");
    assert_eq!(alter(&mut client, TOPIC, "t", &[(APPEND, "cleanup.policy", Some("delete"))]), 0);
    assert_eq!(policy(&mut client), "delete");
    let both = [(SET, "retention.ms", Some("100")), (SET, "max.message.bytes", Some("200"))];
    assert_eq!(alter(&mut client, TOPIC, "t", &both), 0);
    let large = || Batch::of(&[&[7; 300]]).bytes();
    assert_eq!(produce(&mut client, "t", large()).error, MESSAGE_TOO_LARGE, "it acts at once");
    assert_eq!(alter(&mut client, TOPIC, "t", &[(DELETE, "max.message.bytes", None)]), 0);
    assert_eq!(produce(&mut client, "t", large()).error, 0);
    // The older API replaces: what it does not name goes back to its default.
    let config = WholeConfig::default().with_name(text("segment.ms")).with_value(Some(text("9")));
    let whole =
        Whole::default().with_resource_type(TOPIC).with_resource_name(text("t")).with_configs(vec![config]);
    let request = AlterConfigsRequest::default().with_resources(vec![whole]);
    assert_eq!(client.ask(2, &request).responses[0].error_code, 0);
    assert_eq!(value(&mut client, TOPIC, "t", "segment.ms"), ("9".into(), 1));
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("604800000".into(), 5));
}

#[test]
fn g30_what_is_wrong_with_a_change_has_kafkas_code_and_changes_nothing() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "t", 1);
    let cases: [(i8, &str, &[Change<'_>], i16); 14] = [
        (TOPIC, "t", &[(SET, "retention.ms", Some("1")), (SET, "segment.ms", Some("x"))], INVALID_CONFIG),
        (TOPIC, "t", &[(SET, "nonsense", Some("1"))], INVALID_CONFIG),
        (TOPIC, "t", &[(APPEND, "retention.ms", Some("1"))], INVALID_CONFIG),
        (TOPIC, "t", &[(SET, "retention.ms", None)], INVALID_REQUEST),
        (TOPIC, "t", &[(9, "retention.ms", Some("1"))], INVALID_REQUEST),
        (TOPIC, "t", &[(SET, "retention.ms", Some("1")), (DELETE, "retention.ms", None)], INVALID_REQUEST),
        (TOPIC, "gone", &[(SET, "retention.ms", Some("1"))], UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "", &[(SET, "retention.ms", Some("1"))], INVALID_TOPIC_EXCEPTION),
        (BROKER, "7", &[(SET, "log.retention.ms", Some("1"))], INVALID_REQUEST),
        (BROKER, "1", &[(SET, "node.id", Some("1"))], INVALID_REQUEST),
        (BROKER, "", &[(SET, "nonsense", Some("1"))], INVALID_REQUEST),
        (BROKER, "", &[(APPEND, "num.partitions", Some("1"))], INVALID_CONFIG),
        (GROUP, "g", &[(SET, "consumer.session.timeout.ms", Some("5"))], INVALID_CONFIG),
        (CLIENT_METRICS, "m", &[(SET, "interval.ms", Some("5"))], INVALID_REQUEST),
    ];
    for (kind, name, changes, code) in cases {
        assert_eq!(alter(&mut client, kind, name, changes), code, "{kind} {name} {changes:?}");
    }
    let change: &[Change<'_>] = &[(SET, "retention.ms", Some("1"))];
    let twice = vec![resource(TOPIC, "t", change), resource(TOPIC, "t", change)];
    assert_eq!(alter_all(&mut client, twice, false), [INVALID_REQUEST; 2], "each must be named once");
    assert_eq!(alter_all(&mut client, vec![resource(TOPIC, "t", change)], true), [0], "only looked at");
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").1, 5, "nothing is set");
}

#[test]
fn g30_what_is_set_on_brokers_survives_kill_9_and_new_topics_follow() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    let mut client = node.connect();
    let defaults = [(SET, "num.partitions", Some("3")), (SET, "log.retention.ms", Some("777"))];
    assert_eq!(alter(&mut client, BROKER, "", &defaults), 0);
    assert_eq!(alter(&mut client, BROKER, "1", &[(SET, "log.retention.ms", Some("888"))]), 0);
    node.kill();
    node.restart();
    let mut client = node.connect();
    let topic = topic_with("t", &[]).with_num_partitions(-1).with_replication_factor(-1);
    let made = create_topics(&mut client, vec![topic]).remove(0);
    assert_eq!((made.error_code, made.num_partitions), (0, 3));
    let echoed = made.configs.expect("all settings are told");
    let retention = echoed.iter().find(|config| config.name.as_str() == "retention.ms").expect("it is told");
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("888"), 2), "the broker's own");
    assert_eq!(alter(&mut client, BROKER, "1", &[(DELETE, "log.retention.ms", None)]), 0);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms"), ("777".into(), 3));
    assert_eq!(value(&mut client, BROKER, "1", "node.id"), ("1".into(), 4));
}

#[test]
fn g30_resources_are_listed_by_their_kinds() {
    let node = Node::in_memory();
    let mut client = node.connect();
    create_topic(&mut client, "t", 1);
    assert_eq!(alter(&mut client, GROUP, "g", &[(SET, "consumer.session.timeout.ms", Some("50000"))]), 0);
    let mut listed = |version: i16, kinds: &[i8]| {
        let request = ListConfigResourcesRequest::default().with_resource_types(kinds.to_vec());
        let answer = client.ask(version, &request);
        let name = |one: &kafka_protocol::messages::list_config_resources_response::ConfigResource| {
            (one.resource_type, one.resource_name.to_string())
        };
        let mut all: Vec<(i8, String)> = answer.config_resources.iter().map(name).collect();
        all.sort();
        (answer.error_code, all)
    };
    let all = vec![(TOPIC, "t".into()), (BROKER, "1".into()), (GROUP, "g".into())];
    assert_eq!(listed(1, &[]), (0, all));
    assert_eq!(listed(1, &[GROUP]), (0, vec![(GROUP, "g".into())]));
    assert_eq!(listed(1, &[77]), (35, Vec::new()));
    assert_eq!(listed(0, &[]), (0, Vec::new()), "version 0 asks for client metrics alone");
}

#[test]
fn g30_a_change_is_shown_by_every_node_of_a_cluster() {
    let cluster = Cluster::start();
    let mut first = cluster.node(0).connect();
    let topic = topic_with("t", &[]).with_replication_factor(3);
    assert_eq!(create_topics(&mut first, vec![topic])[0].error_code, 0);
    for number in 0..3 {
        let mut client = cluster.node(number).connect();
        let set = format!("{}", 1_000 + number);
        assert_eq!(alter(&mut client, TOPIC, "t", &[(SET, "retention.ms", Some(&set))]), 0);
        assert_eq!(
            value(&mut client, TOPIC, "t", "retention.ms"),
            (set, 1),
            "by the one that was asked, at once"
        );
    }
}
