//! UpdateFeatures: raises what the cluster as a whole may use. KIP-584; KIP-778 (kinds of update, only to validate, 1);
//! from 2 on there is one error for all of them.

use crate::kafka::grammar::api;

api! {
    UpdateFeatures = 57, UpdateFeaturesRequest -> UpdateFeaturesResponse;
    versions 0-2, flexible 0+;

    /// The features to change.
    struct UpdateFeaturesRequest {
        timeout_ms: i32, 0+, default 60_000;
        feature_updates: Vec<FeatureUpdateKey>, 0+;
        validate_only: bool, 1+;
    }

    /// A feature, and what it is to be.
    struct FeatureUpdateKey {
        feature: String, 0+;
        max_version_level: i16, 0+;
        allow_downgrade: bool, 0-0;
        /// 1 to raise it, 2 and 3 to lower it where nothing is lost, or whatever is lost.
        upgrade_type: i8, 1+, default 1;
    }

    /// What became of them.
    struct UpdateFeaturesResponse {
        throttle_time_ms: i32, 0+;
        error_code: i16, 0+;
        error_message: Option<String>, 0+;
        results: Vec<UpdatableFeatureResult>, 0-1;
    }

    /// What became of one.
    struct UpdatableFeatureResult {
        feature: String, 0-1;
        error_code: i16, 0-1;
        error_message: Option<String>, 0-1;
    }
}
