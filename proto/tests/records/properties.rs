//! Laws over any batch, and over any bytes.

use crate::made::{LIMITS, any_recipe, check, read, reseal};
use proptest::prelude::*;
use rust_mq_proto::records::{
    Batch, BatchMut, Batches, Decompressor, TimestampType, find_timestamp, remains,
};

/// Everything a reader may do with bytes that nobody checked.
fn read_everything(bytes: &[u8]) {
    let _ = check(bytes);
    let _ = read(bytes);
    let mut decompressor = Decompressor::new();
    for batch in Batches::new(bytes).flatten() {
        let _ = find_timestamp(&batch, 0, 0, &mut decompressor, LIMITS.decompressed_bytes_max);
        let mut number = 0;
        let _ = remains(&batch, &mut decompressor, LIMITS.decompressed_bytes_max, |_| {
            number += 1;
            number % 2 == 0
        });
        let _ = (batch.check_crc(), batch.codec(), batch.last_offset(), format!("{batch:?}"));
    }
    let mut copy = bytes.to_vec();
    if let Ok(mut batch) = BatchMut::parse(&mut copy) {
        batch.set_place(1, 2);
        batch.set_max_timestamp(TimestampType::LogAppendTime, 3);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_built_is_valid_and_reads_as_it_was_given(recipe in any_recipe()) {
        let bytes = recipe.build();
        let summary = check(&bytes).expect("built");
        prop_assert_eq!(summary.count as usize, recipe.records.len());
        prop_assert_eq!(summary.codec, recipe.codec);
        prop_assert_eq!(summary.producer, recipe.producer);
        prop_assert_eq!(summary.is_transactional, recipe.is_transactional);
        prop_assert_eq!(Some(summary.max_timestamp), recipe.records.iter().map(|record| record.timestamp).max());
        prop_assert!(summary.is_max_timestamp_true);
        prop_assert_eq!(
            summary.first_without_key.map(|index| index as usize),
            recipe.records.iter().position(|record| record.key.is_none())
        );
        prop_assert_eq!(read(&bytes).expect("built"), recipe.records);
    }

    #[test]
    fn a_changed_byte_is_refused_or_lies_outside_the_crc(
        recipe in any_recipe(), at in any::<prop::sample::Index>(), flip in 1..=255u8,
    ) {
        let bytes = recipe.build();
        let at = at.index(bytes.len());
        let mut bent = bytes.clone();
        bent[at] ^= flip;
        // The base offset is outside the CRC too, but a client's must be 0.
        prop_assert_eq!(check(&bent).is_ok(), (12..16).contains(&at), "byte {}", at);
    }

    #[test]
    fn a_changed_byte_with_a_right_crc_never_panics_and_what_passes_can_be_read(
        recipe in any_recipe(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = recipe.build();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        reseal(&mut bytes);
        read_everything(&bytes);
        if let Ok(summary) = check(&bytes) {
            let records = read(&bytes).expect("what was validated can be read to its end");
            prop_assert_eq!(records.len(), summary.count as usize);
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), is_dressed in any::<bool>()) {
        let mut bytes = bytes;
        if is_dressed && bytes.len() >= 61 {
            bytes[16] = 2;
            bytes[21] = 0;
            bytes[22] &= 7;
            reseal(&mut bytes);
        }
        read_everything(&bytes);
    }

    #[test]
    fn a_time_is_found_where_reading_everything_finds_it(
        recipe in any_recipe(), target in -2..5_000_000_000_000i64, from in 0..20i64,
    ) {
        let bytes = recipe.build();
        let expected = recipe.records.iter().find(|record| record.offset >= from && record.timestamp >= target);
        let batch = Batch::parse(&bytes).expect("built");
        let found = find_timestamp(&batch, target, from, &mut Decompressor::new(), LIMITS.decompressed_bytes_max);
        prop_assert_eq!(found, Ok(expected.map(|record| (record.offset, record.timestamp))));
    }
}
