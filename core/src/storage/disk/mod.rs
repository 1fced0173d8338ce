//! Disk: how the room asks for file work, and what it may believe of the answers.
//!
//! Every request carries a ticket, drawn for a job (`ticket`); what must last is a write and its sync, tried again as a
//! whole while the disk is full (`durable_write`); recovery's work is done in batches, one after the other (`plan`);
//! files go a few at a time (`removals`); and whether there is space is learned from the answers (`space`).
//!
//! Owns the open tickets and what is known of the disk's space.
//!
//! Not here: what any file holds. No room of storage is below this one.

pub mod durable_write;
pub mod plan;
pub mod removals;
pub mod space;
pub mod ticket;
