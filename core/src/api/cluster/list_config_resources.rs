//! ListConfigResources: who has settings, or can have them. Version 0 asks for client metrics alone, of which there are
//! none here, as there is no receiver for them; nor are there loggers.

use super::altering::{BROKER, GROUP, TOPIC};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::metadata::Metadata;
use crate::node::Node;
use crate::settings::Holder;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::list_config_resources::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};

const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const KINDS: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub(super) fn handle(desk: &mut Desk, node: &mut Node, origin: Origin, request: &ListConfigResourcesRequest) {
    let asked = kinds(request, origin.format.version);
    let is_known = |kind: &i8| KINDS.contains(kind);
    if !asked.iter().all(is_known) {
        let error_code = ErrorCode::UnsupportedVersion.code();
        return desk.answer(node, origin, &ListConfigResourcesResponse { error_code, ..Default::default() });
    }
    let config_resources = node.image().map_or_else(Vec::new, |image| listed(image, asked));
    desk.answer(node, origin, &ListConfigResourcesResponse { config_resources, ..Default::default() });
}

/// Whether topics are among what is asked for.
pub(in crate::api) fn wants_topics(request: &ListConfigResourcesRequest, version: i16) -> bool {
    kinds(request, version).contains(&TOPIC)
}

fn kinds(request: &ListConfigResourcesRequest, version: i16) -> &[i8] {
    match request.resource_types.as_slice() {
        _ if version == 0 => &[CLIENT_METRICS],
        [] => &KINDS,
        kinds => kinds,
    }
}

fn listed(image: &Metadata, asked: &[i8]) -> Vec<ConfigResource> {
    let of = |resource_type: i8, resource_name: String| ConfigResource { resource_name, resource_type };
    let mut listed = Vec::new();
    if asked.contains(&TOPIC) {
        listed.extend(image.topics().map(|(_, topic)| of(TOPIC, topic.name.clone())));
    }
    if asked.contains(&BROKER) {
        listed.extend(image.nodes().map(|(node, _)| of(BROKER, node.0.to_string())));
    }
    if asked.contains(&GROUP) {
        let group = |holder: &Holder| match holder {
            Holder::Group(name) => Some(of(GROUP, name.clone())),
            _ => None,
        };
        listed.extend(image.holders().filter_map(group));
    }
    listed
}
