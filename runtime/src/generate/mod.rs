//! `rust-mq generate`: files for the programs that people start a node with, or read about it in. All of them are made
//! from the command line and the settings as they are, so that none can be older than the binary.

mod compose;
mod systemd;
mod watching;

use crate::command_line::{CommandLine, GenerateCommand, Shell};
use crate::output::print;
use crate::secrets;
use clap::CommandFactory;
use clap_complete::{Shell as CompletedShell, generate};
use std::io;

const NAME: &str = "rust-mq";

/// Generates what was asked for.
pub fn run(what: &GenerateCommand) -> io::Result<()> {
    match what {
        GenerateCommand::Completion { shell } => {
            let shell = match shell {
                Shell::Bash => CompletedShell::Bash,
                Shell::Zsh => CompletedShell::Zsh,
                Shell::Fish => CompletedShell::Fish,
            };
            let mut text = Vec::new();
            generate(shell, &mut CommandLine::command(), NAME, &mut text);
            print(&String::from_utf8_lossy(&text))
        }
        GenerateCommand::Man { into: None } => {
            let mut text = Vec::new();
            clap_mangen::Man::new(CommandLine::command()).render(&mut text)?;
            print(&String::from_utf8_lossy(&text))
        }
        GenerateCommand::Man { into: Some(directory) } => {
            std::fs::create_dir_all(directory)?;
            clap_mangen::generate_to(CommandLine::command(), directory)
        }
        GenerateCommand::Systemd { config } => print(&systemd::unit(config)),
        GenerateCommand::Compose { port } => print(&compose::file(*port, &secrets::draw()?)),
        GenerateCommand::Prometheus { alerts: true, .. } => print(watching::ALERTS),
        GenerateCommand::Prometheus { targets, .. } => print(&watching::configuration(targets)),
        GenerateCommand::Grafana => print(watching::DASHBOARD),
    }
}
