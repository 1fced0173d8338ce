//! Streams: in order, answered in order, held back by credit, and taken up again where they broke.

use crate::{Client, block_on, client, create, fetch, texts, values};
use rust_mq_proto::grpc::{
    Acks, FetchPartition, FetchResponse, PartitionToDrop, ProduceRequest, RecordFormat, SubscribeRequest,
};
use std::time::Duration;
use tests::node::Node;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

/// Long enough for what will come, short enough to see that nothing does.
const MOMENT: Duration = Duration::from_millis(500);

/// Subscribes; what is sent to is the subscriber's own side.
async fn subscribe(
    client: &mut Client,
    first: SubscribeRequest,
) -> (Sender<SubscribeRequest>, Streaming<FetchResponse>) {
    let (sender, messages) = channel(16);
    sender.send(first).await.expect("there is room for 16");
    let stream = client.subscribe(ReceiverStream::new(messages)).await.expect("a stream opens");
    (sender, stream.into_inner())
}

fn reading(topic: &str, offset: i64, credit_bytes: i64) -> SubscribeRequest {
    let partition = FetchPartition { topic: topic.into(), offset, ..Default::default() };
    SubscribeRequest { partitions: vec![partition], credit_bytes, ..Default::default() }
}

/// The next messages' records, until there are so many.
async fn next(stream: &mut Streaming<FetchResponse>, count: usize) -> Vec<(i64, String)> {
    let mut found = Vec::new();
    while found.len() < count {
        let message = stream.message().await.expect("the stream lives").expect("it does not end");
        found.extend(message.partitions.iter().flat_map(texts));
    }
    found
}

#[test]
fn what_is_streamed_is_appended_and_answered_in_order() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let (sender, messages) = channel(1);
        let mut answers =
            client.produce_stream(ReceiverStream::new(messages)).await.expect("it opens").into_inner();
        let sends = async move {
            for number in 0..10_000 {
                sender.send(values("t", &[&number.to_string()])).await.expect("the broker reads on");
            }
        };
        let hears = async {
            let mut offsets = Vec::new();
            while let Some(answer) = answers.message().await.expect("the stream lives") {
                assert_eq!(answer.partitions[0].error, None);
                offsets.push(answer.partitions[0].base_offset);
            }
            offsets
        };
        let ((), offsets) = tokio::join!(sends, hears);
        assert_eq!(offsets, (0..10_000).collect::<Vec<i64>>());
        let found = texts(&fetch(&mut client, "t", 0).await);
        assert!(found.iter().all(|(offset, value)| value == &offset.to_string()));
    });
}

#[test]
fn a_refusal_is_one_answer_and_nonsense_ends_the_stream_after_all_before_it() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let none = ProduceRequest { acks: Acks::None as i32, ..values("t", &["unheard"]) };
        let requests = vec![
            values("t", &["first"]),
            values("gone", &["x"]),
            none,
            values("t", &["last"]),
            values("t", &[]),
            values("t", &["never"]),
        ];
        let stream = tonic::codegen::tokio_stream::iter(requests);
        let mut answers = client.produce_stream(stream).await.expect("it opens").into_inner();
        let mut heard = Vec::new();
        let end = loop {
            match answers.message().await {
                Ok(Some(answer)) => heard.push(answer.partitions),
                Ok(None) => panic!("it ends with an error"),
                Err(status) => break status,
            }
        };
        assert_eq!(end.code(), Code::InvalidArgument);
        assert_eq!(heard.len(), 4, "{heard:?}");
        assert_eq!(heard[0][0].base_offset, 0);
        assert_eq!(heard[1][0].error.as_ref().map(|error| error.code), Some(3));
        assert_eq!(heard[2], [], "who wants no answer gets an empty one, in its turn");
        assert_eq!(heard[3][0].base_offset, 2);
    });
}

#[test]
fn who_takes_no_answers_is_not_read_on_and_loses_nothing() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        // Answers name their topic: with a long name they fill the windows soon.
        let topic = "t".repeat(200);
        create(&mut client, &topic).await;
        let (sender, messages) = channel(1);
        let mut answers =
            client.produce_stream(ReceiverStream::new(messages)).await.expect("it opens").into_inner();
        let value = "x".repeat(1_000);
        let mut sent = 0;
        while let Ok(result) = timeout(MOMENT, sender.send(values(&topic, &[&value]))).await {
            result.expect("the stream lives");
            sent += 1;
            assert!(sent < 30_000, "it is read without end");
        }
        drop(sender);
        let mut heard = 0;
        while let Some(answer) = answers.message().await.expect("the stream lives") {
            assert_eq!(answer.partitions[0].base_offset, heard);
            heard += 1;
        }
        assert_eq!(heard, sent);
    });
}

#[test]
fn records_are_sent_as_they_come_and_a_broken_stream_goes_on_where_it_was() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        client.produce(values("t", &["0", "1"])).await.expect("appended");
        let (sender, mut stream) = subscribe(&mut client, reading("t", 0, 0)).await;
        assert_eq!(next(&mut stream, 2).await, [(0, "0".into()), (1, "1".into())]);
        client.produce(values("t", &["2"])).await.expect("appended");
        let message = stream.message().await.expect("it lives").expect("it goes on");
        assert_eq!(texts(&message.partitions[0]), [(2, "2".to_owned())]);
        let resume = message.partitions[0].next_offset;
        drop((sender, stream));
        client.produce(values("t", &["3"])).await.expect("appended");
        let (sender, mut stream) = subscribe(&mut client, reading("t", resume, 0)).await;
        assert_eq!(next(&mut stream, 1).await, [(3, "3".into())]);
        // Without a limit it goes on although nothing more will be said.
        drop(sender);
        client.produce(values("t", &["4"])).await.expect("appended");
        assert_eq!(next(&mut stream, 1).await, [(4, "4".into())]);
    });
}

#[test]
fn no_more_is_sent_than_there_is_credit_for() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let value = "x".repeat(10_000);
        for _ in 0..40 {
            client.produce(values("t", &[&value])).await.expect("appended");
        }
        let (sender, mut stream) = subscribe(&mut client, reading("t", 0, 1)).await;
        let first = next(&mut stream, 1).await;
        assert_eq!(first.len(), 1, "a byte of credit is worth one batch");
        assert!(timeout(MOMENT, stream.message()).await.is_err(), "and no second one");
        sender
            .send(SubscribeRequest { credit_bytes: 100_000, ..Default::default() })
            .await
            .expect("it lives");
        let mut count = 0;
        while let Ok(message) = timeout(MOMENT, stream.message()).await {
            count += message.expect("it lives").expect("it goes on").partitions[0].records.len();
        }
        assert!((9..=11).contains(&count), "100,000 bytes are ten records, and were {count}");
        sender.send(SubscribeRequest { credit_bytes: 15_000, ..Default::default() }).await.expect("it lives");
        drop(sender);
        next(&mut stream, 1).await;
        while let Some(message) = stream.message().await.expect("it ends well") {
            assert!(!message.partitions.is_empty());
        }
    });
}

#[test]
fn a_subscription_gains_moves_and_drops_partitions() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        for topic in ["a", "b"] {
            create(&mut client, topic).await;
            client.produce(values(topic, &[topic])).await.expect("appended");
        }
        let (sender, mut stream) = subscribe(&mut client, reading("a", 0, 0)).await;
        assert_eq!(next(&mut stream, 1).await, [(0, "a".into())]);
        sender.send(reading("b", 0, 0)).await.expect("it lives");
        assert_eq!(next(&mut stream, 1).await, [(0, "b".into())]);
        sender.send(reading("a", 0, 0)).await.expect("it lives");
        assert_eq!(next(&mut stream, 1).await, [(0, "a".into())], "read again from there");
        let dropped = vec![PartitionToDrop { topic: "a".into(), partition: 0 }];
        sender.send(SubscribeRequest { dropped, ..Default::default() }).await.expect("it lives");
        // What was asked before it is told is still sent.
        tokio::time::sleep(MOMENT).await;
        client.produce(values("a", &["unseen"])).await.expect("appended");
        client.produce(values("b", &["seen"])).await.expect("appended");
        assert_eq!(next(&mut stream, 1).await, [(1, "seen".into())]);
        sender.send(reading("gone", 0, 0)).await.expect("it lives");
        let told = stream.message().await.expect("it lives").expect("it goes on");
        assert_eq!(told.partitions[0].error.as_ref().map(|error| error.code), Some(3));
        client.produce(values("b", &["on"])).await.expect("appended");
        assert_eq!(next(&mut stream, 1).await, [(2, "on".into())], "the others go on");
    });
}

#[test]
fn a_subscription_to_nothing_that_can_be_read_ends_with_the_reason() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        for (request, code) in
            [(reading("gone", 0, 0), Code::NotFound), (reading("t", 5, 0), Code::OutOfRange)]
        {
            let (_sender, mut stream) = subscribe(&mut client, request).await;
            let told = stream.message().await.expect("it is told first").expect("with its error");
            assert!(told.partitions[0].error.is_some());
            assert_eq!(stream.message().await.expect_err("then it ends").code(), code);
        }
        let refused = SubscribeRequest { format: 9, ..reading("t", 0, 0) };
        let (_sender, mut stream) = subscribe(&mut client, refused).await;
        assert_eq!(stream.message().await.expect_err("which format?").code(), Code::InvalidArgument);
    });
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody_and_is_sent_everything_later() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let raw = SubscribeRequest { format: RecordFormat::Batches as i32, ..reading("t", 0, 0) };
        let (_sender, mut stream) = subscribe(&mut client, raw).await;
        let value = "y".repeat(500_000);
        for _ in 0..60 {
            client.produce(values("t", &[&value])).await.expect("others go on");
        }
        let mut next_offset = 0;
        while next_offset < 60 {
            let message = stream.message().await.expect("it lives").expect("it goes on");
            assert!(message.partitions[0].batches.len() > 500_000);
            next_offset = message.partitions[0].next_offset;
        }
    });
}
