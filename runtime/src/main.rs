//! The node binary: reads the command line, does what it says, ends with a code.

use clap::Parser;
use clap::error::ErrorKind;
use rust_mq::command_line::CommandLine;
use rust_mq::log::{self, LogFormat};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = std::time::Instant::now();
    let said = CommandLine::try_parse().unwrap_or_else(|mistake| end(&mistake));
    match rust_mq::start::run(said, started) {
        Ok(code) => code,
        Err(ended) => {
            let is_json = ended.log_format.map_or_else(is_said_json, |format| format == LogFormat::Json);
            log::last_words(is_json, &ended.why.to_string());
            ExitCode::from(ended.why.code())
        }
    }
}

/// Ends over a command line that says nothing sensible, or asks for help.
fn end(mistake: &clap::Error) -> ! {
    // A command without its subcommand is answered with its help.
    if !mistake.use_stderr() || mistake.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        mistake.exit();
    }
    let words = mistake.to_string();
    log::last_words(is_said_json(), words.strip_prefix("error: ").unwrap_or(&words).trim_end());
    std::process::exit(mistake.exit_code());
}

fn is_said_json() -> bool {
    log::is_said_json(std::env::args_os(), std::env::var_os("RUST_MQ_LOG_FORMAT"))
}
