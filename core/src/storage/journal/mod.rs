//! The journal: one write-ahead ring of files for all replicas of the node, the only thing that is synced before a
//! promise is given.
//!
//! ```text
//! items of a turn -> frame being filled -> [one in flight: write + sync] -> durable -> Persisted
//!                    (frames, frame)            (ring: where it lies)
//! ```
//! `frames` owns the frame being filled and the one in flight, `ring` the files; `frame` is the codec of both.
//!
//! Not here: reading it back (`recovery`), what lets its files go (`checkpoint`).

pub mod frame;
pub mod frames;
pub mod ring;
