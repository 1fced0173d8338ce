//! ApiVersions: what is served. The one API that is answered in any version (KIP-511).

use super::features;
use crate::api::desk::Desk;
use crate::api::origin::{Format, Origin};
use crate::mutant::Mutant;
use crate::node::Node;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::ApiKey;
use rust_mq_proto::kafka::api::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

/// No node in particular.
const ANY_NODE: i32 = -1;

pub(in crate::api) fn handle(desk: &mut Desk, node: &mut Node, origin: Origin, request: &ApiVersionsRequest) {
    let response = match fault(node, origin.format.version, request) {
        Some(error) => ApiVersionsResponse { error_code: error.code(), ..Default::default() },
        None => {
            let served = ApiVersionsResponse { api_keys: served(node), ..Default::default() };
            with_features(node, origin.format.version, served)
        }
    };
    desk.answer(node, origin, &response);
}

/// Why a request is not answered. Who means another node or another cluster than the one that it has reached, at an address
/// that was somebody else's, is told to begin anew (KIP-1242).
fn fault(node: &Node, version: i16, request: &ApiVersionsRequest) -> Option<ErrorCode> {
    let is_named = version < 3
        || is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version);
    let means_node = request.node_id != ANY_NODE;
    if !is_named || means_node != request.cluster_id.is_some() {
        return Some(ErrorCode::InvalidRequest);
    }
    let is_other_cluster = node.cluster().is_some_and(|cluster| {
        request.cluster_id.as_ref().is_some_and(|meant| *meant != cluster.to_string())
    });
    let is_other_node = means_node && request.node_id != node.config().node.0;
    (is_other_cluster || is_other_node).then_some(ErrorCode::RebootstrapRequired)
}

/// A version that is newer than ours: the answer is in version 0 and lists everything, so that the client can
/// ask again in one we share. The body was not read.
pub(in crate::api) fn answer_unknown_version(desk: &mut Desk, node: &mut Node, origin: Origin) {
    let error_code = ErrorCode::UnsupportedVersion.code();
    let response = ApiVersionsResponse { error_code, api_keys: served(node), ..Default::default() };
    desk.answer(node, Origin { format: Format { version: 0, ..origin.format }, ..origin }, &response);
}

fn served(node: &Node) -> Vec<ApiVersion> {
    let row = |key: ApiKey| {
        let versions = key.advertised();
        ApiVersion { api_key: key.number(), min_version: versions.first, max_version: versions.last }
    };
    let next = ApiVersion { api_key: i16::MAX, min_version: 0, max_version: 0 };
    let next = node.is_planted(Mutant::OneMoreApi).then_some(next);
    ApiKey::served().map(row).chain(next).collect()
}

fn with_features(node: &Node, version: i16, response: ApiVersionsResponse) -> ApiVersionsResponse {
    let features = features::all(node);
    let supported = features.iter().filter(|feature| version >= 4 || feature.supported[0] > 0);
    let finalized = features.iter().filter_map(|feature| Some((feature.name, feature.finalized?)));
    ApiVersionsResponse {
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: feature.name.into(),
                min_version: feature.supported[0],
                max_version: feature.supported[1],
            })
            .collect(),
        // It rises when one of them does.
        finalized_features_epoch: node.level().map_or(0, |level| i64::from(level.0)),
        finalized_features: finalized
            .map(|(name, level)| FinalizedFeatureKey {
                name: name.into(),
                max_version_level: level,
                min_version_level: level,
            })
            .collect(),
        ..response
    }
}

/// Kafka's rule: letters, digits, '-' and '.', not '-' or '.' at either end.
fn is_software_name(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(|byte| is_inner(*byte))
}

#[cfg(test)]
mod tests {
    use super::is_software_name;

    #[test]
    fn software_names_follow_kafkas_rule() {
        for good in ["librdkafka", "2.0.2", "apache-kafka-java", "a"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", ".a", "a b", "a/b", "é"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
