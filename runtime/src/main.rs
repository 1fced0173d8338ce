//! The node binary: reads the command line, does what it says, ends with a code.

use clap::Parser;
use rust_mq::command_line::CommandLine;
use rust_mq::log::{self, LogFormat};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = std::time::Instant::now();
    let said = CommandLine::try_parse().unwrap_or_else(|mistake| end(&mistake));
    let format = said.node.log_format;
    match rust_mq::start::run(said, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::last_words(format, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Ends over a command line that says nothing sensible, or asks for help.
fn end(mistake: &clap::Error) -> ! {
    if !mistake.use_stderr() {
        mistake.exit();
    }
    let words = mistake.to_string();
    let format = log::is_said_json(std::env::args_os()).then_some(LogFormat::Json);
    log::last_words(format, words.strip_prefix("error: ").unwrap_or(&words).trim_end());
    std::process::exit(mistake.exit_code());
}
