//! The checkpoint: everything small of a node, as of one moment, in the slot that is not in force; once it is durable,
//! the journal before it is free and what it no longer names is removed.
//!
//! `checkpointer` owns the one being made, stage by stage; `slot` is the codec of what it writes.
//!
//! Not here: when one is due for the floor above (`Storage::checkpoint_is_due`), reading it back (`recovery`).

pub mod checkpointer;
pub mod slot;
