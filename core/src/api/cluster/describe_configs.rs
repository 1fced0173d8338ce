//! DescribeConfigs: answered from this node's own image. Of brokers a node tells about itself alone, and of the
//! cluster's defaults those that are set; of a group that has set nothing, the defaults, whether it is there or not
//! (Kafka's `ConfigHelper`).

use super::altering::{BROKER, GROUP, Named, TOPIC, own_id, refusal};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::limits::CONFIGS_DESCRIBED_MAX;
use crate::metadata::{Refusal, topic_name_fault};
use crate::node::Node;
use crate::settings::{Described, Holder, Layers, NOTHING, Settings, Source, Table};
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult,
    DescribeConfigsSynonym,
};
use std::collections::BTreeSet;

/// How much is told of each setting.
#[derive(Clone, Copy)]
struct Detail {
    synonyms: bool,
    documentation: bool,
}

pub(super) fn handle(desk: &mut Desk, node: &mut Node, origin: Origin, request: DescribeConfigsRequest) {
    let detail = Detail { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let mut seen = BTreeSet::new();
    let mut results = Vec::new();
    for resource in request.resources {
        let named = Named { kind: resource.resource_type, name: resource.resource_name };
        if !seen.insert(named.clone()) {
            continue;
        }
        let keys = resource.configuration_keys.filter(|keys| !keys.is_empty());
        let keys: Option<BTreeSet<String>> = keys.map(|keys| keys.into_iter().collect());
        let result = match results.len() < CONFIGS_DESCRIBED_MAX {
            true => describe(node, &named, keys.as_ref(), detail),
            false => Err(Refusal {
                code: ErrorCode::PolicyViolation,
                message: format!("one request is told about at most {CONFIGS_DESCRIBED_MAX} resources"),
            }),
        };
        let (refusal, configs) = match result {
            Ok(configs) => (None, configs),
            Err(refusal) => (Some(refusal), Vec::new()),
        };
        results.push(DescribeConfigsResult {
            error_code: refusal.as_ref().map_or(0, |refusal| refusal.code.code()),
            error_message: refusal.map(|refusal| refusal.message),
            resource_type: named.kind,
            resource_name: named.name,
            configs,
        });
    }
    desk.answer(node, origin, &DescribeConfigsResponse { results, ..Default::default() });
}

fn describe(
    node: &Node,
    Named { kind, name }: &Named,
    keys: Option<&BTreeSet<String>>,
    detail: Detail,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let told = |layers: Layers<'_>, table: Table, is_told: fn(&Described<'_>) -> bool| {
        let is_asked = |described: &Described<'_>| keys.is_none_or(|keys| keys.contains(described.name));
        let wanted = layers.describe(table).filter(|described| is_asked(described) && is_told(described));
        wanted.map(|described| setting(&described, detail)).collect()
    };
    match *kind {
        TOPIC => Ok(told(node.layers(topic(node, name)?), Table::Topic, |_| true)),
        BROKER if name.is_empty() => {
            let all = node.layers(&NOTHING);
            let defaults = Layers { node: &NOTHING, fixed: &NOTHING, ..all };
            Ok(told(defaults, Table::Broker, |described| described.source() == Source::Cluster))
        }
        BROKER => {
            own_id(node, name)?;
            Ok(told(node.layers(&NOTHING), Table::Broker, |_| true))
        }
        GROUP if name.is_empty() => Err(refusal("a group that has settings has a name")),
        GROUP => {
            let own = node.image().map_or(&NOTHING, |image| image.settings(&Holder::Group(name.clone())));
            Ok(told(node.layers(own), Table::Group, |_| true))
        }
        kind => Err(refusal(&format!("settings of resource type {kind} are not served"))),
    }
}

/// What a topic has set.
fn topic<'a>(node: &'a Node, name: &str) -> Result<&'a Settings, Refusal> {
    if let Some(fault) = topic_name_fault(name) {
        return Err(Refusal { code: ErrorCode::InvalidTopicException, message: fault });
    }
    let topic = node.image().and_then(|image| image.topic(image.topic_id(name)?));
    let none = || Refusal {
        code: node.denial(ErrorCode::UnknownTopicOrPartition),
        message: match node.may_deny() {
            true => format!("there is no topic '{name}'"),
            false => format!("this node does not know of a topic '{name}' yet"),
        },
    };
    topic.map(|topic| &topic.configs).ok_or_else(none)
}

fn setting(described: &Described<'_>, detail: Detail) -> DescribeConfigsResourceResult {
    let synonym = |(name, value, source): &(&str, &str, Source)| DescribeConfigsSynonym {
        name: (*name).into(),
        value: Some((*value).into()),
        source: *source as i8,
    };
    let synonyms = described.values.iter().map(synonym);
    let row = described.row;
    DescribeConfigsResourceResult {
        name: described.name.into(),
        value: Some(described.value().into()),
        read_only: row.is_read_only(),
        config_source: described.source() as i8,
        is_sensitive: false,
        synonyms: if detail.synonyms { synonyms.collect() } else { Vec::new() },
        config_type: row.kind as i8,
        documentation: detail.documentation.then(|| row.documentation.into()),
    }
}
