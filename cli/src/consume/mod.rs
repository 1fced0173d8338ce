//! `rust-mq consume`: records of topics to standard output, from one place on and to another.
//!
//! Without `--follow` it ends where the partitions ended when it began: what comes meanwhile is for the next time.
//! Everything that one answer brought is written before the next question, so that nothing waits in a buffer while a
//! person waits at a terminal.

mod group;
pub(crate) mod reader;

use crate::Ending;
use crate::connection::Connection;
use crate::offset::{BadOffset, OffsetRange};
use crate::percent::{BadFormat, PercentFormat};
use crate::record::Record;
use crate::time::now_ms;
use crate::trouble::Trouble;
use clap::Args;
use reader::{Extent, Reader};
use regex::{Regex, RegexSet};
use rust_mq_client::admin::{Admin, Place, Topic, TopicPartition};
use std::collections::BTreeMap;
use std::io::{self, Write};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Print the records of topics
///
/// rust-mq consume greetings                            all there are
/// rust-mq consume orders --follow -o end               those that come from now on
/// rust-mq consume orders -o -10 -f '%p %o %k %v\n'     the last ten of each partition
/// rust-mq consume orders -o @2h:@1h -f json            those of an hour, as JSON
/// rust-mq consume orders -g payments --follow          as a member of a group
/// rust-mq consume -r 'orders-.*'                       of all topics of such names
///
/// Ends at what was the end when it began; with --follow it waits for more.
///
/// In a format %t is the topic, %p the partition, %o the offset, %k the key, %v the value,
/// %h the headers, %d the timestamp in milliseconds, %K and %V how many bytes key and
/// value have (-1 without one); \n, \t, \0 and \x1f are understood.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ConsumeArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// The topics
    #[arg(value_name = "TOPIC", required = true)]
    pub topics: Vec<String>,
    /// Take what was named for regular expressions: of all topics, but internal ones, those whose whole name fits one
    ///
    /// Which these are is looked up once, when it begins.
    #[arg(long, short = 'r')]
    pub regex: bool,
    /// From where: start, end, an offset, +10 behind the start, -10 before the end, @5m or @2026-11-28; or from:to
    #[arg(long, short = 'o', value_name = "OFFSET", default_value = "start", allow_hyphen_values = true, value_parser = range)]
    pub offset: OffsetRange,
    /// Only of these partitions
    #[arg(long, short = 'p', value_name = "NUMBER,...", value_delimiter = ',', value_parser = clap::value_parser!(i32).range(0..))]
    pub partitions: Vec<i32>,
    /// End after so many records
    #[arg(long, short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub num: Option<u64>,
    /// How each record looks: a text with %t, %p, %o, %k, %v, %h, or json for an object a line
    #[arg(long, short = 'f', value_name = "FORMAT", default_value = "%v\\n", value_parser = Shape::parse)]
    pub format: Shape,
    /// Read as a member of this group: share partitions with its other members, go on where it is, commit how far it comes
    ///
    /// -o then says where a group begins that has committed nothing: start, end, or a time.
    #[arg(long, short = 'g', value_name = "GROUP", conflicts_with = "partitions")]
    pub group: Option<String>,
    /// Wait for more at the end
    #[arg(long)]
    pub follow: bool,
}

/// How a record looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A text of what it has.
    Percent(PercentFormat),
    /// One JSON object a line.
    Json,
}

/// What is no shape of a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadShape {
    /// It is a word of other verbs.
    #[error("records are no table: say json, or a text such as '%k %v\\n'")]
    Table,
    /// It is no format.
    #[error(transparent)]
    Format(#[from] BadFormat),
}

impl Shape {
    fn parse(text: &str) -> Result<Shape, BadShape> {
        match text {
            "json" => Ok(Shape::Json),
            "table" | "wide" | "yaml" | "text" => Err(BadShape::Table),
            format => Ok(Shape::Percent(PercentFormat::parse(format)?)),
        }
    }

    fn write(&self, record: &Record, out: &mut Vec<u8>) {
        match self {
            Shape::Percent(format) => format.write(record, out),
            Shape::Json => {
                serde_json::to_writer(&mut *out, record).expect("texts and numbers have a form in JSON");
                out.push(b'\n');
            }
        }
    }
}

fn range(text: &str) -> Result<OffsetRange, BadOffset> {
    OffsetRange::parse(text, now_ms())
}

/// Does it.
pub async fn run(mut said: ConsumeArguments) -> Result<Ending, Trouble> {
    let client = said.connection.client().await?;
    if said.regex {
        said.topics = fitting(&Admin::new(client.clone()), &said.topics).await?;
    }
    if let Some(group) = &said.group {
        return group::run(client, &said, group).await;
    }
    let admin = Admin::new(client.clone());
    let partitions = partitions(&admin, &said).await?;
    let extents = extents(&admin, &said, partitions).await?;
    let mut reader = Reader::new(client, extents, said.follow);
    let mut enough = interruptions()?;
    let mut left = said.num.unwrap_or(u64::MAX);
    let mut text = Vec::new();
    while left > 0 {
        let records = tokio::select! {
            records = reader.next() => records?,
            _ = enough.recv() => return Ok(Ending::Interrupted),
        };
        let Some(records) = records else { break };
        for record in records.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            said.format.write(record, &mut text);
            left -= 1;
        }
        let mut out = io::stdout().lock();
        out.write_all(&text).and_then(|()| out.flush()).map_err(Trouble::of_output)?;
        text.clear();
    }
    Ok(Ending::Fine)
}

/// The topics whose names fit.
async fn fitting(admin: &Admin, patterns: &[String]) -> Result<Vec<String>, Trouble> {
    // By itself first: what is put around it would stand in the error, and could close what it leaves open.
    for pattern in patterns {
        Regex::new(pattern).map_err(|error| not_a_pattern(pattern, &error))?;
    }
    let whole = RegexSet::new(patterns.iter().map(|pattern| format!("^(?:{pattern})$")));
    let whole = whole.map_err(|error| not_a_pattern(&patterns.join("`, `"), &error))?;
    let all = admin.topics().await;
    let all = all.map_err(|error| Trouble::of("the topics were not looked up", &error))?;
    let fits = |topic: &Topic| !topic.is_internal && whole.is_match(&topic.name);
    let names: Vec<String> = all.into_iter().filter(fits).map(|topic| topic.name).collect();
    if names.is_empty() {
        let what = format!("no topic fits `{}`", patterns.join("`, `"));
        return Err(Trouble::failed(what, "a whole name has to fit", "`rust-mq topic list` shows the names"));
    }
    Ok(names)
}

fn not_a_pattern(pattern: &str, error: &regex::Error) -> Trouble {
    let text = error.to_string();
    // Its last line says it; those above draw where.
    let why = text.lines().next_back().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let remedy = "quote it for the shell, as in -r 'orders-.*'";
    Trouble::usage(format!("`{pattern}` is no regular expression"), why, remedy)
}

/// Ctrl-C, from now on.
fn interruptions() -> Result<Signal, Trouble> {
    signal(SignalKind::interrupt()).map_err(|error| {
        Trouble::failed("nothing was read", error.to_string(), "free some of this machine's memory")
    })
}

/// The partitions that are meant.
async fn partitions(admin: &Admin, said: &ConsumeArguments) -> Result<Vec<TopicPartition>, Trouble> {
    let mut partitions = Vec::new();
    for name in &said.topics {
        let topic = admin.topic(name).await;
        let topic = topic.map_err(|error| Trouble::of(format!("topic `{name}` was not read"), &error))?;
        let numbers: Vec<i32> = topic.partitions.iter().map(|partition| partition.number).collect();
        if let Some(missing) = said.partitions.iter().find(|number| !numbers.contains(number)) {
            let why = format!("topic `{name}` has {} partitions, numbered from 0", numbers.len());
            let remedy = format!("`rust-mq topic offsets {name}` shows them");
            return Err(Trouble::usage(format!("there is no partition {missing} to read"), why, remedy));
        }
        let is_meant = |number: &i32| said.partitions.is_empty() || said.partitions.contains(number);
        let meant = numbers.into_iter().filter(is_meant);
        partitions.extend(meant.map(|number| TopicPartition::new(name.clone(), number)));
    }
    partitions.sort();
    partitions.dedup();
    Ok(partitions)
}

/// From where to where each partition is read.
async fn extents(
    admin: &Admin,
    said: &ConsumeArguments,
    partitions: Vec<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, Extent>, Trouble> {
    let starts = places(admin, &partitions, Some(Place::Start)).await?;
    let ends = places(admin, &partitions, Some(Place::End)).await?;
    let is_time = |place: &Place| matches!(place, Place::Time(_));
    let from = places(admin, &partitions, said.offset.from.place().filter(is_time)).await?;
    let until_word = said.offset.until;
    let until = until_word.and_then(|word| word.place()).filter(is_time);
    let until = places(admin, &partitions, until).await?;
    let extent = |of: TopicPartition| {
        let bound = |bounds: &BTreeMap<TopicPartition, Option<i64>>| bounds.get(&of).copied().flatten();
        let (start, end) = (bound(&starts).unwrap_or(0), bound(&ends).unwrap_or(0));
        let next = said.offset.from.within(start, end, bound(&from));
        let until = match (until_word, said.follow) {
            (Some(word), _) => Some(word.within(start, end, bound(&until))),
            (None, true) => None,
            (None, false) => Some(end),
        };
        (of, Extent { next, until })
    };
    Ok(partitions.into_iter().map(extent).collect())
}

async fn places(
    admin: &Admin,
    partitions: &[TopicPartition],
    place: Option<Place>,
) -> Result<BTreeMap<TopicPartition, Option<i64>>, Trouble> {
    let Some(place) = place else { return Ok(BTreeMap::new()) };
    let asked = partitions.iter().map(|of| (of.clone(), place)).collect();
    let mut offsets = BTreeMap::new();
    for (of, found) in admin.offsets(asked).await {
        let found = found.map_err(|error| Trouble::of(format!("{of} was not read"), &error))?;
        offsets.insert(of, found.offset);
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_is_named_and_why() {
        let pattern = "a[".to_owned();
        let error = Regex::new(&pattern).expect_err("it is left open");
        let trouble = not_a_pattern("a[", &error);
        assert_eq!((trouble.why(), trouble.exit_code()), ("unclosed character class", 2));
    }

    #[test]
    fn a_shape_is_a_format_or_json_and_no_word_of_other_verbs() {
        assert_eq!(Shape::parse("json"), Ok(Shape::Json));
        assert!(matches!(Shape::parse("%k"), Ok(Shape::Percent(_))));
        for word in ["table", "wide", "yaml"] {
            assert_eq!(Shape::parse(word), Err(BadShape::Table));
        }
        assert!(Shape::parse("%q").is_err());
    }
}
