//! The log: the core's notices as lines for people, or as JSON for machines. Nothing per record.
//!
//! Everything goes to standard output, in one order. Text that came from outside is escaped and cut before it
//! is logged: a client's name must not be able to forge a line or colour a terminal.

use crate::foreign_text::{escaped, shown};
use crate::limits::{
    DAMAGE_LINES_PER_SECOND, REJECTED_LINES_PER_SECOND, REPLICA_LINES_PER_SECOND, TOPIC_LINES_PER_SECOND,
};
use crate::log_levels::{CLIENTS, DISK, LogLevels, NODE, PEERS, REPLICAS, TOPICS};
use rust_mq_core::action::Notice;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tracing::{error, info, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines to read.
    Human,
    /// One JSON object a line.
    Json,
}

/// Puts levels in force.
pub type SetLevels = Box<dyn Fn(&LogLevels) + Send + Sync>;

/// Starts logging; a JSON line has its module as `target`. Without a format, human on a terminal and JSON otherwise. Gives back what changes the levels later.
pub fn start(format: Option<LogFormat>, levels: &LogLevels) -> SetLevels {
    let is_terminal = std::io::stdout().is_terminal();
    let format = format.unwrap_or(if is_terminal { LogFormat::Human } else { LogFormat::Json });
    let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    match format {
        LogFormat::Human => start_with(lines.with_target(false).with_ansi(is_terminal).finish(), levels),
        LogFormat::Json => {
            start_with(lines.json().flatten_event(true).with_current_span(false).finish(), levels)
        }
    }
}

fn start_with(
    lines: impl tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    levels: &LogLevels,
) -> SetLevels {
    let (filter, handle) = reload::Layer::new(levels.filter());
    lines.with(filter).init();
    // It fails only where nothing logs any more.
    Box::new(move |levels| drop(handle.reload(levels.filter())))
}

/// Writes the core's notices.
#[derive(Debug)]
pub struct NoticeLog {
    started: Instant,
    /// What a person would type next.
    hint: String,
    /// How large the disk is if it is memory: then "full" has another remedy.
    memory_limit: Option<u64>,
    rejected: RateLimit,
    topics: RateLimit,
    damaged: RateLimit,
    replicas: RateLimit,
}

impl NoticeLog {
    /// `hint` is said once the node serves; `started` is when the process did; `memory_limit` is the limit
    /// if there is no other disk.
    pub fn new(started: Instant, hint: String, memory_limit: Option<u64>) -> NoticeLog {
        NoticeLog {
            started,
            hint,
            memory_limit,
            rejected: RateLimit::per_second(REJECTED_LINES_PER_SECOND),
            topics: RateLimit::per_second(TOPIC_LINES_PER_SECOND),
            damaged: RateLimit::per_second(DAMAGE_LINES_PER_SECOND),
            replicas: RateLimit::per_second(REPLICA_LINES_PER_SECOND),
        }
    }

    /// Writes one.
    pub fn write(&mut self, notice: &Notice) {
        match notice {
            Notice::Serving { journal_bytes, partitions } => {
                let ready_ms = self.started.elapsed().as_millis() as u64;
                info!(target: NODE, ready_ms, journal_bytes, partitions, "ready");
                info!(target: NODE, "{}", self.hint);
            }
            Notice::Rejected { link, reason } => {
                // Of peers the core tells seldom; clients, whose ids are the multiples of four, are many.
                if !link.0.is_multiple_of(4) || self.rejected.allows() {
                    let not_logged = self.rejected.take_suppressed();
                    warn!(target: CLIENTS, link = link.0, not_logged, "closed a connection: {}", escaped(reason));
                }
            }
            Notice::NoRoomToStart { bytes } => error!(
                target: DISK,
                bytes,
                "the disk is full: there is no room for what a start writes; nothing is served until there is, and it \
                 is tried every second"
            ),
            Notice::DiskFull if self.memory_limit.is_some() => {
                warn_of_full_memory(self.memory_limit.unwrap_or_default());
            }
            Notice::DiskFull => {
                warn!(target: DISK, "the disk is full: writes are refused, reads and deletes go on")
            }
            Notice::SpaceAgain => info!(target: DISK, "there is space again: writes are accepted"),
            Notice::DiskSlow => warn!(target: DISK, "the disk is slow: what this node leads is handed over"),
            Notice::DiskSound => info!(target: DISK, "the disk keeps up again: this node may lead"),
            Notice::LeftInPlace { path } => {
                warn!(target: DISK, path = escaped(path), "a file that is not ours was left in place");
            }
            Notice::Damaged { file, what } => {
                if let Some(not_logged) = self.damaged.next_line() {
                    error!(target: DISK, %file, not_logged, "damaged data: {}", escaped(what));
                }
            }
            Notice::Mended { .. } | Notice::CaughtUp { .. } | Notice::ReplicaDead { .. } => {
                if let Some(not_logged) = self.replicas.next_line() {
                    say_of_a_replica(notice, not_logged);
                }
            }
            Notice::PeerUp(node) => info!(target: PEERS, node = node.0, "connected to a peer"),
            Notice::PeerDown(node) => warn!(target: PEERS, node = node.0, "lost a peer"),
            Notice::PeerRefused { reason } => {
                // The core tells of each kind and peer seldom.
                warn!(target: PEERS, "refused a peer: {}", escaped(reason));
            }
            Notice::TurnedAway { by, reason } => {
                error!(target: PEERS, by = by.0, "turned away by a member of the cluster: {}", reason);
            }
            Notice::Controller { term } => info!(target: REPLICAS, term, "leading the cluster's metadata"),
            Notice::TopicCreated { .. } | Notice::TopicWidened { .. } | Notice::TopicDeleted { .. } => {
                if let Some(not_logged) = self.topics.next_line() {
                    say_of_a_topic(notice, not_logged);
                }
            }
            Notice::LevelRaised { to } => {
                info!(
                    target: REPLICAS,
                    level = to.0,
                    "the cluster's feature level is raised: older builds cannot join it any more"
                );
            }
        }
    }
}

/// Clients make topics, many at a time: of those that were not told of, the next line tells the number.
fn say_of_a_topic(notice: &Notice, not_logged: Option<u64>) {
    match notice {
        Notice::TopicCreated { name, partitions } => {
            info!(target: TOPICS, topic = escaped(name), partitions, not_logged, "topic created");
        }
        Notice::TopicWidened { name, partitions } => {
            info!(target: TOPICS, topic = escaped(name), partitions, not_logged, "topic has more partitions");
        }
        Notice::TopicDeleted { name, .. } => {
            info!(target: TOPICS, topic = escaped(name), not_logged, "topic deleted");
        }
        _ => {}
    }
}

/// A node has thousands of them, and what happens to one may happen to all.
fn say_of_a_replica(notice: &Notice, not_logged: Option<u64>) {
    match notice {
        Notice::Mended { partition, offset, from } => {
            info!(target: DISK, %partition, offset = offset.0, from = from.0, not_logged, "damaged data is mended from a replica");
        }
        Notice::CaughtUp { partition, from } => {
            info!(target: REPLICAS, %partition, leader = from.0, not_logged, "a replica that was far behind has caught up");
        }
        Notice::ReplicaDead { reason } => {
            error!(target: REPLICAS, not_logged, "a replica is dead: {}", escaped(reason));
        }
        _ => {}
    }
}

fn warn_of_full_memory(limit_bytes: u64) {
    let limit = crate::memory_limit::show(limit_bytes);
    warn!(target: DISK, limit, "memory is full: writes are refused; delete topics, or start with a larger --memory-limit");
}

/// At most so many lines a second.
#[derive(Debug)]
pub struct RateLimit {
    per_second: u32,
    since: Option<Instant>,
    count: u32,
    suppressed: u64,
}

impl RateLimit {
    /// So many.
    pub fn per_second(per_second: u32) -> RateLimit {
        RateLimit { per_second, since: None, count: 0, suppressed: 0 }
    }

    /// Whether one more may be written now; counts it either way.
    pub fn allows(&mut self) -> bool {
        let now = Instant::now();
        if self.since.is_none_or(|since| now.duration_since(since) >= Duration::from_secs(1)) {
            self.since = Some(now);
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        let is_allowed = self.count <= self.per_second;
        self.suppressed += u64::from(!is_allowed);
        is_allowed
    }

    /// Whether one more may be written now, and then how many were not since the last one, if any.
    pub fn next_line(&mut self) -> Option<Option<u64>> {
        self.allows().then(|| Some(self.take_suppressed()).filter(|count| *count > 0))
    }

    /// How many were not written since this was last asked.
    pub fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        RateLimit::per_second(1)
    }
}

/// Whether a command line, readable or not, or else the environment wants JSON.
pub fn is_said_json(arguments: impl Iterator<Item = OsString>, variable: Option<OsString>) -> bool {
    let mut before = OsString::new();
    let mut flag = None;
    for word in arguments {
        if before == "--log-format" {
            flag = Some(word == "json");
        } else if let Some(value) = word.to_str().and_then(|word| word.strip_prefix("--log-format=")) {
            flag = Some(value == "json");
        }
        before = word;
    }
    flag.unwrap_or_else(|| variable.is_some_and(|value| value == "json"))
}

/// Why the process ends, as the last line of standard error: for people, or as one more JSON object if the log is
/// said to be that. A mistake of several lines keeps them, each of a bounded length; nothing in it colours a terminal.
pub fn last_words(is_json: bool, words: &str) {
    let safe: Vec<String> = words.lines().map(shown).collect();
    let safe = safe.join("\n");
    if !is_json {
        eprintln!("error: {safe}");
        return;
    }
    let line = tracing_subscriber::fmt().with_target(false).with_writer(std::io::stderr);
    let line = line.json().flatten_event(true).with_current_span(false).finish();
    tracing::subscriber::with_default(line, || error!(target: NODE, "{safe}"));
}
