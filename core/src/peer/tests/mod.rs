//! Several `Peers` back to back over a virtual clock and a network that obeys the laws of the door.

mod lanes;
mod pairs;
mod world;
