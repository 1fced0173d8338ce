//! The cluster: what this node serves, which nodes there are, what all of them may use, and the settings of all who
//! have some.

mod alter_configs;
pub(super) mod altering;
pub(super) mod api_versions;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod features;
mod incremental_alter_configs;
pub(super) mod list_config_resources;
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
        RequestBody::DescribeConfigs(request) => describe_configs::handle(desk, node, origin, request),
        RequestBody::AlterConfigs(request) => alter_configs::handle(desk, node, now, origin, request),
        RequestBody::IncrementalAlterConfigs(request) => {
            incremental_alter_configs::handle(desk, node, now, origin, request);
        }
        RequestBody::ListConfigResources(request) => {
            list_config_resources::handle(desk, node, origin, &request);
        }
        RequestBody::DescribeLogDirs(request) => describe_log_dirs::handle(desk, node, origin, request),
        _ => unreachable!("the table of families sends only these here"),
    }
}
