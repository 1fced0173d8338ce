//! The peers' raft messages.
