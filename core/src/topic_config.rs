//! What can be set on a topic (org.apache.kafka.common.config.TopicConfig): one row each, with its default and what
//! is allowed. From the table come the checks, what CreateTopics tells, and what the settings mean ([`TopicConfig`]).
//!
//! What is allowed is what Kafka allows, and a value is read as Kafka reads it (`ConfigDef.parseType`: blanks around it
//! do not count, `TRUE` is `true`) and kept as it was given. Refused is what Kafka would do and we do not: compaction,
//! compressing anew, batches above `limits::BATCH_BYTES_MAX_CEILING`, tiered storage. Taken without effect is what only
//! tunes Kafka's own files or threads (flushing, indexes, compaction that is not on, throttles without a rate), and what
//! permits without asking for it: `unclean.leader.election.enable`, as here a majority elects in any case.
//!
//! Invariant: a stored value is at most `limits::CONFIG_VALUE_BYTES_MAX` long, and [`TopicConfig::read`] can read it.

use crate::limits::{BATCH_BYTES_MAX_CEILING, BATCH_BYTES_MAX_DEFAULT, CONFIG_VALUE_BYTES_MAX};
use rust_mq_proto::records::TimestampType;
use std::collections::BTreeMap;

/// A setting with its value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// Why settings are refused; displays as a person is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// So many have no value; the first of them.
    #[error("null is no value for a topic's setting: {count} of {first}")]
    Null {
        /// How many.
        count: usize,
        /// Its name.
        first: String,
    },
    /// There is no such setting.
    #[error("unknown topic config {0}")]
    Unknown(String),
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
    #[error("min.compaction.lag.ms is above max.compaction.lag.ms")]
    Lags,
}

/// What a setting may be.
enum Rule {
    /// A whole number in this range.
    Number(i64, i64),
    /// True or false.
    Flag,
    /// False: what it would turn on is not here.
    Off,
    /// One of the first; the others are words too, and not served.
    Word(&'static [&'static str], &'static [&'static str]),
    /// A number from 0 to 1.
    Ratio,
    /// `*`, or a list of partition:node.
    Replicas,
}

struct Row {
    name: &'static str,
    default: &'static str,
    rule: Rule,
}

const fn row(name: &'static str, default: &'static str, rule: Rule) -> Row {
    Row { name, default, rule }
}

const INT_MAX: i64 = i32::MAX as i64;
const MAX: i64 = i64::MAX;
const BATCH_MAX: i64 = BATCH_BYTES_MAX_CEILING as i64;
const COMPACTION: &[&str] = &["compact", "compact,delete", "delete,compact", ""];
const GZIP_LEVELS: &[&str] = &["-1", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip"];

const TABLE: &[Row] = &[
    row("cleanup.policy", "delete", Rule::Word(&["delete"], COMPACTION)),
    row("compression.gzip.level", "-1", Rule::Word(GZIP_LEVELS, &[])),
    row("compression.lz4.level", "9", Rule::Number(1, 17)),
    row("compression.type", "producer", Rule::Word(&["producer"], CODECS)),
    row("compression.zstd.level", "3", Rule::Number(-131_072, 22)),
    row("delete.retention.ms", "86400000", Rule::Number(0, MAX)),
    row("file.delete.delay.ms", "60000", Rule::Number(0, MAX)),
    row("flush.messages", "9223372036854775807", Rule::Number(1, MAX)),
    row("flush.ms", "9223372036854775807", Rule::Number(0, MAX)),
    row("follower.replication.throttled.replicas", "", Rule::Replicas),
    row("index.interval.bytes", "4096", Rule::Number(0, INT_MAX)),
    row("leader.replication.throttled.replicas", "", Rule::Replicas),
    row("local.retention.bytes", "-2", Rule::Number(-2, MAX)),
    row("local.retention.ms", "-2", Rule::Number(-2, MAX)),
    row("max.compaction.lag.ms", "9223372036854775807", Rule::Number(1, MAX)),
    row("max.message.bytes", "1048588", Rule::Number(0, BATCH_MAX)),
    row("message.timestamp.after.max.ms", "3600000", Rule::Number(0, MAX)),
    row("message.timestamp.before.max.ms", "9223372036854775807", Rule::Number(0, MAX)),
    row("message.timestamp.type", "CreateTime", Rule::Word(&["CreateTime", "LogAppendTime"], &[])),
    row("min.cleanable.dirty.ratio", "0.5", Rule::Ratio),
    row("min.compaction.lag.ms", "0", Rule::Number(0, MAX)),
    row("min.insync.replicas", "1", Rule::Number(1, INT_MAX)),
    row("preallocate", "false", Rule::Flag),
    row("remote.log.copy.disable", "false", Rule::Flag),
    row("remote.log.delete.on.disable", "false", Rule::Flag),
    row("remote.storage.enable", "false", Rule::Off),
    row("retention.bytes", "-1", Rule::Number(i64::MIN, MAX)),
    row("retention.ms", "604800000", Rule::Number(-1, MAX)),
    row("segment.bytes", "1073741824", Rule::Number(1 << 20, INT_MAX)),
    row("segment.index.bytes", "10485760", Rule::Number(4, INT_MAX)),
    row("segment.jitter.ms", "0", Rule::Number(0, MAX)),
    row("segment.ms", "604800000", Rule::Number(1, MAX)),
    row("unclean.leader.election.enable", "false", Rule::Flag),
];

/// The settings to store, or what is wrong with them. Of one that is given twice the last counts, as in
/// Kafka.
pub fn check(given: &[(String, Option<String>)]) -> Result<BTreeMap<String, String>, BadSettings> {
    let nulls: Vec<&str> =
        given.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    if let Some(first) = nulls.first() {
        return Err(BadSettings::Null { count: nulls.len(), first: shown(first) });
    }
    let given: BTreeMap<&str, &str> =
        given.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))).collect();
    let mut configs = BTreeMap::new();
    for (name, value) in given {
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            return Err(BadSettings::Unknown(shown(name)));
        };
        if value.len() > CONFIG_VALUE_BYTES_MAX {
            return Err(BadSettings::Long { name: row.name, bytes: value.len() });
        }
        if let Some(fault) = row.rule.fault(trimmed(value)) {
            return Err(BadSettings::Value { name: row.name, value: shown(value), fault });
        }
        configs.insert(name.to_owned(), value.to_owned());
    }
    let lag = |name| number(&configs, name);
    if lag("min.compaction.lag.ms") > lag("max.compaction.lag.ms") {
        return Err(BadSettings::Lags);
    }
    Ok(configs)
}

/// All settings with their values in force.
pub fn describe(configs: &BTreeMap<String, String>) -> Vec<ConfigEntry> {
    let entry = |row: &Row| ConfigEntry {
        name: row.name.into(),
        value: value_of(configs, row.name).into(),
        is_default: !configs.contains_key(row.name),
    };
    TABLE.iter().map(entry).collect()
}

impl TopicConfig {
    /// What stored settings mean.
    pub fn read(configs: &BTreeMap<String, String>) -> TopicConfig {
        let number = |name| number(configs, name);
        TopicConfig {
            retention_ms: Some(number("retention.ms")).filter(|limit| *limit >= 0),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            segment_bytes: u64::try_from(number("segment.bytes")).unwrap_or(u64::MAX),
            segment_ms: number("segment.ms"),
            max_message_bytes: usize::try_from(number("max.message.bytes"))
                .unwrap_or(BATCH_BYTES_MAX_DEFAULT),
            timestamp_type: match trimmed(value_of(configs, "message.timestamp.type")) {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            min_insync_replicas: usize::try_from(number("min.insync.replicas")).unwrap_or(1),
        }
    }
}

impl Rule {
    /// What is wrong with that value, or nothing.
    fn fault(&self, value: &str) -> Option<String> {
        let flag = |allowed: &[&str]| {
            let is_one = allowed.iter().any(|word| value.eq_ignore_ascii_case(word));
            (!is_one).then(|| format!("it can be {}", allowed.join(" or ")))
        };
        match self {
            Rule::Number(least, most) => {
                let is_one = value.parse().is_ok_and(|number| (*least..=*most).contains(&number));
                (!is_one).then(|| format!("it must be a whole number from {least} to {most}"))
            }
            Rule::Flag => flag(&["true", "false"]),
            Rule::Off => flag(&["false"]),
            Rule::Word(served, known) => (!served.contains(&value)).then(|| {
                let verdict = if known.contains(&value) { "this is not served yet; " } else { "" };
                format!("{verdict}it can be {}", served.join(" or "))
            }),
            Rule::Ratio => (!is_ratio(value)).then(|| "it must be a number from 0 to 1".into()),
            Rule::Replicas => {
                let is_one = value == "*" || value.split(',').map(trimmed).all(is_pair);
                (!is_one).then(|| "it must be * or partition:node,partition:node,...".into())
            }
        }
    }
}

/// A decimal number from 0 to 1, as Java's `Double.parseDouble` reads it: with an exponent, a letter for its type.
fn is_ratio(value: &str) -> bool {
    let value = value.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(value);
    let (digits, exponent) = value.split_once(['e', 'E']).unwrap_or((value, "0"));
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return false;
    }
    // It is 0.D * 10^point, where D begins with a digit above 0, or it is 0.
    let significant = digits.trim_start_matches('0');
    let zeros = digits.len() - significant.len();
    let point = whole.len() as i64 - zeros as i64 + i64::from(exponent);
    significant.is_empty() || point <= 0 || (point == 1 && significant.trim_end_matches('0') == "1")
}

/// Nothing, or two numbers with a colon between.
fn is_pair(element: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    element.is_empty()
        || element.split_once(':').is_some_and(|(one, other)| is_number(one) && is_number(other))
}

/// Without what Java's `String.trim` takes away.
fn trimmed(value: &str) -> &str {
    value.trim_matches(|letter| letter <= ' ')
}

fn value_of<'a>(configs: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    let default = || TABLE.iter().find(|row| row.name == name).map_or("", |row| row.default);
    configs.get(name).map_or_else(default, String::as_str)
}

fn number(configs: &BTreeMap<String, String>, name: &str) -> i64 {
    trimmed(value_of(configs, name)).parse().unwrap_or(-1)
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

    fn is_taken(name: &str, value: &str) -> bool {
        check(&[(name.into(), Some(value.into()))]).is_ok()
    }

    #[test]
    fn every_default_is_allowed_and_can_be_read() {
        for Row { name, default, .. } in TABLE {
            assert!(is_taken(name, default), "{name}={default}");
        }
        assert!(TABLE.is_sorted_by_key(|row| row.name), "as Kafka's own list");
        assert_eq!(TopicConfig::read(&BTreeMap::new()).max_message_bytes, BATCH_BYTES_MAX_DEFAULT);
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
            ("compression.type", "zstd"),
            ("message.timestamp.type", "createtime"),
            ("max.message.bytes", "8388609"),
            ("segment.bytes", "1048575"),
            ("no.such.setting", "1"),
        ];
        taken.iter().for_each(|(name, value)| assert!(is_taken(name, value), "{name}={value}"));
        refused.iter().for_each(|(name, value)| assert!(!is_taken(name, value), "{name}={value}"));
    }

    #[test]
    fn a_value_is_kept_as_it_was_given_and_means_what_it_says() {
        let configs = check(&[("retention.ms".into(), Some(" 100 ".into()))]).expect("it is legal");
        assert_eq!(configs["retention.ms"], " 100 ");
        assert_eq!(TopicConfig::read(&configs).retention_ms, Some(100));
    }

    #[test]
    fn null_too_long_and_contradictory_are_refused_and_of_two_the_last_counts() {
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
}
