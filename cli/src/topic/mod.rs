//! `rust-mq topic`: topics, their partitions and their offsets.

mod change;
mod look;
mod offsets;

use crate::connection::Connection;
use crate::offset::OffsetWord;
use crate::output::Output;
use crate::setting;
use crate::time::now_ms;
use crate::trouble::Trouble;
use crate::{Ending, offset::BadOffset};
use clap::{Args, Subcommand};

/// Look at topics; make, change and delete them
///
/// A topic is a named log of records, in partitions that are read and written side by side.
#[derive(Debug, Args)]
pub struct TopicArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// How to answer.
    #[command(flatten)]
    pub output: Output,
    /// What to do.
    #[command(subcommand)]
    pub verb: TopicVerb,
}

/// What can be done with topics.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TopicVerb {
    /// List topics
    List(ListArguments),
    /// Make topics
    Create(CreateArguments),
    /// Show topics: their partitions, who leads them, and their settings
    Describe(DescribeArguments),
    /// Delete topics with all their records
    Delete(DeleteArguments),
    /// Change settings of topics
    Alter(AlterArguments),
    /// Give topics more partitions
    AddPartitions(AddPartitionsArguments),
    /// Delete the oldest records of a topic
    Trim(TrimArguments),
    /// Show where the partitions of topics begin and end
    Offsets(OffsetsArguments),
}

/// List topics
#[derive(Debug, Args)]
pub struct ListArguments {
    /// List the broker's own topics, too
    #[arg(long, short = 'i')]
    pub internal: bool,
}

/// Make topics
///
/// rust-mq topic create orders -p 6 -r 3 -c retention.ms=3600000
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct CreateArguments {
    /// Their names
    #[arg(value_name = "TOPIC", required = true)]
    pub topics: Vec<String>,
    /// How many partitions each has; the brokers' default if it is not said
    #[arg(long, short = 'p', value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// On how many nodes each partition is kept; the brokers' default if it is not said
    #[arg(long, short = 'r', value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..=32_767))]
    pub replicas: Option<i32>,
    /// A setting; may be said several times
    #[arg(long, short = 'c', value_name = "NAME=VALUE", value_parser = setting::parse)]
    pub config: Vec<(String, String)>,
    /// It is fine if a topic is there already
    #[arg(long)]
    pub if_not_exists: bool,
    /// Only say what would come of it
    #[arg(long, short = 'd')]
    pub dry_run: bool,
}

/// Show topics: their partitions, who leads them, and their settings
#[derive(Debug, Args)]
pub struct DescribeArguments {
    /// Their names
    #[arg(value_name = "TOPIC", required = true)]
    pub topics: Vec<String>,
}

/// Delete topics with all their records
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// Their names
    #[arg(value_name = "TOPIC", required = true)]
    pub topics: Vec<String>,
    /// It is fine if a topic is not there
    #[arg(long)]
    pub if_exists: bool,
}

/// Change settings of topics
///
/// rust-mq topic alter orders --set retention.ms=3600000 --unset segment.bytes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(group = clap::ArgGroup::new("change").args(["set", "append", "subtract", "unset"]).required(true).multiple(true))]
pub struct AlterArguments {
    /// Their names
    #[arg(value_name = "TOPIC", required = true)]
    pub topics: Vec<String>,
    /// Give a setting this value; may be said several times
    #[arg(long, short = 's', value_name = "NAME=VALUE", value_parser = setting::parse)]
    pub set: Vec<(String, String)>,
    /// Add to a setting that is a list
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting::parse)]
    pub append: Vec<(String, String)>,
    /// Take out of a setting that is a list
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting::parse)]
    pub subtract: Vec<(String, String)>,
    /// Give a setting its default back; may be said several times
    #[arg(long, short = 'd', visible_alias = "delete", value_name = "NAME")]
    pub unset: Vec<String>,
    /// Only say what would come of it
    #[arg(long)]
    pub dry_run: bool,
}

/// Give topics more partitions
///
/// Records with a key go to another partition from then on: what was written before stays where it is.
#[derive(Debug, Args)]
pub struct AddPartitionsArguments {
    /// Their names
    #[arg(value_name = "TOPIC", required = true)]
    pub topics: Vec<String>,
    /// How many more each gets
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(i32).range(1..))]
    pub num: i32,
    /// Only say what would come of it
    #[arg(long)]
    pub dry_run: bool,
}

/// Delete the oldest records of a topic
///
/// rust-mq topic trim orders --to @7d      what is older than seven days
/// rust-mq topic trim orders --to 1000     what lies below offset 1000, in each partition
/// rust-mq topic trim orders --to end      everything
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct TrimArguments {
    /// Its name
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// What lies before goes: an offset, @7d, @2026-11-28, -1000 for all but a thousand, or end
    #[arg(long, short = 'o', visible_alias = "offset", value_name = "OFFSET", allow_hyphen_values = true, value_parser = offset_word)]
    pub to: OffsetWord,
    /// Only of these partitions
    #[arg(long, short = 'p', value_name = "NUMBER,...", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..))]
    pub partitions: Vec<i32>,
    /// Only say what would come of it
    #[arg(long)]
    pub dry_run: bool,
}

/// Show where the partitions of topics begin and end
#[derive(Debug, Args)]
pub struct OffsetsArguments {
    /// Their names; all topics if none is said
    #[arg(value_name = "TOPIC")]
    pub topics: Vec<String>,
    /// Show the first offset from that time on, too: @5m, @2026-11-28T09:30:00Z
    #[arg(long, value_name = "@TIME", value_parser = offset_word)]
    pub at: Option<OffsetWord>,
}

fn offset_word(text: &str) -> Result<OffsetWord, BadOffset> {
    OffsetWord::parse(text, now_ms())
}

/// Does it.
pub async fn run(said: TopicArguments) -> Result<Ending, Trouble> {
    let admin = said.connection.admin().await?;
    let output = &said.output;
    match said.verb {
        TopicVerb::List(list) => look::list(&admin, output, &list).await,
        TopicVerb::Describe(topics) => look::describe(&admin, output, &topics).await,
        TopicVerb::Create(create) => change::create(&admin, output, create).await,
        TopicVerb::Delete(delete) => change::delete(&admin, output, &delete).await,
        TopicVerb::Alter(alter) => change::alter(&admin, output, alter).await,
        TopicVerb::AddPartitions(add) => change::add_partitions(&admin, output, &add).await,
        TopicVerb::Trim(trim) => offsets::trim(&admin, output, &trim).await,
        TopicVerb::Offsets(which) => offsets::show(&admin, output, &which).await,
    }
}
