//! `consume -g`: as a member of a group, which shares the partitions of the topics with its other members and keeps how far
//! it has come.
//!
//! What is committed was written: by hand, behind each flush, and at the end. So whoever reads on after this one, or after
//! its crash, misses nothing, and sees again at most what came within [`COMMIT_EVERY`].

use super::ConsumeArguments;
use crate::Ending;
use crate::offset::OffsetWord;
use crate::record::Record;
use crate::trouble::Trouble;
use rust_mq_client::admin::{Admin, Place, TopicPartition};
use rust_mq_client::{Client, Consumer, ConsumerSettings, Error, Goal, Message};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};
use tokio::signal::unix::Signal;
use tokio::time::timeout;

/// Between two commits. Source: chosen, below what a person notices twice.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for a record before looking whether all is read.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes that are written at a time. Source: chosen, a pipe's size.
const TEXT_BYTES_MAX: usize = 64 << 10;
/// How long leaving may take. Source: chosen, as long as a person waits.
const LEAVE: Duration = Duration::from_secs(5);

/// A member.
struct Member<'a> {
    said: &'a ConsumeArguments,
    consumer: Consumer,
    /// Where each partition ended when this began; nobody asks for it who follows.
    ends: BTreeMap<TopicPartition, i64>,
    text: Vec<u8>,
    count: u64,
    /// Since when something was written that is not committed.
    uncommitted: Option<Instant>,
}

/// Reads as a member of that group.
pub(super) async fn run(client: Client, said: &ConsumeArguments, group: &str) -> Result<Ending, Trouble> {
    let unread = |error: &Error| Trouble::of(format!("nothing was read as a member of `{group}`"), error);
    let settings = ConsumerSettings {
        group: Some(group.to_owned()),
        reset: Some(beginning(said)?),
        commit_interval: None,
        ..ConsumerSettings::default()
    };
    let admin = Admin::new(client.clone());
    let ends = ends(&admin, said).await?;
    let mut enough = super::interruptions()?;
    let consumer = client.consumer(settings).map_err(|error| unread(&error))?;
    let topics: Vec<&str> = said.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(|error| unread(&error))?;
    let mut member = Member { said, consumer, ends, text: Vec::new(), count: 0, uncommitted: None };
    let read = member.read(&mut enough).await;
    // Whatever came of it: what was written counts, and the others need not wait for this one.
    let committed = member.commit().await;
    member.consumer.close(LEAVE).await;
    let ending = read?;
    committed.map(|()| ending)
}

impl Member<'_> {
    async fn read(&mut self, enough: &mut Signal) -> Result<Ending, Trouble> {
        while self.said.num.is_none_or(|most| self.count < most) {
            let patience = if self.text.is_empty() { LOOK } else { Duration::ZERO };
            let next = tokio::select! {
                next = timeout(patience, self.consumer.next()) => next,
                _ = enough.recv() => {
                    self.write()?;
                    return Ok(Ending::Interrupted);
                }
            };
            match next {
                Ok(Ok(message)) => {
                    self.said.format.write(&record(message), &mut self.text);
                    self.count += 1;
                    if self.text.len() >= TEXT_BYTES_MAX {
                        self.write()?;
                    }
                }
                Ok(Err(error)) => return Err(Trouble::of("not all was read", &error)),
                Err(_) => {
                    self.write()?;
                    if !self.said.follow && self.has_read_all() {
                        return Ok(Ending::Fine);
                    }
                }
            }
            if self.uncommitted.is_some_and(|since| since.elapsed() >= COMMIT_EVERY) {
                self.commit().await?;
            }
        }
        self.write().map(|()| Ending::Fine)
    }

    fn write(&mut self) -> Result<(), Trouble> {
        if self.text.is_empty() {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(&self.text).and_then(|()| out.flush()).map_err(Trouble::of_output)?;
        self.text.clear();
        self.uncommitted.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Commits what was handed out, which is what was written.
    async fn commit(&mut self) -> Result<(), Trouble> {
        if self.uncommitted.is_none() || !self.text.is_empty() {
            return Ok(());
        }
        self.uncommitted = None;
        let committed = self.consumer.commit().await;
        committed.map_err(|error| Trouble::of("how far it was read was not committed", &error))
    }

    /// Whether the partitions that it was given are read to where they ended.
    fn has_read_all(&self) -> bool {
        let own = self.consumer.assignment();
        let is_read = |(topic, partition): &(String, i32)| {
            let end = self.ends.get(&TopicPartition::new(topic.clone(), *partition)).copied().unwrap_or(0);
            self.consumer.position(topic, *partition).is_some_and(|position| position >= end)
        };
        !own.is_empty() && own.iter().all(is_read)
    }
}

/// Where a group begins that has committed nothing.
fn beginning(said: &ConsumeArguments) -> Result<Goal, Trouble> {
    match (said.offset.from, said.offset.until) {
        (OffsetWord::Start(0), None) => Ok(Goal::Earliest),
        (OffsetWord::End(0), None) => Ok(Goal::Latest),
        (OffsetWord::Time(ms), None) => Ok(Goal::Time(ms)),
        _ => Err(Trouble::usage(
            "a group cannot begin there",
            "it goes on where it is; -o says where one begins that has committed nothing",
            "say -o start, -o end or -o @1h; `rust-mq group reset` moves a group anywhere",
        )),
    }
}

async fn ends(admin: &Admin, said: &ConsumeArguments) -> Result<BTreeMap<TopicPartition, i64>, Trouble> {
    let partitions = super::partitions(admin, said).await?;
    let ends = super::places(admin, &partitions, Some(Place::End)).await?;
    Ok(ends.into_iter().map(|(of, end)| (of, end.unwrap_or(0))).collect())
}

fn record(message: Message) -> Record {
    Record {
        topic: message.topic.to_string(),
        partition: message.partition,
        offset: message.offset,
        timestamp_ms: message.timestamp_ms,
        key: message.key,
        value: message.value,
        headers: message.headers,
    }
}
