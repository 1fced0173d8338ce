//! IncrementalAlterConfigs: settings one by one. KIP-339.

use crate::kafka::grammar::api;

api! {
    IncrementalAlterConfigs = 44, IncrementalAlterConfigsRequest -> IncrementalAlterConfigsResponse;
    versions 0-1, flexible 1+;

    /// What to change.
    struct IncrementalAlterConfigsRequest {
        resources: Vec<AlterConfigsResource>, 0+;
        /// Check only.
        validate_only: bool, 0+;
    }

    /// What to change of one who has settings.
    struct AlterConfigsResource {
        /// 2 a topic, 4 a broker, 32 a group.
        resource_type: i8, 0+;
        resource_name: String, 0+;
        configs: Vec<AlterableConfig>, 0+;
    }

    /// A change.
    struct AlterableConfig {
        name: String, 0+;
        /// 0 set, 1 delete, 2 append, 3 subtract.
        config_operation: i8, 0+;
        value: Option<String>, 0+;
    }

    /// What became of it.
    struct IncrementalAlterConfigsResponse {
        throttle_time_ms: i32, 0+;
        responses: Vec<AlterConfigsResourceResponse>, 0+;
    }

    /// What became of the settings of one.
    struct AlterConfigsResourceResponse {
        error_code: i16, 0+;
        error_message: Option<String>, 0+;
        resource_type: i8, 0+;
        resource_name: String, 0+;
    }
}
