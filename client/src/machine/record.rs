//! A record: what a program hands to a producer.

use bytes::Bytes;

/// A record to append to a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// Which partition; without it the key says, and without a key chance.
    pub partition: Option<i32>,
    /// The key: equal keys go to the same partition. Absent is not the same as empty.
    pub key: Option<Bytes>,
    /// The value. Absent is a tombstone, where the topic is compacted.
    pub value: Option<Bytes>,
    /// Headers, in this order.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Milliseconds since 1970-01-01 UTC; without it the time at which it is handed over.
    pub timestamp_ms: Option<i64>,
}

/// What a record takes beside its key, value and headers, in a batch at most and in memory about.
const OVERHEAD_BYTES: usize = 64;

impl Record {
    /// A record with a value.
    pub fn new(topic: impl Into<String>, value: impl Into<Bytes>) -> Record {
        Record { topic: topic.into(), value: Some(value.into()), ..Record::default() }
    }

    /// A tombstone: in a compacted topic it deletes what is kept of the key.
    pub fn tombstone(topic: impl Into<String>, key: impl Into<Bytes>) -> Record {
        Record { topic: topic.into(), key: Some(key.into()), ..Record::default() }
    }

    /// With that key.
    #[must_use]
    pub fn key(self, key: impl Into<Bytes>) -> Record {
        Record { key: Some(key.into()), ..self }
    }

    /// To that partition.
    #[must_use]
    pub fn partition(self, partition: i32) -> Record {
        Record { partition: Some(partition), ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Bytes>) -> Record {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// What it takes, of a batch at most.
    pub fn bytes(&self) -> usize {
        let of = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let headers = self.headers.iter().map(|(name, value)| 10 + name.len() + of(value)).sum::<usize>();
        OVERHEAD_BYTES + of(&self.key) + of(&self.value) + headers
    }
}
