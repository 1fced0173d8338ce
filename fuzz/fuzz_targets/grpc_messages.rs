//! A message of a gRPC call: the first byte says of which, the rest is the message.
//!
//! Laws: what is light enough to be decoded takes no more than it was said to weigh (the fuzzer's `-malloc_limit_mb`
//! watches); what was decoded, encoded and decoded again is the same; and what it means in Kafka's words can be read by
//! whoever reads Kafka's requests, as the same request.

#![cfg_attr(fuzzing, no_main)]

use bytes::BytesMut;
use prost::{Message, Name};
use rust_mq_proto::grpc;
use rust_mq_proto::kafka::api::{ApiKey, RequestBody};
use rust_mq_proto::kafka::{Reader, Request, RequestStart, Writer, write_request};
use rust_mq_proto::translation::fetch::Bounds;
use rust_mq_proto::translation::{details, fetch, groups, offsets, records, settings, topics, weight};
use std::fmt::Debug;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

/// What a message may take in memory beside its bytes.
const WEIGHT_BYTES_MAX: usize = 4 << 20;
/// What a request may take, decoded by Kafka's reader.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// The time by which records without one are stamped.
const NOW_MS: i64 = 1_704_067_200_000;
const TIMEOUT_MS: i32 = 30_000;
const BOUNDS: Bounds = Bounds { bytes_max: 50 << 20, partition_bytes: 1 << 20, fields_bytes_max: 1 << 20 };

/// Decodes one message, and asks what it means.
pub fn run(bytes: &[u8]) {
    let Some((call, bytes)) = bytes.split_first() else { return };
    match call % 23 {
        0 => {
            let asked = decoded(bytes).and_then(|asked| records::to_append(asked, NOW_MS, TIMEOUT_MS).ok());
            written(records::PRODUCE, asked);
        }
        1 => written(fetch::FETCH, decoded(bytes).and_then(|asked| fetch::to_read(asked, &BOUNDS).ok())),
        2 => written(topics::METADATA, decoded(bytes).map(topics::to_metadata)),
        3 => written(offsets::OFFSET_COMMIT, decoded(bytes).and_then(|asked| offsets::to_commit(asked).ok())),
        4 => written(offsets::OFFSET_FETCH, decoded(bytes).map(offsets::to_fetch)),
        5 => written(offsets::OFFSET_DELETE, decoded(bytes).and_then(|asked| offsets::to_forget(asked).ok())),
        6 => written(groups::JOIN_GROUP, decoded(bytes).map(groups::to_join)),
        7 => {
            if let Some((version, asked)) = decoded(bytes).map(groups::to_sync) {
                written(version, Some(asked));
            }
        }
        8 => written(groups::LEAVE_GROUP, decoded(bytes).and_then(|asked| groups::to_leave(asked).ok())),
        9 => written(groups::HEARTBEAT, decoded(bytes).map(groups::to_beat)),
        10 => {
            let asked =
                decoded(bytes).map(|asked: grpc::FindCoordinatorRequest| groups::to_find(asked.group_id));
            written(groups::FIND_COORDINATOR, asked);
        }
        11 => {
            let asked = decoded(bytes).and_then(|asked| topics::to_create(asked, TIMEOUT_MS).ok());
            written(topics::CREATE_TOPICS, asked);
        }
        12 => {
            let asked = decoded(bytes).and_then(|asked| topics::to_delete(asked, TIMEOUT_MS).ok());
            written(topics::DELETE_TOPICS, asked);
        }
        13 => {
            let asked = decoded(bytes).map(|asked| topics::to_widen(asked, TIMEOUT_MS));
            written(topics::CREATE_PARTITIONS, asked);
        }
        14 => {
            let asked = decoded(bytes).and_then(|asked| settings::to_describe(asked).ok());
            written(settings::DESCRIBE_CONFIGS, asked);
        }
        15 => {
            let asked = decoded(bytes).and_then(|asked| settings::to_alter(asked).ok());
            written(settings::ALTER_CONFIGS, asked);
        }
        16 => written(groups::LIST_GROUPS, decoded(bytes).map(groups::to_list)),
        17 => {
            let asked: Option<grpc::DescribeGroupRequest> = decoded(bytes);
            let group = asked.map(|asked| asked.group_id);
            written(groups::DESCRIBE_GROUPS, group.clone().map(groups::to_describe));
            written(groups::CONSUMER_GROUP_DESCRIBE, group.map(groups::to_describe_consumer));
        }
        18 => {
            let asked =
                decoded(bytes).map(|asked: grpc::DeleteGroupRequest| groups::to_delete(asked.group_id));
            written(groups::DELETE_GROUPS, asked);
        }
        19 => {
            let asked = decoded(bytes).and_then(|asked| records::to_list(asked, TIMEOUT_MS).ok());
            written(records::LIST_OFFSETS, asked);
        }
        20 => written(records::INIT_PRODUCER_ID, decoded(bytes).map(records::to_identify)),
        21 => {
            let asked = decoded(bytes).and_then(|asked| records::to_trim(asked, TIMEOUT_MS).ok());
            written(records::DELETE_RECORDS, asked);
        }
        // What a client is told in a status.
        _ => drop(details::read(bytes)),
    }
}

/// The message, if it is one that would be decoded.
fn decoded<M: Message + Name + Default + PartialEq + Debug>(bytes: &[u8]) -> Option<M> {
    if !weight::fits(&M::full_name(), bytes, WEIGHT_BYTES_MAX) {
        return None;
    }
    let message = M::decode(bytes).ok()?;
    let again = M::decode(&message.encode_to_vec()[..]).expect("what was encoded can be decoded");
    assert_eq!(message, again, "a message changed on its way through the encoder");
    Some(message)
}

/// Writes what the call means as Kafka's request, and reads that.
fn written<R: Request>(version: i16, asked: Option<R>) {
    let Some(asked) = asked else { return };
    let mut writer = Writer::new();
    write_request(&mut writer, version, 7, Some("fuzz"), &asked);
    let first = writer.take().concat();
    let body = read(&first[4..]);
    let mut writer = Writer::new();
    body.write(&mut writer, version, 7, Some("fuzz"));
    assert_eq!(first, writer.take().concat(), "a request changed on its way through Kafka's decoder");
}

fn read(message: &[u8]) -> RequestBody {
    let mut reader = Reader::new(BytesMut::from(message), REQUEST_BYTES_MAX);
    let start = RequestStart::read(&mut reader).expect("a request has a start");
    let key = ApiKey::parse(start.api_key).expect("it is served");
    start.read_client_id(&mut reader, key.api()).expect("it has a client id");
    RequestBody::decode(key, start.api_version, &mut reader).expect("what was written can be read")
}
