//! The peers' messages: what nodes say to each other, our own schema.

pub mod codec;
pub mod message;
pub mod raft;
