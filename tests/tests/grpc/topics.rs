//! Topics and the cluster.

use crate::{block_on, client, create, fetch, texts, values};
use rust_mq_proto::grpc::{
    CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    GetTopicMetadataRequest, NewTopic, WiderTopic,
};
use tests::batch::Batch;
use tests::dialogue::produce;
use tests::node::Node;
use tonic::Code;

#[test]
fn a_topic_is_created_described_and_deleted() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        let configs = [("retention.ms".to_owned(), "1000000".to_owned())].into();
        let topic = NewTopic { name: "three".into(), partitions: Some(3), configs, ..Default::default() };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let made = client.create_topics(request).await.expect("it is created").into_inner().topics.remove(0);
        assert_eq!((made.partitions, made.replication_factor, made.topic_id.len()), (3, 1, 16));
        let cluster =
            client.describe_cluster(DescribeClusterRequest {}).await.expect("a cluster").into_inner();
        assert_eq!(cluster.nodes.len(), 1);
        assert_eq!(i64::from(cluster.nodes[0].port), i64::from(node.address().port()));
        let request = GetTopicMetadataRequest { topics: vec!["three".into()], ..Default::default() };
        let known = client.get_topic_metadata(request).await.expect("it is there").into_inner();
        assert_eq!(known.cluster_id, cluster.cluster_id);
        assert_eq!(known.topics[0].topic_id, made.topic_id);
        let leaders: Vec<i32> =
            known.topics[0].partitions.iter().map(|partition| partition.leader_id).collect();
        assert_eq!(leaders, [cluster.controller_id; 3]);
        let request = DeleteTopicsRequest { topic_ids: vec![made.topic_id.clone()], ..Default::default() };
        let gone = client.delete_topics(request).await.expect("it is deleted").into_inner();
        assert_eq!(gone.topics[0].name, "three");
        let all =
            client.get_topic_metadata(GetTopicMetadataRequest::default()).await.expect("all").into_inner();
        assert_eq!(all.topics, []);
    });
}

#[test]
fn a_topic_becomes_wider_and_never_narrower() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let wider = |partitions, validate_only| {
            let topic = WiderTopic { name: "t".into(), partitions, ..Default::default() };
            CreatePartitionsRequest { topics: vec![topic], validate_only, ..Default::default() }
        };
        for (count, validate_only, expected) in [(3, true, 1), (3, false, 3)] {
            let said = client.create_partitions(wider(count, validate_only)).await.expect("it may");
            assert_eq!(
                (said.get_ref().topics[0].name.as_str(), &said.get_ref().topics[0].error),
                ("t", &None)
            );
            let request = GetTopicMetadataRequest { topics: vec!["t".into()], ..Default::default() };
            let known = client.get_topic_metadata(request).await.expect("it is there").into_inner();
            assert_eq!(known.topics[0].partitions.len(), expected);
        }
        let refused = client.create_partitions(wider(2, false)).await.expect_err("it has three");
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with("INVALID_PARTITIONS: "), "{refused:?}");
    });
}

#[test]
fn a_topic_comes_into_being_only_if_that_is_allowed() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        let mut request = GetTopicMetadataRequest { topics: vec!["new".into()], ..Default::default() };
        let refused = client.get_topic_metadata(request.clone()).await.expect_err("it is not there");
        assert_eq!(refused.code(), Code::NotFound);
        request.allow_auto_topic_creation = true;
        let made = client.get_topic_metadata(request).await.expect("it is made").into_inner();
        assert_eq!(made.topics[0].partitions.len(), 1);
    });
}

#[test]
fn what_one_door_wrote_the_other_reads() {
    let node = Node::in_memory();
    block_on(async {
        let mut grpc = client(&node).await;
        create(&mut grpc, "both").await;
        grpc.produce(values("both", &["grpc"])).await.expect("gRPC appends");
        produce(&mut node.connect(), "both", Batch::of(&[b"kafka"]).bytes());
        let found = fetch(&mut grpc, "both", 0).await;
        assert_eq!(texts(&found), [(0, "grpc".to_owned()), (1, "kafka".to_owned())]);
        let batches = tests::dialogue::fetch(&mut node.connect(), "both", 0).records.expect("records");
        assert!(batches.windows(4).any(|bytes| bytes == b"grpc"), "Kafka's protocol reads it, too");
    });
}

#[test]
fn a_call_is_told_the_addresses_of_the_listener_that_it_came_to() {
    let ports = tests::ports::free_ports(2);
    let listen = format!("inner://127.0.0.1:{},outer://127.0.0.1:{}", ports[0], ports[1]);
    let _node =
        Node::start(&["--listen", &listen, "--advertise", "inner://in.example:1,outer://out.example:2"]);
    block_on(async {
        for (port, host) in ports.iter().zip(["in.example", "out.example"]) {
            let mut client = crate::connect(([127, 0, 0, 1], *port).into()).await;
            let cluster =
                client.describe_cluster(DescribeClusterRequest {}).await.expect("a cluster").into_inner();
            assert_eq!(cluster.nodes[0].host, host);
        }
    });
}
