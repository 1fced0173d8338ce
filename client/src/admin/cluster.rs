//! The cluster: its id and its nodes.

use super::Admin;
use crate::client::To;
use crate::machine::error::Error;
use rust_mq_proto::grpc;

/// The cluster, as one of its nodes tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// The node that makes and deletes topics; none while nobody does.
    pub controller: Option<i32>,
    /// Its nodes, rising by id.
    pub nodes: Vec<grpc::Node>,
    /// Members that no node has heard for some seconds, rising by id.
    pub gone: Vec<grpc::Node>,
}

impl Admin {
    /// The cluster.
    ///
    /// # Errors
    /// No node answered.
    pub async fn cluster(&self) -> Result<Cluster, Error> {
        let told = self.ask(To::Anyone, grpc::DescribeClusterRequest {}).await?;
        let (mut nodes, mut gone) = (told.nodes, told.gone_nodes);
        nodes.sort_by_key(|node| node.node_id);
        gone.sort_by_key(|node| node.node_id);
        let controller = (told.controller_id >= 0).then_some(told.controller_id);
        Ok(Cluster { id: told.cluster_id, controller, nodes, gone })
    }
}
