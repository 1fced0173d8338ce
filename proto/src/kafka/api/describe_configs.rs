//! DescribeConfigs. KIP-133, KIP-226 (synonyms, 1), KIP-569 (types and documentation, 3).

use crate::kafka::grammar::api;

api! {
    DescribeConfigs = 32, DescribeConfigsRequest -> DescribeConfigsResponse;
    versions 1-4, flexible 4+;

    /// Whose settings to tell.
    struct DescribeConfigsRequest {
        resources: Vec<DescribeConfigsResource>, 1+;
        include_synonyms: bool, 1+;
        include_documentation: bool, 3+;
    }

    /// One who has settings.
    struct DescribeConfigsResource {
        /// 2 a topic, 4 a broker, 32 a group.
        resource_type: i8, 1+;
        resource_name: String, 1+;
        /// Null is all.
        configuration_keys: Option<Vec<String>>, 1+;
    }

    /// The settings.
    struct DescribeConfigsResponse {
        throttle_time_ms: i32, 1+;
        results: Vec<DescribeConfigsResult>, 1+;
    }

    /// The settings of one who has some.
    struct DescribeConfigsResult {
        error_code: i16, 1+;
        error_message: Option<String>, 1+;
        resource_type: i8, 1+;
        resource_name: String, 1+;
        configs: Vec<DescribeConfigsResourceResult>, 1+;
    }

    /// A setting.
    struct DescribeConfigsResourceResult {
        name: String, 1+;
        /// Null if it is sensitive.
        value: Option<String>, 1+;
        read_only: bool, 1+;
        config_source: i8, 1+, default -1;
        is_sensitive: bool, 1+;
        synonyms: Vec<DescribeConfigsSynonym>, 1+;
        config_type: i8, 3+;
        documentation: Option<String>, 3+;
    }

    /// A value that it has or would have.
    struct DescribeConfigsSynonym {
        name: String, 1+;
        value: Option<String>, 1+;
        source: i8, 1+;
    }
}
