//! A record as it is shown: one that was read, or one that was written and is placed now.

use bytes::Bytes;
use rust_mq_client::grpc;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds.
    pub timestamp_ms: i64,
    /// Its key, if it has one.
    pub key: Option<Bytes>,
    /// Its value, if it has one.
    pub value: Option<Bytes>,
    /// Its headers, in order.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Record {
    /// One that was read.
    pub fn read(topic: &str, partition: i32, record: grpc::Record) -> Record {
        let headers = record.headers.into_iter();
        Record {
            topic: topic.to_owned(),
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: headers.map(|header| (header.key, header.value)).collect(),
        }
    }
}

/// Bytes as JSON has them: text where they are text, and in hexadecimal digits (`{"hex": "00ff"}`) where they are not.
struct Shown<'a>(&'a Option<Bytes>);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let Some(bytes) = self.0 else { return into.serialize_none() };
        if let Ok(text) = str::from_utf8(bytes) {
            return into.serialize_str(text);
        }
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut map = into.serialize_map(Some(1))?;
        map.serialize_entry("hex", &digits)?;
        map.end()
    }
}

/// Headers as JSON has them: a list, since a name may come twice.
struct Headers<'a>(&'a [(String, Option<Bytes>)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.collect_seq(self.0.iter().map(|(name, value)| Header { name, value }))
    }
}

struct Header<'a> {
    name: &'a str,
    value: &'a Option<Bytes>,
}

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let mut map = into.serialize_map(Some(2))?;
        map.serialize_entry("key", self.name)?;
        map.serialize_entry("value", &Shown(self.value))?;
        map.end()
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        let mut map = into.serialize_map(Some(7))?;
        map.serialize_entry("topic", &self.topic)?;
        map.serialize_entry("partition", &self.partition)?;
        map.serialize_entry("offset", &self.offset)?;
        map.serialize_entry("timestamp_ms", &self.timestamp_ms)?;
        map.serialize_entry("key", &Shown(&self.key))?;
        map.serialize_entry("value", &Shown(&self.value))?;
        map.serialize_entry("headers", &Headers(&self.headers))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_and_other_bytes_are_digits() {
        let record = Record {
            topic: "t".into(),
            partition: 1,
            offset: 2,
            timestamp_ms: 3,
            key: None,
            value: Some(Bytes::from_static(b"\x00\xff")),
            headers: vec![("a".into(), Some(Bytes::from_static(b"1"))), ("a".into(), None)],
        };
        let expected = r#"{"topic":"t","partition":1,"offset":2,"timestamp_ms":3,"key":null,"value":{"hex":"00ff"},"headers":[{"key":"a","value":"1"},{"key":"a","value":null}]}"#;
        assert_eq!(serde_json::to_string(&record).expect("it has a form in JSON"), expected);
    }
}
