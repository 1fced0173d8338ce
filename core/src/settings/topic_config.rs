//! What a topic's settings mean: the form in which they act.

use super::row::trimmed;
use super::{Layers, Table, number};
use crate::limits::BATCH_BYTES_MAX_DEFAULT;
use rust_mq_proto::records::TimestampType;

/// A topic's settings, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Records older than this may go; `None` keeps them for ever. Milliseconds.
    pub retention_ms: Option<i64>,
    /// A partition larger than this loses its oldest segments; `None` has no bound. Bytes.
    pub retention_bytes: Option<u64>,
    /// A segment is not made longer than this. Bytes.
    pub segment_bytes: u64,
    /// Nor by a record that much newer than its first. Milliseconds.
    pub segment_ms: i64,
    /// Largest batch, bytes.
    pub max_message_bytes: usize,
    /// Whose clock stamps records.
    pub timestamp_type: TimestampType,
    /// How far behind the leader's clock a record's timestamp may be. Milliseconds.
    pub timestamp_before_max_ms: i64,
    /// How far ahead of it. Milliseconds.
    pub timestamp_after_max_ms: i64,
    /// Replicas that must hold a batch; above a majority it is checked when records come.
    pub min_insync_replicas: usize,
}

impl TopicConfig {
    /// What is in force.
    pub fn read(layers: &Layers<'_>) -> TopicConfig {
        let value = |name| trimmed(layers.value(Table::Topic, name));
        let number = |name| number(value(name));
        // What is asked to do neither keeps all.
        let is_deleted = value("cleanup.policy").split(',').any(|word| trimmed(word) == "delete");
        TopicConfig {
            retention_ms: Some(number("retention.ms")).filter(|limit| is_deleted && *limit >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok().filter(|_| is_deleted),
            segment_bytes: u64::try_from(number("segment.bytes")).unwrap_or(u64::MAX),
            segment_ms: number("segment.ms"),
            max_message_bytes: usize::try_from(number("max.message.bytes"))
                .unwrap_or(BATCH_BYTES_MAX_DEFAULT),
            timestamp_type: match value("message.timestamp.type") {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_insync_replicas: usize::try_from(number("min.insync.replicas")).unwrap_or(1),
        }
    }
}
