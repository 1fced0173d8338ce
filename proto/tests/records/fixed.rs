//! Batches that real producers made (see `fixed/README.md`) are accepted and read as what they were given.

use crate::made::{Made, check, read};
use rust_mq_proto::records::Codec;

const BASE: i64 = 1_700_000_000_000;

macro_rules! batches {
    ($($client:literal $name:literal $codec:ident,)*) => {
        [$((concat!($client, "-", $name), Codec::$codec,
            include_bytes!(concat!("fixed/", $client, "-", $name, ".batch")).as_slice()),)*]
    };
}

const BATCHES: [(&str, Codec, &[u8]); 15] = batches![
    "librdkafka" "none" None,
    "librdkafka" "gzip" Gzip,
    "librdkafka" "snappy" Snappy,
    "librdkafka" "lz4" Lz4,
    "librdkafka" "zstd" Zstd,
    "kafka-python" "none" None,
    "kafka-python" "gzip" Gzip,
    "kafka-python" "snappy" Snappy,
    "kafka-python" "lz4" Lz4,
    "kafka-python" "zstd" Zstd,
    "java" "none" None,
    "java" "gzip" Gzip,
    "java" "snappy" Snappy,
    "java" "lz4" Lz4,
    "java" "zstd" Zstd,
];

fn given() -> Vec<Made> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let made = |offset, timestamp, key, value, headers: &[(&str, &str)]| Made {
        offset,
        timestamp,
        key,
        value,
        headers: headers.iter().map(|(key, value)| ((*key).to_owned(), text(value))).collect(),
    };
    vec![
        made(0, BASE + 5, text("key"), text("value"), &[("h", "1"), ("h", "2")]),
        made(1, BASE, None, text(&"x".repeat(100)), &[]),
        made(2, BASE + 7, text("gone"), None, &[]),
        made(3, BASE + 6, text("kéy"), text(""), &[("empty", "")]),
    ]
}

#[test]
fn accepts_what_real_producers_send() {
    for (name, codec, bytes) in BATCHES {
        let summary = check(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(summary.codec, codec, "{name}");
        assert_eq!(summary.count, 4, "{name}");
        assert_eq!((summary.min_timestamp, summary.max_timestamp), (BASE, BASE + 7), "{name}");
        assert!(summary.is_max_timestamp_true, "{name}");
        assert_eq!(summary.first_without_key, Some(1), "{name}");
        assert_eq!(summary.producer, None, "{name}");
    }
}

#[test]
fn reads_what_real_producers_were_given() {
    for (name, _, bytes) in BATCHES {
        assert_eq!(read(bytes).unwrap_or_else(|error| panic!("{name}: {error}")), given(), "{name}");
    }
}

#[test]
fn refuses_them_when_any_bit_is_wrong() {
    for (name, _, bytes) in BATCHES {
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            // Only the leader's own fields lie outside the CRC, and a client's base offset must be 0.
            let is_epoch = (12..16).contains(&(bit / 8));
            assert_eq!(check(&bent).is_ok(), is_epoch, "{name}, bit {bit}");
        }
    }
}
