//! ListConfigResources: who has, or can have, settings. KIP-714 (client metrics alone, 0), KIP-1142 (all kinds, 1).

use crate::kafka::grammar::api;

api! {
    ListConfigResources = 74, ListConfigResourcesRequest -> ListConfigResourcesResponse;
    versions 0-1, flexible 0+;

    /// Which kinds.
    struct ListConfigResourcesRequest {
        /// Empty is all that are known.
        resource_types: Vec<i8>, 1+;
    }

    /// All of them.
    struct ListConfigResourcesResponse {
        throttle_time_ms: i32, 0+;
        error_code: i16, 0+;
        config_resources: Vec<ConfigResource>, 0+;
    }

    /// One who has settings.
    struct ConfigResource {
        resource_name: String, 0+;
        resource_type: i8, 1+, default 16;
    }
}
