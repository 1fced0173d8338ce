//! AlterConfigs: all settings at once; what is not named goes back to its default. KIP-133.

use crate::kafka::grammar::api;

api! {
    AlterConfigs = 33, AlterConfigsRequest -> AlterConfigsResponse;
    versions 0-2, flexible 2+;

    /// Whose settings to replace.
    struct AlterConfigsRequest {
        resources: Vec<AlterConfigsResource>, 0+;
        /// Check only.
        validate_only: bool, 0+;
    }

    /// All settings of one who has some.
    struct AlterConfigsResource {
        /// 2 a topic, 4 a broker, 32 a group.
        resource_type: i8, 0+;
        resource_name: String, 0+;
        configs: Vec<AlterableConfig>, 0+;
    }

    /// A setting.
    struct AlterableConfig {
        name: String, 0+;
        value: Option<String>, 0+;
    }

    /// What became of it.
    struct AlterConfigsResponse {
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
