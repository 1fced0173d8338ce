//! The one place where what went wrong becomes three lines: what was not done, why, and what to do about it. With them goes
//! the exit code: 1 for what failed, 2 for what was asked in a way that makes no sense.
//!
//! ```text
//! error: topic `orders` was not created
//!   why: a topic of that name is there already (TOPIC_ALREADY_EXISTS)
//!   try: `rust-mq topic describe orders` shows it
//! ```

use crate::terminal::{Colours, Tone, harmless};
use rust_mq_client::Error;
use std::io;

/// Why a verb did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    what: String,
    why: String,
    remedy: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It failed.
    Failed,
    /// It makes no sense.
    Usage,
    /// Whoever read the answer has seen enough, which is no failure.
    Unread,
}

/// Kafka's codes against which something can be said to help.
mod code {
    pub const OFFSET_OUT_OF_RANGE: i32 = 1;
    pub const UNKNOWN_TOPIC_OR_PARTITION: i32 = 3;
    pub const LEADER_NOT_AVAILABLE: i32 = 5;
    pub const NOT_LEADER_OR_FOLLOWER: i32 = 6;
    pub const COORDINATOR_LOAD_IN_PROGRESS: i32 = 14;
    pub const COORDINATOR_NOT_AVAILABLE: i32 = 15;
    pub const INVALID_TOPIC_EXCEPTION: i32 = 17;
    pub const UNKNOWN_MEMBER_ID: i32 = 25;
    pub const TOPIC_ALREADY_EXISTS: i32 = 36;
    pub const INVALID_PARTITIONS: i32 = 37;
    pub const INVALID_REPLICATION_FACTOR: i32 = 38;
    pub const INVALID_CONFIG: i32 = 40;
    pub const NOT_CONTROLLER: i32 = 41;
    pub const NON_EMPTY_GROUP: i32 = 68;
    pub const GROUP_ID_NOT_FOUND: i32 = 69;
}

impl Trouble {
    /// It failed.
    pub fn failed(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Trouble {
        Trouble { what: what.into(), why: why.into(), remedy: remedy.into(), kind: Kind::Failed }
    }

    /// What was asked makes no sense.
    pub fn usage(what: impl Into<String>, why: impl Into<String>, remedy: impl Into<String>) -> Trouble {
        Trouble { kind: Kind::Usage, ..Trouble::failed(what, why, remedy) }
    }

    /// The cluster, or the way there, is why.
    pub fn of(what: impl Into<String>, error: &Error) -> Trouble {
        let kind = if matches!(error, Error::Unusable { .. }) { Kind::Usage } else { Kind::Failed };
        Trouble { kind, ..Trouble::failed(what, why(error), remedy(error)) }
    }

    /// What was asked makes sense, though the client finds none in it: a record that is too large, say.
    pub fn of_data(what: impl Into<String>, error: &Error) -> Trouble {
        Trouble { kind: Kind::Failed, ..Trouble::of(what, error) }
    }

    /// Standard output does not take what it is given.
    pub fn of_output(error: io::Error) -> Trouble {
        let kind = if error.kind() == io::ErrorKind::BrokenPipe { Kind::Unread } else { Kind::Failed };
        let remedy = "look at where standard output leads: a full disk, a program that ended";
        Trouble { kind, ..Trouble::failed("the answer was not written", error.to_string(), remedy) }
    }

    /// Why, in one line.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The process ends with this.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::Unread => 0,
        }
    }

    /// The three lines; none for who has seen enough.
    pub fn text(&self, colours: Colours) -> String {
        if self.kind == Kind::Unread {
            return String::new();
        }
        let mark = |word: &str, tone| colours.paint(tone, word);
        format!(
            "{} {}\n{} {}\n{} {}\n",
            mark("error:", Tone::Red),
            harmless(&self.what),
            mark("  why:", Tone::Dim),
            harmless(&self.why),
            mark("  try:", Tone::Dim),
            harmless(&self.remedy)
        )
    }
}

fn why(error: &Error) -> String {
    match error {
        Error::Refused { refusal, .. } => format!("{} ({})", refusal.message, refusal.name),
        Error::Unreachable { node, why, .. } if why.contains("http2 error") => {
            format!("what answers at {node} does not speak gRPC: it is no Rust-MQ, or an older one")
        }
        Error::Unreachable { node, why, was_sent: false } => {
            format!("nobody answers at {node}: {}", short(why))
        }
        Error::Unreachable { node, why, was_sent: true } => {
            format!("{node} was asked and did not answer, so it may have been done: {}", short(why))
        }
        Error::Rejected { node, why } => format!("{node} does not understand that: {why}"),
        Error::TimedOut { last: Some(last), .. } => format!("time is up; at last: {}", self::why(last)),
        other => other.to_string(),
    }
}

/// The system's words without the layers through which they came.
fn short(why: &str) -> &str {
    let why = why.rsplit(": ").next().unwrap_or(why);
    why.split(" (os error").next().unwrap_or(why)
}

fn remedy(error: &Error) -> String {
    if let Some(code) = error.code() {
        return of_code(code).to_owned();
    }
    match error {
        Error::Unreachable { was_sent: false, .. } => {
            "start a broker with `rust-mq`, or say where one is: --brokers HOST:PORT".into()
        }
        Error::Unreachable { was_sent: true, .. } => "look whether it was done before you do it again".into(),
        Error::TimedOut { last: Some(last), .. } => remedy(last),
        Error::TimedOut { .. } => "wait longer (--timeout), or see `rust-mq cluster health`".into(),
        Error::Rejected { .. } => {
            "is that a Rust-MQ, and of this version? `rust-mq cluster info` shows whom you reach".into()
        }
        Error::Unusable { .. } => "`--help` behind the verb shows what can be said".into(),
        _ => "`rust-mq cluster health` shows whether the cluster is well".into(),
    }
}

fn of_code(code: i32) -> &'static str {
    match code {
        code::UNKNOWN_TOPIC_OR_PARTITION => "`rust-mq topic list` shows which topics there are",
        code::TOPIC_ALREADY_EXISTS => {
            "`rust-mq topic describe` shows it; `topic alter` and `add-partitions` change it"
        }
        code::INVALID_TOPIC_EXCEPTION => "a name has 1 to 249 letters, digits, `.`, `_` and `-`",
        code::INVALID_PARTITIONS => {
            "`rust-mq topic describe` shows how many there are; they never become fewer"
        }
        code::INVALID_REPLICATION_FACTOR => "`rust-mq cluster info` shows how many nodes there are",
        code::INVALID_CONFIG => {
            "`rust-mq config describe` shows names and values; docs/settings.md says what they mean"
        }
        code::OFFSET_OUT_OF_RANGE => "`rust-mq topic offsets` shows where each partition begins and ends",
        code::GROUP_ID_NOT_FOUND => "`rust-mq group list` shows which groups there are",
        code::NON_EMPTY_GROUP | code::UNKNOWN_MEMBER_ID => {
            "stop the group's members first; `rust-mq group describe` shows them"
        }
        code::LEADER_NOT_AVAILABLE
        | code::NOT_LEADER_OR_FOLLOWER
        | code::COORDINATOR_LOAD_IN_PROGRESS
        | code::COORDINATOR_NOT_AVAILABLE
        | code::NOT_CONTROLLER => {
            "an election may be under way: `rust-mq cluster health` shows what is missing"
        }
        _ => "`rust-mq cluster health` shows whether the cluster is well",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_client::grpc;

    #[test]
    fn an_unreachable_broker_is_said_in_three_lines() {
        let why = "transport error: tcp connect error: Connection refused (os error 111)".to_owned();
        let error = Error::Unreachable { node: "127.0.0.1:9092".into(), why, was_sent: false };
        let trouble = Trouble::of("the topics were not listed", &error);
        let expected = "\
error: the topics were not listed
  why: nobody answers at 127.0.0.1:9092: Connection refused
  try: start a broker with `rust-mq`, or say where one is: --brokers HOST:PORT
";
        assert_eq!((trouble.text(Colours::NONE).as_str(), trouble.exit_code()), (expected, 1));
    }

    #[test]
    fn a_refusal_says_what_the_node_said_and_what_helps() {
        let refusal = grpc::Error {
            code: code::GROUP_ID_NOT_FOUND,
            name: "GROUP_ID_NOT_FOUND".into(),
            message: "no group `\u{1b}[31mg`".into(),
            ..Default::default()
        };
        let error = Error::Refused { node: "a:1".into(), refusal: Box::new(refusal) };
        let late = Error::TimedOut { what: "x".into(), last: Some(Box::new(error)), may_take_effect: false };
        let text = Trouble::of("group `g` was not deleted", &late).text(Colours::NONE);
        assert_eq!(text.lines().count(), 3);
        assert!(text.contains("no group `\u{fffd}[31mg` (GROUP_ID_NOT_FOUND)"), "{text}");
        assert!(text.ends_with("try: `rust-mq group list` shows which groups there are\n"), "{text}");
    }

    #[test]
    fn who_has_seen_enough_is_told_nothing() {
        let trouble = Trouble::of_output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((trouble.exit_code(), trouble.text(Colours::NONE).as_str()), (0, ""));
        assert_eq!(Trouble::of_output(io::ErrorKind::StorageFull.into()).exit_code(), 1);
        assert_eq!(Trouble::usage("a", "b", "c").exit_code(), 2);
    }
}
