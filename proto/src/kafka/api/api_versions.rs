//! ApiVersions: what is served. KIP-35, KIP-511 (client software, 3), KIP-584 (features, 3), KIP-1242
//! (whom the client means, 5).
//!
//! The response's header is version 0 in every version. A request of a version that is not served is
//! answered in version 0 with error 35; its body is never read.

use crate::kafka::grammar::api;

api! {
    ApiVersions = 18, ApiVersionsRequest -> ApiVersionsResponse;
    versions 0-5, flexible 3+;

    /// Who asks.
    struct ApiVersionsRequest {
        client_software_name: String, 3+;
        client_software_version: String, 3+;
        /// The cluster that it means; null is any.
        cluster_id: Option<String>, 5+, default None;
        /// The node that it means; -1 is any.
        node_id: i32, 5+, default -1;
    }

    /// What is served.
    struct ApiVersionsResponse {
        error_code: i16, 0+;
        api_keys: Vec<ApiVersion>, 0+;
        throttle_time_ms: i32, 1+;
        /// Below version 4 without those whose `min_version` is 0 (KAFKA-17011).
        supported_features: Vec<SupportedFeatureKey>, 3+, tag 0;
        /// -1 is unknown.
        finalized_features_epoch: i64, 3+, tag 1, default -1;
        finalized_features: Vec<FinalizedFeatureKey>, 3+, tag 2;
        zk_migration_ready: bool, 3+, tag 3;
    }

    /// An API and its versions.
    struct ApiVersion {
        api_key: i16, 0+;
        min_version: i16, 0+;
        max_version: i16, 0+;
    }

    /// A feature that this node knows.
    struct SupportedFeatureKey {
        name: String, 3+;
        min_version: i16, 3+;
        max_version: i16, 3+;
    }

    /// A feature that the cluster has switched on.
    struct FinalizedFeatureKey {
        name: String, 3+;
        max_version_level: i16, 3+;
        min_version_level: i16, 3+;
    }
}
