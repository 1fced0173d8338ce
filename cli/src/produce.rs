//! `rust-mq produce`: records from standard input or a file, one a line unless something else is said.
//!
//! Whatever comes is handed to the client's producer, which batches it, and what the cluster has acknowledged is told in
//! the order in which it came. The first record that is refused ends it, and says so; those before it are delivered.
//!
//! The input is read by a thread of its own, which waits while too much is under way ([`BLOCKS_MAX`]): a terminal cannot
//! be waited for in any other way.

use crate::Ending;
use crate::connection::Connection;
use crate::output::note;
use crate::percent::{BadFormat, PercentFormat};
use crate::record::Record;
use crate::time::now_ms;
use crate::trouble::Trouble;
use bytes::Bytes;
use clap::{Args, ValueEnum, ValueHint};
use rust_mq_client::{Acks, Compression, Delivery, Error, Producer, ProducerSettings};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

/// Bytes of one record, before it is one. Source: what a topic takes at most, and a little. At the edge: an error.
const LINE_BYTES_MAX: usize = 9 << 20;
/// How much is read at a time. Source: chosen, a pipe's size.
const READ_BYTES: usize = 64 << 10;
/// Blocks that wait between the reader and the producer. Source: chosen, half a megabyte. At the edge: the reader waits.
const BLOCKS_MAX: usize = 8;
/// Records whose delivery is waited for. Source: chosen, many batches. At the edge: the oldest is waited for first.
const UNDER_WAY_MAX: usize = 100_000;

/// Append records to a topic: standard input, one record a line
///
/// echo hello | rust-mq produce greetings
/// rust-mq produce orders -K: < orders.txt             key:value on each line
/// rust-mq produce orders -l orders.txt --rate 100     a hundred records a second
/// echo 'k:' | rust-mq produce orders -K: -Z           a tombstone: the key without a value
///
/// Ends when the input does and everything is acknowledged. With equal keys records go to
/// the same partition. A topic that is not there is made, if the brokers allow it.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct ProduceArguments {
    /// Which cluster.
    #[command(flatten)]
    pub connection: Connection,
    /// The topic
    #[arg(value_name = "TOPIC")]
    pub topic: String,
    /// Read records from this file, and not from standard input
    #[arg(long, short = 'l', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// What stands between records; \n, \t, \0 and \x1f are understood
    #[arg(long, short = 'D', value_name = "TEXT", default_value = "\\n", value_parser = delimiter)]
    pub delimiter: Delimiter,
    /// What stands between the key and the value of a record; one without it has no key
    #[arg(long, short = 'K', value_name = "TEXT", value_parser = delimiter)]
    pub key_delimiter: Option<Delimiter>,
    /// The key of all records
    #[arg(long, short = 'k', value_name = "KEY", conflicts_with = "key_delimiter")]
    pub key: Option<String>,
    /// A header of all records; may be said several times
    #[arg(long, short = 'H', value_name = "NAME=VALUE", value_parser = header)]
    pub header: Vec<(String, String)>,
    /// The partition of all records; without it the key says, and without a key chance
    #[arg(long, short = 'p', value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// An empty value is a tombstone, which deletes its key in a compacted topic
    #[arg(long, short = 'Z')]
    pub tombstone: bool,
    /// How to compress: none, gzip, snappy, lz4 or zstd
    #[arg(hide_possible_values = true, long, short = 'z', value_name = "CODEC", value_enum, default_value_t = Codec::None)]
    pub compression: Codec,
    /// Whom to wait for: all is a majority of the replicas, with their disks; none is nobody
    #[arg(hide_possible_values = true, long, value_name = "WHOM", value_enum, default_value_t = Whom::All)]
    pub acks: Whom,
    /// Records a second at most
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    /// Print this of each record that is acknowledged: '%p %o\n' for partition and offset (see `consume --help`)
    #[arg(long, short = 'o', value_name = "FORMAT", value_parser = PercentFormat::parse)]
    pub output: Option<PercentFormat>,
}

/// How to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Codec {
    /// Not at all
    None,
    /// gzip
    Gzip,
    /// snappy
    Snappy,
    /// LZ4
    Lz4,
    /// Zstandard
    Zstd,
}

/// Whom to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Whom {
    /// A majority of the replicas
    All,
    /// Nobody
    None,
}

/// What stands between two things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delimiter(Vec<u8>);

/// What is no delimiter.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadDelimiter {
    /// It has nothing.
    #[error("it is empty")]
    Empty,
    /// It has an escape that nothing is known by.
    #[error(transparent)]
    Escape(#[from] BadFormat),
}

/// What is no header.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no header: say name=value")]
pub struct BadHeader(String);

fn delimiter(text: &str) -> Result<Delimiter, BadDelimiter> {
    let mut bytes = Vec::new();
    PercentFormat::parse(&text.replace('%', "%%"))?.write(&Record::default(), &mut bytes);
    if bytes.is_empty() { Err(BadDelimiter::Empty) } else { Ok(Delimiter(bytes)) }
}

fn header(text: &str) -> Result<(String, String), BadHeader> {
    let (name, value) = text.split_once('=').ok_or_else(|| BadHeader(text.to_owned()))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Does it.
pub async fn run(said: ProduceArguments) -> Result<Ending, Trouble> {
    let input: Box<dyn Read + Send> = match &said.file {
        Some(path) => Box::new(open(path)?),
        None => Box::new(io::stdin()),
    };
    let client = said.connection.client().await?;
    let mut enough = signal(SignalKind::interrupt()).map_err(|error| {
        Trouble::failed(undone(&said), error.to_string(), "free some of this machine's memory")
    })?;
    let producer = client.producer(settings(&said)).map_err(|error| Trouble::of(undone(&said), &error))?;
    if said.file.is_none() && io::stdin().is_terminal() {
        note("one record a line; Ctrl-D ends it");
    }
    let (sender, lines) = channel(BLOCKS_MAX);
    let delimiter = said.delimiter.0.clone();
    let reader = std::thread::Builder::new().name("input".into());
    // Nobody waits for it: it may wait for a terminal when the process ends.
    reader.spawn(move || read(input, &delimiter, &sender)).map_err(|error| {
        Trouble::failed(undone(&said), error.to_string(), "free some of this machine's memory")
    })?;
    let mut run = Run { said, producer, under_way: VecDeque::new(), produced: 0, text: Vec::new() };
    let outcome = run.all(lines, &mut enough).await;
    run.end(outcome, &mut enough).await
}

fn open(path: &PathBuf) -> Result<BufReader<File>, Trouble> {
    let file = File::open(path).map_err(|error| {
        let what = format!("{} was not read", path.display());
        Trouble::failed(
            what,
            error.to_string(),
            "name a file that is there; without --file it is standard input",
        )
    });
    Ok(BufReader::new(file?))
}

fn settings(said: &ProduceArguments) -> ProducerSettings {
    ProducerSettings {
        acks: match said.acks {
            Whom::All => Acks::All,
            Whom::None => Acks::None,
        },
        is_idempotent: said.acks == Whom::All,
        compression: said.compression.of_client(),
        delivery_timeout: said.connection.timeout.max(Duration::from_secs(1)),
        request_timeout: said.connection.timeout.max(Duration::from_secs(1)),
        ..ProducerSettings::default()
    }
}

impl Codec {
    /// The same, as the client has it.
    pub fn of_client(self) -> Compression {
        match self {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip,
            Codec::Snappy => Compression::Snappy,
            Codec::Lz4 => Compression::Lz4,
            Codec::Zstd => Compression::Zstd,
        }
    }
}

fn undone(said: &ProduceArguments) -> String {
    format!("nothing was produced to `{}`", said.topic)
}

/// What the reader passes on: blocks of records.
type Lines = Receiver<Result<Vec<Bytes>, io::Error>>;

/// A run under way.
struct Run {
    said: ProduceArguments,
    producer: Producer,
    /// In the order of the input.
    under_way: VecDeque<(Delivery, Option<Record>)>,
    produced: u64,
    /// What is to be printed.
    text: Vec<u8>,
}

impl Run {
    /// Produces all that comes. Whether somebody has had enough before the end.
    async fn all(&mut self, mut lines: Lines, enough: &mut Signal) -> Result<bool, Trouble> {
        let start = Instant::now();
        let mut count = 0;
        loop {
            let block = tokio::select! {
                block = lines.recv() => block,
                _ = enough.recv() => return Ok(true),
                // Nothing comes for a while: what is acknowledged meanwhile is told.
                told = self.tell_next(), if !self.under_way.is_empty() => {
                    told?;
                    continue;
                }
            };
            let Some(block) = block else { return Ok(false) };
            let unread = |error: io::Error| {
                let what = "the input was not read to its end";
                Trouble::failed(what, error.to_string(), "look at where it comes from")
            };
            for line in block.map_err(unread)? {
                let due = self.said.rate.map(|rate| start + Duration::from_secs(count) / rate);
                count += 1;
                tokio::select! {
                    handed = self.hand_over(line, due) => handed?,
                    _ = enough.recv() => return Ok(true),
                }
            }
            self.flush_text()?;
        }
    }

    /// Hands a record over when it is due. Who stops waiting has not handed it over.
    async fn hand_over(&mut self, line: Bytes, due: Option<Instant>) -> Result<(), Trouble> {
        if let Some(due) = due {
            sleep_until(due).await;
        }
        while self.under_way.len() >= UNDER_WAY_MAX {
            self.tell_next().await?;
        }
        let record = record(&self.said, line);
        let shown = self.said.output.as_ref().map(|_| shown(&record));
        let sent = self.producer.send(record).await;
        let delivery = sent.map_err(|error| self.refused(self.under_way.len(), &error))?;
        self.under_way.push_back((delivery, shown));
        Ok(())
    }

    /// Waits for the oldest that is under way.
    async fn tell_next(&mut self) -> Result<(), Trouble> {
        // It stays where it is until it is there, so that whoever stops waiting loses nothing.
        let Some((delivery, _)) = self.under_way.front_mut() else { return Ok(()) };
        let placed = delivery.await;
        let Some((_, shown)) = self.under_way.pop_front() else { return Ok(()) };
        let placed = placed.map_err(|error| self.refused(0, &error))?;
        self.produced += 1;
        if let (Some(format), Some(mut shown)) = (&self.said.output, shown) {
            shown.partition = placed.partition;
            shown.offset = placed.offset.unwrap_or(-1);
            shown.timestamp_ms = placed.append_time_ms.unwrap_or(shown.timestamp_ms);
            format.write(&shown, &mut self.text);
            if self.under_way.is_empty() || self.text.len() > READ_BYTES {
                self.flush_text()?;
            }
        }
        Ok(())
    }

    fn flush_text(&mut self) -> Result<(), Trouble> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let written = out.write_all(&self.text).and_then(|()| out.flush());
        self.text.clear();
        written.map_err(Trouble::of_output)
    }

    /// A record was refused, which is so many behind those that are settled.
    fn refused(&self, behind: usize, error: &Error) -> Trouble {
        let number = self.produced + behind as u64 + 1;
        Trouble::of_data(format!("record {number} was not produced to `{}`", self.said.topic), error)
    }

    /// Waits for what is under way, whatever came before. A second interruption ends it at once.
    async fn end(mut self, outcome: Result<bool, Trouble>, enough: &mut Signal) -> Result<Ending, Trouble> {
        let told = tokio::select! {
            told = self.tell_all() => told,
            _ = enough.recv() => {
                let what = format!("not all was produced to `{}`", self.said.topic);
                let why = format!("it was interrupted while {} records were under way", self.under_way.len());
                let remedy = "read the end of the topic to see which of them are there";
                Err(Trouble::failed(what, why, remedy))
            }
        };
        let is_interrupted = outcome.and_then(|is_interrupted| told.map(|()| is_interrupted))?;
        self.producer.close().await;
        if io::stderr().is_terminal() {
            let interrupted = if is_interrupted { "interrupted; " } else { "" };
            let records = if self.produced == 1 { "record" } else { "records" };
            note(&format!("{interrupted}{} {records} produced to `{}`", self.produced, self.said.topic));
        }
        Ok(if is_interrupted { Ending::Interrupted } else { Ending::Fine })
    }

    /// All are waited for; of what is refused the first is told.
    async fn tell_all(&mut self) -> Result<(), Trouble> {
        let mut first = Ok(());
        while !self.under_way.is_empty() {
            let told = self.tell_next().await;
            first = first.and(told);
        }
        first.and(self.flush_text())
    }
}

/// What a line says.
fn record(said: &ProduceArguments, line: Bytes) -> rust_mq_client::Record {
    let (key, value) = match &said.key_delimiter {
        Some(Delimiter(between)) => match find(&line, between) {
            Some(at) => (Some(line.slice(..at)), line.slice(at + between.len()..)),
            None => (None, line),
        },
        None => (said.key.clone().map(Bytes::from), line),
    };
    let headers = said.header.iter();
    rust_mq_client::Record {
        topic: said.topic.clone(),
        partition: said.partition,
        key,
        value: if value.is_empty() && said.tombstone { None } else { Some(value) },
        headers: headers.map(|(name, value)| (name.clone(), Some(Bytes::from(value.clone())))).collect(),
        timestamp_ms: None,
    }
}

fn shown(record: &rust_mq_client::Record) -> Record {
    Record {
        topic: record.topic.clone(),
        partition: -1,
        offset: -1,
        timestamp_ms: now_ms(),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
    }
}

/// Reads to the end, and passes on what is whole. The last record need not be delimited.
fn read(mut input: impl Read, delimiter: &[u8], into: &Sender<Result<Vec<Bytes>, io::Error>>) {
    let mut rest = Vec::new();
    let mut block = vec![0; READ_BYTES];
    loop {
        let count = match input.read(&mut block) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return drop(into.blocking_send(Err(error))),
        };
        if count == 0 {
            if !rest.is_empty() {
                drop(into.blocking_send(Ok(vec![rest.into()])));
            }
            return;
        }
        let lines = match split(&mut rest, &block[..count], delimiter) {
            Ok(lines) => Ok(lines),
            Err(longer) => Err(io::Error::other(longer)),
        };
        let is_over = lines.is_err();
        if into.blocking_send(lines).is_err() || is_over {
            return;
        }
    }
}

/// A record is longer than any topic takes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a record has more than {LINE_BYTES_MAX} bytes")]
struct TooLong;

/// The records that are whole now; what begins a further one stays.
fn split(rest: &mut Vec<u8>, more: &[u8], delimiter: &[u8]) -> Result<Vec<Bytes>, TooLong> {
    // A delimiter may lie across two reads.
    let mut searched = rest.len().saturating_sub(delimiter.len() - 1);
    rest.extend_from_slice(more);
    let mut lines = Vec::new();
    let mut begin = 0;
    while let Some(at) = find(&rest[searched..], delimiter) {
        lines.push(Bytes::copy_from_slice(&rest[begin..searched + at]));
        begin = searched + at + delimiter.len();
        searched = begin;
    }
    rest.drain(..begin);
    if rest.len() > LINE_BYTES_MAX { Err(TooLong) } else { Ok(lines) }
}

fn find(within: &[u8], what: &[u8]) -> Option<usize> {
    match what {
        [one] => within.iter().position(|byte| byte == one),
        what => within.windows(what.len()).position(|window| window == what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_wherever_the_reads_end() {
        let text = b"a--b----c-d--e";
        for size in 1..=text.len() {
            let (mut rest, mut lines) = (Vec::new(), Vec::new());
            for more in text.chunks(size) {
                lines.extend(split(&mut rest, more, b"--").expect("they are short"));
            }
            assert_eq!(lines, ["a", "b", "", "c-d"].map(Bytes::from), "{size}");
            assert_eq!(rest, b"e");
        }
        let mut rest = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(split(&mut rest, b"x", b"\n"), Err(TooLong));
    }

    #[test]
    fn a_delimiter_may_be_escaped() {
        assert_eq!(delimiter("\\n"), Ok(Delimiter(vec![b'\n'])));
        assert_eq!(delimiter("%\\x1f%"), Ok(Delimiter(vec![b'%', 0x1f, b'%'])));
        assert_eq!(delimiter(""), Err(BadDelimiter::Empty));
        assert!(delimiter("\\q").is_err());
    }
}
