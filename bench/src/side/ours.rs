//! A node of Rust-MQ: the release binary with its defaults, alone by flags, one of three by a file.

use crate::side::kafka::Ports;
use crate::side::kit::Kit;
use crate::side::{Durability, Setup, flush_delay};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// The file of node `number` (from 1) of several.
pub fn file(number: usize, ports: &[Ports], folder: &Path) -> String {
    let own = ports[number - 1];
    let mut text = format!(
        "node_id: {number}\napi_addr: 127.0.0.1:{}\nrpc_addr: 127.0.0.1:{}\nstorage_path: {}\n\
         cluster:\n  bootstrap: {}\n  initial_members:\n",
        own.clients,
        own.peers,
        folder.join("data").display(),
        number == 1
    );
    for (at, ports) in ports.iter().enumerate() {
        let (id, api, rpc) = (at + 1, ports.clients, ports.peers);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "    - {{ node_id: {id}, api_addr: \"127.0.0.1:{api}\", rpc_addr: \"127.0.0.1:{rpc}\" }}"
        );
    }
    text
}

/// What a session in memory may keep: more than all rows of a station send.
const MEMORY_LIMIT: &str = "8GiB";

/// The command that starts a node, and what is worth recording of its settings.
pub fn command(
    kit: &Kit,
    setup: Setup,
    number: usize,
    ports: &[Ports],
    folder: &Path,
) -> io::Result<(Command, String)> {
    let mut command = Command::new(&kit.binary);
    command.args(["--log-format", "json"]);
    let settings = if setup.nodes > 1 {
        let text = file(number, ports, folder);
        let path = folder.join("node.yaml");
        fs::write(&path, &text)?;
        command.arg("--config").arg(path);
        text
    } else {
        let listen = format!("127.0.0.1:{}", ports[0].clients);
        command.args(["--listen", &listen]);
        if setup.durability == Durability::Memory {
            // All rows' records stay, as they do in Kafka's memory file system.
            command.args(["--memory-limit", MEMORY_LIMIT]);
            format!("--listen {listen} --memory-limit {MEMORY_LIMIT}\n")
        } else {
            let data = folder.join("data");
            command.arg("--data").arg(&data);
            format!("--listen {listen} --data {}\n", data.display())
        }
    };
    flush_delay::preload(&mut command, &kit.slow_flush, setup.flush_delay_us);
    Ok((command, settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_three_founds_the_cluster_and_all_know_all() {
        let ports = [1, 2, 3].map(|at| Ports { clients: at, peers: 10 + at });
        let (first, second) = (file(1, &ports, Path::new("a")), file(2, &ports, Path::new("b")));
        assert!(first.contains("bootstrap: true") && second.contains("bootstrap: false"));
        assert_eq!(first.matches("- { node_id:").count(), 3);
    }
}
