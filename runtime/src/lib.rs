//! Hands: the node binary around the pure core. It carries events in and actions out, and knows nothing of
//! Kafka or Raft.
//!
//! | room | what it is |
//! | --- | --- |
//! | [`node`] | the turn loop: one thread for sockets and core |
//! | [`clients`] | the clients' sockets, on that thread |
//! | [`disk`] | files: a data directory with its lanes, or memory |
//! | [`peers`] | lanes to other nodes: gRPC, on a thread beside |
//! | [`grpc`] | clients that call, on a thread of their own |
//! | [`descriptors`] | how many files and sockets there may be, and whose |
//! | [`mailbox`] | what other threads have for the core thread, and the bound of a turn |
//! | [`questions`] | what other threads ask the core, and who gets the answer |
//! | [`clock`], [`limits`], [`log`], [`foreign_text`] | the clocks; every bound; the log, and what may stand in it |
//! | [`command_line`], [`cluster_file`], [`memory_limit`] | what a person said |
//! | [`start`], [`signals`], [`dev_cluster`] | a process from its start to its end |
//!
//! It is a library only so that tests and the contract suite can use its parts; nobody else should.

pub mod clients;
pub mod clock;
pub mod cluster_file;
pub mod command_line;
pub mod descriptors;
pub mod dev_cluster;
pub mod disk;
pub mod foreign_text;
pub mod grpc;
pub mod limits;
pub mod log;
pub mod mailbox;
pub mod memory_limit;
pub mod node;
pub mod peers;
pub mod questions;
pub mod secrets;
pub mod signals;
pub mod start;
