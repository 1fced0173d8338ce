//! Cold reads: batches that are no longer in memory, out of their segments, checked one by one.
//!
//! `cold` owns the reads under way and the damage they have met; `want` is what a read looks for; `cut` tells a batch
//! that belongs at its place from bytes that do not.
//!
//! Not here: what is in memory (`segments`), writing good bytes over damaged ones (`mend`).

pub mod cold;
pub mod place;
pub mod want;
