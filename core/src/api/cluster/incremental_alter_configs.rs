//! IncrementalAlterConfigs: what is named is set, deleted, appended to or taken from; the rest stays.

use super::altering::{self, Asked, Named, refusal};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::metadata::Refusal;
use crate::node::Node;
use crate::now::Now;
use crate::settings::{Change, Operation};
use rust_mq_proto::kafka::api::incremental_alter_configs::{AlterableConfig, IncrementalAlterConfigsRequest};

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: IncrementalAlterConfigsRequest,
) {
    let asked = request.resources.into_iter().map(|resource| Asked {
        named: Named { kind: resource.resource_type, name: resource.resource_name },
        changes: resource.configs.into_iter().map(change).collect(),
    });
    altering::handle(desk, node, now, origin, (true, request.validate_only), asked.collect());
}

fn change(AlterableConfig { name, config_operation, value }: AlterableConfig) -> Result<Change, Refusal> {
    let Some(operation) = Operation::parse(config_operation) else {
        return Err(refusal(&format!("there is no operation {config_operation} on a setting")));
    };
    match value {
        None if operation != Operation::Delete => Err(refusal("null is no value for a setting")),
        value => Ok(Change { name, operation, value: value.unwrap_or_default() }),
    }
}
