//! `rust-mq group`: consumer groups, how far each has come, and to put it elsewhere.

mod look;
mod reset;

use crate::connection::Connection;
use crate::offset::{BadOffset, OffsetWord};
use crate::output::Output;
use crate::table::{Column, Table};
use crate::time::{now_ms, parse_duration};
use crate::trouble::Trouble;
use crate::{Ending, report};
use clap::{Args, Subcommand};
use rust_mq_client::admin::Admin;
use serde::Serialize;
use std::time::Duration;

/// Look at consumer groups; see how far behind they are, and move or delete them
///
/// The members of a group share the partitions of topics between them, and commit how far they have come.
#[derive(Debug, Args)]
pub struct GroupArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub verb: GroupVerb,
}

/// What can be done with groups.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum GroupVerb {
    /// List groups
    List(ListArguments),
    /// Show groups: their state, their members, and what each of these reads
    Describe(DescribeArguments),
    /// Show how far groups have come, and how far behind they are
    Lag(LagArguments),
    /// Move a group to other offsets; shows what would change, and does it with --execute
    Reset(ResetArguments),
    /// Delete groups without members, with what they have committed
    Delete(DeleteArguments),
}

/// List groups
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Only those in this state: stable, empty and so on
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
}

/// Show groups: their state, their members, and what each of these reads
#[derive(Debug, Args)]
pub struct DescribeArguments {
    /// Their ids
    #[arg(value_name = "GROUP", required = true)]
    pub groups: Vec<String>,
}

/// Show how far groups have come, and how far behind they are
#[derive(Debug, Args)]
pub struct LagArguments {
    /// Their ids; all groups if none is said
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Show it again and again
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// How long to pause between two looks
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = parse_duration)]
    pub every: Duration,
}

/// Move a group to other offsets; shows what would change, and does it with --execute
///
/// rust-mq group reset payments --to start
/// rust-mq group reset payments --to @1h --topic orders --execute
/// rust-mq group reset payments --to-group audit --execute
///
/// The group must have no members: stop them first.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("where").args(["to", "to_group"]).required(true))]
pub struct ResetArguments {
    /// Its id
    #[arg(value_name = "GROUP")]
    pub group: String,
    /// Where to: start, end, an offset, +10 behind the start, -10 before the end, @1h or @2026-11-28
    #[arg(long, short = 'o', value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset_word)]
    pub to: Option<OffsetWord>,
    /// Where that group is
    #[arg(long, value_name = "GROUP")]
    pub to_group: Option<String>,
    /// Only of these topics; without it, of all of which the group has committed something
    #[arg(long, short = 't', visible_alias = "topics", value_name = "TOPIC,...", value_delimiter = ',')]
    pub topic: Vec<String>,
    /// Do it, and do not only show it
    #[arg(long)]
    pub execute: bool,
}

/// Delete groups without members, with what they have committed
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// Their ids
    #[arg(value_name = "GROUP", required = true)]
    pub groups: Vec<String>,
}

fn offset_word(text: &str) -> Result<OffsetWord, BadOffset> {
    OffsetWord::parse(text, now_ms())
}

/// Does it.
pub async fn run(said: GroupArguments) -> Result<Ending, Trouble> {
    let admin = said.connection.admin().await?;
    let output = &said.output;
    match said.verb {
        GroupVerb::List(list) => look::list(&admin, output, &list).await,
        GroupVerb::Describe(groups) => look::describe(&admin, output, &groups).await,
        GroupVerb::Lag(lag) => look::lag(&admin, output, &lag).await,
        GroupVerb::Reset(reset) => reset::run(&admin, output, &reset).await,
        GroupVerb::Delete(groups) => delete(&admin, output, &groups).await,
    }
}

#[derive(Serialize)]
struct Deleted {
    groups: Vec<Outcome>,
}

#[derive(Serialize)]
struct Outcome {
    group: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

const STATUS: &[Column] = &[Column::text("GROUP"), Column::text("STATUS")];

async fn delete(admin: &Admin, output: &Output, said: &DeleteArguments) -> Result<Ending, Trouble> {
    let mut groups = Vec::new();
    for id in &said.groups {
        let outcome = |status, error| Outcome { group: id.clone(), status, error };
        groups.push(match admin.delete_group(id).await {
            Ok(()) => outcome("deleted", None),
            Err(error) => {
                report(&Trouble::of(format!("group `{id}` was not deleted"), &error));
                let name = error.name().map_or_else(|| error.to_string(), str::to_owned);
                outcome("error", Some(name))
            }
        });
    }
    let cell = |group: &Outcome| {
        group.error.as_ref().map_or_else(|| group.status.to_owned(), |error| format!("error: {error}"))
    };
    let table = Table::new(STATUS).rows(groups.iter().map(|group| [group.group.clone(), cell(group)]));
    let is_failed = groups.iter().any(|group| group.error.is_some());
    output.answer(&Deleted { groups }, &[table])?;
    Ok(if is_failed { Ending::Failed } else { Ending::Fine })
}
