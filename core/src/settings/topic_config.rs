//! What a topic's settings mean: the form in which they act.

use super::row::{ten_thousandths, trimmed};
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
    /// When it is compacted, if it keeps the last record of each key.
    pub compaction: Option<CompactionConfig>,
}

/// When a log that keeps the last record of each key is compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactionConfig {
    /// Records that are younger stay as they are. Milliseconds.
    pub min_lag_ms: i64,
    /// Records that are older do not, however few they are. Milliseconds.
    pub max_lag_ms: i64,
    /// How much of the log is not compacted before it is done again. In ten-thousandths.
    pub dirty_share_min: u32,
    /// How long tombstones stay, from the first compaction that they lie below. Milliseconds.
    pub tombstone_retention_ms: i64,
}

impl TopicConfig {
    /// What is in force.
    pub fn read(layers: &Layers<'_>) -> TopicConfig {
        let value = |name| trimmed(layers.value(Table::Topic, name));
        let number = |name| number(value(name));
        // What is asked to do neither keeps all.
        let has_policy = |policy| value("cleanup.policy").split(',').any(|word| trimmed(word) == policy);
        let is_deleted = has_policy("delete");
        let compaction = CompactionConfig {
            min_lag_ms: number("min.compaction.lag.ms"),
            max_lag_ms: number("max.compaction.lag.ms"),
            dirty_share_min: ten_thousandths(value("min.cleanable.dirty.ratio")).unwrap_or(10_000),
            tombstone_retention_ms: number("delete.retention.ms"),
        };
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
            compaction: has_policy("compact").then_some(compaction),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn shares_are_read_in_ten_thousandths() {
        for (value, share) in [
            ("0.5", 5_000),
            ("0", 0),
            ("1", 10_000),
            ("1.000", 10_000),
            (".25d", 2_500),
            ("0.00004", 0),
            ("5e-1", 5_000),
            ("0.123456", 1_234),
            ("25e-3", 250),
            ("0.0101", 101),
        ] {
            assert_eq!(ten_thousandths(value), Some(share), "{value}");
        }
        assert!(["1.1", "-0.1", "x", "", "."].iter().all(|value| ten_thousandths(value).is_none()));
    }

    #[test]
    fn a_topic_is_compacted_where_its_policy_says_so() {
        let read = |policy: &str| {
            let own: Settings = [("cleanup.policy".to_owned(), policy.to_owned())].into_iter().collect();
            let none = Settings::default();
            let config = TopicConfig::read(&Layers { own: &own, node: &none, cluster: &none, fixed: &none });
            (config.compaction, config.retention_ms.is_some())
        };
        let rules = CompactionConfig {
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            dirty_share_min: 5_000,
            tombstone_retention_ms: 86_400_000,
        };
        assert_eq!(read("delete"), (None, true));
        assert_eq!(read("compact"), (Some(rules), false));
        assert_eq!(read("compact, delete"), (Some(rules), true));
        assert_eq!(read(""), (None, false));
    }
}
