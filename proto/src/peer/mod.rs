//! The peers' messages: what nodes say to each other, our own schema (DESIGN section 8).

pub mod codec;
pub mod message;
pub mod raft;
