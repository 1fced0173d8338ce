//! What a machine does to a process: disks that fail, fill up or dawdle, descriptors that run out, a stop under
//! load, clients that fall silent. The process says what happened, loses nothing it has acknowledged, and goes on
//! where it can.
//!
//! Faults of the disk are strace's, which makes a system call of the real binary fail without making it: no
//! privilege is needed, and the n-th call is the n-th call on every machine. A volume that is really small is a
//! tmpfs in a namespace of its own, where the system lets us have one.

mod deadlines;
mod descriptors;
mod disk;
mod stopping;
mod volume;

use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::{Client, PATIENCE};
use tests::dialogue::{Produced, produce};

const KAFKA_STORAGE_ERROR: i16 = 56;
const TOPIC: &str = "faults";

/// Produces one small record.
fn put(client: &mut Client, topic: &str) -> Produced {
    produce(client, topic, Batch::of(&[b"x"]).bytes())
}

/// Waits until `is_so`.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
