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
//! | [`admin`] | those who watch the node: HTTP, on the thread of the peers |
//! | [`descriptors`] | how many files and sockets there may be, and whose |
//! | [`mailbox`] | what other threads have for the core thread, and the bound of a turn |
//! | [`questions`] | what other threads ask the core, and who gets the answer |
//! | [`clock`], [`limits`], [`counts`] | the clocks; every bound; what is counted here for those who watch |
//! | [`log`], [`log_levels`], [`foreign_text`] | the log, which lines of it are written, and what may stand in it |
//! | [`command_line`], [`configuration`], [`memory_limit`] | what a person said |
//! | [`plan`], [`check`] | what a node shall do; whether it would start |
//! | [`generate`], [`output`] | files for those who start it; what commands print |
//! | [`start`], [`signals`], [`reload`], [`dev_cluster`] | a process from its start to its end, and what it is told meanwhile |
//!
//! It is a library only so that tests and the contract suite can use its parts; nobody else should.

pub mod admin;
pub mod check;
pub mod clients;
pub mod clock;
pub mod command_line;
pub mod configuration;
pub mod counts;
pub mod descriptors;
pub mod dev_cluster;
pub mod disk;
pub mod foreign_text;
pub mod generate;
pub mod grpc;
pub mod limits;
pub mod log;
pub mod log_levels;
pub mod mailbox;
pub mod memory_limit;
pub mod node;
pub mod output;
pub mod peers;
pub mod plan;
pub mod questions;
pub mod reload;
pub mod secrets;
pub mod signals;
pub mod start;
