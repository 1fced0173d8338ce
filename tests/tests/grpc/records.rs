//! Records, as fields and as batches, appended and read.

use crate::{block_on, client, create, fetch, from, record, texts, values};
use rust_mq_proto::grpc::offset_query::At;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{
    Acks, Compression, DeleteRecordsRequest, FetchPartition, Header, InitProducerIdRequest,
    ListOffsetsRequest, OffsetQuery, PartitionRecords, PartitionToTrim, Position, ProduceRequest, Producer,
    Record, RecordFormat, Records,
};
use tests::batch::Batch;
use tests::folder::Folder;
use tests::node::Node;
use tonic::Code;

#[test]
fn fields_come_back_as_they_were_written_through_each_compression() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let whole = Record {
            offset: 77,
            timestamp_ms: 1_700_000_000_123,
            key: Some("k".into()),
            value: Some("v".repeat(1000).into()),
            headers: vec![
                Header { key: "a".into(), value: Some("1".into()) },
                Header { key: "a".into(), value: None },
            ],
        };
        let bare = Record { key: None, value: None, timestamp_ms: 5, ..Default::default() };
        let empty =
            Record { key: Some("".into()), value: Some("".into()), timestamp_ms: 6, ..Default::default() };
        for compression in 0..5 {
            let records = vec![whole.clone(), bare.clone(), empty.clone()];
            let data = Data::Records(Records { records, compression, producer: None });
            let partition = PartitionRecords { topic: "t".into(), partition: 0, data: Some(data) };
            let request = ProduceRequest { partitions: vec![partition], ..Default::default() };
            let answer = client.produce(request).await.expect("they are appended").into_inner();
            let base = i64::from(compression) * 3;
            assert_eq!(answer.partitions[0].base_offset, base, "{:?}", Compression::try_from(compression));
            let found = fetch(&mut client, "t", base).await;
            let at = |record: &Record, offset| Record { offset, ..record.clone() };
            assert_eq!(found.records, [at(&whole, base), at(&bare, base + 1), at(&empty, base + 2)]);
            assert_eq!((found.next_offset, found.high_watermark), (base + 3, base + 3));
        }
    });
}

#[test]
fn a_batch_is_stored_and_read_as_it_is() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let batch = Batch::of(&[b"one", b"two"]).bytes();
        for _ in 0..2 {
            let data = Some(Data::Batch(batch.clone()));
            let partition = PartitionRecords { topic: "t".into(), partition: 0, data };
            let request = ProduceRequest { partitions: vec![partition], ..Default::default() };
            client.produce(request).await.expect("it is appended");
        }
        let request = from("t", 1);
        let raw = rust_mq_proto::grpc::FetchRequest { format: RecordFormat::Batches as i32, ..request };
        let found = client.fetch(raw).await.expect("it is read").into_inner().partitions.remove(0);
        assert_eq!(found.next_offset, 4);
        // Base offset and leader epoch are the broker's to write; all else is as it was.
        assert_eq!(found.batches.len(), 2 * batch.len());
        assert_eq!(found.batches[16..batch.len()], batch[16..]);
        assert_eq!(found.batches[batch.len() + 16..], batch[16..]);
        let fields = fetch(&mut client, "t", 1).await;
        assert_eq!(texts(&fields), [(1, "two".into()), (2, "one".into()), (3, "two".into())]);
    });
}

#[test]
fn records_outlive_a_kill() {
    let folder = Folder::new();
    let mut node = Node::on_disk(&folder.join("data"));
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        client.produce(values("t", &["kept", "too"])).await.expect("they are appended");
    });
    node.kill();
    node.restart();
    block_on(async {
        let found = fetch(&mut client(&node).await, "t", 0).await;
        assert_eq!(texts(&found), [(0, "kept".to_owned()), (1, "too".to_owned())]);
    });
}

#[test]
fn many_partitions_are_appended_to_and_read_in_one_call() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        for topic in ["a", "b"] {
            create(&mut client, topic).await;
        }
        let mut request = values("a", &["1"]);
        request.partitions.extend(values("b", &["2"]).partitions);
        request.partitions.extend(values("gone", &["3"]).partitions);
        let answer = client.produce(request).await.expect("an answer for each").into_inner().partitions;
        let errors: Vec<Option<i32>> =
            answer.iter().map(|part| part.error.as_ref().map(|error| error.code)).collect();
        assert_eq!(errors, [None, None, Some(3)]);
        let mut request = from("a", 0);
        request.partitions.push(FetchPartition { topic: "b".into(), ..Default::default() });
        let found = client.fetch(request).await.expect("both are read").into_inner().partitions;
        let found: Vec<_> = found.iter().flat_map(texts).collect();
        assert_eq!(found, [(0, "1".to_owned()), (0, "2".to_owned())]);
    });
}

#[test]
fn an_idempotent_producers_repetition_is_appended_once() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let id = client.init_producer_id(InitProducerIdRequest {}).await.expect("an id").into_inner();
        let batch = |base_sequence| {
            let producer =
                Producer { producer_id: id.producer_id, producer_epoch: id.producer_epoch, base_sequence };
            let records =
                Records { records: vec![record("once")], producer: Some(producer), ..Default::default() };
            let data = Some(Data::Records(records));
            let partition = PartitionRecords { topic: "t".into(), partition: 0, data };
            ProduceRequest { partitions: vec![partition], ..Default::default() }
        };
        for _ in 0..2 {
            let answer = client.produce(batch(0)).await.expect("it is there").into_inner();
            assert_eq!(answer.partitions[0].base_offset, 0);
        }
        let refused = client.produce(batch(7)).await.expect_err("six are missing");
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().starts_with("OUT_OF_ORDER_SEQUENCE_NUMBER"), "{refused:?}");
        assert_eq!(texts(&fetch(&mut client, "t", 0).await).len(), 1);
    });
}

#[test]
fn what_nobody_waits_for_is_appended_all_the_same() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        for _ in 0..3 {
            let request = ProduceRequest { acks: Acks::None as i32, ..values("t", &["x"]) };
            let answer = client.produce(request).await.expect("it is taken").into_inner();
            assert_eq!(answer.partitions, []);
        }
        let mut request = from("t", 0);
        (request.max_wait_ms, request.min_bytes) = (5_000, 200);
        let found = client.fetch(request).await.expect("they come").into_inner();
        assert_eq!(found.partitions[0].records.len(), 3);
    });
}

#[test]
fn offsets_are_found_by_place_and_by_time() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let now = 1_700_000_000_000;
        let mut request = values("t", &["a", "b", "c"]);
        if let Some(Data::Records(records)) = &mut request.partitions[0].data {
            for (number, record) in records.records.iter_mut().enumerate() {
                record.timestamp_ms = now + 10 * number as i64;
            }
        }
        client.produce(request).await.expect("they are appended");
        let places = [
            (None, 3),
            (Some(At::Position(Position::Latest as i32)), 3),
            (Some(At::Position(Position::Earliest as i32)), 0),
            (Some(At::Position(Position::MaxTimestamp as i32)), 2),
            (Some(At::TimestampMs(now + 5)), 1),
            (Some(At::TimestampMs(now + 500)), -1),
        ];
        for (at, expected) in places {
            let queries = vec![OffsetQuery { topic: "t".into(), partition: 0, at }];
            let request = ListOffsetsRequest { queries, ..Default::default() };
            let found = client.list_offsets(request).await.expect("it is found").into_inner();
            assert_eq!(found.offsets[0].offset, expected, "{at:?}");
        }
    });
}

#[test]
fn a_fetch_in_fields_goes_on_where_an_answer_was_full() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let (mut sent, value) = (0, "z".repeat(512 << 10));
        for _ in 0..8 {
            let values: Vec<&str> = vec![&value; 7];
            let mut request = crate::values("t", &values);
            if let Some(Data::Records(records)) = &mut request.partitions[0].data {
                // What is 28 MiB in fields is some kilobytes on its way.
                records.compression = Compression::Zstd as i32;
            }
            client.produce(request).await.expect("they are appended");
            sent += 7;
        }
        let (mut offset, mut answers) = (0, 0);
        let mut large = client.clone().max_decoding_message_size(16 << 20);
        while offset < sent {
            let found = fetch(&mut large, "t", offset).await;
            assert_eq!(found.records[0].offset, offset);
            offset = found.next_offset;
            answers += 1;
        }
        assert_eq!(offset, sent);
        assert!((3..=6).contains(&answers), "each answer holds 12 MiB, there were {answers}");
    });
}

#[test]
fn the_oldest_records_are_deleted_and_no_others() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        for value in ["a", "b", "c"] {
            client.produce(values("t", &[value])).await.expect("it is appended");
        }
        let trim = |before_offset| {
            let part = PartitionToTrim { topic: "t".into(), partition: 0, before_offset };
            DeleteRecordsRequest { partitions: vec![part], timeout_ms: 0 }
        };
        let begins = |answer: tonic::Response<rust_mq_proto::grpc::DeleteRecordsResponse>| {
            answer.into_inner().partitions[0].log_start_offset
        };
        assert_eq!(begins(client.delete_records(trim(2)).await.expect("it is below the end")), 2);
        assert_eq!(texts(&fetch(&mut client, "t", 2).await), [(2, "c".to_owned())]);
        let beyond = client.delete_records(trim(9)).await.expect_err("there is no such offset");
        assert_eq!(beyond.code(), Code::OutOfRange);
        assert_eq!(begins(client.delete_records(trim(-1)).await.expect("all may go")), 3);
        let nothing = client.delete_records(DeleteRecordsRequest::default()).await;
        assert_eq!(nothing.expect_err("of which partition?").code(), Code::InvalidArgument);
    });
}
