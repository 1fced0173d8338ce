//! The verbs of `rust-mq`: what a person at a terminal, or a script, asks of a cluster. They are a client like any other,
//! on the client crate, and share nothing with the node but the binary: no thread, no log, no state of it.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`produce`], [`consume`] | records, to a topic and from topics |
//! | [`topic`], [`group`], [`config`], [`cluster`] | a family of verbs each: its shapes, and what each does |
//! | [`bench`] | how fast it all is |
//! | [`connection`], [`profile`] | which cluster is asked |
//! | [`offset`], [`time`], [`percent`], [`setting`] | what people say, read into what may be believed |
//! | [`record`] | a record as it is shown |
//! | [`output`], [`table`], [`terminal`] | what they are answered |
//! | [`trouble`] | what went wrong, in three lines, with the exit code |
//!
//! What every verb keeps: data goes to standard output, in one piece or record by record, and all else to standard error;
//! colour only on a terminal, and never with `NO_COLOR`; exit codes are 0 for fine, 1 for failed, 2 for a question that
//! makes no sense, and 10 from `cluster health` for a cluster that is not well. Whoever stops reading (`| head`) is no
//! failure. Verbs, flags and words are those that users of rpk and kcat know, where they agree.
//!
//! Not here: the command line as a whole, and the node's own commands (the `rust-mq` crate); what calls mean
//! (`proto/rustmq/v1/*.proto`).

pub mod bench;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod consume;
pub mod group;
pub mod offset;
pub mod output;
pub mod percent;
pub mod produce;
pub mod profile;
pub mod record;
pub mod setting;
pub mod table;
pub mod terminal;
pub mod time;
pub mod topic;
pub mod trouble;

use clap::Subcommand;
use std::process::ExitCode;
use terminal::Colours;
use trouble::Trouble;

/// The verbs.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    /// Append records to a topic: standard input, one record a line
    Produce(produce::ProduceArguments),
    /// Print the records of topics
    Consume(consume::ConsumeArguments),
    /// Look at topics; make, change and delete them
    Topic(topic::TopicArguments),
    /// Look at consumer groups; see how far behind they are, and move or delete them
    Group(group::GroupArguments),
    /// See which nodes there are, and whether the cluster is well
    Cluster(cluster::ClusterArguments),
    /// Measure how fast a cluster is
    Bench(bench::BenchArguments),
}

/// How a verb ended that did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is fine.
    Fine,
    /// Some of what was asked failed, and that was said.
    Failed,
    /// What was looked at is not well.
    Unhealthy,
    /// Somebody had enough before the end; what had been begun was finished.
    Interrupted,
}

/// Does what a verb says.
pub fn run(verb: Verb) -> ExitCode {
    end(async {
        match verb {
            Verb::Produce(said) => produce::run(said).await,
            Verb::Consume(said) => consume::run(said).await,
            Verb::Topic(said) => topic::run(said).await,
            Verb::Group(said) => group::run(said).await,
            Verb::Cluster(said) => cluster::run(said).await,
            Verb::Bench(said) => bench::run(said).await,
        }
    })
}

/// Does what a verb about settings of the cluster says.
pub fn run_config(verb: config::ConfigVerb) -> ExitCode {
    end(config::run(verb))
}

/// Runs on this thread, and no other, until it is done.
fn end(verb: impl Future<Output = Result<Ending, Trouble>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime
        .map_err(|error| {
            Trouble::failed(
                "nothing was begun",
                error.to_string(),
                "free some of this machine's files and memory",
            )
        })
        .and_then(|runtime| runtime.block_on(verb));
    match done {
        Ok(Ending::Fine) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::from(1),
        Ok(Ending::Unhealthy) => ExitCode::from(10),
        // As shells say it of who ends by SIGINT.
        Ok(Ending::Interrupted) => ExitCode::from(128 + 2),
        Err(trouble) => {
            eprint!("{}", trouble.text(Colours::of_errors()));
            ExitCode::from(trouble.exit_code())
        }
    }
}

/// Says that some of several things failed; the first thing that did not is no reason to leave the others.
fn report(trouble: &Trouble) {
    eprint!("{}", trouble.text(Colours::of_errors()));
}
