//! What can be said on the command line, and what `--help` says about it.

use crate::log::LogFormat;
use crate::memory_limit::{parse_limit, parse_size};
use clap::{Args, Parser, Subcommand};
use rust_mq_core::limits::SCRUB_BYTES_PER_SECOND;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  rust-mq                                   in memory, on 127.0.0.1:9092, gone when it stops
  rust-mq --data ./data                     on disk: every acknowledged record is fsynced
  rust-mq --listen 127.0.0.1:0              any free port; the log says which
  rust-mq --config node-1.yaml              one node of a cluster
  rust-mq dev-cluster                       a cluster of three on this machine

First steps, with kcat:
  echo hello | kcat -P -b 127.0.0.1:9092 -t greetings
  kcat -C -b 127.0.0.1:9092 -t greetings -e

Ctrl-C or SIGTERM stops it cleanly; a second one at once. RUST_LOG=debug logs more.";

/// A message broker for every Kafka client: one binary, replicated by Raft.
///
/// Without arguments it runs alone, in memory, for development and tests. With --data it is durable; with
/// --config it is a node of a cluster.
#[derive(Debug, Parser)]
#[command(name = "rust-mq", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// Another way to run.
    #[command(subcommand)]
    pub command: Option<OtherCommand>,
    /// How to run a node.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// Other ways to run.
#[derive(Debug, Subcommand)]
pub enum OtherCommand {
    /// Run a cluster of three nodes on this machine, to try things on
    ///
    /// Writes node-1.yaml to node-3.yaml and each node's data into a directory, starts three processes on
    /// ports 9092 to 9094, and shows their logs together. What is there is used again: edit the files, or kill
    /// a process and watch the others elect.
    DevCluster {
        /// Where the three nodes keep their files
        #[arg(long, value_name = "DIR", default_value = "rust-mq-dev-cluster")]
        data: PathBuf,
    },
}

/// How to run a node.
#[derive(Debug, Args)]
pub struct NodeArguments {
    /// Keep data in this directory; without it, in memory
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Serve Kafka clients here; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9092")]
    pub listen: String,

    /// Tell clients to connect here; without it, wherever they came to
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Option<String>,

    /// Run a node of a cluster, as this YAML file says (see docs/examples/cluster)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "listen", "advertise", "insecure"])]
    pub config: Option<PathBuf>,

    /// Memory for data and buffers, such as 512M or 4GiB [default: half of what there is, at most 4 GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_limit)]
    pub memory_limit: Option<u64>,

    /// Read through cold data at this rate a second, to find what has rotted; 0 for never
    #[arg(long, value_name = "SIZE", value_parser = parse_size, default_value_t = SCRUB_BYTES_PER_SECOND)]
    pub scrub_rate: u64,

    /// Serve others than this machine although there is no encryption and no login yet
    #[arg(long)]
    pub insecure: bool,

    /// Log lines for people or for machines [default: human on a terminal, else json]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}
