//! What AlterConfigs and IncrementalAlterConfigs have in common: whose settings are meant, what is wrong with a request
//! before anyone looks at the settings, and how the metadata leader's word is put together with that.
//!
//! Of one that is named twice nothing is changed, and a broker changes its own settings only (Kafka's
//! `ConfigAdminManager.preprocess`).

use crate::api::Waiting;
use crate::api::desk::{Desk, Vain};
use crate::api::origin::Origin;
use crate::ids::NodeId;
use crate::limits::DECISION_AWAITED_MAX;
use crate::metadata::{Alteration, Refusal, Reply, Request, Resource};
use crate::node::Node;
use crate::now::Now;
use crate::settings::Change;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::kafka::api::{alter_configs, incremental_alter_configs};
use std::collections::{BTreeMap, BTreeSet};

/// Kafka's `ConfigResource.Type`.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const GROUP: i8 = 32;

/// Who has settings, as a client names him.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub kind: i8,
    pub name: String,
}

/// What is asked of one of them: his changes, each with its name, or what is wrong with them.
pub(super) struct Asked {
    pub named: Named,
    pub changes: Result<Vec<Change>, Refusal>,
}

/// A request that waits for the metadata leader.
pub(in crate::api) struct Pending {
    origin: Origin,
    is_incremental: bool,
    /// In the order asked; with those who are not refused yet the leader is asked about.
    results: Vec<(Named, Option<Refusal>)>,
}

/// Sorts out what can be refused here, and asks the metadata leader about the rest.
pub(super) fn handle(
    desk: &mut Desk,
    node: &mut Node,
    now: Now,
    origin: Origin,
    (is_incremental, validate_only): (bool, bool),
    asked: Vec<Asked>,
) {
    let mut times: BTreeMap<Named, u32> = BTreeMap::new();
    asked.iter().for_each(|asked| *times.entry(asked.named.clone()).or_default() += 1);
    let (mut resources, mut results) = (Vec::new(), Vec::new());
    for Asked { named, changes } in asked {
        let result = if times[&named] > 1 {
            Err(refusal("each resource must be named once"))
        } else {
            changes.and_then(|changes| Ok((resource(node, &named)?, once(changes)?)))
        };
        results.push((named, result.as_ref().err().cloned()));
        resources.extend(result.ok().map(|(of, changes)| Alteration {
            of,
            is_whole: !is_incremental,
            changes,
        }));
    }
    let pending = Pending { origin, is_incremental, results };
    if resources.is_empty() {
        return answer(desk, node, pending);
    }
    let waiter = desk.waiter();
    desk.wait(now, waiter, now.mono + DECISION_AWAITED_MAX, Waiting::AlterConfigs(Box::new(pending)));
    node.ask(now, waiter, Request::AlterConfigs { resources, validate_only });
}

/// Whose settings are meant.
fn resource(node: &Node, Named { kind, name }: &Named) -> Result<Resource, Refusal> {
    match *kind {
        TOPIC => Ok(Resource::Topic(name.clone())),
        BROKER if name.is_empty() => Ok(Resource::Cluster),
        BROKER => Ok(Resource::Node(own_id(node, name)?)),
        GROUP => Ok(Resource::Group(name.clone())),
        kind => Err(refusal(&format!("settings of resource type {kind} are not served"))),
    }
}

/// This node, if it is meant.
pub(super) fn own_id(node: &Node, name: &str) -> Result<NodeId, Refusal> {
    let own = node.config().node;
    match name.trim().parse::<i32>() {
        Ok(id) if id == own.0 => Ok(own),
        _ => Err(refusal(&format!("this is broker {}: ask the one that is meant about its settings", own.0))),
    }
}

/// The changes, if none is named twice.
fn once(changes: Vec<Change>) -> Result<Vec<Change>, Refusal> {
    let mut seen = BTreeSet::new();
    match changes.iter().all(|change| seen.insert(change.name.as_str())) {
        true => Ok(changes),
        false => Err(refusal("each setting must be named once")),
    }
}

pub(super) fn refusal(words: &str) -> Refusal {
    Refusal { code: ErrorCode::InvalidRequest, message: words.into() }
}

pub(in crate::api) fn replied(desk: &mut Desk, node: &mut Node, mut pending: Pending, reply: Reply) {
    match reply {
        Reply::AlterConfigs(altered) => {
            let open = pending.results.iter_mut().filter(|(_, result)| result.is_none());
            open.zip(altered).for_each(|((_, result), (_, altered))| *result = altered.err());
        }
        Reply::Refused(refusal) => refuse(&mut pending, &refusal),
        _ => refuse(&mut pending, &Refusal { code: ErrorCode::NotController, message: String::new() }),
    }
    answer(desk, node, pending);
}

/// Nobody knows whether they will be changed.
pub(in crate::api) fn in_vain(desk: &mut Desk, node: &mut Node, mut pending: Pending, vain: Vain) {
    refuse(&mut pending, &Refusal { code: vain.undecided(), message: String::new() });
    answer(desk, node, pending);
}

/// Refuses what was not refused yet. In words once: resources may be many.
fn refuse(pending: &mut Pending, refusal: &Refusal) {
    let words = std::iter::once(refusal.message.clone()).chain(std::iter::repeat(String::new()));
    let open = pending.results.iter_mut().filter(|(_, result)| result.is_none());
    open.zip(words).for_each(|((_, result), message)| *result = Some(Refusal { message, ..*refusal }));
}

fn answer(desk: &mut Desk, node: &mut Node, pending: Pending) {
    let Pending { origin, is_incremental, results } = pending;
    let results = results.into_iter().map(|(named, result)| {
        let code = result.as_ref().map_or(ErrorCode::None, |refusal| refusal.code);
        let words = result.map(|refusal| refusal.message).filter(|message| !message.is_empty());
        (code.code(), words, named.kind, named.name)
    });
    if is_incremental {
        use incremental_alter_configs::{AlterConfigsResourceResponse, IncrementalAlterConfigsResponse};
        let responses = results.map(|(error_code, error_message, resource_type, resource_name)| {
            AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
        });
        let responses = responses.collect();
        desk.answer(node, origin, &IncrementalAlterConfigsResponse { responses, ..Default::default() });
    } else {
        use alter_configs::{AlterConfigsResourceResponse, AlterConfigsResponse};
        let responses = results.map(|(error_code, error_message, resource_type, resource_name)| {
            AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
        });
        let responses = responses.collect();
        desk.answer(node, origin, &AlterConfigsResponse { responses, ..Default::default() });
    }
}
