//! Whether a topic takes records without a key: not where it keeps the last record of each (KIP-467 says of which records
//! a refusal speaks).
//!
//! Kafka's words (`LogValidator`): the whole batch is refused, nothing of it is appended.

use super::refusal::AppendRefusal;
use crate::limits::RECORD_ERRORS_MAX;
use crate::settings::TopicConfig;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::records::{Batch, Decompressor, Summary};

/// Looks at a batch that is valid otherwise.
pub(super) fn check(
    batch: &Batch<'_>,
    summary: &Summary,
    config: &TopicConfig,
    decompressor: &mut Decompressor,
) -> Result<(), AppendRefusal> {
    if config.compaction.is_none() || summary.first_without_key.is_none() {
        return Ok(());
    }
    let records = batch.records(decompressor, summary.plain_bytes).into_iter().flatten().flatten();
    let without = (0..).zip(records).filter(|(_, record)| record.key.is_none());
    let words = "a compacted topic takes no record without a key";
    Err(AppendRefusal {
        code: ErrorCode::InvalidRecord,
        message: "one or more records have no key, and the topic is compacted".into(),
        records: without.take(RECORD_ERRORS_MAX).map(|(index, _)| (index, words.into())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{CompactionConfig, Layers, Settings};
    use rust_mq_proto::records::{BatchBuilder, Codec, Limits, validate};

    #[test]
    fn each_record_without_a_key_is_named_and_only_where_the_topic_is_compacted() {
        let limits = Limits {
            batch_bytes_max: 1 << 20,
            decompressed_bytes_max: 1 << 20,
            is_zstd_known: true,
            is_base_offset_free: false,
        };
        let none = Settings::default();
        let plain = TopicConfig::read(&Layers { own: &none, node: &none, cluster: &none, fixed: &none });
        assert_eq!(plain.compaction, None);
        let rules = CompactionConfig {
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            dirty_share_min: 5_000,
            tombstone_retention_ms: 0,
        };
        let compacted = TopicConfig { compaction: Some(rules), ..plain };
        for codec in Codec::ALL {
            let mut builder = BatchBuilder::new().codec(codec);
            let keys = [Some(&b"k"[..]), None, Some(b""), None];
            keys.iter().for_each(|key| builder.push(5, *key, Some(b"v"), &[]));
            let bytes = builder.build();
            let mut decompressor = Decompressor::new();
            let summary = validate(&bytes, &limits, &mut decompressor).expect("it is sound");
            let batch = Batch::parse(&bytes).expect("it is sound");
            assert_eq!(check(&batch, &summary, &plain, &mut decompressor), Ok(()));
            let refused = check(&batch, &summary, &compacted, &mut decompressor).expect_err("two have none");
            let named: Vec<i32> = refused.records.iter().map(|(index, _)| *index).collect();
            assert_eq!((refused.code, named), (ErrorCode::InvalidRecord, vec![1, 3]), "{codec:?}");
        }
    }
}
