//! What is copied and what is not, and the corners of the grammar that no API of today reaches.

use bytes::{Bytes, BytesMut};
use rust_mq_proto::kafka::api::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use rust_mq_proto::kafka::api::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponseTopic};
use rust_mq_proto::kafka::api::produce::{
    NodeEndpoint, PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use rust_mq_proto::kafka::schema::Version;
use rust_mq_proto::kafka::wire::{MayBeNull, Nullable, Wire};
use rust_mq_proto::kafka::{
    Chain, Reader, Request, Response, SHARED_BYTES_MIN, Writer, read_response_start, write_request,
    write_response,
};

const BUDGET_BYTES: usize = 1 << 20;

fn fetched(parts: Vec<Bytes>) -> FetchResponse {
    let partition = PartitionData { records: Some(Chain::from(parts)), ..PartitionData::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
    FetchResponse { responses: vec![topic], ..FetchResponse::default() }
}

fn produced(parts: &[&'static [u8]]) -> ProduceRequest {
    let partition_data = parts
        .iter()
        .map(|part| PartitionProduceData { index: 0, records: Some(BytesMut::from(*part)) })
        .collect();
    let topic = TopicProduceData { name: "t".to_owned(), partition_data, ..TopicProduceData::default() };
    ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() }
}

#[test]
fn many_long_batches_are_sent_as_they_are_and_the_writer_goes_on() {
    let batches: Vec<Bytes> = (1..=3).map(|fill| Bytes::from(vec![fill; SHARED_BYTES_MIN])).collect();
    let mut writer = Writer::new();
    for _ in 0..2 {
        let response = fetched(batches.clone());
        write_response(&mut writer, 12, 1, &response);
        write_response(&mut writer, 12, 2, &response);
        drop(response);
        let length = writer.len();
        let parts = writer.take();
        let sent: Vec<*const u8> = parts.iter().map(|part| part.as_ptr()).collect();
        let kept: Vec<*const u8> = batches.iter().map(|batch| batch.as_ptr()).collect();
        assert_eq!((&sent[1..4], &sent[5..8]), (&kept[..], &kept[..]), "head, batches, head, batches, tail");
        assert_eq!((parts.len(), parts.iter().map(Bytes::len).sum::<usize>()), (9, length));
    }
    assert!(writer.is_empty());
}

#[test]
fn long_records_are_sent_without_a_copy_and_short_ones_with() {
    let long = Bytes::from(vec![7; SHARED_BYTES_MIN]);
    let short = Bytes::from(vec![8; SHARED_BYTES_MIN - 1]);
    let mut writer = Writer::new();
    let response = fetched(vec![long.clone(), short.clone(), long.clone()]);
    write_response(&mut writer, 12, 1, &response);
    let length = writer.len();
    let parts = writer.take();
    let shared: Vec<&Bytes> = parts.iter().filter(|part| part.as_ptr() == long.as_ptr()).collect();
    assert_eq!(shared.len(), 2);
    assert_eq!(parts.len(), 5, "head, batch, copied batch, batch, tail");
    assert_eq!(parts.iter().map(Bytes::len).sum::<usize>(), length);

    let whole = BytesMut::from(&parts.concat()[..]);
    assert_eq!(whole[..4], u32::to_be_bytes(whole.len() as u32 - 4));
    let mut reader = Reader::new(whole.clone().split_off(4), BUDGET_BYTES);
    assert_eq!(read_response_start(&mut reader, FetchResponse::API, 12), Ok(1));
    let decoded = FetchResponse::decode(&mut reader, 12).expect("we wrote it");
    assert_eq!(decoded, response);
    let records = decoded.responses[0].partitions[0].records.as_ref().expect("we wrote some");
    assert_eq!(records.parts().len(), 1, "a receiver gets one part");
}

#[test]
fn many_messages_leave_in_one_take_and_the_writer_goes_on() {
    let long = Bytes::from(vec![7; 5000]);
    let mut writer = Writer::new();
    for round in 0..3 {
        for correlation_id in 0..10 {
            write_response(&mut writer, 17, correlation_id, &fetched(vec![long.clone()]));
            write_response(&mut writer, 9, correlation_id, &ProduceResponse::default());
        }
        let bytes = writer.take().concat();
        assert!(writer.is_empty());
        let mut rest = &bytes[..];
        for correlation_id in 0..10 {
            for of in [FetchResponse::API, ProduceResponse::API] {
                let version = if of.key == 1 { 17 } else { 9 };
                let length = u32::from_be_bytes(rest[..4].try_into().expect("four bytes")) as usize;
                let mut reader = Reader::new(BytesMut::from(&rest[4..4 + length]), BUDGET_BYTES);
                assert_eq!(
                    read_response_start(&mut reader, of, version),
                    Ok(correlation_id),
                    "round {round}"
                );
                rest = &rest[4 + length..];
            }
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn records_of_a_request_are_split_off_where_they_lie_and_can_be_written_to() {
    let mut writer = Writer::new();
    write_request(&mut writer, 9, 1, Some("me"), &produced(&[b"first batch", b"second batch"]));
    let mut message = BytesMut::from(&writer.take().concat()[..]);
    let message = message.split_off(4);
    let lies_in = message.as_ptr_range();
    let mut reader = Reader::new(message, BUDGET_BYTES);
    let start = rust_mq_proto::kafka::RequestStart::read(&mut reader).expect("we wrote it");
    start.read_client_id(&mut reader, ProduceRequest::API).expect("we wrote it");
    let mut request = ProduceRequest::decode(&mut reader, 9).expect("we wrote it");
    let partitions = &mut request.topic_data[0].partition_data;
    for (partition, expected) in partitions.iter_mut().zip([&b"FIRST batch"[..], b"SECOND batch"]) {
        let records = partition.records.as_mut().expect("we wrote some");
        assert!(lies_in.contains(&records.as_ptr()));
        let word = records.iter().position(|byte| *byte == b' ').expect("two words");
        records[..word].make_ascii_uppercase();
        assert_eq!(partition.records.take().expect("we wrote some").freeze(), expected);
    }
}

#[test]
fn tagged_fields_of_any_length_get_the_shortest_length_before_them() {
    for host_bytes in [0, 100, 126, 127, 128, 129, 16_000, 17_000, 70_000] {
        let endpoint = NodeEndpoint { host: "h".repeat(host_bytes), ..NodeEndpoint::default() };
        let response = ProduceResponse { node_endpoints: vec![endpoint; 2], ..ProduceResponse::default() };
        let mut writer = Writer::new();
        response.encode(&mut writer, 10);
        let bytes = writer.take().concat();
        let mut reader = Reader::new(BytesMut::from(&bytes[..]), BUDGET_BYTES);
        assert_eq!(ProduceResponse::decode(&mut reader, 10), Ok(response), "{host_bytes}");
    }
}

#[test]
fn fields_outside_of_the_version_are_passed_over() {
    let topic = TopicProduceData { name: "t".to_owned(), topic_id: [7; 16], ..TopicProduceData::default() };
    let request = ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() };
    let read_back = |version| {
        let mut writer = Writer::new();
        request.encode(&mut writer, version);
        let mut reader = Reader::new(BytesMut::from(&writer.take().concat()[..]), BUDGET_BYTES);
        let topic = ProduceRequest::decode(&mut reader, version).expect("we wrote it").topic_data.remove(0);
        (topic.name, topic.topic_id)
    };
    assert_eq!(read_back(12), ("t".to_owned(), [0; 16]));
    assert_eq!(read_back(13), (String::new(), [7; 16]));
}

#[test]
fn a_null_that_the_version_does_not_know_is_written_empty() {
    let topic = MetadataRequestTopic { name: None, ..MetadataRequestTopic::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() };
    let mut writer = Writer::new();
    request.encode(&mut writer, 9);
    let mut reader = Reader::new(BytesMut::from(&writer.take().concat()[..]), BUDGET_BYTES);
    let topics = MetadataRequest::decode(&mut reader, 9).expect("we wrote it").topics;
    assert_eq!(topics.expect("there are some")[0].name.as_deref(), Some(""));
}

#[test]
fn a_string_too_long_for_an_old_version_is_cut_between_characters() {
    let topic = MetadataResponseTopic { name: Some("é".repeat(20_000)), ..MetadataResponseTopic::default() };
    let at = Version { number: 0, is_flexible: false };
    let mut writer = Writer::new();
    topic.write(&mut writer, at);
    let mut reader = Reader::new(BytesMut::from(&writer.take().concat()[..]), BUDGET_BYTES);
    let name = MetadataResponseTopic::read(&mut reader, at).expect("we wrote it").name;
    assert_eq!(name.map(|name| name.len()), Some(32_766));
}

#[test]
fn a_struct_can_be_null() {
    let at = Version { number: 10, is_flexible: true };
    for (value, byte) in [(None, 0xff), (Some(NodeEndpoint::default()), 1)] {
        let mut writer = Writer::new();
        value.write(&mut writer, at);
        let bytes = writer.take().concat();
        assert_eq!(bytes[0], byte);
        let mut reader = Reader::new(BytesMut::from(&bytes[..]), BUDGET_BYTES);
        assert_eq!(Option::<NodeEndpoint>::read(&mut reader, at), Ok(value));
        assert_eq!(reader.finish(), Ok(()));
        assert_eq!(NodeEndpoint::null_bytes_min(at), 1);
    }
    assert_eq!(Option::<String>::unset(), Some(String::new()));
}

#[test]
fn numbers_that_no_api_of_today_has_go_there_and_back() {
    fn assert_same<T: Wire + PartialEq + std::fmt::Debug>(value: T, bytes: &[u8]) {
        let at = Version { number: 0, is_flexible: true };
        let mut writer = Writer::new();
        value.write(&mut writer, at);
        assert_eq!(writer.take().concat(), bytes);
        assert_eq!(T::bytes_min(at), bytes.len());
        assert_eq!(T::read(&mut Reader::new(BytesMut::from(bytes), 0), at), Ok(value));
    }
    assert_same(0xfffe_u16, b"\xff\xfe");
    assert_same(1.5_f64, b"\x3f\xf8\0\0\0\0\0\0");
    let bytes = Bytes::from_static(b"xyz");
    let mut writer = Writer::new();
    Some(bytes.clone()).write_present(&mut writer, Version { number: 0, is_flexible: true });
    assert_eq!(writer.take().concat(), b"\x04xyz");
    assert_eq!(Chain::from(bytes), Chain::from(vec![Bytes::from_static(b"x"), Bytes::from_static(b"yz")]));
}
