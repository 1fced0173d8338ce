//! What can be set on a topic (org.apache.kafka.common.config.TopicConfig): one row each, with its default and
//! what is allowed. A setting whose meaning we lack is refused, never stored and ignored; settings that only
//! tune Kafka's own files (segment rolling, flushing, index sizes) change nothing a client can see and are kept.

use crate::limits::{BATCH_BYTES_MAX_CEILING, BATCH_BYTES_MAX_DEFAULT};
use rust_mq_proto::records::TimestampType;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A setting with its value in force.
#[derive(Clone, Debug, PartialEq, Eq, bincode::Encode, bincode::Decode)]
pub struct ConfigEntry {
    /// Kafka's name for it.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// Whether no one set it.
    pub is_default: bool,
}

/// A topic's settings, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// Records older than this may go; `None` keeps them for ever. Milliseconds.
    pub retention_ms: Option<i64>,
    /// A partition larger than this loses its oldest segments; `None` has no bound. Bytes.
    pub retention_bytes: Option<u64>,
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

enum Rule {
    /// A whole number in this range.
    Number(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Anything.
    Any,
}

const MAX: i64 = i64::MAX;
const BATCH_MAX: i64 = BATCH_BYTES_MAX_CEILING as i64;

const TABLE: &[(&str, &str, Rule)] = &[
    ("cleanup.policy", "delete", Rule::OneOf(&["delete"])),
    ("compression.type", "producer", Rule::OneOf(&["producer"])),
    ("delete.retention.ms", "86400000", Rule::Number(0, MAX)),
    ("file.delete.delay.ms", "60000", Rule::Number(0, MAX)),
    ("flush.messages", "9223372036854775807", Rule::Number(1, MAX)),
    ("flush.ms", "9223372036854775807", Rule::Number(0, MAX)),
    ("follower.replication.throttled.replicas", "", Rule::Any),
    ("index.interval.bytes", "4096", Rule::Number(0, i32::MAX as i64)),
    ("leader.replication.throttled.replicas", "", Rule::Any),
    ("max.compaction.lag.ms", "9223372036854775807", Rule::Number(1, MAX)),
    ("max.message.bytes", "", Rule::Number(0, BATCH_MAX)),
    ("message.timestamp.after.max.ms", "3600000", Rule::Number(0, MAX)),
    ("message.timestamp.before.max.ms", "9223372036854775807", Rule::Number(0, MAX)),
    ("message.timestamp.type", "CreateTime", Rule::OneOf(&["CreateTime", "LogAppendTime"])),
    ("min.cleanable.dirty.ratio", "0.5", Rule::Any),
    ("min.compaction.lag.ms", "0", Rule::Number(0, MAX)),
    ("min.insync.replicas", "1", Rule::Number(1, i32::MAX as i64)),
    ("preallocate", "false", Rule::OneOf(&["false", "true"])),
    ("remote.storage.enable", "false", Rule::OneOf(&["false"])),
    ("retention.bytes", "-1", Rule::Number(-1, MAX)),
    ("retention.ms", "604800000", Rule::Number(-1, MAX)),
    ("segment.bytes", "1073741824", Rule::Number(1_048_576, i32::MAX as i64)),
    ("segment.index.bytes", "10485760", Rule::Number(4, i32::MAX as i64)),
    ("segment.jitter.ms", "0", Rule::Number(0, MAX)),
    ("segment.ms", "604800000", Rule::Number(1, MAX)),
    ("unclean.leader.election.enable", "false", Rule::OneOf(&["false"])),
];

/// The settings to store, or what is wrong with them, for a person.
pub fn check(
    given: &[(String, Option<String>)],
    replication_factor: usize,
) -> Result<BTreeMap<String, String>, String> {
    let mut configs = BTreeMap::new();
    for (name, value) in given {
        let Some((_, _, rule)) = TABLE.iter().find(|(known, ..)| known == name) else {
            return Err(format!("unknown topic config '{name}'"));
        };
        let Some(value) = value else { continue };
        match rule {
            Rule::Any => {}
            Rule::Number(least, most) => match value.parse::<i64>() {
                Ok(number) if (*least..=*most).contains(&number) => {}
                _ => return Err(format!("{name} must be a number from {least} to {most}, not '{value}'")),
            },
            Rule::OneOf(words) if words.contains(&value.as_str()) => {}
            Rule::OneOf(words) => {
                let mut message = format!("{name}={value} is not supported; it can be ");
                write!(message, "{}", words.join(" or ")).expect("writing into a String cannot fail");
                return Err(message);
            }
        }
        if configs.insert(name.clone(), value.clone()).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    let insync = TopicConfig::read(&configs).min_insync_replicas;
    if insync > replication_factor.max(1) {
        return Err(format!(
            "min.insync.replicas={insync} is above the replication factor {replication_factor}"
        ));
    }
    Ok(configs)
}

/// All settings with their values in force.
pub fn describe(configs: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    TABLE
        .iter()
        .map(|(name, ..)| ConfigEntry {
            name: (*name).into(),
            value: configs.get(*name).cloned().unwrap_or_else(|| default(name)),
            is_default: !configs.contains_key(*name),
        })
        .collect()
}

fn default(name: &str) -> String {
    if name == "max.message.bytes" {
        return BATCH_BYTES_MAX_DEFAULT.to_string();
    }
    let row = TABLE.iter().find(|(known, ..)| *known == name);
    row.map(|(_, default, _)| (*default).to_string()).unwrap_or_default()
}

impl TopicConfig {
    /// What stored settings mean.
    pub fn read(configs: &BTreeMap<String, String>) -> TopicConfig {
        let text = |name: &str| configs.get(name).cloned().unwrap_or_else(|| default(name));
        let number = |name: &str| -> i64 { text(name).parse().unwrap_or(-1) };
        TopicConfig {
            retention_ms: Some(number("retention.ms")).filter(|limit| *limit >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            max_message_bytes: usize::try_from(number("max.message.bytes"))
                .unwrap_or(BATCH_BYTES_MAX_DEFAULT),
            timestamp_type: match text("message.timestamp.type").as_str() {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_insync_replicas: usize::try_from(number("min.insync.replicas")).unwrap_or(1),
        }
    }
}
