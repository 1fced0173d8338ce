//! What compaction leaves of a batch: of any batch, whatever goes.

use crate::made::{LIMITS, Made, any_recipe, read, reseal, sample, with_payload};
use proptest::prelude::*;
use rust_mq_proto::records::{
    Batch, BatchBuilder, BatchError, BatchMut, Codec, Decompressor, RecordFault, Remains, TimestampType,
    remains,
};

/// What is left of `bytes` when the records at these places of the batch as it was made go.
fn left(bytes: &[u8], goes: impl Fn(i64) -> bool) -> Result<Remains, BatchError> {
    let batch = Batch::parse(bytes)?;
    let base = batch.base_offset();
    let mut decompressor = Decompressor::new();
    remains(&batch, &mut decompressor, LIMITS.decompressed_bytes_max, |record| !goes(record.offset - base))
}

/// The bytes that are left, if any are.
fn bytes_of(batch: &[u8], remains: Remains) -> Option<Vec<u8>> {
    match remains {
        Remains::All => Some(batch.to_vec()),
        Remains::Some(left) => Some(left.to_vec()),
        Remains::Nothing => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_stays_is_as_it_was(
        recipe in any_recipe(), goes in any::<u32>(), base in 0..1i64 << 40, log_time in any::<bool>(),
    ) {
        let mut bytes = recipe.build();
        let mut placed = BatchMut::parse(&mut bytes).expect("built");
        placed.set_place(base, 7);
        if log_time {
            placed.set_max_timestamp(TimestampType::LogAppendTime, 1_234);
        }
        let is_gone = |place: i64| goes & (1 << place) != 0;
        let all = read(&bytes).expect("built");
        let stay: Vec<Made> = all.iter().filter(|made| !is_gone(made.offset - base)).cloned().collect();
        match left(&bytes, is_gone).expect("a sound batch") {
            Remains::All => prop_assert_eq!(stay.len(), all.len()),
            Remains::Nothing => prop_assert_eq!(stay.len(), 0),
            Remains::Some(left) => {
                prop_assert!(!stay.is_empty() && stay.len() < all.len());
                prop_assert_eq!(&read(&left).expect("it can be read"), &stay);
                let (before, after) = (Batch::parse(&bytes).expect("built"), Batch::parse(&left).expect("a batch"));
                prop_assert_eq!(after.check_crc(), Ok(()));
                let fields = |batch: &Batch<'_>| (
                    (batch.base_offset(), batch.last_offset(), batch.leader_epoch(), batch.base_timestamp()),
                    (batch.producer(), batch.is_transactional(), batch.timestamp_type(), batch.codec()),
                );
                prop_assert_eq!(fields(&before), fields(&after));
                prop_assert_eq!(after.count() as usize, stay.len());
                let newest = stay.iter().map(|made| made.timestamp).max();
                prop_assert_eq!(Some(after.max_timestamp()), newest);
            }
        }
    }

    #[test]
    fn in_which_steps_records_go_does_not_matter(recipe in any_recipe(), one in any::<u32>(), other in any::<u32>()) {
        let bytes = recipe.build();
        let goes = |mask: u32| move |place: i64| mask & (1 << place) != 0;
        let at_once = left(&bytes, goes(one | other)).map(|left| bytes_of(&bytes, left));
        let first = left(&bytes, goes(one)).map(|left| bytes_of(&bytes, left)).expect("sound");
        let after = match first {
            None => Ok(None),
            Some(first) => left(&first, goes(other)).map(|left| bytes_of(&first, left)),
        };
        prop_assert_eq!(at_once, after);
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    for codec in Codec::ALL {
        let bytes = sample(codec);
        let batch = Batch::parse(&bytes).expect("built");
        let plain = if codec == Codec::None { None } else { Some(BatchError::Bomb { max: 20 }) };
        assert_eq!(remains(&batch, &mut Decompressor::new(), 20, |_| true).err(), plain, "{codec:?}");
        if codec != Codec::None {
            let broken = with_payload(codec, 3, &bytes[61..bytes.len() - 3]);
            assert_eq!(left(&broken, |_| true), Err(BatchError::Undecodable), "{codec:?}");
        }
    }
    let bytes = sample(Codec::None);
    let mut longer = bytes.clone();
    longer.extend_from_slice(&[0; 5]);
    reseal(&mut longer);
    assert_eq!(left(&longer, |place| place == 0), Err(BatchError::Unread { bytes: 5 }));
}

#[test]
fn offsets_that_do_not_rise_within_the_batch_are_refused() {
    let mut builder = BatchBuilder::new();
    (0..3).for_each(|_| builder.push(0, Some(b"k"), None, &[]));
    let bytes = builder.build().to_vec();
    let record = (bytes.len() - 61) / 3;
    // Each record is a length, attributes, a timestamp delta of one byte, and then its offset delta, in zigzag.
    let delta = |nth: usize| 61 + nth * record + 3;
    for (nth, zigzag) in [(1, 0), (1, 1), (2, 2), (2, 6), (0, 1)] {
        let mut bent = bytes.clone();
        bent[delta(nth)] = zigzag;
        reseal(&mut bent);
        let refused = BatchError::Record { index: nth as i32, fault: RecordFault::OffsetDelta };
        assert_eq!(left(&bent, |_| false), Err(refused), "record {nth} at {zigzag}");
    }
}

#[test]
fn an_empty_batch_has_nothing_to_lose_and_a_batch_with_gaps_can_lose_more() {
    let hollow = BatchBuilder::hollow((10, 2_000_000_000), 3, 61).expect("it fits");
    assert_eq!(left(&hollow, |_| true), Ok(Remains::All));
    let bytes = sample(Codec::Zstd);
    let Ok(Remains::Some(once)) = left(&bytes, |place| place == 1) else { panic!("two stay") };
    assert_eq!(left(&once, |place| place == 1), Ok(Remains::All), "it is gone already");
    assert_eq!(left(&once, |place| place != 1), Ok(Remains::Nothing));
}
