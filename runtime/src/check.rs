//! `--check`: whether a node would start with its configuration, without starting one.
//!
//! Beyond what `configuration` finds, it does what a start does first, and undoes it: resolves addresses and takes their
//! ports, reads the file of secrets, makes the data directory if it is not there, and writes into it. A node that runs
//! with this very configuration has all of it, and so says no.
//!
//! Not here: whether what lies in the directory can be read. Only a start knows.

use crate::configuration::Configuration;
use crate::disk::try_directory;
use crate::plan::{Failure, Plan, bind, written};

/// Looks at everything, and says what was found.
pub fn run(configuration: &Configuration) -> Result<(), Failure> {
    let plan = Plan::of(configuration)?;
    let addresses = plan.listeners.iter().map(|(_, address)| *address).chain(plan.rpc);
    let listeners = addresses.map(bind).collect::<Result<Vec<_>, _>>()?;
    if let Some(data) = &plan.data {
        try_directory(data)?;
    }
    drop(listeners);
    let peers = plan.rpc.map(|rpc| format!(", other nodes on {rpc}")).unwrap_or_default();
    println!("fine: {}; Kafka clients on {}{peers}", plan.mode(), written(&plan.listeners));
    Ok(())
}
