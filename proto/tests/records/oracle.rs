//! The same batches in another implementation: `kafka-protocol`'s records module, both ways, uncompressed
//! (its codecs are features that would bring C libraries; real clients' compressed bytes are in `fixed.rs`).

use crate::made::{Made, Recipe, any_recipe, check, read};
use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use proptest::prelude::*;
use rust_mq_proto::records::{Codec, Producer};

/// What the oracle can say: it keeps headers in a map, so keys must be unique.
fn oracle_recipe() -> impl Strategy<Value = Recipe> {
    any_recipe().prop_map(|mut recipe| {
        recipe.codec = Codec::None;
        for record in &mut recipe.records {
            record.timestamp = record.timestamp.clamp(0, 5_000_000_000_000);
            record.headers.sort();
            record.headers.dedup_by(|one, other| one.0 == other.0);
        }
        recipe
    })
}

fn theirs(recipe: &Recipe) -> Vec<Record> {
    let producer = recipe.producer.unwrap_or(Producer { id: -1, epoch: -1, base_sequence: -1 });
    let bytes = |bytes: &Option<Vec<u8>>| bytes.clone().map(Bytes::from);
    let record = |made: &Made| Record {
        transactional: recipe.is_transactional,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: -1,
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        timestamp_type: TimestampType::Creation,
        offset: made.offset,
        sequence: producer.base_sequence.wrapping_add(made.offset as i32),
        timestamp: made.timestamp,
        key: bytes(&made.key),
        value: bytes(&made.value),
        headers: made
            .headers
            .iter()
            .map(|(key, value)| (StrBytes::from_string(key.clone()), bytes(value)))
            .collect::<IndexMap<_, _>>(),
    };
    recipe.records.iter().map(record).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_we_build_it_reads(recipe in oracle_recipe()) {
        let set = RecordBatchDecoder::decode(&mut Bytes::from(recipe.build())).expect("it reads ours");
        prop_assert_eq!(set.version, 2);
        prop_assert_eq!(set.records, theirs(&recipe));
    }

    #[test]
    fn what_it_builds_we_read(recipe in oracle_recipe()) {
        let mut out = BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression: Compression::None };
        RecordBatchEncoder::encode(&mut out, &theirs(&recipe), &options).expect("it builds");
        let summary = check(&out).expect("valid");
        prop_assert_eq!(summary.producer, recipe.producer);
        prop_assert_eq!(summary.is_transactional, recipe.is_transactional);
        prop_assert_eq!(read(&out).expect("readable"), recipe.records);
    }
}
