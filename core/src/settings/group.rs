//! What can be set on a consumer group (KIP-848; Kafka's `GroupConfig`), with Kafka's bounds for it, which a broker has
//! as `group.consumer.min.` and `max.`.

use super::row::{Acts, Row, Rule, Type};
use crate::level::Level;

const fn row(name: &'static str, default: &'static str, rule: Rule, documentation: &'static str) -> Row {
    let (kind, acts) = (Type::Int, Acts::OnGroups);
    Row { name, kind, default, rule, broker: "", acts, documentation, since: Level(2) }
}

/// All of them, by rising name.
pub const GROUP: &[Row] = &[
    row(
        "consumer.assignment.interval.ms",
        "1000",
        Rule::Number(0, 15_000),
        "The least time between two assignments of a group.",
    ),
    row(
        "consumer.heartbeat.interval.ms",
        "5000",
        Rule::Number(5_000, 15_000),
        "How often members send heartbeats.",
    ),
    row(
        "consumer.session.timeout.ms",
        "45000",
        Rule::Number(45_000, 60_000),
        "A member that sends no heartbeat for so long is gone.",
    ),
];
