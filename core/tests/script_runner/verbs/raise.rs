//! `raise 1 2`: UpdateFeatures, the cluster's feature level is to be 2; `only=check` changes nothing, `feature=` names
//! another one, `type=` says how it is to change.

use crate::script_runner::command::Command;
use crate::script_runner::world::World;
use rust_mq_proto::kafka::api::RequestBody;
use rust_mq_proto::kafka::api::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};

pub fn run(world: &mut World, command: &Command) -> Result<(), String> {
    command.allow(&["only", "feature", "type", "version", "client"])?;
    let update = FeatureUpdateKey {
        feature: command.option_or("feature", "rust-mq.level".to_owned())?,
        max_version_level: command.number(1)?,
        upgrade_type: command.option_or("type", 1)?,
        ..Default::default()
    };
    let request = RequestBody::UpdateFeatures(UpdateFeaturesRequest {
        feature_updates: vec![update],
        validate_only: command.option::<String>("only")?.is_some(),
        ..Default::default()
    });
    let to = (command.number(0)?, command.option("client")?);
    world.ask(to, command.option_or("version", 2)?, &request, true, &command.text)
}
