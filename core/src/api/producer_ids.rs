//! This node's block of producer ids, and who waits for the next one.
//!
//! Invariant: next <= end; an id is handed out once.

use crate::machine::Waiter;
use std::collections::VecDeque;

/// The block.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub next: i64,
    pub end: i64,
    /// In the order they asked; some may have been ended meanwhile.
    pub waiting: VecDeque<Waiter>,
    /// The next block is asked for.
    pub is_asked: bool,
}
