//! gRPC's own services: what a tool asks before it calls anything.

use crate::wire::{Wire, framed};
use crate::{block_on, stub};
use prost::Message;
use rust_mq_proto::grpc::DESCRIPTORS;
use rust_mq_proto::grpc::health::HealthCheckRequest;
use rust_mq_proto::grpc::health::health_check_response::ServingStatus;
use tests::node::Node;
use tonic::Code;
use tonic::transport::Endpoint;

type HealthClient = stub::health::health_client::HealthClient<tonic::transport::Channel>;

#[test]
fn a_node_that_serves_says_so_to_who_asks_and_to_who_watches() {
    let node = Node::in_memory();
    block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{}", node.address())).expect("a URI");
        let mut client = HealthClient::new(endpoint.connect().await.expect("it speaks HTTP/2"));
        let of = |service: &str| HealthCheckRequest { service: service.into() };
        for service in ["", "rustmq.v1.KafkaBroker"] {
            let answer = client.check(of(service)).await.expect("it is known").into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving);
        }
        let unknown = client.check(of("somebody.else")).await.expect_err("it is not known");
        assert_eq!(unknown.code(), Code::NotFound);
        let mut watched = client.watch(of("")).await.expect("it is watched").into_inner();
        let first = watched.message().await.expect("it lives").expect("it says how it is at once");
        assert_eq!(first.status(), ServingStatus::Serving);
        let mut unknown = client.watch(of("somebody.else")).await.expect("it is watched").into_inner();
        let first = unknown.message().await.expect("it lives").expect("it says what it knows");
        assert_eq!(first.status(), ServingStatus::ServiceUnknown);
    });
}

/// `grpc.reflection.v1.ServerReflectionRequest`, by its published numbers.
#[derive(Clone, PartialEq, Message)]
struct Question {
    #[prost(string, optional, tag = "4")]
    file_containing_symbol: Option<String>,
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}

#[test]
fn a_tool_learns_what_can_be_called_and_how() {
    let node = Node::in_memory();
    block_on(async {
        let mut wire = Wire::connect(node.address()).await;
        for service in ["grpc.reflection.v1", "grpc.reflection.v1alpha"] {
            let path = format!("/{service}.ServerReflection/ServerReflectionInfo");
            let list = Question { list_services: Some(String::new()), ..Default::default() };
            let answer = wire.call_path(&path, &[], framed(&list.encode_to_vec())).await;
            assert_eq!(answer.status, Some(Code::Ok), "{answer:?}");
            for expected in ["rustmq.v1.KafkaBroker", "grpc.health.v1.Health"] {
                assert!(holds(&answer.body, expected.as_bytes()), "{service} lists {expected}: {answer:?}");
            }
            let symbol = Some("rustmq.v1.KafkaBroker.Produce".to_owned());
            let file = Question { file_containing_symbol: symbol, ..Default::default() };
            let answer = wire.call_path(&path, &[], framed(&file.encode_to_vec())).await;
            for expected in ["rustmq/v1/broker.proto", "ProduceStream"] {
                assert!(holds(&answer.body, expected.as_bytes()), "{expected} is described");
            }
        }
    });
    assert!(holds(DESCRIPTORS, b"rustmq/v1/groups.proto"));
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
