//! The four codecs: other people's framings, damage, bombs, and the cap.

use crate::made::{LIMITS, check, read, sample, with_payload};
use rust_mq_proto::records::{Batch, BatchError, Codec, Decompressor, Limits, validate};
use std::io::Write;

const COMPRESSED: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

fn plain() -> Vec<u8> {
    Batch::parse(&sample(Codec::None)).expect("ours").payload().to_vec()
}

fn payload(codec: Codec) -> Vec<u8> {
    Batch::parse(&sample(codec)).expect("ours").payload().to_vec()
}

/// The sample's three records, compressed by someone else.
fn assert_reads(name: &str, codec: Codec, payload: &[u8]) {
    let batch = with_payload(codec, 3, payload);
    let summary = check(&batch).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(summary.plain_bytes, plain().len(), "{name}");
    assert_eq!(read(&batch).map(|records| records.len()), Ok(3), "{name}");
}

fn assert_undecodable(name: &str, codec: Codec, payload: &[u8]) {
    assert_eq!(check(&with_payload(codec, 3, payload)).err(), Some(BatchError::Undecodable), "{name}");
}

fn lz4(info: lz4_flex::frame::FrameInfo) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&plain()).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn round_trip() {
    for codec in COMPRESSED {
        assert_reads("ours", codec, &payload(codec));
    }
}

#[test]
fn snappy_in_both_framings() {
    let raw = snap::raw::Encoder::new().compress_vec(&plain()).expect("memory");
    assert_reads("raw block", Codec::Snappy, &raw);
    let stream = payload(Codec::Snappy);
    assert_eq!(&stream[..8], b"\x82SNAPPY\0");
    for end in [7, 8, 15, 17, 20, stream.len() - 1] {
        assert_undecodable("stream cut", Codec::Snappy, &stream[..end]);
    }
    let mut old = stream.clone();
    old[15] = 0;
    assert_undecodable("a stream of a version before the first", Codec::Snappy, &old);
    // A block of 5 bytes that says it holds 2^32 - 1.
    assert_undecodable("a lie about the length", Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f]);
}

#[test]
fn lz4_frames() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameInfo};
    let info = || FrameInfo::new().block_mode(BlockMode::Independent);
    assert_reads("checksums", Codec::Lz4, &lz4(info().block_checksums(true).content_checksum(true)));
    assert_reads("content size", Codec::Lz4, &lz4(info().content_size(Some(plain().len() as u64))));
    assert_reads("4 MiB blocks", Codec::Lz4, &lz4(info().block_size(BlockSize::Max4MB)));
    let linked = lz4(FrameInfo::new().block_mode(BlockMode::Linked));
    assert_undecodable("linked blocks, which Java refuses", Codec::Lz4, &linked);
    // The same block behind the magic of the format before frames.
    let block = &lz4(info())[7..];
    assert_undecodable("legacy frame", Codec::Lz4, &[&0x184c_2102_u32.to_le_bytes(), block].concat());
    let checked =
        lz4(info().block_checksums(true).content_checksum(true).content_size(Some(plain().len() as u64)));
    for at in 0..checked.len() {
        let mut damaged = checked.clone();
        damaged[at] ^= 0x10;
        assert!(check(&with_payload(Codec::Lz4, 3, &damaged)).is_err(), "byte {at}");
    }
}

#[test]
fn zstd_without_content_size_and_in_two_frames() {
    let streamed = zstd::stream::encode_all(&plain()[..], 3).expect("memory");
    assert_reads("streamed", Codec::Zstd, &streamed);
    let plain = plain();
    let two =
        [&plain[..9], &plain[9..]].map(|half| zstd::stream::encode_all(half, 3).expect("memory")).concat();
    assert_reads("two frames", Codec::Zstd, &two);
}

#[test]
fn gzip_in_two_members() {
    let plain = plain();
    let member = |half: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(half).expect("memory");
        encoder.finish().expect("memory")
    };
    assert_reads("two members", Codec::Gzip, &[member(&plain[..9]), member(&plain[9..])].concat());
}

#[test]
fn every_cut_is_refused() {
    for codec in COMPRESSED {
        let whole = payload(codec);
        for end in 0..whole.len() {
            assert!(check(&with_payload(codec, 3, &whole[..end])).is_err(), "{codec:?} cut at {end}");
        }
    }
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for codec in COMPRESSED {
        let batch = with_payload(codec, 3, &[&payload(codec)[..], b"behind"].concat());
        assert_eq!(check(&batch).err(), Some(BatchError::Undecodable), "{codec:?}");
    }
}

#[test]
fn a_bomb_stops_at_the_cap() {
    let zeros = vec![0u8; 8 << 20];
    let bomb = |codec| {
        let mut builder = rust_mq_proto::records::BatchBuilder::new().codec(codec);
        builder.push(0, None, Some(&zeros), &[]);
        builder.build().to_vec()
    };
    for codec in COMPRESSED {
        let batch = bomb(codec);
        let limits = Limits { batch_bytes_max: usize::MAX, decompressed_bytes_max: 1 << 20, ..LIMITS };
        let error = validate(&batch, &limits, &mut Decompressor::new()).expect_err("a bomb");
        assert_eq!((error.code(), error), (10, BatchError::Bomb { max: 1 << 20 }), "{codec:?}");
    }
    // Nothing in this one says how long it is.
    let streamed = zstd::stream::encode_all(&zeros[..], 3).expect("memory");
    assert_eq!(
        check(&with_payload(Codec::Zstd, 1, &streamed)).err(),
        Some(BatchError::Bomb { max: 1 << 22 })
    );
}

#[test]
fn the_cap_is_exact_and_the_buffer_is_reused() {
    let mut decompressor = Decompressor::new();
    for codec in COMPRESSED {
        let batch = sample(codec);
        for (max, is_accepted) in
            [(plain().len(), true), (plain().len() - 1, false), (0, false), (usize::MAX, true)]
        {
            let limits = Limits { decompressed_bytes_max: max, ..LIMITS };
            let result = validate(&batch, &limits, &mut decompressor);
            assert_eq!(result.is_ok(), is_accepted, "{codec:?} with {max}: {result:?}");
        }
    }
}

#[test]
fn an_empty_payload_is_no_record() {
    for codec in Codec::ALL {
        assert_eq!(
            check(&with_payload(codec, 1, &[])).err().map(|error| error.code()),
            Some(87),
            "{codec:?}"
        );
    }
}
