//! What no honest client sends: each row of the list of hostile input that the codec can see, by its name,
//! and laws over bytes that are wrong in ways nobody thought of.

use bytes::BytesMut;
use proptest::prelude::*;
use rust_mq_proto::kafka::api::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic};
use rust_mq_proto::kafka::api::{ApiKey, RequestBody, ResponseBody};
use rust_mq_proto::kafka::sample::{self, Chance};
use rust_mq_proto::kafka::schema::Schema;
use rust_mq_proto::kafka::{
    CLIENT_ID_BYTES_MAX, Reader, Request, RequestStart, WireError, Writer, write_response,
};

const BUDGET_BYTES: usize = 1 << 20;

/// A row: what is wrong, the body and its API, why it is refused (or nothing, if it is not).
type Row = (&'static str, ApiKey, i16, &'static [u8], Option<WireError>);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("array_length_is_minus_two", ApiKey::Metadata, 1, b"\xff\xff\xff\xfe", Some(WireError::NegativeLength(-2))),
    ("array_length_is_the_lowest", ApiKey::Metadata, 1, b"\x80\0\0\0", Some(WireError::NegativeLength(i32::MIN))),
    ("string_length_is_minus_two", ApiKey::Metadata, 1, b"\0\0\0\x01\xff\xfe", Some(WireError::NegativeLength(-2))),
    ("records_length_is_minus_two", ApiKey::Produce, 3, b"\xff\xff\0\x01\0\0\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\xff\xff\xff\xfe",
        Some(WireError::NegativeLength(-2))),
    ("array_is_longer_than_the_message", ApiKey::Metadata, 1, b"\0\0\0\x03\0\0\0\0",
        Some(WireError::TooManyElements { count: 3, element_bytes: 2, remaining: 4 })),
    ("array_of_two_thousand_million", ApiKey::Metadata, 1, b"\x7f\xff\xff\xff\0\0\0\0",
        Some(WireError::TooManyElements { count: 0x7fff_ffff, element_bytes: 2, remaining: 4 })),
    ("compact_array_of_four_thousand_million", ApiKey::DescribeCluster, 0, b"\0\xff\xff\xff\xff\x0f",
        Some(WireError::Truncated { needed: 1, remaining: 0 })),
    ("flexible_array_of_four_thousand_million", ApiKey::Metadata, 9, b"\xff\xff\xff\xff\x0f\0\0\0\0",
        Some(WireError::TooManyElements { count: 0xffff_fffe, element_bytes: 2, remaining: 4 })),
    ("string_is_longer_than_the_message", ApiKey::Metadata, 1, b"\0\0\0\x01\0\x05abc",
        Some(WireError::Truncated { needed: 5, remaining: 3 })),
    ("compact_string_is_longer_than_the_message", ApiKey::ApiVersions, 3, b"\xff\xff\xff\xff\x07abc",
        Some(WireError::Truncated { needed: 0x7fff_fffe, remaining: 3 })),
    ("records_are_longer_than_the_message", ApiKey::Produce, 3, b"\xff\xff\0\x01\0\0\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\x7f\xff\xff\xffabc",
        Some(WireError::Truncated { needed: 0x7fff_ffff, remaining: 3 })),
    ("varint_of_six_bytes", ApiKey::Metadata, 9, b"\x80\x80\x80\x80\x80\x01", Some(WireError::VarintTooLong)),
    ("varint_beyond_32_bits", ApiKey::Metadata, 9, b"\xff\xff\xff\xff\x1f", Some(WireError::VarintTooLong)),
    ("varint_without_an_end", ApiKey::Metadata, 9, b"\x80\x80", Some(WireError::Truncated { needed: 1, remaining: 0 })),
    ("bytes_after_the_body_are_left", ApiKey::Metadata, 1, b"\0\0\0\0\0", None),
    ("bytes_after_an_empty_body_are_left", ApiKey::ApiVersions, 0, b"\0\0\0", None),
    ("bytes_after_the_tags_are_left", ApiKey::ApiVersions, 3, b"\x01\x01\0\0", None),
    ("body_is_empty", ApiKey::Metadata, 1, b"", Some(WireError::Truncated { needed: 4, remaining: 0 })),
    ("null_where_none_is_allowed", ApiKey::Metadata, 0, b"\xff\xff\xff\xff", Some(WireError::Null)),
    ("null_name_before_version_10", ApiKey::Metadata, 9, b"\x02\0\0\x01\0\0\0", Some(WireError::Null)),
    ("topic_name_is_not_utf8", ApiKey::Metadata, 1, b"\0\0\0\x01\0\x02\xc3\x28", Some(WireError::NotUtf8)),
    ("unknown_tag_is_skipped", ApiKey::ApiVersions, 3, b"\x01\x01\x01\x63\x03abc", None),
    ("unknown_tags_are_skipped", ApiKey::ApiVersions, 3, b"\x01\x01\x02\x05\0\x63\x01a", None),
    ("unknown_tag_is_longer_than_the_message", ApiKey::ApiVersions, 3, b"\x01\x01\x01\x63\x04abc",
        Some(WireError::Truncated { needed: 4, remaining: 3 })),
    ("four_thousand_million_tags", ApiKey::ApiVersions, 3, b"\x01\x01\xff\xff\xff\xff\x0f",
        Some(WireError::Truncated { needed: 1, remaining: 0 })),
    ("tag_comes_twice", ApiKey::ApiVersions, 3, b"\x01\x01\x02\x05\0\x05\0", Some(WireError::TagOrder { tag: 5, previous: 5 })),
    ("tags_descend", ApiKey::ApiVersions, 3, b"\x01\x01\x02\x05\0\x04\0", Some(WireError::TagOrder { tag: 4, previous: 5 })),
    ("known_tag_is_longer_than_its_value", ApiKey::Fetch, 12,
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x01\x01\0\x03\x02aa",
        Some(WireError::TagLength { tag: 0 })),
    ("known_tag_is_shorter_than_its_value", ApiKey::Fetch, 12,
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x01\x01\0\x01\x02a",
        Some(WireError::TagLength { tag: 0 })),
    ("version_is_too_new", ApiKey::ApiVersions, 127, b"", Some(WireError::UnsupportedVersion { key: 18, version: 127 })),
    ("version_is_negative", ApiKey::ApiVersions, -1, b"", Some(WireError::UnsupportedVersion { key: 18, version: -1 })),
    ("version_is_advertised_but_refused", ApiKey::Produce, 0, b"", Some(WireError::UnsupportedVersion { key: 0, version: 0 })),
];

#[test]
fn each_row_is_refused_for_its_reason() {
    for (name, key, version, bytes, refused) in ROWS {
        let result = RequestBody::decode(*key, *version, &mut reader(bytes));
        assert_eq!(result.err(), *refused, "{name}");
    }
}

#[test]
fn a_million_elements_of_one_byte_cost_the_budget_before_memory_is_taken() {
    let mut body = vec![0xc1, 0x84, 0x3d]; // 1,000,000 + 1
    body.resize(body.len() + 2_000_000, 0);
    let refused = RequestBody::decode(ApiKey::Metadata, 9, &mut reader(&body)).err();
    let needed = 1_000_000 * size_of::<MetadataRequestTopic>();
    assert_eq!(refused, Some(WireError::OverBudget { needed, left: BUDGET_BYTES }));
}

#[test]
fn what_is_charged_is_what_is_taken() {
    let topics = ["a", "some-topic", "é"]
        .map(|name| MetadataRequestTopic { name: Some(name.to_owned()), ..MetadataRequestTopic::default() });
    let request = MetadataRequest { topics: Some(topics.into()), ..MetadataRequest::default() };
    let mut reader = reader(&written(|writer| request.encode(writer, 12)));
    let request = MetadataRequest::decode(&mut reader, 12).expect("we wrote it");
    let topics = request.topics.expect("we wrote some");
    let names: usize = topics.iter().flat_map(|topic| &topic.name).map(String::capacity).sum();
    let taken = topics.capacity() * size_of::<MetadataRequestTopic>() + names;
    assert_eq!(BUDGET_BYTES - reader.budget_left_bytes(), taken);
}

#[test]
fn a_too_new_api_versions_can_be_answered_without_reading_it() {
    let mut reader = reader(b"\0\x12\0\x7f\0\0\0\x07what a later version has here");
    let start = RequestStart::read(&mut reader).expect("eight bytes are there");
    assert_eq!(start, RequestStart { api_key: 18, api_version: 127, correlation_id: 7 });
    let answer = ApiVersionsResponse { error_code: 35, ..ApiVersionsResponse::default() };
    let bytes = written(|writer| write_response(writer, 0, start.correlation_id, &answer));
    assert_eq!(bytes, b"\0\0\0\x0a\0\0\0\x07\0\x23\0\0\0\0");
}

#[test]
fn api_versions_sends_no_default_tag_and_no_tag_in_its_header() {
    // Old librdkafka takes the header's tag section, or an empty feature list, for garbage.
    let bytes = written(|writer| write_response(writer, 4, 7, &ApiVersionsResponse::default()));
    assert_eq!(bytes, b"\0\0\0\x0c\0\0\0\x07\0\0\x01\0\0\0\0\0");
}

#[test]
fn keys_that_are_not_described_are_unknown() {
    for key in i16::MIN..=i16::MAX {
        assert_eq!(
            ApiKey::parse(key).map(ApiKey::number),
            ApiKey::ALL.iter().map(|api| api.number()).find(|api| *api == key)
        );
    }
    assert!(ApiKey::ALL.is_sorted());
}

#[test]
fn a_header_shorter_than_eight_bytes_is_refused() {
    for length in 0..8 {
        assert!(RequestStart::read(&mut reader(&vec![0; length])).is_err());
    }
}

#[test]
fn client_ids_are_mended_and_cut() {
    let long = "é".repeat(300);
    let cases: [(&[u8], Option<String>); 5] = [
        (b"\xff\xff", None),
        (b"\0\0", Some(String::new())),
        (b"\0\x03abc", Some("abc".to_owned())),
        (b"\0\x03a\xffc", Some("a\u{fffd}c".to_owned())),
        (&[&600u16.to_be_bytes(), long.as_bytes()].concat(), Some("é".repeat(CLIENT_ID_BYTES_MAX / 2))),
    ];
    for (bytes, expected) in cases {
        let start = RequestStart { api_key: 18, api_version: 0, correlation_id: 0 };
        let client_id = start.read_client_id(&mut reader(bytes), ApiKey::ApiVersions.api());
        assert_eq!(client_id, Ok(expected));
    }
    let start = RequestStart { api_key: 18, api_version: 0, correlation_id: 0 };
    let garbage = [&[0x7f, 0xff][..], &[0xff; 0x7fff]].concat();
    let client_id = start.read_client_id(&mut reader(&garbage), ApiKey::ApiVersions.api());
    assert!(client_id.expect("it is all there").is_some_and(|text| text.len() <= CLIENT_ID_BYTES_MAX));
    let refused = start.read_client_id(&mut reader(b"\xff\xfe"), ApiKey::ApiVersions.api());
    assert_eq!(refused, Err(WireError::NegativeLength(-2)));
}

#[test]
fn an_api_versions_request_is_read_with_its_header() {
    let mut reader = reader(b"\0\x12\0\x03\0\0\0\x01\0\x07rdkafka\0\x0blibrdkafka\x062.0.2\0");
    let start = RequestStart::read(&mut reader).expect("the start is there");
    let client_id =
        start.read_client_id(&mut reader, ApiKey::ApiVersions.api()).expect("the header is there");
    assert_eq!(client_id.as_deref(), Some("rdkafka"));
    let request = ApiVersionsRequest::decode(&mut reader, start.api_version).expect("the body is there");
    assert_eq!((&*request.client_software_name, &*request.client_software_version), ("librdkafka", "2.0.2"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn no_bytes_make_a_decoder_panic_or_pass_its_budget(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for &key in ApiKey::ALL {
            for version in key.versions().iter() {
                assert_request_laws(key, version, &bytes);
                assert_response_laws(key, version, &bytes);
            }
        }
    }

    #[test]
    fn no_change_to_a_message_makes_a_decoder_panic_or_pass_its_budget(
        chance in proptest::collection::vec(any::<u8>(), 0..200),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), change()), 1..4),
        api in any::<prop::sample::Index>(),
    ) {
        let key = *api.get(ApiKey::ALL);
        for version in key.versions().iter() {
            assert_request_laws(key, version, &changed(sampled(key, key.api().request, version, &chance), &changes));
            assert_response_laws(key, version, &changed(sampled(key, key.api().response, version, &chance), &changes));
        }
    }

    #[test]
    fn no_header_makes_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        for &key in ApiKey::ALL {
            for version in key.versions().iter() {
                let start = RequestStart { api_key: key.number(), api_version: version, correlation_id: 0 };
                let _ = start.read_client_id(&mut reader(&bytes), key.api());
            }
        }
    }
}

/// What can be done to a byte of a message.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(u8),
    Insert(u8),
    Remove,
    CutHere,
}

fn change() -> impl Strategy<Value = Change> {
    let byte = || prop_oneof![Just(0xff), Just(0), Just(0x80), Just(0x7f), Just(1), any::<u8>()];
    prop_oneof![
        byte().prop_map(Change::Set),
        byte().prop_map(Change::Insert),
        Just(Change::Remove),
        Just(Change::CutHere),
    ]
}

fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, Change)]) -> Vec<u8> {
    for (at, change) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        match *change {
            Change::Set(byte) => bytes[at] = byte,
            Change::Insert(byte) => bytes.insert(at, byte),
            Change::Remove => drop(bytes.remove(at)),
            Change::CutHere => bytes.truncate(at),
        }
    }
    bytes
}

/// Budget: what a decoder used is enough, and one byte less is not. Round trip: what it read can be written
/// and read again.
fn assert_request_laws(key: ApiKey, version: i16, bytes: &[u8]) {
    let decode = |reader: &mut Reader| RequestBody::decode(key, version, reader);
    if let Some(body) = within_budget(bytes, decode) {
        let again = written(|writer| body.encode(writer, version));
        assert_eq!(decode(&mut reader(&again)), Ok(body));
    }
}

fn assert_response_laws(key: ApiKey, version: i16, bytes: &[u8]) {
    let decode = |reader: &mut Reader| ResponseBody::decode(key, version, reader);
    if let Some(body) = within_budget(bytes, decode) {
        let again = written(|writer| body.encode(writer, version));
        assert_eq!(decode(&mut reader(&again)), Ok(body));
    }
}

fn within_budget<B: PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&mut Reader) -> Result<B, WireError>,
) -> Option<B> {
    let mut generous = reader(bytes);
    let result = decode(&mut generous);
    let used = BUDGET_BYTES - generous.budget_left_bytes();
    assert_eq!(decode(&mut Reader::new(BytesMut::from(bytes), used)), result);
    if let Some(less) = used.checked_sub(1) {
        let refused = decode(&mut Reader::new(BytesMut::from(bytes), less));
        assert!(matches!(refused, Err(WireError::OverBudget { .. })), "{refused:?}");
    }
    result.ok()
}

fn sampled(key: ApiKey, schema: &Schema, version: i16, chance: &[u8]) -> Vec<u8> {
    written(|writer| sample::body(schema, key.version(version), &mut Chance::new(chance), writer))
}

fn written(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    fill(&mut writer);
    writer.take().concat()
}

fn reader(bytes: &[u8]) -> Reader {
    Reader::new(BytesMut::from(bytes), BUDGET_BYTES)
}
