//! AlterConfigs: what is named has that value, and what is not named goes back to its default.

use super::altering::{self, Asked, Named, refusal};
use crate::api::desk::Desk;
use crate::api::origin::Origin;
use crate::metadata::Refusal;
use crate::node::Node;
use crate::now::Now;
use crate::settings::{Change, Operation};
use rust_mq_proto::kafka::api::alter_configs::{AlterConfigsRequest, AlterableConfig};

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: AlterConfigsRequest,
) {
    let asked = request.resources.into_iter().map(|resource| Asked {
        named: Named { kind: resource.resource_type, name: resource.resource_name },
        changes: resource.configs.into_iter().map(change).collect(),
    });
    altering::handle(desk, node, now, origin, (false, request.validate_only), asked.collect());
}

fn change(AlterableConfig { name, value }: AlterableConfig) -> Result<Change, Refusal> {
    let Some(value) = value else { return Err(refusal("null is no value for a setting")) };
    Ok(Change { name, operation: Operation::Set, value })
}
