//! A Kafka request as it follows its length: header, then the body of whatever API and version it names.
//!
//! Law: a request that was read, written again and read again is the same request.
//! Memory is bounded by the reader's budget; the fuzzer's `-malloc_limit_mb` watches.

#![cfg_attr(fuzzing, no_main)]

use bytes::BytesMut;
use rust_mq_proto::kafka::api::{ApiKey, RequestBody};
use rust_mq_proto::kafka::{Reader, RequestStart, Writer};

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run(bytes));

const BUDGET_BYTES: usize = 16 << 20;

/// Reads one request, and what we make of it once more.
pub fn run(bytes: &[u8]) {
    let Some(request) = read(BytesMut::from(bytes)) else { return };
    let mut writer = Writer::new();
    let start = request.start;
    request.body.write(&mut writer, start.api_version, start.correlation_id, request.client_id.as_deref());
    let message = writer.take().concat();
    let again = read(BytesMut::from(&message[4..])).expect("what was read and written can be read");
    assert_eq!(request, again, "a request changed on its way through the encoder");
}

#[derive(Debug, PartialEq)]
struct Read {
    start: RequestStart,
    client_id: Option<String>,
    body: RequestBody,
}

fn read(message: BytesMut) -> Option<Read> {
    let mut reader = Reader::new(message, BUDGET_BYTES);
    let start = RequestStart::read(&mut reader).ok()?;
    let key = ApiKey::parse(start.api_key)?;
    let client_id = start.read_client_id(&mut reader, key.api()).ok()?;
    let body = RequestBody::decode(key, start.api_version, &mut reader).ok()?;
    Some(Read { start, client_id, body })
}
