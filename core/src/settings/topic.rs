//! What can be set on a topic (org.apache.kafka.common.config.TopicConfig), and by which name a broker has the default
//! of it (`ServerTopicConfigSynonyms`).
//!
//! What is allowed is what Kafka allows. Refused is what Kafka would do and we do not: compaction, compressing anew,
//! batches above `limits::BATCH_BYTES_MAX_CEILING`, tiered storage. Taken without effect is what only tunes Kafka's own
//! files or threads (flushing, indexes, compaction that is not on, throttles without a rate), and what permits without
//! asking for it: `unclean.leader.election.enable`, as here a majority elects in any case.

use super::row::{Acts, Row, Rule, Type};
use crate::level::Level;
use crate::limits::BATCH_BYTES_MAX_CEILING;

const fn row(
    (name, kind, default): (&'static str, Type, &'static str),
    rule: Rule,
    (broker, acts): (&'static str, Acts),
    documentation: &'static str,
) -> Row {
    Row { name, kind, default, rule, broker, acts, documentation, since: Level(1) }
}

const INT_MAX: i64 = i32::MAX as i64;
const MAX: i64 = i64::MAX;
const BATCH_MAX: i64 = BATCH_BYTES_MAX_CEILING as i64;
const GZIP_LEVELS: &[&str] = &["-1", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip"];
const FOREVER: &str = "9223372036854775807";

/// All of them, by rising name.
pub const TOPIC: &[Row] = &[
    row(
        ("cleanup.policy", Type::List, "delete"),
        Rule::Words(&["delete"], &["compact"]),
        ("log.cleanup.policy", Acts::OnRetention),
        "How old records go: delete drops the oldest segments by retention.ms and retention.bytes; empty keeps all.",
    ),
    row(
        ("compression.gzip.level", Type::Int, "-1"),
        Rule::Word(GZIP_LEVELS, &[]),
        ("compression.gzip.level", Acts::Nowhere),
        "The level of gzip where compression.type is gzip.",
    ),
    row(
        ("compression.lz4.level", Type::Int, "9"),
        Rule::Number(1, 17),
        ("compression.lz4.level", Acts::Nowhere),
        "The level of lz4 where compression.type is lz4.",
    ),
    row(
        ("compression.type", Type::String, "producer"),
        Rule::Word(&["producer"], CODECS),
        ("compression.type", Acts::OnAppend),
        "How batches are compressed in the log: producer leaves them as they came.",
    ),
    row(
        ("compression.zstd.level", Type::Int, "3"),
        Rule::Number(-131_072, 22),
        ("compression.zstd.level", Acts::Nowhere),
        "The level of zstd where compression.type is zstd.",
    ),
    row(
        ("delete.retention.ms", Type::Long, "86400000"),
        Rule::Number(0, MAX),
        ("log.cleaner.delete.retention.ms", Acts::Nowhere),
        "How long a tombstone stays in a compacted topic.",
    ),
    row(
        ("file.delete.delay.ms", Type::Long, "60000"),
        Rule::Number(0, MAX),
        ("log.segment.delete.delay.ms", Acts::Nowhere),
        "How long Kafka waits before it removes a file. Here files go with the checkpoint that names them no more.",
    ),
    row(
        ("flush.messages", Type::Long, FOREVER),
        Rule::Number(1, MAX),
        ("log.flush.interval.messages", Acts::Nowhere),
        "After how many records Kafka syncs. Here nothing is acknowledged before it is synced.",
    ),
    row(
        ("flush.ms", Type::Long, FOREVER),
        Rule::Number(0, MAX),
        ("log.flush.interval.ms", Acts::Nowhere),
        "After which time Kafka syncs. Here nothing is acknowledged before it is synced.",
    ),
    row(
        ("follower.replication.throttled.replicas", Type::List, ""),
        Rule::Replicas,
        ("", Acts::Nowhere),
        "Replicas that Kafka would throttle as followers, partition:node, or * for all. Nothing is throttled here.",
    ),
    row(
        ("index.interval.bytes", Type::Int, "4096"),
        Rule::Number(0, INT_MAX),
        ("log.index.interval.bytes", Acts::Nowhere),
        "The distance of two entries of Kafka's offset index.",
    ),
    row(
        ("leader.replication.throttled.replicas", Type::List, ""),
        Rule::Replicas,
        ("", Acts::Nowhere),
        "Replicas that Kafka would throttle as leaders, partition:node, or * for all. Nothing is throttled here.",
    ),
    row(
        ("local.retention.bytes", Type::Long, "-2"),
        Rule::Number(-2, MAX),
        ("log.local.retention.bytes", Acts::Nowhere),
        "Bytes of a tiered partition that stay on the local disk. There is no tiered storage here.",
    ),
    row(
        ("local.retention.ms", Type::Long, "-2"),
        Rule::Number(-2, MAX),
        ("log.local.retention.ms", Acts::Nowhere),
        "How long records of a tiered partition stay on the local disk. There is no tiered storage here.",
    ),
    row(
        ("max.compaction.lag.ms", Type::Long, FOREVER),
        Rule::Number(1, MAX),
        ("log.cleaner.max.compaction.lag.ms", Acts::Nowhere),
        "How long a record of a compacted topic may stay uncompacted.",
    ),
    row(
        ("max.message.bytes", Type::Int, "1048588"),
        Rule::Number(0, BATCH_MAX),
        ("message.max.bytes", Acts::OnAppend),
        "The largest record batch that is taken, as it came, compressed or not.",
    ),
    row(
        ("message.timestamp.after.max.ms", Type::Long, "3600000"),
        Rule::Number(0, MAX),
        ("log.message.timestamp.after.max.ms", Acts::OnAppend),
        "How far ahead of the leader's clock a record's own timestamp may be.",
    ),
    row(
        ("message.timestamp.before.max.ms", Type::Long, FOREVER),
        Rule::Number(0, MAX),
        ("log.message.timestamp.before.max.ms", Acts::OnAppend),
        "How far behind the leader's clock a record's own timestamp may be.",
    ),
    row(
        ("message.timestamp.type", Type::String, "CreateTime"),
        Rule::Word(&["CreateTime", "LogAppendTime"], &[]),
        ("log.message.timestamp.type", Acts::OnAppend),
        "Whose clock stamps records: CreateTime the producer's, LogAppendTime the leader's.",
    ),
    row(
        ("min.cleanable.dirty.ratio", Type::Double, "0.5"),
        Rule::Ratio,
        ("log.cleaner.min.cleanable.ratio", Acts::Nowhere),
        "The part of a compacted log that is uncompacted before it is compacted again.",
    ),
    row(
        ("min.compaction.lag.ms", Type::Long, "0"),
        Rule::Number(0, MAX),
        ("log.cleaner.min.compaction.lag.ms", Acts::Nowhere),
        "How long a record of a compacted topic stays uncompacted.",
    ),
    row(
        ("min.insync.replicas", Type::Int, "1"),
        Rule::Number(1, INT_MAX),
        ("min.insync.replicas", Acts::OnAppend),
        "Replicas that must have a batch before acks=all is answered. A majority has it in any case.",
    ),
    row(
        ("preallocate", Type::Boolean, "false"),
        Rule::Flag,
        ("log.preallocate", Acts::Nowhere),
        "Whether Kafka reserves a segment's space when it begins it.",
    ),
    row(
        ("remote.log.copy.disable", Type::Boolean, "false"),
        Rule::Flag,
        ("", Acts::Nowhere),
        "Whether a tiered topic copies no more. There is no tiered storage here.",
    ),
    row(
        ("remote.log.delete.on.disable", Type::Boolean, "false"),
        Rule::Flag,
        ("", Acts::Nowhere),
        "Whether tiered data goes when tiering is turned off. There is no tiered storage here.",
    ),
    row(
        ("remote.storage.enable", Type::Boolean, "false"),
        Rule::Off,
        ("", Acts::Nowhere),
        "Whether the topic is tiered. There is no tiered storage here.",
    ),
    row(
        ("retention.bytes", Type::Long, "-1"),
        Rule::Number(i64::MIN, MAX),
        ("log.retention.bytes", Acts::OnRetention),
        "A partition that is larger loses its oldest segments; below 0 it has no bound.",
    ),
    row(
        ("retention.ms", Type::Long, "604800000"),
        Rule::Number(-1, MAX),
        ("log.retention.ms", Acts::OnRetention),
        "Segments whose records are all older go; -1 keeps them for ever.",
    ),
    row(
        ("segment.bytes", Type::Int, "1073741824"),
        Rule::Number(1 << 20, INT_MAX),
        ("log.segment.bytes", Acts::OnSegments),
        "A segment does not become longer: what is deleted is deleted by segments.",
    ),
    row(
        ("segment.index.bytes", Type::Int, "10485760"),
        Rule::Number(4, INT_MAX),
        ("log.index.size.max.bytes", Acts::Nowhere),
        "The size of an index file of Kafka's.",
    ),
    row(
        ("segment.jitter.ms", Type::Long, "0"),
        Rule::Number(0, MAX),
        ("log.roll.jitter.ms", Acts::Nowhere),
        "By how much Kafka varies the age at which segments end.",
    ),
    row(
        ("segment.ms", Type::Long, "604800000"),
        Rule::Number(1, MAX),
        ("log.roll.ms", Acts::OnSegments),
        "A segment takes no record that is so much newer than its first.",
    ),
    row(
        ("unclean.leader.election.enable", Type::Boolean, "false"),
        Rule::Flag,
        ("unclean.leader.election.enable", Acts::Nowhere),
        "Whether a replica that lacks records may lead. Here a majority elects, and none does.",
    ),
];
