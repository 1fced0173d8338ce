//! The cluster: what this node serves, and which nodes there are.

pub(super) mod api_versions;
mod describe_cluster;

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::node::Node;
use rust_mq_proto::kafka::api::RequestBody;

/// Does what one of these requests asks.
pub(super) fn dispatch(desk: &mut Desk, node: &mut Node, origin: Origin, body: &RequestBody) {
    match body {
        RequestBody::ApiVersions(request) => api_versions::handle(desk, node, origin, request),
        RequestBody::DescribeCluster(request) => describe_cluster::handle(desk, node, origin, request),
        _ => unreachable!("the table of families sends only these here"),
    }
}
