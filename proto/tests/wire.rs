//! Golden bytes: whole messages of every API, version and direction, as they were when they were recorded.
//! A client in the field does not change with us; these files fail when we would.
//!
//! One file per API under `wire/`. Each case is a message as bytes and what it says; the test reads
//! the bytes, compares what they say, writes that again and compares the bytes.
//!
//! `RECORD=1 cargo test -p rust-mq-proto --test wire` records what is missing, a new API or version, with messages
//! drawn from `kafka::sample`; it keeps every case that is there. To record a case anew its lines have to be
//! deleted by hand: that is a change to the wire, and needs a reason in its commit.

use bytes::{Bytes, BytesMut};
use rust_mq_proto::kafka::api::{ApiKey, RequestBody, ResponseBody};
use rust_mq_proto::kafka::sample::{self, Chance};
use rust_mq_proto::kafka::schema::Schema;
use rust_mq_proto::kafka::{Reader, RequestStart, Writer, read_response_start};
use std::fmt::Write as _;
use std::path::PathBuf;

const BUDGET_BYTES: usize = 1 << 20;
const CORRELATION_ID: i32 = 7;
const CLIENT_ID: &str = "golden";
const BYTES_PER_LINE: usize = 32;
/// How to record.
const RECORD: &str = "`RECORD=1 cargo test -p rust-mq-proto --test wire`";
/// A recorded body is at most as long, so that a person can still read it.
const BODY_BYTES_MAX: usize = 160;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    Request,
    Response,
}

/// One message: where it belongs, what it says, its bytes.
#[derive(Debug, PartialEq, Eq)]
struct Case {
    direction: Direction,
    version: i16,
    says: String,
    bytes: Vec<u8>,
}

#[test]
fn golden_bytes_are_read_and_written_as_ever() {
    for &key in ApiKey::ALL {
        let recorded = std::fs::read_to_string(path(key)).unwrap_or_default();
        let mut cases = parse(&recorded);
        if std::env::var_os("RECORD").is_some() {
            cases = with_missing_ones(key, cases);
            std::fs::write(path(key), print(key, &cases)).expect("proto/tests/wire can be written");
        }
        let expected = key
            .versions()
            .iter()
            .flat_map(|version| [(Direction::Request, version), (Direction::Response, version)]);
        let found = cases.iter().map(|case| (case.direction, case.version));
        assert!(
            found.eq(expected),
            "{key}: one case per version and direction, rising; {RECORD} records what lacks"
        );
        for case in cases {
            let again = read_and_written(key, &case);
            assert_eq!(
                again, case,
                "{key}; if the wire is meant to change, delete the case's lines, and {RECORD}"
            );
        }
    }
}

/// The case as our codec understands it.
fn read_and_written(key: ApiKey, case: &Case) -> Case {
    let (length, message) = case.bytes.split_first_chunk::<4>().expect("a length comes first");
    assert_eq!(u32::from_be_bytes(*length) as usize, message.len(), "{key}: the length is the message's");
    let mut reader = Reader::new(BytesMut::from(message), BUDGET_BYTES);
    let version = case.version;
    let mut writer = Writer::new();
    let says = match case.direction {
        Direction::Request => {
            let start = RequestStart::read(&mut reader).expect("a golden request has a header");
            assert_eq!((start.api_key, start.api_version), (key.number(), version));
            let client_id =
                start.read_client_id(&mut reader, key.api()).expect("a golden request has a header");
            let body = RequestBody::decode(key, version, &mut reader).expect("a golden request can be read");
            body.write(&mut writer, version, start.correlation_id, client_id.as_deref());
            format!("{body:?}")
        }
        Direction::Response => {
            let start = read_response_start(&mut reader, key.api(), version);
            let correlation_id = start.expect("a golden response has a header");
            let body =
                ResponseBody::decode(key, version, &mut reader).expect("a golden response can be read");
            body.write(&mut writer, version, correlation_id);
            format!("{body:?}")
        }
    };
    Case { direction: case.direction, version, says, bytes: writer.take().concat() }
}

fn with_missing_ones(key: ApiKey, mut recorded: Vec<Case>) -> Vec<Case> {
    for case in drawn(key) {
        let is_there =
            recorded.iter().any(|there| (there.direction, there.version) == (case.direction, case.version));
        if !is_there {
            recorded.push(case);
        }
    }
    recorded.sort_by_key(|case| (case.version, case.direction));
    recorded
}

fn drawn(key: ApiKey) -> Vec<Case> {
    let mut cases = Vec::new();
    for version in key.versions().iter() {
        let mut writer = Writer::new();
        let body = sampled(key, key.api().request, version);
        let body = RequestBody::decode(key, version, &mut Reader::new(body, BUDGET_BYTES))
            .expect("a sample is sound");
        body.write(&mut writer, version, CORRELATION_ID, Some(CLIENT_ID));
        let bytes = writer.take().concat();
        cases.push(Case { direction: Direction::Request, version, says: format!("{body:?}"), bytes });

        let body = sampled(key, key.api().response, version);
        let body = ResponseBody::decode(key, version, &mut Reader::new(body, BUDGET_BYTES))
            .expect("a sample is sound");
        body.write(&mut writer, version, CORRELATION_ID);
        let bytes = writer.take().concat();
        cases.push(Case { direction: Direction::Response, version, says: format!("{body:?}"), bytes });
    }
    cases
}

/// Of a hundred samples the longest that a person can still read.
fn sampled(key: ApiKey, schema: &Schema, version: i16) -> BytesMut {
    let bodies = (1..=100).map(|seed| {
        let mut writer = Writer::new();
        sample::body(schema, key.version(version), &mut Chance::new(&chance(seed)), &mut writer);
        writer.take().concat()
    });
    let readable = bodies.filter(|body| body.len() <= BODY_BYTES_MAX);
    BytesMut::from(&readable.max_by_key(Vec::len).expect("some sample is short")[..])
}

/// Bytes without a pattern (splitmix64), the same on every machine.
fn chance(seed: u64) -> Vec<u8> {
    let word = |index: u64| {
        let mixed = (seed << 32 | index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_be_bytes()
    };
    (0..64).flat_map(word).collect()
}

fn path(key: ApiKey) -> PathBuf {
    let mut name = String::new();
    for letter in key.api().name.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(name).with_extension("txt")
}

fn print(key: ApiKey, cases: &[Case]) -> String {
    let mut text =
        format!("# Golden bytes of {key}. proto/tests/wire.rs checks them, and says how to record more.\n");
    for case in cases {
        let direction = if case.direction == Direction::Request { "request" } else { "response" };
        write!(text, "\n{direction} {}\n{}\n", case.version, case.says).expect("a string takes everything");
        for line in case.bytes.chunks(BYTES_PER_LINE) {
            let line = Bytes::copy_from_slice(line);
            writeln!(text, "  {line:x}").expect("a string takes everything");
        }
    }
    text
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(digits) = line.strip_prefix("  ") {
            let case = cases.last_mut().expect("bytes belong to a case");
            let digits: Vec<u8> =
                digits.chars().map(|digit| digit.to_digit(16).expect("digits") as u8).collect();
            case.bytes.extend(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
        } else if let Some(case) = cases.last_mut().filter(|case| case.says.is_empty()) {
            line.clone_into(&mut case.says);
        } else {
            let (direction, version) = line.split_once(' ').expect("a direction and a version");
            let direction = if direction == "request" { Direction::Request } else { Direction::Response };
            let version = version.parse().expect("a version is a number");
            cases.push(Case { direction, version, says: String::new(), bytes: Vec::new() });
        }
    }
    cases
}
