//! Refusals: a fitting status, Kafka's code and name in its details, and whom to ask instead.

use crate::wire::Wire;
use crate::{block_on, client, connect, create, from, values};
use prost::Message;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{
    CreateTopicsRequest, DeleteTopicsRequest, Error, FetchRequest, ListOffsetsRequest, NewTopic, OffsetQuery,
    ProduceRequest,
};
use tests::batch::Batch;
use tests::cluster::{Cluster, SIZE, metadata};
use tests::node::Node;
use tonic::{Code, Status};

/// `google.rpc.Status`, by its published numbers.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// What a status says in Kafka's terms.
#[track_caller]
fn kafkas(status: &Status) -> Error {
    let details = Details::decode(status.details()).expect("details are a google.rpc.Status");
    assert_eq!(details.code, status.code() as i32);
    let of = |name: &str| details.details.iter().find(|any| any.type_url.ends_with(name));
    assert!(of("/google.rpc.ErrorInfo").is_some(), "{status:?}");
    let error = of("/rustmq.v1.Error").expect("the details hold our own error");
    Error::decode(&error.value[..]).expect("it can be read")
}

#[test]
fn each_refusal_has_its_status_and_kafkas_code() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut corrupt = values("t", &[]);
        let mut bytes = Batch::of(&[b"x"]).bytes().to_vec();
        bytes[20] ^= 1;
        corrupt.partitions[0].data = Some(Data::Batch(bytes.into()));
        let topic = |name: &str, partitions| {
            let topic = NewTopic { name: name.into(), partitions: Some(partitions), ..Default::default() };
            CreateTopicsRequest { topics: vec![topic], ..Default::default() }
        };
        let queries = vec![OffsetQuery { topic: "gone".into(), ..Default::default() }];
        let offsets = ListOffsetsRequest { queries, ..Default::default() };
        let refusals = [
            (client.produce(values("gone", &["x"])).await.err(), Code::NotFound, 3),
            (client.produce(corrupt).await.err(), Code::InvalidArgument, 2),
            (client.fetch(from("t", 9)).await.err(), Code::OutOfRange, 1),
            (client.fetch(from("gone", 0)).await.err(), Code::NotFound, 3),
            (client.list_offsets(offsets).await.err(), Code::NotFound, 3),
            (client.create_topics(topic("t", 1)).await.err(), Code::AlreadyExists, 36),
            (client.create_topics(topic("a/b", 1)).await.err(), Code::InvalidArgument, 17),
            (client.create_topics(topic("none", 0)).await.err(), Code::InvalidArgument, 37),
        ];
        for (number, (refused, code, kafka)) in refusals.into_iter().enumerate() {
            let status = refused.unwrap_or_else(|| panic!("number {number} is refused"));
            assert_eq!((status.code(), kafkas(&status).code), (code, kafka), "{number}: {status:?}");
            assert!(status.message().starts_with(&kafkas(&status).name), "{status:?}");
        }
    });
}

#[test]
fn what_makes_no_sense_is_refused_before_it_is_asked() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut negative = values("t", &["x"]);
        if let Some(Data::Records(records)) = &mut negative.partitions[0].data {
            records.records[0].timestamp_ms = -5;
        }
        let mut dataless = values("t", &[]);
        dataless.partitions[0].data = None;
        let short = DeleteTopicsRequest { topic_ids: vec!["short".into()], ..Default::default() };
        let refusals = [
            client.produce(ProduceRequest::default()).await.err(),
            client.produce(values("t", &[])).await.err(),
            client.produce(ProduceRequest { acks: 9, ..values("t", &["x"]) }).await.err(),
            client.produce(negative).await.err(),
            client.produce(dataless).await.err(),
            client.fetch(FetchRequest::default()).await.err(),
            client.fetch(FetchRequest { format: 7, ..from("t", 0) }).await.err(),
            client.delete_topics(short).await.err(),
        ];
        for (number, refused) in refusals.into_iter().enumerate() {
            let code = refused.unwrap_or_else(|| panic!("number {number} is refused")).code();
            assert_eq!(code, Code::InvalidArgument, "number {number}");
        }
        let large = "x".repeat(5 << 20);
        let refused = client.produce(values("t", &[&large])).await.expect_err("it is too large");
        assert!(matches!(refused.code(), Code::OutOfRange | Code::ResourceExhausted), "{refused:?}");
        client.produce(values("t", &["fine"])).await.expect("the connection lives");
    });
}

#[test]
fn every_call_of_the_file_is_served_and_no_other() {
    let node = Node::in_memory();
    let calls: &[&str] = &include!(concat!(env!("OUT_DIR"), "/calls.rs"));
    assert!(calls.len() >= 20, "{calls:?}");
    block_on(async {
        let mut wire = Wire::connect(node.address()).await;
        for call in calls {
            let ending = wire.call(call, &[], &[]).await;
            assert!(!matches!(ending.status, None | Some(Code::Unimplemented)), "{call}: {ending:?}");
        }
        for other in ["", "Nothing", "produce", "Produce/", "../Produce"] {
            assert_eq!(wire.call(other, &[], &[]).await.status, Some(Code::Unimplemented), "{other}");
        }
    });
}

#[test]
fn who_asks_a_follower_is_told_where_the_leader_is() {
    let cluster = Cluster::start();
    let made = metadata(&mut cluster.node(0).connect(), "led");
    assert!(made.is_some(), "the topic is made");
    let leader = cluster.leader("led");
    let follower = (leader + 1) % SIZE;
    let expected = cluster.node(leader).address();
    block_on(async {
        let mut client = connect(cluster.node(follower).address()).await;
        let refused = client.produce(values("led", &["x"])).await.expect_err("it does not lead");
        assert_eq!(refused.code(), Code::Unavailable);
        let error = kafkas(&refused);
        assert_eq!((error.code, error.is_retriable), (6, true));
        let told = error.leader.expect("it knows who leads");
        assert_eq!(format!("{}:{}", told.host, told.port), expected.to_string());
        let queries = vec![OffsetQuery { topic: "led".into(), ..Default::default() }];
        let offsets = ListOffsetsRequest { queries, ..Default::default() };
        for refused in [client.fetch(from("led", 0)).await.err(), client.list_offsets(offsets).await.err()] {
            let told = kafkas(&refused.expect("it does not lead")).leader.expect("it knows who leads");
            assert_eq!(format!("{}:{}", told.host, told.port), expected.to_string());
        }
        let mut client = connect(expected).await;
        client.produce(values("led", &["x"])).await.expect("the leader takes it");
    });
}
