//! What a broker says in an answer that a client has not read yet: what it promises is looked up the moment it leaves.

use super::produced::{Part, answer_to};
use super::purpose::Promise;
use bytes::BytesMut;
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};
use rust_mq_proto::kafka::{Reader, read_response_start};

/// Memory that decoding one answer may take.
pub const ANSWER_BUDGET: usize = 256 << 20;

/// The ids of the topics that an answer to a CreateTopics says are made, if its version names them.
pub fn made(key: ApiKey, version: i16, message: BytesMut) -> Vec<[u8; 16]> {
    let mut reader = Reader::new(message, ANSWER_BUDGET);
    let body = read_response_start(&mut reader, key.api(), version)
        .and_then(|_| ResponseBody::decode(key, version, &mut reader));
    let Ok(ResponseBody::CreateTopics(response)) = body else { return Vec::new() };
    let made = response.topics.iter().filter(|topic| topic.error_code == 0 && topic.topic_id != [0; 16]);
    made.map(|topic| topic.topic_id).collect()
}

/// The batches that an answer to a Produce acknowledges, with their offsets.
pub fn promised(key: ApiKey, version: i16, parts: &[Part], message: BytesMut) -> Vec<Promise> {
    let mut reader = Reader::new(message, ANSWER_BUDGET);
    let body = read_response_start(&mut reader, key.api(), version)
        .and_then(|_| ResponseBody::decode(key, version, &mut reader));
    let Ok(ResponseBody::Produce(response)) = body else { return Vec::new() };
    let good = |part: &Part| {
        let answer = answer_to(part, &response).filter(|answer| answer.error_code == 0)?;
        let (base_offset, append_time) = (answer.base_offset, answer.log_append_time_ms);
        Some(Promise { batch: part.batch, base_offset, append_time, wants_all: part.wants_all })
    };
    parts.iter().filter_map(good).collect()
}

/// Whether a node says that its time was up: what any node can do is better asked of another one, as an administrator's
/// client looks for the controller anew, and a producer asks the node with the fewest open requests for its id. A node whose
/// disk has stopped says so again and again.
pub fn is_out_of_time(body: &ResponseBody) -> bool {
    const REQUEST_TIMED_OUT: i16 = 7;
    const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    match body {
        ResponseBody::CreateTopics(answer) => {
            answer.topics.iter().any(|topic| topic.error_code == REQUEST_TIMED_OUT)
        }
        ResponseBody::DeleteTopics(answer) => {
            answer.responses.iter().any(|topic| topic.error_code == REQUEST_TIMED_OUT)
        }
        ResponseBody::InitProducerId(answer) => answer.error_code == COORDINATOR_LOAD_IN_PROGRESS,
        // What is asked next waits behind the next one, as answers come in order.
        ResponseBody::Produce(answer) => {
            let mut parts = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
            parts.any(|part| part.error_code == REQUEST_TIMED_OUT)
        }
        _ => false,
    }
}
