//! The classic protocol (KIP-62): the coordinator gathers members, tells one of them who all are, and hands round what
//! that one has decided.
//!
//! ```text
//! nobody there        empty
//! somebody joins      preparing: everybody is to join anew        soft: who has, and until when
//! all have            GenerationBegan, and each is told           completing: until the leader has said who gets what
//! the leader syncs    Assigned, and each is told                  stable
//! ```
//! Preparing is soft: who has joined and waits is known to this coordinator alone, and joins another's again. What begins
//! a generation is replicated before anybody is told of it, and so is who gets what; whoever leaves is gone for good.

mod change;
mod join;
mod membership;
mod subscription;
mod sync;

pub(super) use change::Change;
pub(super) use join::join;
pub(super) use membership::{heartbeat, leave, rang, reseat};
pub(super) use subscription::CONSUMER;
pub(super) use sync::sync;
