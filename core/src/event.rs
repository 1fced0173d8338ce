//! The door, inwards: what *happened*, told to the core in the past tense. `action` is the other half;
//! the laws that both obey are in ARCHITECTURE.md, and `tests/src/contract.rs` holds drivers to them.
//!
//! Not here: what an event means. `broker` hands each to the room that knows.

use crate::ids::{LinkId, Ticket};
use crate::link::{Address, LaneKind};
use crate::watched::Wanted;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that happened. Displays as one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The process started: the first event, once.
    Started,
    /// A link exists. Credit is 0 until the core allows some.
    Opened {
        /// Even if the driver accepted it, odd if the core dialled it.
        link: LinkId,
        /// What is spoken on it.
        kind: LinkKind,
    },
    /// Bytes arrived: any cut of a Kafka stream, or exactly one message of any other kind.
    Received {
        /// From where.
        link: LinkId,
        /// Never empty, and on a stream never more than the credit left.
        bytes: BytesMut,
    },
    /// Bytes of earlier `Send`s left the driver's buffer.
    Sent {
        /// To where.
        link: LinkId,
        /// How many.
        bytes: u64,
    },
    /// A link is gone, whoever closed it; also the answer to a `Dial` that failed. Once per link.
    Closed {
        /// Which.
        link: LinkId,
        /// Why.
        why: CloseReason,
    },
    /// A file action ended. Once per ticket, never in the turn that issued it.
    Done {
        /// The action's ticket.
        ticket: Ticket,
        /// How it ended.
        result: DoneResult,
    },
    /// The deadline of the last `WakeAt` has come.
    Woke,
    /// The driver asks.
    Asked {
        /// Ties the answer (`Tell`) to the question.
        question: u64,
        /// What.
        what: Question,
    },
}

/// What is spoken on a link. The driver has sniffed it and speaks TLS and HTTP/2 itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// A Kafka client's byte stream.
    Kafka {
        /// Which of the node's listeners; an index into `Config::listeners`.
        listener: u16,
        /// The address the client connected to: what to advertise where nothing else is configured.
        local: Address,
        /// Where the client is, for logs.
        remote: Address,
    },
    /// A lane between two nodes.
    Peer {
        /// Votes and appends, or bulk copies.
        lane: LaneKind,
        /// For this link's hello.
        nonce: Nonce,
    },
}

/// A number that the driver has never given before and nobody can guess: from the system's own source of chance, and
/// not from the core's, whose draws are told (boot ids are).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 32]);

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The other side closed it.
    Remote,
    /// The core asked for it.
    Asked,
    /// The transport failed, or a dial did.
    Failed,
    /// The other side broke a rule that the driver watches (silent too long, not our protocol).
    Refused,
}

/// How a file action ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DoneResult {
    /// `Write`: in the driver's cache, not durable yet.
    Written {
        /// What the file system has left.
        free_bytes: u64,
    },
    /// `Sync`: all earlier writes to those files, and their names, are durable.
    Synced,
    /// `Read`: the bytes; fewer than asked for only at the file's end.
    Bytes(Bytes),
    /// `Remove`; of a file that is not there, too.
    Removed,
    /// `Truncate`.
    Truncated,
    /// `List`: relative paths with lengths, sorted by path.
    Listed(Vec<Listed>),
    /// `Write`: no space. Nothing is to be believed about the bytes of that range.
    Full,
    /// Anything else went wrong; everything queued on the file fails until `Forget`.
    Failed {
        /// What was being done.
        at: FileWork,
        /// The file and the system's words, for the log.
        reason: String,
    },
}

/// What is done with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileWork {
    /// `Write`.
    Writing,
    /// `Sync`: what the files hold is not known any more.
    Syncing,
    /// `Read`.
    Reading,
    /// `Truncate`.
    Truncating,
    /// `Remove`.
    Removing,
    /// `List`.
    Listing,
}

/// One file that the driver found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Relative to the data directory, parts joined by `/`.
    pub path: String,
    /// Length in bytes.
    pub len: u64,
}

/// What a driver may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// SIGTERM came: answer what is parked, leave a clean disk, then `Halt`.
    Stop,
    /// Is this node serving?
    Health,
    /// Why is it not to be asked for anything, or not for everything?
    Readiness,
    /// What has it counted?
    Metrics(Wanted),
}

impl fmt::Display for Event {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Started => out.write_str("started"),
            Event::Opened { link, kind: LinkKind::Kafka { remote, .. } } => {
                write!(out, "opened {link} kafka from {remote}")
            }
            Event::Opened { link, kind: LinkKind::Peer { lane, .. } } => {
                write!(out, "opened {link} peer {lane}")
            }
            Event::Received { link, bytes } => write!(out, "received {link} {} bytes", bytes.len()),
            Event::Sent { link, bytes } => write!(out, "sent {link} {bytes} bytes"),
            Event::Closed { link, why } => write!(out, "closed {link} {why:?}"),
            Event::Done { ticket, result } => write!(out, "done {ticket} {result}"),
            Event::Woke => out.write_str("woke"),
            Event::Asked { question, what } => write!(out, "asked {question} {what:?}"),
        }
    }
}

impl fmt::Display for FileWork {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            FileWork::Writing => "writing",
            FileWork::Syncing => "syncing",
            FileWork::Reading => "reading",
            FileWork::Truncating => "truncating",
            FileWork::Removing => "removing",
            FileWork::Listing => "listing",
        })
    }
}

impl fmt::Display for DoneResult {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DoneResult::Written { .. } => out.write_str("written"),
            DoneResult::Synced => out.write_str("synced"),
            DoneResult::Bytes(bytes) => write!(out, "{} bytes", bytes.len()),
            DoneResult::Removed => out.write_str("removed"),
            DoneResult::Truncated => out.write_str("truncated"),
            DoneResult::Listed(files) => write!(out, "listed {} files", files.len()),
            DoneResult::Full => out.write_str("full"),
            DoneResult::Failed { at, reason } => write!(out, "failed {at}: {reason}"),
        }
    }
}
