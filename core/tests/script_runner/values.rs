//! Records' values as a story writes them: `a`, or `a*1000` for a long one.

/// The bytes of a value.
pub fn bytes(word: &str) -> Vec<u8> {
    match word.split_once('*').and_then(|(unit, times)| Some((unit, times.parse().ok()?))) {
        Some((unit, times)) => unit.repeat(times).into_bytes(),
        None => word.as_bytes().to_vec(),
    }
}

/// The bytes as a story writes them.
pub fn text(value: Option<&[u8]>) -> String {
    let Some(value) = value else { return "null".into() };
    match value.split_first() {
        Some((first, rest)) if rest.len() > 8 && rest.iter().all(|byte| byte == first) => {
            format!("{}*{}", char::from(*first), value.len())
        }
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

/// A batch that a producer would send.
pub mod batch {
    use super::bytes;
    use ::bytes::BytesMut;
    use rust_mq_proto::records::{BatchBuilder, Producer};

    /// Values with one timestamp, perhaps an idempotent producer's. `k:v` has a key, and `k:` is its tombstone.
    pub fn of(
        values: &[String],
        timestamp: i64,
        producer: Option<Producer>,
        is_transactional: bool,
    ) -> BytesMut {
        let mut batch = BatchBuilder::new();
        if is_transactional {
            batch = batch.transactional();
        }
        if let Some(producer) = producer {
            batch = batch.producer(producer);
        }
        for value in values {
            match value.split_once(':') {
                None => batch.push(timestamp, None, Some(&bytes(value)), &[]),
                Some((key, "")) => batch.push(timestamp, Some(key.as_bytes()), None, &[]),
                Some((key, value)) => batch.push(timestamp, Some(key.as_bytes()), Some(&bytes(value)), &[]),
            }
        }
        batch.build()
    }
}

/// Offsets and values of records in stored bytes: `0 a, 1 b`.
pub fn records(stored: &[u8]) -> Vec<(i64, i32, String)> {
    use rust_mq_proto::records::{Batches, Decompressor};
    let mut found = Vec::new();
    for batch in Batches::new(stored) {
        let Ok(batch) = batch else {
            found.push((-1, -1, "(damaged)".to_owned()));
            break;
        };
        let mut decompressor = Decompressor::new();
        let Ok(records) = batch.records(&mut decompressor, 64 << 20) else { continue };
        for record in records.flatten() {
            found.push((record.offset, batch.leader_epoch(), text(record.value)));
        }
    }
    found
}
