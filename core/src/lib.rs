//! Meaning: the pure state machine of a Rust-MQ node. Events in, actions out; no clock, socket, file, thread
//! or randomness of its own.
//!
//! The rooms, floor by floor (a room imports only from lower floors; what one room must hand to its neighbour
//! the floor above carries):
//!
//! | floor | rooms |
//! | --- | --- |
//! | 1 | [`ids`], [`now`], [`rng`], [`limits`], [`error_code`], [`file`], [`entry`]: shapes |
//! | 2 | [`event`], [`action`]: the door; [`timer`], [`machine`]: contracts |

pub mod action;
pub mod broker;
pub mod codec;
pub mod config;
pub mod entry;
pub mod error_code;
pub mod event;
pub mod file;
pub mod ids;
pub mod limits;
pub mod machine;
pub mod metadata;
pub mod now;
pub mod rng;
pub mod timer;
