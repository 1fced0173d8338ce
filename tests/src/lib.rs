//! Promises about the real binary, kept from outside: it is built, started, fed by real clients and by bytes
//! no client would send, killed, and started again.
//!
//! This library is the stage: `binary` builds it, `node` runs it, `cluster` runs three, `client` speaks
//! Kafka's protocol through an independent codec, `dialogue` says the common things with it, `batch` makes
//! record batches good and bad, `traffic` sends much of what costs much, `verbs` runs those of the binary, `programs` finds
//! kcat and the Python clients, `folder` holds a test's files, `http` asks for pages,
//! `ports` finds addresses.
//! `contract` is apart: the driver contract suite, which every disk that drives the core must pass. So is `interop`: the
//! play of all Kafka clients, of which the tests give a part and the program `interop` the whole, and `librdkafka`, whose own
//! suite the program of that name runs.
//!
//! The plays are in `tests/tests`, one file a promise; the house rules are in `tests/tests/tidy`.
//!
//! Invariant: nothing a test starts or writes outlives it, except what is kept in the cache folder for the
//! next run (the clients).
//!
//! Not here: anything about how the broker works inside. These tests survive a rewrite of it.

pub mod batch;
pub mod binary;
pub mod client;
pub mod cluster;
pub mod contract;
pub mod dialogue;
pub mod folder;
pub mod http;
pub mod interop;
pub mod librdkafka;
pub mod node;
pub mod ports;
pub mod programs;
pub mod traffic;
pub mod verbs;
