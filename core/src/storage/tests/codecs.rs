//! The bytes on the disk: golden, and every flipped bit of them noticed.

use super::model::{batch, meta, partition};
use crate::compaction::Compacted;
use crate::entry::{Entry, EntryKind, HardState, Members};
use crate::file::SegmentName;
use crate::ids::{Edition, PageId};
use crate::ids::{Index, Offset, ReplicaId, Term};
use crate::now::Wall;
use crate::rng::Rng;
use crate::storage::NodeMeta;
use crate::storage::checkpoint::slot::{self, Checkpoint, Record, Records, Stored};
use crate::storage::checkpoint::state_files::{NamedPage, Place};
use crate::storage::codec::Sink;
use crate::storage::journal::frame::{self, Chain, Filling, Header, Item, LogStart, StoredReset};
use crate::storage::node_meta::{self, Slot};
use crate::storage::segments::index::{ENTRY_BYTES, IndexEntry, SegmentIndex};
use crate::storage::segments::segment::Segment;
use bytes::{Bytes, BytesMut};
use crc_fast::{CrcAlgorithm, checksum};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn chain() -> Chain {
    Chain { file: 2, at: 8192, sequence: 7, previous: 0xabcd, salt: 0x1122_3344_5566_7788 }
}

fn entry(index: u64, payload: Bytes) -> Entry {
    Entry { index: Index(index), term: Term(3), kind: EntryKind::Batch, wall: Wall(99), payload }
}

fn segment() -> Segment {
    Segment {
        base: Offset(0),
        generation: 1,
        next: Offset(5),
        bytes: 400,
        max_timestamp: 77,
        index_entries: 2,
        indexed_at: 300,
    }
}

fn state() -> HardState {
    HardState { term: Term(3), vote: ReplicaId(4), commit: Index(5) }
}

fn members() -> Members {
    Members { voters: vec![ReplicaId(1), ReplicaId(2)], learners: vec![ReplicaId(9)] }
}

fn reset() -> StoredReset {
    StoredReset {
        index: Index(8),
        term: Term(2),
        hard_state: state(),
        members: members(),
        log_start: Offset(1),
        end: Offset(5),
        generation: 1,
        segments: vec![segment()],
        state: Bytes::from_static(b"state"),
    }
}

/// A frame with an item of each kind, header and body without padding.
fn full_frame() -> Bytes {
    let mut frame = Filling::reusing(BytesMut::new());
    let replica = ReplicaId(6);
    frame.replica_added(replica, partition(3));
    frame.reset(replica, &reset());
    frame.hard_state(replica, state());
    frame.entry(replica, &entry(9, Bytes::from_static(b"small")));
    frame.entry(replica, &entry(10, Bytes::from(vec![5; 300])));
    frame.log_start(replica, LogStart { offset: Offset(4), anew: None });
    frame.log_start(replica, LogStart { offset: Offset(7), anew: Some(2) });
    frame.replica_dropped(replica);
    let closed = frame.close(&chain());
    let bytes = closed.parts.concat();
    assert_eq!(bytes.len() % 4096, 0, "frames are whole blocks");
    assert_eq!(bytes.len() as u64, closed.header.frame_bytes());
    Bytes::from(bytes).slice(..closed.header.content_bytes())
}

fn read_frame(bytes: &Bytes) -> Option<Vec<Item>> {
    let header = Header::parse(bytes)?;
    let content = bytes.get(..header.content_bytes()).map(|_| bytes.slice(..header.content_bytes()))?;
    header.matches(&content).then(|| frame::items(&header, &content))?
}

#[test]
fn a_frame_is_read_back() {
    let replica = ReplicaId(6);
    let expected = vec![
        Item::ReplicaAdded(replica, partition(3)),
        Item::Reset(replica, Box::new(reset())),
        Item::HardState(replica, state()),
        Item::Entry(replica, entry(9, Bytes::from_static(b"small"))),
        Item::Entry(replica, entry(10, Bytes::from(vec![5; 300]))),
        Item::LogStart(replica, LogStart { offset: Offset(4), anew: None }),
        Item::LogStart(replica, LogStart { offset: Offset(7), anew: Some(2) }),
        Item::ReplicaDropped(replica),
    ];
    assert_eq!(read_frame(&full_frame()), Some(expected));
}

#[test]
fn a_small_frame_has_these_bytes() {
    let mut frame = Filling::reusing(BytesMut::new());
    frame.hard_state(ReplicaId(6), state());
    let bytes = frame.close(&chain()).parts.concat();
    let golden = concat!(
        "524d516a00010000",           // magic, version, zero
        "0000000000000007",           // sequence
        "1122334455667788",           // salt
        "0000002500000001",           // body bytes, items
        "0000abcd9801fd5b",           // previous, crc
        "02000000000000000600000018", // hard state of r6, 24 bytes
        "000000000000000300000000000000040000000000000005",
    );
    assert_eq!(hex(&bytes[..77]), golden);
    assert!(bytes[77..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_node_meta_is_written_as_it_was_and_another_format_is_named() {
    let slot = |format: u32| {
        // Sequence, cluster, node, disk, one dead replica, no loss.
        let mut body = Sink::default();
        body.u64(3);
        body.u8(1);
        body.u128(5);
        body.i32(1);
        body.u128(9);
        body.replicas(&[ReplicaId(8)]);
        body.u8(0);
        let body = body.into_bytes();
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &[&format.to_be_bytes(), &body[..]].concat());
        let mut slot = Sink::default();
        slot.slice(b"RMQn");
        slot.u32(format);
        slot.u32(u32::try_from(crc).expect("a CRC32 has 32 bits"));
        slot.count(body.len());
        slot.slice(&body);
        let mut bytes = slot.into_bytes().to_vec();
        bytes.resize(4096, 0);
        Bytes::from(bytes)
    };
    let named = NodeMeta { dead: vec![ReplicaId(8)], ..meta() };
    assert_eq!(slot(4), node_meta::encode(3, &named), "what is written now");
    assert_eq!(node_meta::slots(&slot(4))[0], Slot::Good(3, named));
    for other in [1, 2, 3, 5] {
        assert_eq!(node_meta::slots(&slot(other))[0], Slot::Other(other));
    }
}

fn full_checkpoint(compacted: Compacted) -> Bytes {
    let record = Record {
        hard_state: state(),
        members: members(),
        applied: Index(8),
        applied_term: Term(2),
        log_start: Offset(1),
        end: Offset(5),
        segments: vec![segment()],
        compacted,
        from: 11,
        state: Stored::Pages {
            head: Bytes::from_static(b"head"),
            pages: vec![NamedPage {
                id: PageId { table: 1, edition: Edition(12) },
                place: Place { file: 3, at: 4096, bytes: 77, crc: 0xabcd },
            }],
        },
        entries: vec![entry(9, batch(5, 2, 30, 100))],
        ..Record::new(ReplicaId(6), partition(3), 1)
    };
    let doomed = [SegmentName { of: partition(4), base: Offset(0), generation: 2 }];
    let mut records = Records::default();
    records.add(&record);
    let bytes = Bytes::from(slot::encode(12, &chain(), &doomed, records).concat());
    let decoded = Checkpoint::decode(&bytes).expect("whole");
    assert_eq!((decoded.sequence, decoded.chain, &decoded.doomed[..]), (12, chain(), &doomed[..]));
    assert_eq!(decoded.records, vec![record]);
    bytes
}

#[test]
fn an_empty_checkpoint_has_these_bytes() {
    let bytes = slot::encode(1, &chain(), &[], Records::default()).concat();
    let golden = concat!(
        "524d516300000002",                         // magic, version
        "0000000000000001",                         // sequence
        "0000000000000028",                         // body bytes
        "d477d867a7270425",                         // crc of the body, crc of the header
        "000000020000000000002000",                 // chain: file, at
        "00000000000000070000abcd1122334455667788", // sequence, previous, salt
        "0000000000000000",                         // no doomed segments, no records
    );
    assert_eq!(hex(&bytes), golden);
}

#[test]
fn a_checkpoint_has_the_version_that_it_needs() {
    assert_eq!(full_checkpoint(Compacted::default())[7], 2);
    assert_eq!(full_checkpoint(Compacted { up_to: Offset(4), tombstones_before: Offset(0) })[7], 3);
}

#[test]
fn a_checkpoint_of_version_1_is_read() {
    // As the one before, and a replica with a whole state, when the version said that there is no other.
    let mut body = Sink::default();
    chain().encode(&mut body);
    body.count(0);
    body.count(1);
    body.u64(6);
    body.partition(partition(3));
    body.hard_state(state());
    body.members(&members());
    [8, 2].into_iter().for_each(|number| body.u64(number));
    [0, 0].into_iter().for_each(|offset| body.i64(offset));
    body.u32(1);
    body.count(0);
    body.count(5);
    body.slice(b"state");
    body.count(0);
    let body = body.into_bytes();
    let crc = |bytes: &[u8]| u32::try_from(checksum(CrcAlgorithm::Crc32Iscsi, bytes)).expect("a CRC32");
    let mut slot = Sink::default();
    slot.slice(b"RMQc");
    slot.u32(1);
    slot.u64(9);
    slot.u64(body.len() as u64);
    slot.u32(crc(&body));
    let header = slot.into_bytes();
    let bytes = Bytes::from([&header[..], &crc(&header).to_be_bytes(), &body].concat());
    let read = Checkpoint::decode(&bytes).expect("it is read still");
    let [record] = &read.records[..] else { panic!("one replica") };
    assert_eq!((record.from, &record.state), (0, &Stored::Whole(Bytes::from_static(b"state"))));
    let newer = Bytes::from([&bytes[..7], &[3], &bytes[8..]].concat());
    assert_eq!(Checkpoint::decode(&newer), None);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let mut entries = BytesMut::new();
    IndexEntry { offset: Offset(9), position: 500, latest_before: 3 }.encode(&mut entries);
    let slot = node_meta::encode(3, &meta());
    assert_eq!(node_meta::decode(slot.clone()), Slot::Good(3, meta()));
    let meta_bytes = 16 + u32::from_be_bytes(slot[12..16].try_into().expect("four")) as usize;
    type Reads = fn(&Bytes) -> bool;
    let compacted = Compacted { up_to: Offset(4), tombstones_before: Offset(2) };
    let kinds: [(&str, Bytes, Reads); 5] = [
        ("frame", full_frame(), |bytes| read_frame(bytes).is_some()),
        ("checkpoint", full_checkpoint(Compacted::default()), |bytes| Checkpoint::decode(bytes).is_some()),
        ("checkpoint of a compacted log", full_checkpoint(compacted), |bytes| {
            Checkpoint::decode(bytes).is_some()
        }),
        ("node.meta", slot.slice(..meta_bytes), |bytes| node_meta::decode(bytes.clone()) != Slot::Bad),
        ("index entry", entries.freeze(), |bytes| {
            SegmentIndex::decode(bytes, Offset(0)).find_offset(Offset(0), Offset(9)).0 == 500
        }),
    ];
    for (kind, bytes, reads) in kinds {
        assert!(reads(&bytes), "{kind} as written");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!reads(&Bytes::from(flipped)), "{kind} with bit {bit} flipped");
        }
        for len in 0..bytes.len() {
            assert!(!reads(&bytes.slice(..len)), "{kind} cut to {len}");
        }
    }
    assert_eq!(ENTRY_BYTES, 32);
}

#[test]
fn bytes_with_a_right_checksum_and_nonsense_within_are_refused() {
    // What a fuzzer would need luck for: the checksums are made right after the damage.
    let mut rng = Rng::stream(3, "nonsense");
    let frame = full_frame();
    for _ in 0..20_000 {
        let mut bytes = frame.to_vec();
        for _ in 0..1 + rng.below(3) {
            let at = 40 + rng.below(bytes.len() as u64 - 40) as usize;
            bytes[at] = if rng.below(2) == 0 { 0xff } else { rng.next_u64() as u8 };
        }
        let bytes = Bytes::from(bytes);
        let header = Header::parse(&bytes).expect("the header is untouched");
        let _ = frame::items(&header, &bytes);
    }
}
