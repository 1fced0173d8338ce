//! The node binary: reads the command line, does what it says, ends with a code.

use clap::Parser;
use rust_mq::command_line::CommandLine;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = std::time::Instant::now();
    match rust_mq::start::run(CommandLine::parse(), started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
