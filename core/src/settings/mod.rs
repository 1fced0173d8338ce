//! Settings, one table for each who can have some: a row says name, type, default, bounds, what it changes, since which
//! feature level it can be set, and what it is for. From the tables come the checks, what DescribeConfigs and
//! CreateTopics tell, `docs/settings.md`, and what the settings mean ([`TopicConfig`]).
//!
//! ```text
//! topic.x  >  this broker's own broker.x  >  the cluster's default of it  >  the node's configuration  >  default
//! ```
//! A value is the first that there is ([`Layers`]). The first three are replicated (`metadata`); a topic has the value
//! under its own name, brokers under theirs (`Row::broker`).
//!
//! `topic`, `broker` and `group` are the tables, `row` says what a row is, `altering` makes new settings of old ones,
//! `topic_config` is what a topic's settings mean.
//!
//! - Invariant: a stored value is at most `limits::CONFIG_VALUE_BYTES_MAX` long, and [`TopicConfig::read`] can read it.
//!
//! Not here: where settings are kept and who decides about them (`metadata`), what a change does (`node/configuring`).

mod altering;
mod broker;
mod group;
mod row;
mod topic;
mod topic_config;

pub use altering::{Change, Operation};
pub use broker::{AUTO_CREATE, MIGRATION, PARTITIONS, REPLICATION_FACTOR};
pub use group::{ASSIGNMENT, HEARTBEAT, SESSION};
pub use row::{Acts, Row, Rule, Type};
pub use topic_config::{CompactionConfig, TopicConfig};

use crate::ids::{NodeId, TopicId};
use crate::level::Level;
use crate::limits::CONFIG_VALUE_BYTES_MAX;
use row::trimmed;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use topic::TOPIC;

/// What somebody has set, by Kafka's names.
pub type Settings = BTreeMap<String, String>;

/// Nothing set.
pub static NOTHING: Settings = BTreeMap::new();

/// What is made of topics when a request does not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
}

/// Who has settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub enum Holder {
    /// A topic.
    Topic(TopicId),
    /// All brokers that do not have their own.
    Cluster,
    /// One broker.
    Node(NodeId),
    /// A consumer group.
    Group(String),
}

/// The table that a setting stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// What a topic can have.
    Topic,
    /// What a broker can have, one or all.
    Broker,
    /// What a consumer group can have.
    Group,
}

/// Where a value comes from, by Kafka's number for it (`DescribeConfigsResponse.ConfigSource`), the first the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// It is the topic's own.
    Topic = 1,
    /// It is set on this broker.
    Node = 2,
    /// It is set on all brokers.
    Cluster = 3,
    /// It stands in the node's configuration.
    Fixed = 4,
    /// Nobody has set it.
    Default = 5,
    /// It is the consumer group's own.
    Group = 8,
}

/// All that decides which value is in force, the strongest first.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    /// The topic's own, or the group's.
    pub own: &'a Settings,
    /// Those of the broker that asks.
    pub node: &'a Settings,
    /// Those of all brokers.
    pub cluster: &'a Settings,
    /// What the node's configuration says, by brokers' names.
    pub fixed: &'a Settings,
}

/// A setting with its value in force, and those that it would have otherwise.
#[derive(Clone, Debug)]
pub struct Described<'a> {
    /// Kafka's name for it.
    pub name: &'static str,
    /// All about it.
    pub row: &'static Row,
    /// Names, values and where they come from; the first is in force, and there is at least one.
    pub values: Vec<(&'static str, &'a str, Source)>,
}

/// Why settings are refused; displays as a person is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// So many have no value; the first of them.
    #[error("null is no value for a setting: {count} of {first}")]
    Null {
        /// How many.
        count: usize,
        /// Its name.
        first: String,
    },
    /// There is no such setting.
    #[error("unknown {0} config {1}")]
    Unknown(&'static str, String),
    /// It cannot be changed.
    #[error("{0} is read-only: it stands in the node's configuration")]
    ReadOnly(&'static str),
    /// Not every node of the cluster knows it.
    #[error("{name} can be set from feature level {since} on; the cluster has level {level}")]
    Early {
        /// Which.
        name: &'static str,
        /// When it can be.
        since: Level,
        /// The cluster's level.
        level: Level,
    },
    /// A value is longer than any may be.
    #[error("{name} has {bytes} bytes; a setting has at most {CONFIG_VALUE_BYTES_MAX}")]
    Long {
        /// Whose.
        name: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// A value is not among those that its setting may have.
    #[error("{name}={value}: {fault}")]
    Value {
        /// Whose.
        name: &'static str,
        /// The value, as far as it is shown.
        value: String,
        /// What is wrong with it.
        fault: String,
    },
    /// Records would have to wait for compaction longer than they may.
    #[error("{0} is above {1}")]
    Lags(&'static str, &'static str),
    /// Values are appended to, and taken from, lists alone.
    #[error("{0} is no list: nothing can be appended to it or taken from it")]
    NoList(&'static str),
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Table::Topic => "topic",
            Table::Broker => "broker",
            Table::Group => "group",
        }
    }

    /// Every setting of it by rising name: its name there, and its row.
    pub fn all(self) -> Vec<(&'static str, &'static Row)> {
        match self {
            Table::Topic => TOPIC.iter().map(|row| (row.name, row)).collect(),
            Table::Broker => broker::all(),
            Table::Group => group::GROUP.iter().map(|row| (row.name, row)).collect(),
        }
    }

    /// A setting of that name: its name there, and its row.
    pub fn find(self, name: &str) -> Option<(&'static str, &'static Row)> {
        let of = |rows: &'static [Row]| rows.iter().find(|row| row.name == name).map(|row| (row.name, row));
        match self {
            Table::Topic => of(TOPIC),
            Table::Broker => {
                let row = broker::find(name)?;
                Some((if row.broker == name { row.broker } else { row.name }, row))
            }
            Table::Group => of(group::GROUP),
        }
    }

    /// Looks whether that is a setting, as far as it can be told without its value.
    fn known(self, name: &str) -> Result<(&'static str, &'static Row), BadSettings> {
        self.find(name).ok_or_else(|| BadSettings::Unknown(self.name(), shown(name)))
    }

    /// Looks at one setting and its value.
    fn check_one(self, name: &str, value: &str, level: Level) -> Result<(), BadSettings> {
        let (name, row) = self.known(name)?;
        let since = if self == Table::Topic { row.since } else { row.since.max(Level(2)) };
        if row.is_read_only() {
            return Err(BadSettings::ReadOnly(name));
        }
        if since > level {
            return Err(BadSettings::Early { name, since, level });
        }
        if value.len() > CONFIG_VALUE_BYTES_MAX {
            return Err(BadSettings::Long { name, bytes: value.len() });
        }
        match row.rule.fault(trimmed(value)) {
            Some(fault) => Err(BadSettings::Value { name, value: shown(value), fault }),
            None => Ok(()),
        }
    }

    /// Looks at settings that are to stand, in a cluster of that level.
    ///
    /// # Errors
    /// What is wrong with the first that is wrong.
    pub fn check(self, settings: &Settings, level: Level) -> Result<(), BadSettings> {
        for (name, value) in settings {
            self.check_one(name, value, level)?;
        }
        let (least, most) = match self {
            Table::Topic => ("min.compaction.lag.ms", "max.compaction.lag.ms"),
            Table::Broker => ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
            Table::Group => ("consumer.heartbeat.interval.ms", "consumer.session.timeout.ms"),
        };
        let number = |name| {
            let default = || self.find(name).map_or("", |(_, row)| row.default);
            number(settings.get(name).map_or_else(default, String::as_str))
        };
        let is_crossed = match self {
            Table::Group => number(least) >= number(most),
            _ => number(least) > number(most),
        };
        if is_crossed { Err(BadSettings::Lags(least, most)) } else { Ok(()) }
    }
}

/// The settings to store of a topic that is made in a cluster of that level. Of one that is given twice the last counts,
/// as in Kafka.
///
/// # Errors
/// What is wrong with them.
pub fn check_new(given: &[(String, Option<String>)], level: Level) -> Result<Settings, BadSettings> {
    let nulls: Vec<&str> =
        given.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if let Some(first) = nulls.first() {
        return Err(BadSettings::Null { count: nulls.len(), first: shown(first) });
    }
    let settings: Settings =
        given.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    Table::Topic.check(&settings, level)?;
    Ok(settings)
}

impl<'a> Layers<'a> {
    /// Only what a topic or a group has of its own.
    pub fn own(own: &'a Settings) -> Layers<'a> {
        Layers { own, node: &NOTHING, cluster: &NOTHING, fixed: &NOTHING }
    }

    /// All settings of a table, with their values.
    pub fn describe(&self, table: Table) -> impl Iterator<Item = Described<'a>> {
        let layers = *self;
        table.all().into_iter().map(move |(name, row)| layers.described(table, name, row))
    }

    /// A setting, with the values that it has and would have.
    pub fn described(&self, table: Table, name: &'static str, row: &'static Row) -> Described<'a> {
        let mut values: Vec<(&'static str, &'a str, Source)> = Vec::new();
        let mut look = |name: &'static str, layer: &'a Settings, source| {
            values.extend(layer.get(name).map(|value| (name, value.as_str(), source)));
        };
        let broker = match table {
            Table::Topic => {
                look(row.name, self.own, Source::Topic);
                row.broker
            }
            Table::Broker => name,
            Table::Group => {
                look(row.name, self.own, Source::Group);
                row.broker
            }
        };
        if !broker.is_empty() {
            look(broker, self.node, Source::Node);
            look(broker, self.cluster, Source::Cluster);
            look(broker, self.fixed, Source::Fixed);
        }
        values.push((if broker.is_empty() { name } else { broker }, row.default, Source::Default));
        Described { name, row, values }
    }

    /// The value in force of a setting that the table has.
    fn value(&self, table: Table, name: &str) -> &'a str {
        table.find(name).map_or("", |(name, row)| self.described(table, name, row).value())
    }

    /// What is made of a topic when a request does not say: partitions, replicas, and whether it is made at all when a
    /// client only asks for it.
    pub fn creation(&self) -> TopicDefaults {
        let of = |name| self.value(Table::Broker, name);
        let partitions = i32::try_from(number(of(PARTITIONS))).unwrap_or(1);
        let replication_factor = i16::try_from(number(of(REPLICATION_FACTOR))).unwrap_or(1);
        let auto_create = trimmed(of(AUTO_CREATE)).eq_ignore_ascii_case("true");
        TopicDefaults { partitions, replication_factor, auto_create }
    }
}

impl<'a> Described<'a> {
    /// The value in force.
    pub fn value(&self) -> &'a str {
        self.values.first().map_or("", |(_, value, _)| value)
    }

    /// Where that comes from.
    pub fn source(&self) -> Source {
        self.values.first().map_or(Source::Default, |(_, _, source)| *source)
    }
}

/// A whole number; -1 if it is none.
fn number(value: &str) -> i64 {
    trimmed(value).parse().unwrap_or(-1)
}

/// What a client sent, for a message to it: not more than a line of it.
fn shown(text: &str) -> String {
    const LETTERS_MAX: usize = 60;
    match text.char_indices().nth(LETTERS_MAX) {
        Some((end, _)) => format!("'{}...' ({} bytes)", &text[..end], text.len()),
        None => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Levels;

    const LEVEL: Level = Levels::BUILD.newest;

    fn is_taken(name: &str, value: &str) -> bool {
        check_new(&[(name.into(), Some(value.into()))], LEVEL).is_ok()
    }

    #[test]
    fn every_default_is_allowed_and_can_be_read() {
        for table in [Table::Topic, Table::Broker, Table::Group] {
            let all = table.all();
            assert!(all.is_sorted_by_key(|(name, _)| *name), "as Kafka's own list");
            for (name, row) in all {
                let checked = table.check_one(name, row.default, LEVEL);
                assert!(checked.is_ok() || row.is_read_only(), "{name}={}: {checked:?}", row.default);
                assert_eq!(table.find(name).map(|(name, _)| name), Some(name), "it is found again");
                assert!(row.documentation.ends_with('.'), "{name} says what it is for");
            }
        }
        let made = Layers::own(&NOTHING).creation();
        assert_eq!(made, TopicDefaults { partitions: 1, replication_factor: 1, auto_create: true });
    }

    #[test]
    fn the_strongest_value_is_in_force_and_the_others_are_told() {
        let set = |name: &str, value: &str| Settings::from([(name.into(), value.into())]);
        let (own, node) = (set("retention.ms", "1"), set("log.retention.ms", "2"));
        let cluster = set("log.retention.ms", "3");
        let all = Layers { own: &own, node: &node, cluster: &cluster, fixed: &NOTHING };
        let told = |layers: Layers<'_>, table: Table, name: &str| {
            let (name, row) = table.find(name).expect("it is in the table");
            let described = layers.described(table, name, row);
            let value = |(name, value, source): &(&str, &str, Source)| format!("{name}={value} {source:?}");
            described.values.iter().map(value).collect::<Vec<_>>().join(", ")
        };
        let broker =
            "log.retention.ms=2 Node, log.retention.ms=3 Cluster, log.retention.ms=604800000 Default";
        assert_eq!(told(all, Table::Topic, "retention.ms"), format!("retention.ms=1 Topic, {broker}"));
        assert_eq!(told(Layers { own: &NOTHING, ..all }, Table::Broker, "log.retention.ms"), broker);
        assert_eq!(TopicConfig::read(&all).retention_ms, Some(1));
        assert_eq!(TopicConfig::read(&Layers { own: &NOTHING, ..all }).retention_ms, Some(2));
        let rest = Layers { own: &NOTHING, node: &NOTHING, ..all };
        assert_eq!(TopicConfig::read(&rest).retention_ms, Some(3));
    }

    #[test]
    fn values_are_read_as_kafka_reads_them() {
        let taken = [
            ("retention.ms", " 100\t"),
            ("retention.ms", "+100"),
            ("retention.bytes", "-7"),
            ("preallocate", " TRUE "),
            ("remote.storage.enable", "False"),
            ("unclean.leader.election.enable", "true"),
            ("min.insync.replicas", "7"),
            ("min.cleanable.dirty.ratio", " 1e-1 "),
            ("min.cleanable.dirty.ratio", "0.5f"),
            ("min.cleanable.dirty.ratio", "10.0E-1"),
            ("min.cleanable.dirty.ratio", "000.00"),
            ("min.cleanable.dirty.ratio", "1."),
            ("leader.replication.throttled.replicas", " 0:1 , 12:3,"),
            ("leader.replication.throttled.replicas", " * "),
            ("cleanup.policy", " delete "),
            ("cleanup.policy", ""),
            ("max.message.bytes", "8388608"),
        ];
        let refused = [
            ("retention.ms", "-2"),
            ("retention.ms", "1 0"),
            ("retention.ms", "9223372036854775808"),
            ("preallocate", "yes"),
            ("remote.storage.enable", "true"),
            ("min.insync.replicas", "0"),
            ("min.cleanable.dirty.ratio", "x"),
            ("min.cleanable.dirty.ratio", "1.1"),
            ("min.cleanable.dirty.ratio", "1.0000000000000000000001"),
            ("min.cleanable.dirty.ratio", "2e0"),
            ("min.cleanable.dirty.ratio", "."),
            ("min.cleanable.dirty.ratio", "NaN"),
            ("min.cleanable.dirty.ratio", "-0.1"),
            ("leader.replication.throttled.replicas", "x"),
            ("leader.replication.throttled.replicas", "1:2:3"),
            ("leader.replication.throttled.replicas", "-1:2"),
            ("leader.replication.throttled.replicas", "*,0:1"),
            ("cleanup.policy", "compact"),
            ("cleanup.policy", "delete,compact"),
            ("cleanup.policy", "delete,x"),
            ("compression.type", "zstd"),
            ("message.timestamp.type", "createtime"),
            ("max.message.bytes", "8388609"),
            ("segment.bytes", "1048575"),
            ("log.retention.ms", "1"),
            ("no.such.setting", "1"),
        ];
        taken.iter().for_each(|(name, value)| assert!(is_taken(name, value), "{name}={value}"));
        refused.iter().for_each(|(name, value)| assert!(!is_taken(name, value), "{name}={value}"));
    }

    #[test]
    fn a_value_is_kept_as_it_was_given_and_means_what_it_says() {
        let settings = check_new(&[("retention.ms".into(), Some(" 100 ".into()))], LEVEL);
        let settings = settings.expect("it is legal");
        assert_eq!(settings["retention.ms"], " 100 ");
        assert_eq!(TopicConfig::read(&Layers::own(&settings)).retention_ms, Some(100));
    }

    #[test]
    fn null_too_long_and_contradictory_are_refused_and_of_two_the_last_counts() {
        let check = |given: &[(String, Option<String>)]| check_new(given, LEVEL);
        let given = |value: Option<String>| vec![("follower.replication.throttled.replicas".into(), value)];
        let pairs = |bytes: usize| Some("1:2,".repeat(bytes / 4));
        assert!(check(&given(None)).is_err());
        assert!(check(&given(pairs(CONFIG_VALUE_BYTES_MAX))).is_ok());
        let message = check(&given(pairs(11 << 20))).expect_err("it is far too long").to_string();
        assert!(message.contains("32767") && message.len() < 200, "{message}");
        let long = check(&[("x".repeat(1 << 20), Some("1".into()))]).expect_err("it is unknown").to_string();
        assert!(long.len() < 200, "{long}");
        let lags = |min: &str, max: &str| {
            check(&[
                ("min.compaction.lag.ms".into(), Some(min.into())),
                ("max.compaction.lag.ms".into(), Some(max.into())),
            ])
        };
        assert!(lags("5", "5").is_ok() && lags("6", "5").is_err());
        let twice = [("retention.ms".into(), Some("x".into())), ("retention.ms".into(), Some("7".into()))];
        assert_eq!(check(&twice).expect("the last is legal")["retention.ms"], "7");
    }

    #[test]
    fn read_only_and_early_ones_are_refused_by_name() {
        let check = |name: &str, value: &str, level: u32| {
            let settings = Settings::from([(name.into(), value.into())]);
            Table::Broker.check(&settings, Level(level)).map_err(|bad| bad.to_string())
        };
        assert_eq!(check("num.partitions", "3", 2), Ok(()));
        assert!(check("node.id", "3", 2).expect_err("it is fixed").contains("node.id is read-only"));
        assert!(check("num.partitions", "3", 1).expect_err("it is early").contains("feature level 2"));
        assert_eq!(check("retention.ms", "3", 2), Err("unknown broker config 'retention.ms'".into()));
    }
}
