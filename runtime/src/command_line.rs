//! What can be said on the command line, and what `--help` says about it.

use crate::configuration::show::ShowFormat;
use crate::configuration::{BadAddress, address};
use crate::log_levels::{BadLevels, LogLevels};
use crate::memory_limit::{BadSize, parse_limit, parse_size};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use rust_mq_cli::Verb;
use rust_mq_cli::config::ConfigVerb;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  rust-mq                                   in memory, on 127.0.0.1:9092, gone when it stops
  rust-mq --data ./data                     on disk: every acknowledged record is fsynced
  rust-mq --listen 127.0.0.1:0              any free port; the log says which
  rust-mq --config node-1.yaml              one node of a cluster
  rust-mq --config node-1.yaml --check      would it start?
  rust-mq config show --config node-1.yaml  what holds, and who said so
  rust-mq dev-cluster                       a cluster of three on this machine
  rust-mq generate compose > compose.yaml   the same for Docker
  rust-mq topic list                        what a running broker holds
  rust-mq cluster health                    whether it is well: exit code 0 or 10

Every setting can stand in the file, in the environment, and most on the command line;
the later of these wins. Variables: RUST_MQ_LOG_LEVEL=debug, and with __ where the file
goes a level deeper, RUST_MQ_CLUSTER__BOOTSTRAP=true. `rust-mq config example` has all.

First steps, in another terminal:
  echo hello | rust-mq produce greetings
  rust-mq consume greetings

Ctrl-C or SIGTERM stops it cleanly; a second one at once. SIGHUP has the levels of the
log read again from the file.";

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
    /// Say whether a node would start with this, and start none: exit code 0 or 1
    ///
    /// Looks at the files, whether the addresses resolve and their ports are free, and whether the directory can be
    /// written. Nothing is left behind.
    #[arg(long)]
    pub check: bool,
    /// How to run a node.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// Other ways to run.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
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
    /// What is asked of a running cluster.
    #[command(flatten)]
    Verb(Verb),
    /// Show what a node is told; see and change settings of a running cluster
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print files for a shell, for man, for systemd, for Docker Compose, or for those who watch a cluster
    #[command(subcommand)]
    Generate(GenerateCommand),
}

/// Show every setting of a node: what holds, and where it was said
///
/// Reads what `rust-mq` with the same flags would read: defaults, then the file, then RUST_MQ_ variables, then flags; the
/// later wins. Starts nothing.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// How to show it
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ShowFormat::Table)]
    pub format: ShowFormat,
    /// What the node would be started with.
    #[command(flatten)]
    pub node: Box<NodeArguments>,
}

/// What can be generated.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum GenerateCommand {
    /// Print completions of this command line
    ///
    /// bash: rust-mq generate completion bash > /etc/bash_completion.d/rust-mq
    /// zsh:  rust-mq generate completion zsh > "${fpath[1]}/_rust-mq"
    /// fish: rust-mq generate completion fish > ~/.config/fish/completions/rust-mq.fish
    #[command(verbatim_doc_comment)]
    Completion {
        /// For which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the page for man, or write one for each command
    ///
    /// rust-mq generate man | man -l -
    Man {
        /// Write rust-mq.1, rust-mq-config.1 and so on into this directory
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        into: Option<PathBuf>,
    },
    /// Print a unit for systemd, with the least rights that a node needs
    ///
    /// rust-mq generate systemd > /etc/systemd/system/rust-mq.service
    Systemd {
        /// The file with the node's settings
        #[arg(long, value_name = "FILE", default_value = "/etc/rust-mq/node.yaml")]
        config: PathBuf,
    },
    /// Print a file for Docker Compose: a cluster of three, with an inner and an outer listener
    ///
    /// Containers on the same network reach it at node-1:19092, this machine at localhost:9092. It has a new secret each
    /// time; keep the file as you would keep a password.
    Compose {
        /// Port of node 1 on this machine; the others have the next ones
        #[arg(long, value_name = "PORT", default_value_t = 9092, value_parser = clap::value_parser!(u16).range(1..=65_533))]
        port: u16,
    },
    /// Print a configuration of Prometheus for a cluster, or its alert rules
    ///
    /// rust-mq generate prometheus > prometheus.yaml
    /// rust-mq generate prometheus --alerts > rust-mq-alerts.yaml
    #[command(verbatim_doc_comment)]
    Prometheus {
        /// Where the nodes are watched: their admin_addr, as Prometheus reaches them
        #[arg(
            long,
            value_name = "HOST:PORT",
            value_delimiter = ',',
            value_parser = is_address,
            default_value = "127.0.0.1:9644,127.0.0.1:9645,127.0.0.1:9646"
        )]
        targets: Vec<String>,
        /// Print the alert rules
        #[arg(long)]
        alerts: bool,
    },
    /// Print a dashboard for Grafana, to be imported
    Grafana,
}

/// A shell that completions are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// What can be shown of a configuration.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ConfigCommand {
    /// Show every setting of a node: what holds, and where it was said
    Show(ShowArguments),
    /// Print a file with every setting, what it means, and its default
    Example,
    /// What is asked of a running cluster.
    #[command(flatten)]
    OfCluster(ConfigVerb),
}

/// How to run a node. What a flag says is kept as it was written, beside what other layers say.
#[derive(Debug, Default, Args)]
pub struct NodeArguments {
    /// Keep data in this directory; without it, in memory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub data: Option<PathBuf>,

    /// Serve Kafka clients here; port 0 takes any free one [default: 127.0.0.1:9092]
    ///
    /// Several, each with a name: --listen inner://0.0.0.0:19092,outer://0.0.0.0:9092
    #[arg(long, value_name = "[NAME://]ADDR", value_delimiter = ',', value_parser = is_named_address)]
    pub listen: Vec<String>,

    /// Tell clients to connect here; without it, wherever they came to
    ///
    /// Of several listeners each by its name: --advertise inner://broker:19092,outer://localhost:9092
    #[arg(long, value_name = "[NAME://]HOST:PORT", value_delimiter = ',', value_parser = is_named_address)]
    pub advertise: Vec<String>,

    /// Serve metrics and health over HTTP here; without it, nowhere
    ///
    /// /metrics for Prometheus, /healthz, /readyz with reasons, /version.
    #[arg(long, value_name = "ADDR", value_parser = is_address)]
    pub admin_addr: Option<String>,

    /// Read settings from this YAML file, such as those of a cluster's node (see docs/examples/cluster)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Memory for data and buffers, such as 512M or 4GiB [default: half of what there is, at most 4 GiB]
    #[arg(long, value_name = "SIZE", value_parser = is_limit)]
    pub memory_limit: Option<String>,

    /// Read through cold data at this rate a second, to find what has rotted; 0 for never [default: 2MiB]
    #[arg(long, value_name = "SIZE", value_parser = is_size)]
    pub scrub_rate: Option<String>,

    /// Serve others than this machine although there is no encryption and no login yet
    #[arg(long)]
    pub insecure: bool,

    /// What to log: off, error, warn, info, debug or trace, also by module: info,peers=debug [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = is_level)]
    pub log_level: Option<String>,

    /// Log lines for people or for machines [default: human on a terminal, else json]
    #[arg(long, value_name = "FORMAT", value_parser = ["human", "json"])]
    pub log_format: Option<String>,
}

impl NodeArguments {
    /// What they say, each flag with its dashes.
    pub fn flags(&self) -> Vec<(&'static str, String)> {
        let flags = [
            ("--data", self.data.as_ref().map(|path| path.display().to_string())),
            ("--admin-addr", self.admin_addr.clone()),
            ("--memory-limit", self.memory_limit.clone()),
            ("--scrub-rate", self.scrub_rate.clone()),
            ("--insecure", self.insecure.then(|| "true".to_owned())),
            ("--log-level", self.log_level.clone()),
            ("--log-format", self.log_format.clone()),
        ];
        let listen = self.listen.iter().map(|address| ("--listen", address.clone()));
        let advertise = self.advertise.iter().map(|address| ("--advertise", address.clone()));
        let one = flags.into_iter().filter_map(|(flag, value)| Some((flag, value?)));
        listen.chain(advertise).chain(one).collect()
    }
}

fn is_named_address(text: &str) -> Result<String, BadAddress> {
    let plain = text.split_once("://").map_or(text, |(_, address)| address);
    address(plain).map(|_| text.to_owned())
}

fn is_address(text: &str) -> Result<String, BadAddress> {
    address(text).map(|_| text.to_owned())
}

fn is_limit(text: &str) -> Result<String, BadSize> {
    parse_limit(text).map(|_| text.to_owned())
}

fn is_size(text: &str) -> Result<String, BadSize> {
    parse_size(text).map(|_| text.to_owned())
}

fn is_level(text: &str) -> Result<String, BadLevels> {
    LogLevels::parse(text).map(|_| text.to_owned())
}
