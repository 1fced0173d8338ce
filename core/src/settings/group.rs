//! What can be set on a consumer group (KIP-848; Kafka's `GroupConfig`), with Kafka's bounds for it, which a broker has
//! as `group.consumer.min.` and `max.`.
//!
//! Beyond Kafka, where they are read-only, what brokers have for groups that do not have their own can be changed while
//! the cluster runs.

use super::row::{Acts, Row, Rule, Type};
use super::{Layers, Source, Table, number};
use crate::level::Level;

const fn row(
    (name, broker): (&'static str, &'static str),
    default: &'static str,
    rule: Rule,
    documentation: &'static str,
) -> Row {
    let (kind, acts) = (Type::Int, Acts::OnGroups);
    Row { name, kind, default, rule, broker, acts, documentation, since: Level(2) }
}

/// The least time between two assignments.
pub const ASSIGNMENT: &str = "consumer.assignment.interval.ms";
/// How often members are heard.
pub const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";
/// How long a member may be silent.
pub const SESSION: &str = "consumer.session.timeout.ms";

/// All of them, by rising name.
pub const GROUP: &[Row] = &[
    row(
        (ASSIGNMENT, "group.consumer.assignment.interval.ms"),
        "1000",
        Rule::Number(0, 15_000),
        "The least time between two assignments of a group.",
    ),
    row(
        (HEARTBEAT, "group.consumer.heartbeat.interval.ms"),
        "5000",
        Rule::Number(5_000, 15_000),
        "How often members send heartbeats.",
    ),
    row(
        (SESSION, "group.consumer.session.timeout.ms"),
        "45000",
        Rule::Number(45_000, 60_000),
        "A member that sends no heartbeat for so long is gone.",
    ),
];

impl<'a> Layers<'a> {
    /// A consumer group's time, milliseconds, where somebody has set it.
    pub fn group_ms(&self, name: &str) -> Option<i32> {
        i32::try_from(number(self.set(Table::Group, name)?)).ok()
    }

    /// The value of a setting where somebody has set it.
    pub fn set(&self, table: Table, name: &str) -> Option<&'a str> {
        let (name, row) = table.find(name)?;
        let described = self.described(table, name, row);
        (described.source() != Source::Default).then(|| described.value())
    }
}
