//! A node of Apache Kafka in KRaft mode, as its release starts it: the settings of its `server.properties`, the flags
//! of its `kafka-run-class.sh` and `kafka-server-start.sh`, broker and controller in one process.

use crate::side::artifacts::missing;
use crate::side::kit::Kit;
use crate::side::{Durability, Setup, flush_delay};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

const SHIPPED: &str = include_str!("../../assets/kafka.properties");
const LOGGING: &str = include_str!("../../assets/log4j2.properties");
/// Any id will do, if all nodes have the same.
const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";

/// What the release's scripts pass to the JVM.
pub const JVM_FLAGS: [&str; 12] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
    "-Dcom.sun.management.jmxremote=true",
    "-Dcom.sun.management.jmxremote.authenticate=false",
    "-Dcom.sun.management.jmxremote.ssl=false",
];

/// The ports of a node: for clients, and for the controllers among themselves.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// For clients and other brokers.
    pub clients: u16,
    /// For controllers.
    pub peers: u16,
}

/// The settings of node `number` (from 1) of those with these ports.
pub fn properties(setup: Setup, number: usize, ports: &[Ports], folder: &Path) -> String {
    let own = ports[number - 1];
    let voters: Vec<String> =
        ports.iter().enumerate().map(|(at, ports)| format!("{}@127.0.0.1:{}", at + 1, ports.peers)).collect();
    let majority = ports.len() / 2 + 1;
    let mut text = SHIPPED.to_owned();
    let mut set = |key: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key}={value}");
    };
    set("node.id", number.to_string());
    set("controller.quorum.voters", voters.join(","));
    set("listeners", format!("PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}", own.clients, own.peers));
    set("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{}", own.clients));
    set("log.dirs", folder.join("data").display().to_string());
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        set(&format!("{topic}.replication.factor"), ports.len().to_string());
    }
    set("transaction.state.log.min.isr", majority.to_string());
    set("min.insync.replicas", majority.to_string());
    if setup.durability == Durability::Flushed {
        set("log.flush.interval.messages", "1".to_owned());
    }
    text
}

/// Formats the folder of a node.
pub fn format(kit: &Kit, folder: &Path, properties: &str) -> io::Result<()> {
    fs::write(folder.join("server.properties"), properties)?;
    fs::write(folder.join("log4j2.properties"), LOGGING)?;
    let out = Command::new("java")
        .args(["-Xmx256M", "-cp", &class_path(&kit.kafka), "kafka.tools.StorageTool", "format"])
        .args(["-t", CLUSTER_ID, "-c"])
        .arg(folder.join("server.properties"))
        .output()
        .map_err(|error| missing("java", &error))?;
    if out.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("StorageTool: {}", String::from_utf8_lossy(&out.stderr))))
}

/// The command that starts a formatted node.
pub fn command(kit: &Kit, setup: Setup, folder: &Path) -> Command {
    let mut command = Command::new("java");
    command
        .args(JVM_FLAGS)
        .arg(format!(
            "-Xlog:gc*:file={}:time,tags:filecount=10,filesize=100M",
            folder.join("gc.log").display()
        ))
        .arg(format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display()))
        .args(["-cp", &class_path(&kit.kafka), "kafka.Kafka"])
        .arg(folder.join("server.properties"));
    flush_delay::preload(&mut command, &kit.slow_flush, setup.flush_delay_us);
    command
}

fn class_path(jars: &Path) -> String {
    jars.join("*").display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(durability: Durability, nodes: u16) -> String {
        let ports: Vec<Ports> = (0..nodes).map(|at| Ports { clients: 100 + at, peers: 200 + at }).collect();
        let setup = Setup { nodes, durability, flush_delay_us: 0 };
        properties(setup, 1, &ports, Path::new("place"))
    }

    #[test]
    fn only_the_flushed_class_changes_what_is_shipped() {
        assert!(text(Durability::Flushed, 1).contains("log.flush.interval.messages=1\n"));
        assert!(!text(Durability::Shipped, 1).contains("log.flush"));
    }

    #[test]
    fn three_nodes_vote_and_a_majority_must_have_a_record() {
        let text = text(Durability::Flushed, 3);
        assert!(text.contains("controller.quorum.voters=1@127.0.0.1:200,2@127.0.0.1:201,3@127.0.0.1:202\n"));
        assert!(text.contains("min.insync.replicas=2\n"));
    }
}
