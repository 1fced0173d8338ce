//! Does what the machine says: tells who waits, asks nodes, opens lanes and sends on them.

use super::{Shared, lane};
use crate::asking;
use crate::connections::Connections;
use crate::machine::moment::Moment;
use crate::machine::producer::lane::LaneId;
use crate::machine::producer::{Action, Event};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Runs until the producer is gone.
pub(super) async fn drive(shared: Arc<Shared>, connections: Connections) {
    let mut lanes: BTreeMap<LaneId, lane::Sender> = BTreeMap::new();
    // Dropped at the end, and with it all that is still under way.
    let mut tasks = JoinSet::new();
    let mut actions = Vec::new();
    loop {
        let Some(wake_at) = turn(&shared, &mut actions) else { return };
        for action in actions.drain(..) {
            match action {
                Action::Ask { ticket, address, question, within } => {
                    let (shared, connections) = (shared.clone(), connections.clone());
                    tasks.spawn(async move {
                        let answer = asking::ask(&connections, &address, question, within).await;
                        shared.hear(Event::Answered { ticket, answer });
                    });
                }
                Action::Open { lane, address } => {
                    let (sender, requests) = lane::channel();
                    lanes.insert(lane, sender);
                    let (shared, connections) = (shared.clone(), connections.clone());
                    tasks.spawn(async move {
                        let error = lane::run(&shared, &connections, lane, &address, requests).await;
                        shared.hear(Event::Lost { lane, error });
                    });
                }
                Action::Send { lane, ticket, request } => {
                    if let Some(sender) = lanes.get(&lane) {
                        sender.send(ticket, request);
                    }
                }
                Action::Shut { lane } => drop(lanes.remove(&lane)),
                // `turn` has told them.
                Action::Settle { .. } => {}
            }
        }
        lanes.retain(|_, sender| !sender.is_broken());
        let wait = wake_at.map(|at| at.since(shared.now()));
        asking::rest(&shared.news, wait, &mut tasks).await;
    }
}

/// One turn of the machine: what is to be done, and when to come back. None once the producer is gone.
fn turn(shared: &Shared, actions: &mut Vec<Action>) -> Option<Option<Moment>> {
    let mut state = shared.state();
    if state.is_closed {
        return None;
    }
    let now = shared.now();
    state.machine.act(now, actions);
    let mut below = None;
    for action in actions.extract_if(.., |action| matches!(action, Action::Settle { .. })) {
        if let Action::Settle { place, settled } = action {
            below = Some(state.waiters.settle(place, settled));
        }
    }
    let wake_at = state.machine.wake_at(now);
    drop(state);
    if let Some(below) = below {
        shared.settled.send_replace(below);
    }
    Some(wake_at)
}
