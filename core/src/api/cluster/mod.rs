//! The cluster: what this node serves, which nodes there are, and what all of them may use.

pub(super) mod api_versions;
mod describe_cluster;
mod features;
pub(super) mod update_features;

use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::api::RequestBody;

/// Does what one of these requests asks.
pub(super) fn dispatch(desk: &mut Desk, node: &mut Node, now: Now, origin: Origin, body: RequestBody) {
    match body {
        RequestBody::ApiVersions(request) => api_versions::handle(desk, node, origin, &request),
        RequestBody::DescribeCluster(request) => describe_cluster::handle(desk, node, origin, &request),
        RequestBody::UpdateFeatures(request) => update_features::handle(desk, node, now, origin, request),
        _ => unreachable!("the table of families sends only these here"),
    }
}
