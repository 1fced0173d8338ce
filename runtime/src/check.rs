//! `--check`: whether a node would start with its configuration, without starting one.
//!
//! Beyond what `configuration` finds, it does what a start does first, and undoes it: resolves addresses and takes their
//! ports, reads the file of secrets, makes the data directory if it is not there, and writes into it. A node that runs
//! with this very configuration has all of it, and so says no.
//!
//! Names of other members that mean nothing here are told, and are no reason to say no: a member that is not up yet may
//! have none in a network of containers.
//!
//! Not here: whether what lies in the directory can be read. Only a start knows.

use crate::configuration::Configuration;
use crate::disk::try_directory;
use crate::plan::{Failure, Plan, bind, written};
use rust_mq_core::config::Config;
use rust_mq_core::link::Address;
use std::net::ToSocketAddrs;

/// Looks at everything, and says what was found.
pub fn run(configuration: &Configuration) -> Result<(), Failure> {
    let plan = Plan::of(configuration)?;
    let addresses = plan.listeners.iter().map(|(_, address)| *address).chain(plan.rpc).chain(plan.admin);
    let listeners = addresses.map(bind).collect::<Result<Vec<_>, _>>()?;
    if let Some(data) = &plan.data {
        try_directory(data)?;
    }
    drop(listeners);
    for address in unresolved(&plan.config) {
        eprintln!("note: no address is known for {address}, where a member of the cluster is to be found");
    }
    let peers = plan.rpc.map(|rpc| format!(", other nodes on {rpc}")).unwrap_or_default();
    let admin = plan.admin.map(|admin| format!(", metrics and health on {admin}")).unwrap_or_default();
    println!("fine: {}; Kafka clients on {}{peers}{admin}", plan.mode(), written(&plan.listeners));
    Ok(())
}

/// Where other nodes are to be found, and are not by this machine's resolver. All are asked at once.
fn unresolved(config: &Config) -> Vec<Address> {
    let others = config.members.iter().filter(|member| member.node != config.node).map(|member| &member.rpc);
    let is_lost = |address: &Address| {
        address.to_string().to_socket_addrs().map_or(true, |mut found| found.next().is_none())
    };
    std::thread::scope(|threads| {
        let asked: Vec<_> =
            others.map(|address| (address, threads.spawn(move || is_lost(address)))).collect();
        // A resolver that panics is a bug of the system's: the name counts as found.
        asked
            .into_iter()
            .filter_map(|(address, asked)| asked.join().unwrap_or(false).then(|| address.clone()))
            .collect()
    })
}
