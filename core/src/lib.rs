//! Meaning: the pure state machine of a Rust-MQ node. Events in, actions out; no clock, socket, file, thread
//! or randomness of its own.
//!
//! The rooms, floor by floor (a room imports only from lower floors; what one room must hand to its neighbour
//! the floor above carries):
//!
//! | floor | rooms |
//! | --- | --- |
//! | 1 | [`ids`], [`now`], [`rng`], [`level`], [`limits`], [`file`], [`entry`], [`link`], [`settings`], [`watched`], [`mutant`]: shapes |
//! | 2 | [`event`], [`action`]: the door; [`config`]; [`timer`], [`machine`], [`codec`]: contracts; [`paged`]: state in pages; [`compaction`]: what stays of a log |
//! | 3 | [`connection`], [`storage`], [`replica`], [`peer`]: links, files, Raft, other nodes |
//! | 4 | [`metadata`]: a machine; [`partition`]: user data on a replica |
//! | 5 | [`host`]: puts a machine on a replica; [`group`]: consumer groups, a machine that sees the metadata |
//! | 6 | [`resident`]: the table of what is replicated on a node, of whatever kind |
//! | 7 | [`node`]: all of one node, and the carrying between its rooms |
//! | 8 | [`api`]: one handler file per Kafka API |
//! | 9 | [`broker`]: the door |

pub mod action;
pub mod api;
pub mod broker;
pub mod codec;
pub mod compaction;
pub mod config;
pub mod connection;
pub mod entry;
pub mod event;
pub mod file;
pub mod group;
pub mod host;
pub mod ids;
pub mod level;
pub mod limits;
pub mod link;
pub mod machine;
pub mod metadata;
pub mod mutant;
pub mod node;
pub mod now;
pub mod paged;
pub mod partition;
pub mod peer;
pub mod replica;
pub mod resident;
pub mod rng;
pub mod settings;
pub mod storage;
pub mod timer;
pub mod watched;
