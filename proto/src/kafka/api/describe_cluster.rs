//! DescribeCluster. KIP-700, KIP-919 (endpoint type, 1), KIP-1073 (fenced brokers, 2).

use crate::kafka::grammar::api;

api! {
    DescribeCluster = 60, DescribeClusterRequest -> DescribeClusterResponse;
    versions 0-2, flexible 0+;

    /// What is asked for.
    struct DescribeClusterRequest {
        include_cluster_authorized_operations: bool, 0+;
        /// 1 brokers, 2 controllers.
        endpoint_type: i8, 1+, default 1;
        include_fenced_brokers: bool, 2+;
    }

    /// The nodes of the cluster.
    struct DescribeClusterResponse {
        throttle_time_ms: i32, 0+;
        error_code: i16, 0+;
        error_message: Option<String>, 0+, default None;
        /// 1 brokers, 2 controllers.
        endpoint_type: i8, 1+, default 1;
        cluster_id: String, 0+;
        controller_id: i32, 0+, default -1;
        brokers: Vec<DescribeClusterBroker>, 0+;
        /// A bit set; the default says that it was not asked for.
        cluster_authorized_operations: i32, 0+, default i32::MIN;
    }

    /// A node and its address.
    struct DescribeClusterBroker {
        broker_id: i32, 0+;
        host: String, 0+;
        port: i32, 0+;
        rack: Option<String>, 0+, default None;
        is_fenced: bool, 2+;
    }
}
