//! What a film is told of the plan before it begins: the clients, what will go wrong and where that is drawn, and what
//! else was set up.
//!
//! A trouble is drawn by what it says of itself, whatever its kind: its name is its variant's, it lies at the site
//! that it is about, or at those whose ways it cuts, or at the client that it names; and at all sites if it says
//! nothing of the kind.

use crate::client::plan::{ClientPlan, Role};
use crate::clock::MILLI;
use crate::film::{Script, Trouble};
use crate::network::Spot;
use crate::plan::{Fault, Plan};
use std::collections::BTreeSet;

/// The script of a plan.
pub fn of(plan: &Plan) -> Script {
    Script {
        seed: plan.seed,
        sites: plan.sites.len(),
        clients: plan.clients.iter().map(client).collect(),
        faults: plan.faults.iter().map(|fault| trouble(plan, fault)).collect(),
        // Who has heard nothing for an interval has begun to wait.
        late_us: plan.knobs.heartbeat_ms * MILLI / 1_000,
        setting: setting(plan),
    }
}

fn client(client: &ClientPlan) -> String {
    let role = format!("{:?}", client.role);
    let name = role.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
    match &client.role {
        Role::Producer(habits) => format!("{name}, acks {}", habits.acks),
        _ => name.to_owned(),
    }
}

fn trouble(plan: &Plan, fault: &Fault) -> Trouble {
    let words = format!("{:?} at {} ms for {} ms", fault.what, fault.at_ms, fault.lasts_ms);
    let shape = serde_json::to_value(&fault.what).expect("plans are plain data");
    let (name, fields) = match shape.as_object().and_then(|fields| fields.iter().next()) {
        Some((name, fields)) => (name.clone(), fields.clone()),
        None => (shape.as_str().unwrap_or_default().to_owned(), serde_json::Value::Null),
    };
    let mut sites: BTreeSet<usize> = fault.what.site().into_iter().collect();
    let mut clients: BTreeSet<usize> =
        fields["client"].as_u64().into_iter().map(|client| client as usize).collect();
    if sites.is_empty() {
        for spot in fault
            .what
            .cuts(plan.sites.len(), plan.clients.len())
            .into_iter()
            .flat_map(|(from, to)| [from, to])
        {
            match spot {
                Spot::Site(site) => sites.insert(site),
                Spot::Client(client) => clients.insert(client),
            };
        }
    }
    if sites.is_empty() && clients.is_empty() {
        sites = (0..plan.sites.len()).collect();
    }
    Trouble { name, words, sites: sites.into_iter().collect(), clients: clients.into_iter().collect() }
}

fn setting(plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("{} nodes, core {:?} (healed in the end)", plan.sites.len(), plan.core)];
    lines.extend(plan.mutant.map(|mutant| format!("mutant: {mutant:?}")));
    lines.extend(plan.client_mutant.map(|mutant| format!("mutant of the client: {mutant:?}")));
    lines.push(format!("faults come for {} ms", plan.chaos_ms));
    lines.push(format!("{:?}", plan.weather));
    lines.push(format!("{:?}", plan.knobs));
    let sites = plan.sites.iter().enumerate();
    lines.extend(sites.map(|(number, site)| format!("n{}: {site:?}", number + 1)));
    lines.extend(plan.topics.iter().map(|topic| format!("{topic:?}")));
    let clients = plan.clients.iter().enumerate();
    lines.extend(clients.map(|(number, client)| format!("client {number}: {client:?}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::plan_of;

    /// Every fault that a seed draws has a name and a place, of whatever kind it is.
    #[test]
    fn every_trouble_has_a_name_and_a_place() {
        for seed in 0..40 {
            let plan = plan_of(seed);
            let script = of(&plan);
            for (trouble, fault) in script.faults.iter().zip(&plan.faults) {
                assert!(format!("{:?}", fault.what).starts_with(&trouble.name) && !trouble.name.is_empty());
                assert!(!trouble.sites.is_empty() || !trouble.clients.is_empty(), "{trouble:?}");
                if let Some(site) = fault.what.site() {
                    assert_eq!(trouble.sites, [site]);
                }
            }
        }
    }
}
