//! UpdateFeatures: raises the cluster's feature level, decided by the metadata leader, whichever node was asked. All of a
//! request is done or nothing; what Kafka's features have already is done, and they are changed no further.

use super::features::{self, Feature};
use crate::api::Waiting;
use crate::api::desk::{Desk, Vain, decision_patience};
use crate::api::origin::Origin;
use crate::level::Level;
use crate::metadata::{Reply, Request};
use crate::node::Node;
use crate::now::Now;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::update_features::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};
use std::collections::BTreeSet;

/// To raise it, to lower it where nothing is lost, and to lower it in any case (`FeatureUpdate.UpgradeType`).
const UPGRADE_TYPES: std::ops::RangeInclusive<i8> = 1..=3;

/// A request that waits for the metadata leader.
pub(in crate::api) struct Pending {
    origin: Origin,
    names: Vec<String>,
}

/// What is wrong with a request.
type Wrong = (ErrorCode, String);

pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    request: UpdateFeaturesRequest,
) {
    let raised = looked_at(&features::all(node), &request.feature_updates);
    let names = request.feature_updates.into_iter().map(|update| update.feature).collect();
    let pending = Pending { origin, names };
    match raised {
        Ok(Some(to)) => {
            let waiter = desk.waiter();
            let until = now.mono + decision_patience(request.timeout_ms);
            desk.wait(now, waiter, until, Waiting::UpdateFeatures(pending));
            node.ask(now, waiter, Request::RaiseLevel { to, validate_only: request.validate_only });
        }
        Ok(None) => answer(desk, node, pending, Ok(())),
        Err(wrong) => answer(desk, node, pending, Err(wrong)),
    }
}

/// To which level the cluster's is to be raised, if that is asked for.
fn looked_at(known: &[Feature], updates: &[FeatureUpdateKey]) -> Result<Option<Level>, Wrong> {
    let mut named = BTreeSet::new();
    let mut raised = None;
    for FeatureUpdateKey { feature, max_version_level: to, upgrade_type, .. } in updates {
        if !named.insert(feature) {
            return Err((ErrorCode::InvalidRequest, format!("{feature} is named more than once")));
        }
        if !UPGRADE_TYPES.contains(upgrade_type) {
            return Err((ErrorCode::InvalidRequest, format!("there is no upgrade type {upgrade_type}")));
        }
        let wrong = |why: String| Err((ErrorCode::InvalidUpdateVersion, format!("{feature} to {to}: {why}")));
        let Some(found) = known.iter().find(|known| known.name == feature) else {
            return wrong("there is no such feature here".into());
        };
        match u32::try_from(*to) {
            Ok(level @ 1..) if feature == features::LEVEL => raised = Some(Level(level)),
            _ if found.finalized == Some(*to) => {}
            _ => {
                let [first, last] = found.supported;
                let now = found.finalized.map_or_else(|| "not known yet".into(), |now| now.to_string());
                return wrong(format!("{first} to {last} are known, it is {now}, and that stays so"));
            }
        }
    }
    Ok(raised)
}

pub(in crate::api) fn replied(desk: &mut Desk, node: &mut Node, pending: Pending, reply: Reply) {
    let result = match reply {
        Reply::LevelRaised(result) => result.map_err(|refusal| (refusal.code, refusal.message)),
        Reply::Refused(refusal) => Err((refusal.code, refusal.message)),
        _ => Err((ErrorCode::NotController, "the node that was asked does not lead the metadata".into())),
    };
    answer(desk, node, pending, result);
}

/// Nobody knows whether it will be done.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, pending: Pending, vain: Vain) {
    answer(desk, node, pending, Err((vain.undecided(), "it may still be done".into())));
}

fn answer(desk: &mut Desk, node: &mut Node, pending: Pending, result: Result<(), Wrong>) {
    let (error_code, error_message) = match result {
        Ok(()) => (ErrorCode::None.code(), None),
        Err((code, why)) => (code.code(), Some(why)),
    };
    let one = |feature| UpdatableFeatureResult { feature, error_code, error_message: error_message.clone() };
    let results = pending.names.into_iter().map(one).collect();
    let response = UpdateFeaturesResponse { error_code, error_message, results, ..Default::default() };
    desk.answer(node, pending.origin, &response);
}
