//! Figures: measures the release binary from outside, by processor time and not by the clock wherever it can,
//! because a busy machine slows a clock and not a count.
//!
//! ```text
//! cargo run --release -p rust-mq-bench -- figures            all of them, about two minutes
//! cargo run --release -p rust-mq-bench -- figures --only produce
//! cargo run --release -p rust-mq-bench -- floor              what the parts of it cost without a broker
//! ```
//! `broker` starts the binary and reads what the kernel counted for it; `client` speaks Kafka's protocol over one
//! blocking connection; `load` keeps many requests in flight; `figures` is the list of what is measured;
//! `floor` measures the machine itself.
//!
//! Not here yet: other brokers side by side.

mod broker;
mod client;
mod figures;
mod floor;
mod load;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures the release binary of Rust-MQ")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the figures that the project promises to reach
    Figures {
        /// Only those whose name contains this
        #[arg(long)]
        only: Option<String>,
        /// Run each figure this often, and print the median
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
    /// Print what the parts of a durable gigabyte cost on this machine without a broker
    Floor {
        /// Measure each this often, and print the median
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
}

fn main() -> std::io::Result<()> {
    match Arguments::parse().command {
        Command::Figures { only, times } => figures::print(only.as_deref().unwrap_or(""), times.max(1)),
        Command::Floor { times } => floor::print(&std::env::temp_dir(), times.max(1)),
    }
}
