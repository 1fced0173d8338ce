//! An administrator of the cluster: topics, settings, offsets, groups, nodes. One method a question, each of which finds
//! who is to be asked, follows whoever moved, and tries again what is temporary until the client's deadline.
//!
//! ```no_run
//! # async fn example() -> Result<(), rust_mq_client::Error> {
//! use rust_mq_client::{Client, admin::{Admin, NewTopic}};
//!
//! let admin = Admin::new(Client::new("127.0.0.1:9092")?);
//! admin.create_topic(NewTopic::new("orders").partitions(3).setting("retention.ms", "3600000")).await?;
//! for topic in admin.topics().await? {
//!     println!("{}: {} partitions", topic.name, topic.partitions.len());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What names one thing fails with that thing's error. What names partitions of many leaders (offsets, trimming) asks all
//! of them at once, some at a time, and answers partition by partition: `spread` does that.
//!
//! A topic or a partition that is not there is an error at once: who looks after a topic by its name does not wait for it
//! to come, as a producer does. Whether a change that failed may have taken effect all the same, [`Error::may_take_effect`]
//! says.
//!
//! Not here: records (`Producer`, `Consumer`), and what the calls mean (`proto/rustmq/v1/*.proto`).

mod assignment;
mod cluster;
mod groups;
mod offsets;
mod settings;
mod spread;
mod topics;

pub use cluster::Cluster;
pub use groups::{Committed, Group, GroupInList, Groups, Member};
pub use offsets::{Found, Place};
pub use settings::{Change, Documented, Setting, SettingSource, Settings};
pub use topics::{CreatedTopic, NewTopic, Partition, Topic};

use crate::call::Call;
use crate::client::{Client, To};
use crate::machine::error::{Error, code};
use std::fmt;

/// Asks and changes what is not a record. A clone shares the client.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
}

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: String,
    /// The partition's number, from 0.
    pub partition: i32,
}

impl Admin {
    /// An administrator by that client.
    pub fn new(client: Client) -> Admin {
        Admin { client }
    }

    /// The client by which it asks.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Asks until it is answered, refused for good, or the client's deadline is over.
    async fn ask<C: Call>(&self, to: To<'_>, asked: C) -> Result<C::Answer, Error> {
        let mut patience = self.client.patience();
        loop {
            let within = patience.left().min(self.client.settings().call_timeout);
            match self.client.ask_once(to, asked.clone(), within).await {
                Ok(answer) => return Ok(answer),
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// What a node said of the one thing that was asked for.
    fn only<T>(items: Vec<T>, what: &str) -> Result<T, Error> {
        let missing =
            || Error::Unreadable { node: "a node".into(), why: format!("it says nothing of {what}") };
        items.into_iter().next().ok_or_else(missing)
    }
}

/// Whether an administrator does not try that again, though a producer would: the topic may come.
fn is_final(error: &Error) -> bool {
    error.code() == Some(code::UNKNOWN_TOPIC_OR_PARTITION)
}

impl TopicPartition {
    /// That partition of that topic.
    pub fn new(topic: impl Into<String>, partition: i32) -> TopicPartition {
        TopicPartition { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.topic, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_proto::grpc;

    #[test]
    fn a_topic_that_is_not_there_is_not_waited_for() {
        let refusal = |code| grpc::Error { code, is_retriable: true, ..Default::default() };
        let error = |code| Error::refused("a:1", Some(refusal(code))).expect_err("it is one");
        assert!(is_final(&error(code::UNKNOWN_TOPIC_OR_PARTITION)));
        assert!(!is_final(&error(code::NOT_CONTROLLER)));
    }
}
