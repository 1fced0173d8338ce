//! Meaning: the pure state machine of a Rust-MQ node.

pub mod action;
pub mod entry;
pub mod event;
pub mod file;
pub mod ids;
pub mod now;
pub mod rng;
