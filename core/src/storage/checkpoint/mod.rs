//! The checkpoint: everything small of a node, as of one moment, in the slot that is not in force; once it is durable,
//! the journal before it is free and what it no longer names is removed.
//!
//! `checkpointer` owns the one being made, stage by stage; `slot` is the codec of what it writes. What is large is not
//! in the slot: states of some size are pages in files of their own (`state_files`), written when they have changed,
//! and named by the slot where they lie.
//!
//! Not here: when one is due for the floor above (`Storage::checkpoint_is_due`), reading it back (`recovery`).

pub mod checkpointer;
pub mod slot;
pub mod state_files;
