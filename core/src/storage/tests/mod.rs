//! Tests of the room as a whole, on a disk that crashes.

mod codecs;
mod crash;
mod damage;
mod disk;
mod full;
mod gather;
mod leftovers;
mod lookups;
mod mend;
mod model;
mod rewrites;
mod states;
mod world;
