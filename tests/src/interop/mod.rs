//! Every Kafka client that we know of at its everyday work, the same play for all: topics, each compression,
//! idempotence, a group of which one leaves and one dies, commits, times, settings; and on three nodes a leader and a
//! coordinator that are killed in the middle.
//!
//! A client is a program of its own in `tests/interop`, in its own language, by its own library. It is told what to do
//! by words, a line each, and answers in JSON, a line each; it judges nothing. The judge is here, once, so that no
//! client is held to less than another, and it also looks at what the broker keeps through a client of ours.
//!
//! `roster` names the clients and makes them ready; `program` is one that runs; `scene` is the broker, alone or as
//! three; `records` counts; `play` is a client before the brokers; `acts` has the steps, of which `company` are those with more than one member;
//! `deaths` those in which a node dies, `tools` those of Kafka's own tools; `matrix` writes down what came of it.
//!
//! What a client is told, and what it answers (`data` of `{"ok": true, "data": ...}`; `{"ok": false, "why": ...}` is a
//! failure, `{"ok": null, "why": ...}` something that the client does not offer):
//!
//! ```text
//! version                                            "1.2.3": of the library
//! create TOPIC PARTITIONS REPLICAS
//! describe TOPIC                                     [partitions, replicas]
//! produce TOPIC CODEC MODE FIRST COUNT PAUSE_MS      how many were acknowledged; MODE is `plain` or `idempotent`
//! consume TOPIC COUNT                                [[partition, offset, number], ...]: all from the beginning
//! since TOPIC MILLIS COUNT                           the same: all from this time on
//! read GROUP TOPIC COUNT                             the same: so many as a member, committed, and left
//! configs TOPIC                                      {"retention.ms": "604800000", ...}
//! alter TOPIC KEY VALUE
//! delete TOPIC
//! member GROUP TOPIC                                 {"record": [partition, offset, number]} a line, committed soon
//! leave                                              to a member: it leaves, answers, and ends
//! ends TOPIC                                         [[partition, end], ...]; from here on Kafka's own tools only
//! trim TOPIC PARTITION OFFSET                        deletes what is before it
//! sizes TOPIC                                        bytes on all disks together
//! reset GROUP TOPIC                                  commits where the partitions begin
//! verify TOPIC COUNT                                 how many the verifiable producer says were acknowledged
//! ```
//!
//! A record's key is its number in decimal, and its value begins with it; a producer sends its numbers in order.
//!
//! Invariant: a step is `Fine` only if it was judged on what was read back.

pub mod acts;
pub mod company;
pub mod deaths;
pub mod matrix;
pub mod play;
pub mod program;
pub mod records;
pub mod roster;
pub mod scene;
pub mod tools;

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works. What else is to be said of it, or nothing.
    Fine(String),
    /// The client has no such thing, and why.
    NotOffered(String),
    /// It does not work, and how.
    Wrong(String),
}

/// How a step ends: with what is to be said of it, or with another verdict than `Fine`.
pub type Outcome<T> = Result<T, Verdict>;

/// A failure.
pub fn wrong<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Verdict::Wrong(why.into()))
}

/// Fails with what `why` says unless `is_so`.
pub fn demand(is_so: bool, why: impl FnOnce() -> String) -> Outcome<()> {
    if is_so { Ok(()) } else { wrong(why()) }
}
