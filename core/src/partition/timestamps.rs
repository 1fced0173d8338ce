//! Which timestamps a topic takes from producers: none below 0 but -1, which says that there is none, and none too far
//! from the leader's clock. A topic that stamps records itself (LogAppendTime) does not look at them.
//!
//! A batch may claim to be stamped by a log. Where records keep their own time, the claim is checked like one more
//! timestamp, and taken out (`append`); where the leader stamps them, it is refused. That is Kafka's `LogValidator`.

use super::refusal::AppendRefusal;
use crate::limits::RECORD_ERRORS_MAX;
use crate::now::Now;
use crate::settings::TopicConfig;
use bytes::BytesMut;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::records::{Batch, BatchMut, Decompressor, NO_TIMESTAMP, Summary, TimestampType};

/// What is allowed now.
pub(super) struct Allowed {
    /// Nothing, where the leader's clock counts.
    range: Option<(i64, i64)>,
}

impl Allowed {
    pub fn at(now: Now, config: &TopicConfig) -> Allowed {
        let earliest = now.wall.0.saturating_sub(config.timestamp_before_max_ms).max(0);
        let latest = now.wall.0.saturating_add(config.timestamp_after_max_ms);
        let keeps = config.timestamp_type == TimestampType::CreateTime;
        Allowed { range: keeps.then_some((earliest, latest)) }
    }

    /// Looks at a batch that is valid otherwise. What is refused is of no use any more.
    pub fn check(
        &self,
        bytes: &mut BytesMut,
        summary: &Summary,
        decompressor: &mut Decompressor,
    ) -> Result<(), AppendRefusal> {
        let claims = summary.timestamp_type == TimestampType::LogAppendTime;
        if claims && self.is_claim_bad(bytes) {
            let words = "a producer must not claim the log's own timestamps";
            return Err(refusal((0..summary.count).map(|index| (index, words.into()))));
        }
        if self.takes(summary.min_timestamp) && self.takes(summary.max_timestamp) {
            return Ok(());
        }
        let mut batch = BatchMut::parse(bytes).expect("validate has just parsed it");
        // Each record's own time, whatever the batch claims.
        batch.set_max_timestamp(TimestampType::CreateTime, summary.max_timestamp);
        let batch = Batch::parse(bytes).expect("validate has just parsed it");
        let records = batch.records(decompressor, summary.plain_bytes).into_iter().flatten().flatten();
        let bad = (0..).zip(records).filter(|(_, record)| !self.takes(record.timestamp));
        Err(refusal(bad.map(|(index, record)| (index, self.words(record.timestamp)))))
    }

    /// Whether what a producer says of the log's own timestamp is not to be overlooked.
    fn is_claim_bad(&self, bytes: &[u8]) -> bool {
        let claimed = Batch::parse(bytes).expect("validate has just parsed it").max_timestamp();
        self.range.is_none() || claimed == NO_TIMESTAMP || !self.takes(claimed)
    }

    fn takes(&self, timestamp: i64) -> bool {
        let is_within = |(earliest, latest): (i64, i64)| (earliest..=latest).contains(&timestamp);
        timestamp == NO_TIMESTAMP || self.range.is_none_or(is_within)
    }

    fn words(&self, timestamp: i64) -> String {
        let (earliest, latest) = self.range.unwrap_or((0, i64::MAX));
        format!("timestamp {timestamp} is not between {earliest} and {latest}")
    }
}

fn refusal(records: impl Iterator<Item = (i32, String)>) -> AppendRefusal {
    AppendRefusal {
        code: ErrorCode::InvalidTimestamp,
        message: "one or more records have a timestamp that is out of range".into(),
        records: records.take(RECORD_ERRORS_MAX).collect(),
    }
}
