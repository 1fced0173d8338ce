//! Tests of the room as a whole, on a disk that crashes.

mod crash;
mod disk;
mod world;
