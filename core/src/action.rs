//! The door, outwards: what the core *asks* of its driver, in the imperative. `event` is the other half.
//!
//! No action carries a condition: where something must follow an fsync, the core waits for `Synced`.

use crate::file::File;
use crate::ids::{LinkId, NodeId, Offset, Ticket, TopicId, TopicPartition};
use crate::level::Level;
use crate::link::{Address, LaneKind};
use crate::now::Mono;
use crate::watched::{Metrics, Unready};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing to do. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Connect to a peer; answered by `Opened` or `Closed`.
    Dial {
        /// The odd id the link shall have.
        link: LinkId,
        /// Where the peer listens for peers.
        address: Address,
        /// Which lane it will be.
        lane: LaneKind,
    },
    /// Send these bytes, in order. On a peer lane they are exactly one message.
    Send {
        /// To where.
        link: LinkId,
        /// One after the other.
        parts: Vec<Bytes>,
    },
    /// Let this many more bytes come in.
    Allow {
        /// From where.
        link: LinkId,
        /// Added to the credit.
        bytes: u64,
    },
    /// Close once everything sent before has left.
    Close {
        /// Which.
        link: LinkId,
    },
    /// Close at once.
    Abort {
        /// Which.
        link: LinkId,
    },
    /// Write `parts`, one after the other, at byte `at`; the file is made if it is not there.
    Write {
        /// Answered by `Written`, `Full` or `Failed`.
        ticket: Ticket,
        /// Where.
        file: File,
        /// Byte offset. Beyond the end leaves zeros between.
        at: u64,
        /// What.
        parts: Vec<Bytes>,
    },
    /// Make all earlier writes to these files, and their names, durable.
    Sync {
        /// Answered by `Synced` or `Failed`.
        ticket: Ticket,
        /// Which.
        files: Vec<File>,
    },
    /// Read. Unordered with writes: the core reads only what was `Done`.
    Read {
        /// Answered by `Bytes` or `Failed`.
        ticket: Ticket,
        /// From where.
        file: File,
        /// Byte offset.
        at: u64,
        /// At most this many bytes.
        len: u32,
    },
    /// Cut the file to `len` bytes.
    Truncate {
        /// Answered by `Truncated` or `Failed`.
        ticket: Ticket,
        /// Which.
        file: File,
        /// The new length.
        len: u64,
    },
    /// Remove the file, durably.
    Remove {
        /// Answered by `Removed` or `Failed`.
        ticket: Ticket,
        /// Which.
        file: File,
    },
    /// List all files of the data directory.
    List {
        /// Answered by `Listed` or `Failed`.
        ticket: Ticket,
    },
    /// No more work will come for this file soon: close it, and forget an earlier failure.
    Forget {
        /// Which.
        file: File,
    },
    /// Send `Woke` then. Only the last one counts.
    WakeAt {
        /// By the monotonic clock; in the past means at once.
        mono: Mono,
    },
    /// The answer to `Asked`.
    Tell {
        /// Which question.
        question: u64,
        /// The answer.
        answer: Answer,
    },
    /// A line for the log.
    Note(Notice),
    /// End the process. Nothing else will come.
    Halt(HaltReason),
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Serving or not, in a few words.
    Health {
        /// Whether clients are served.
        is_serving: bool,
    },
    /// Why not to ask it; nothing if there is no reason.
    Readiness(Vec<Unready>),
    /// What was counted.
    Metrics(Metrics),
}

/// A typed line for the log: what a person running the node should know. Never one per record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// The node serves; said once.
    Serving {
        /// What recovery read, in bytes of journal.
        journal_bytes: u64,
        /// How many partitions this node holds.
        partitions: u64,
    },
    /// A link broke the protocol and was closed.
    Rejected {
        /// Which.
        link: LinkId,
        /// What was wrong.
        reason: String,
    },
    /// The disk is full: writes are refused, everything else goes on.
    DiskFull,
    /// The disk has no room for what a start writes: it is tried again and again, and until then nothing is served.
    NoRoomToStart {
        /// Together.
        bytes: u64,
    },
    /// There is space again.
    SpaceAgain,
    /// The disk has not synced what was written for longer than elections take: others are to lead.
    DiskSlow,
    /// It has kept up for a while.
    DiskSound,
    /// A file that is not ours, or of a partition nobody knows, was left in place.
    LeftInPlace {
        /// Relative to the data directory.
        path: String,
    },
    /// Data on the disk is damaged.
    Damaged {
        /// The file.
        file: File,
        /// What, where, and what follows from it.
        what: String,
    },
    /// Damaged data is whole again: another replica's bytes were written in place.
    Mended {
        /// Which partition's.
        partition: TopicPartition,
        /// The first offset that could not be read.
        offset: Offset,
        /// Whose bytes.
        from: NodeId,
    },
    /// A replica of this node was behind what its leader could send it: it has fetched the records and taken the
    /// rest as a snapshot.
    CaughtUp {
        /// Which partition's.
        partition: TopicPartition,
        /// Where its leader is.
        from: NodeId,
    },
    /// A replica of this node must not run any more; its files stay where they are.
    ReplicaDead {
        /// Which, and why.
        reason: String,
    },
    /// A peer's lanes are up.
    PeerUp(NodeId),
    /// A peer's lane broke.
    PeerDown(NodeId),
    /// A peer was turned away at its hello.
    PeerRefused {
        /// Why.
        reason: String,
    },
    /// A member turns this node away: it is none of the cluster's, and serves nobody unless it was one before.
    TurnedAway {
        /// Who.
        by: NodeId,
        /// Why, and what to do.
        reason: String,
    },
    /// This node leads the metadata partition now.
    Controller {
        /// In this term.
        term: u64,
    },
    /// A topic exists from now on.
    TopicCreated {
        /// Its name.
        name: String,
        /// Its partitions.
        partitions: i32,
    },
    /// A topic has more partitions from now on.
    TopicWidened {
        /// Its name.
        name: String,
        /// All its partitions.
        partitions: i32,
    },
    /// A topic is gone.
    TopicDeleted {
        /// Its name.
        name: String,
        /// Its id: another one of that name may be there.
        topic: TopicId,
    },
    /// The cluster has this feature level from now on; nodes of an older build cannot join it any more.
    LevelRaised {
        /// The level.
        to: Level,
    },
}

/// Why the core ends the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HaltReason {
    /// It was asked to, and the disk is clean.
    Stopped,
    /// It was asked to, and the disk did not finish in time. What was acknowledged is durable all the same.
    StoppedUnclean,
    /// The disk failed a sync or a write: what it holds is no longer known (fsyncgate).
    DiskFailed {
        /// Which file and the system's words.
        reason: String,
    },
    /// What the log or the disk holds cannot be read by this build: it is newer, or damaged in a way that no
    /// checksum shows. Going on would skip it.
    Undecodable {
        /// What and where.
        reason: String,
    },
    /// The data directory cannot be used as it is; nothing in it was deleted or written over but the notes that say so.
    CannotStart {
        /// Why, and what to do.
        reason: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = |parts: &[Bytes]| parts.iter().map(Bytes::len).sum::<usize>();
        match self {
            Action::Dial { link, address, lane } => write!(out, "dial {link} {address} {lane}"),
            Action::Send { link, parts } => write!(out, "send {link} {} bytes", len(parts)),
            Action::Allow { link, bytes } => write!(out, "allow {link} {bytes} bytes"),
            Action::Close { link } => write!(out, "close {link}"),
            Action::Abort { link } => write!(out, "abort {link}"),
            Action::Write { ticket, file, at, parts } => {
                write!(out, "write {ticket} {file} at {at} {} bytes", len(parts))
            }
            Action::Sync { ticket, files } => {
                write!(out, "sync {ticket}")?;
                files.iter().try_for_each(|file| write!(out, " {file}"))
            }
            Action::Read { ticket, file, at, len } => write!(out, "read {ticket} {file} at {at} {len} bytes"),
            Action::Truncate { ticket, file, len } => write!(out, "truncate {ticket} {file} to {len}"),
            Action::Remove { ticket, file } => write!(out, "remove {ticket} {file}"),
            Action::List { ticket } => write!(out, "list {ticket}"),
            Action::Forget { file } => write!(out, "forget {file}"),
            Action::WakeAt { mono } => write!(out, "wake at {} ns", mono.0),
            Action::Tell { question, answer } => write!(out, "tell {question} {answer:?}"),
            Action::Note(notice) => write!(out, "note {notice:?}"),
            Action::Halt(reason) => write!(out, "halt {reason:?}"),
        }
    }
}
