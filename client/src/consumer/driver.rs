//! Does what the machine says: asks nodes, and tells the application.

use super::{Rebalance, Shared};
use crate::asking;
use crate::connections::Connections;
use crate::machine::consumer::{Action, Event};
use crate::machine::moment::Moment;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Runs until the consumer is gone.
pub(super) async fn drive(shared: Arc<Shared>, connections: Connections) {
    // Dropped at the end, and with it all questions that are still under way.
    let mut tasks = JoinSet::new();
    let mut actions = Vec::new();
    loop {
        let Some(wake_at) = turn(&shared, &mut actions) else { return };
        let has_acted = !actions.is_empty();
        for action in actions.drain(..) {
            match action {
                Action::Ask { ticket, address, question, within } => {
                    let (shared, connections) = (shared.clone(), connections.clone());
                    tasks.spawn(async move {
                        let answer = asking::ask(&connections, &address, question, within).await;
                        shared.hear(Event::Answered { ticket, answer });
                        shared.arrivals.send_modify(|count| *count += 1);
                    });
                }
                Action::Assigned(places) => tell(&shared, &Rebalance::Assigned(places)),
                Action::Revoked(places) => tell(&shared, &Rebalance::Revoked(places)),
                Action::Lost(places) => tell(&shared, &Rebalance::Lost(places)),
                Action::Committed { id, outcome } => {
                    let waiting = shared.state().commits.remove(&id);
                    if let Some(waiting) = waiting {
                        // Who has stopped waiting does not want to know.
                        let _ = waiting.send(outcome);
                    }
                }
                Action::Closed => {
                    if let Some(closing) = shared.state().closing.take() {
                        let _ = closing.send(());
                    }
                }
            }
        }
        // What the application was told may lead on.
        if has_acted {
            continue;
        }
        let wait = wake_at.map(|at| at.since(shared.now()));
        asking::rest(&shared.news, wait, &mut tasks).await;
    }
}

/// One turn of the machine: what is to be done, and when to come back. None once the consumer is gone.
fn turn(shared: &Shared, actions: &mut Vec<Action>) -> Option<Option<Moment>> {
    let mut state = shared.state();
    if state.is_dropped {
        return None;
    }
    let now = shared.now();
    state.machine.act(now, actions);
    Some(state.machine.wake_at(now))
}

/// Tells the application of a rebalance, and commits what it wants committed.
fn tell(shared: &Shared, rebalance: &Rebalance) {
    let Some(told) = &shared.on_rebalance.0 else { return };
    let offsets = told(rebalance);
    if !offsets.is_empty() && matches!(rebalance, Rebalance::Revoked(_)) {
        let id = {
            let mut state = shared.state();
            state.next_commit += 1;
            state.next_commit
        };
        // Nobody waits for it but the membership, which does not go on before it is done.
        shared.hear(Event::Commit { id, offsets: Some(offsets) });
    }
}
