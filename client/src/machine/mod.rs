//! What decides, and does nothing by itself: no clock, no socket, no task, no chance of its own. Time is an argument,
//! chance comes from a seed, and what is to be done is said and not done. The same gate as the broker's core stands before
//! this folder (`tests/tests/tidy/purity.rs`).
//!
//! - `error`: what can go wrong, and what is to be done about it.
//! - `chance`, `backoff`: dice of a seed, and the pauses between attempts.
//! - `map`, `lookup`: what is known of the cluster, and what is asked for until it is.
//! - `question`, `moment`: what is asked and answered, and when.
//! - `mutant`: bugs that tests and the simulator plant.
//! - `producer`, `consumer`: the two machines. `record`: what they carry.

pub mod backoff;
pub mod chance;
pub mod consumer;
pub mod error;
pub mod lookup;
pub mod map;
pub mod moment;
pub mod mutant;
pub mod producer;
pub mod question;
pub mod record;
