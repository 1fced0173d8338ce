//! Measures the release binary from outside, by processor time and not by the clock wherever it can, because a busy
//! machine slows a clock and not a count; alone, and side by side with Apache Kafka.
//!
//! ```text
//! cargo run --release -p rust-mq-bench -- figures            all of them
//! cargo run --release -p rust-mq-bench -- figures --only produce
//! cargo run --release -p rust-mq-bench -- compare --quick    side by side, a short run
//! cargo run --release -p rust-mq-bench -- compare            the same in earnest
//! cargo run --release -p rust-mq-bench -- memory             what --memory-limit holds against
//! cargo run --release -p rust-mq-bench -- floor              what the parts of it cost without a broker
//! cargo run --release -p rust-mq-bench -- grpc               gRPC beside tonic's own empty answer and Kafka's protocol
//! cargo run --release -p rust-mq-bench -- client             our own client beside librdkafka
//! ```
//! For the figures: `broker` starts the binary, `load` keeps many requests in flight, `figures` is the list of what is
//! measured. `kernel` reads what the system counted for a process; `floor` measures what the parts of it all cost
//! without a broker.
//! For the comparison: `side` starts either broker, `workload` is what is done to it, `compare` the order and the
//! matrix, `finding` what came of it, `report` what is written. `client` speaks
//! Kafka's protocol over one blocking connection, `ends` runs our own client and librdkafka's, `memory` weighs a process under the traffic of `tests/src/traffic.rs`, `instructions` counts what the core executes, `metric` and
//! `statistics` are the numbers.

mod broker;
mod client;
mod compare;
mod ends;
mod figures;
mod finding;
mod floor;
mod grpc;
mod instructions;
mod kernel;
mod load;
mod memory;
mod metric;
mod report;
mod side;
mod statistics;
mod workload;

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
    /// Compare with Apache Kafka, and write a report
    Compare(compare::Options),
    /// Measure resident memory under traffic that costs much for little, against --memory-limit
    Memory(memory::Options),
    /// Count the instructions of fixed scripts in the core, and compare with those that are kept
    Instructions(instructions::Options),
    /// Print what gRPC costs: a unary Produce beside tonic's own empty answer, streams beside Kafka's protocol
    Grpc {
        /// Measure each this often, and print the median
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
    /// Answer empty calls, to be measured against
    #[command(hide = true)]
    GrpcEmpty,
    /// Print what our own client costs end to end, beside librdkafka's load generator
    Client {
        /// Measure each this often, and print the median
        #[arg(long, default_value_t = 3)]
        times: usize,
    },
    /// Write records, to be measured
    #[command(hide = true)]
    ClientWrites { address: String, count: u64, size: usize },
    /// Read records, to be measured
    #[command(hide = true)]
    ClientReads { address: String, count: u64, size: usize },
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
        Command::Compare(options) => compare::run(&options),
        Command::Memory(options) => memory::run(&options),
        Command::Instructions(options) => instructions::run(&options),
        Command::Grpc { times } => grpc::print(times.max(1)),
        Command::GrpcEmpty => grpc::serve_empty(),
        Command::Client { times } => ends::print(times.max(1)),
        Command::ClientWrites { address, count, size } => ends::write(&address, count, size),
        Command::ClientReads { address, count, size } => ends::read(&address, count, size),
        Command::Floor { times } => floor::print(&std::env::temp_dir(), times.max(1)),
    }
}
