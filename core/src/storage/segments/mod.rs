//! Segments: the committed batches of each replica, the newest in memory, the others in files of Kafka's own format.
//!
//! ```text
//! keep -> log: tail in memory -> write_behind: when it is written, synced, forgotten -> segment + its index
//! ```
//! A `Log` owns what is known of one replica's batches (`log`); `write_behind` owns what all logs together hold of
//! memory and of unsynced files, and decides who is written next. A `Rewrite` is closed segments on their way into one
//! new file (`rewrite`).
//!
//! Not here: finding a batch in a file (`reads`), which segments a crash leaves (`checkpoint`, `recovery`).

pub mod chunk;
pub mod index;
pub mod log;
pub mod rewrite;
pub mod segment;
pub mod write_behind;
