//! What a broker can be told and asked: what topics and groups take from it, which `topic` and `group` have, and what is
//! its own.
//!
//! Beyond Kafka, where they are read-only, the defaults of new topics can be changed while the cluster runs. What is
//! read-only here stands in the node's configuration, or is a limit (`limits`).

use super::group::GROUP;
use super::row::{Acts, Row, Rule, Type};
use super::topic::TOPIC;
use crate::level::Level;

const fn row(
    (name, kind, default): (&'static str, Type, &'static str),
    rule: Rule,
    acts: Acts,
    documentation: &'static str,
) -> Row {
    Row { name, kind, default, rule, broker: "", acts, documentation, since: Level(2) }
}

const fn told(name: &'static str, kind: Type, default: &'static str, documentation: &'static str) -> Row {
    row((name, kind, default), Rule::Told, Acts::ReadOnly, documentation)
}

/// Names of what is made of topics when a request does not say.
pub const AUTO_CREATE: &str = "auto.create.topics.enable";
/// How many replicas.
pub const REPLICATION_FACTOR: &str = "default.replication.factor";
/// Whether groups change between their two protocols while they have members.
pub const MIGRATION: &str = "group.consumer.migration.policy";
/// How many partitions.
pub const PARTITIONS: &str = "num.partitions";

/// What is a broker's own, by rising name.
pub const BROKER: &[Row] = &[
    told("advertised.listeners", Type::List, "", "Where clients are told to find this node."),
    row(
        (AUTO_CREATE, Type::Boolean, "true"),
        Rule::Flag,
        Acts::OnCreation,
        "Whether a topic that a client asks for is made on the way.",
    ),
    told("broker.id", Type::Int, "-1", "The number of this node."),
    told("broker.rack", Type::String, "", "The rack that this node stands in."),
    row(
        (REPLICATION_FACTOR, Type::Short, "1"),
        Rule::Number(1, i16::MAX as i64),
        Acts::OnCreation,
        "Replicas of a topic where its maker does not say.",
    ),
    told("delete.topic.enable", Type::Boolean, "true", "Whether topics can be deleted."),
    row(
        (MIGRATION, Type::String, "bidirectional"),
        Rule::Word(&["bidirectional", "disabled", "downgrade", "upgrade"], &[]),
        Acts::OnGroups,
        "Which way groups may change between the classic protocol and KIP-848's while they have members.",
    ),
    told(
        "log.retention.check.interval.ms",
        Type::Long,
        "15000",
        "How often leaders look for records that may go.",
    ),
    told("log.dirs", Type::String, "", "Where the data lies; empty in memory."),
    told(
        "max.incremental.fetch.session.cache.slots",
        Type::Int,
        "1000",
        "How many fetch sessions this node keeps.",
    ),
    told("node.id", Type::Int, "-1", "The number of this node."),
    row(
        (PARTITIONS, Type::Int, "1"),
        Rule::Number(1, crate::limits::CREATE_PARTITIONS_MAX as i64),
        Acts::OnCreation,
        "Partitions of a topic where its maker does not say.",
    ),
    told("process.roles", Type::List, "broker,controller", "What this node does: all nodes do everything."),
    told("socket.request.max.bytes", Type::Int, "104857600", "The largest request that is taken."),
];

/// Each of a broker's settings, by rising name: its name, and the row that says what it is.
pub fn all() -> Vec<(&'static str, &'static Row)> {
    let taken = taken().map(|row| (row.broker, row));
    let mut all: Vec<_> = BROKER.iter().map(|row| (row.name, row)).chain(taken).collect();
    all.sort_unstable_by_key(|(name, _)| *name);
    all
}

/// The row of a broker's setting of that name.
pub fn find(name: &str) -> Option<&'static Row> {
    let own = BROKER.iter().find(|row| row.name == name);
    own.or_else(|| taken().find(|row| row.broker == name))
}

/// What topics and groups take from brokers.
fn taken() -> impl Iterator<Item = &'static Row> {
    TOPIC.iter().chain(GROUP).filter(|row| !row.broker.is_empty())
}
