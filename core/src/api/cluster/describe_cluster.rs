//! DescribeCluster: the nodes, without the topics. Controllers are not a kind of node here (KIP-919's endpoint
//! type 2 is refused): every node leads what it is elected for.

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::api::{addresses, operations};
use crate::ids::NodeId;
use crate::link::Address;
use crate::node::Node;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::describe_cluster::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(in crate::api) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    origin: Origin,
    request: &DescribeClusterRequest,
) {
    if request.endpoint_type != BROKERS {
        let error = match request.endpoint_type {
            CONTROLLERS => ErrorCode::MismatchedEndpointType,
            _ => ErrorCode::UnsupportedEndpointType,
        };
        let response = DescribeClusterResponse {
            error_code: error.code(),
            error_message: Some("this cluster has brokers (endpoint type 1) only".into()),
            endpoint_type: request.endpoint_type,
            ..Default::default()
        };
        return desk.answer(node, origin, &response);
    }
    let link = origin.caller.link;
    let told = match request.include_fenced_brokers {
        true => addresses::with_the_gone(node, link),
        false => addresses::advertised(node, link),
    };
    let broker = |(id, address): (NodeId, Address)| DescribeClusterBroker {
        broker_id: id.0,
        host: address.host,
        port: i32::from(address.port),
        rack: None,
        is_fenced: node.is_gone(id),
    };
    let response = DescribeClusterResponse {
        cluster_id: node.cluster().map(|cluster| cluster.to_string()).unwrap_or_default(),
        controller_id: addresses::controller(node).0,
        brokers: told.into_iter().map(broker).collect(),
        cluster_authorized_operations: operations::of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    };
    desk.answer(node, origin, &response);
}
