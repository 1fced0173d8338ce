//! Weather: a simulated cluster of real cores, with everything that can go wrong around them, from one seed.
//!
//! A simulated node is the real `Broker`, whole. Ours are the queue of happenings (`schedule`, `world`), the
//! sites (`node`, `disk`, `clock`), the `network`, the `client`s, what goes wrong (`plan` and `trouble`, drawn by `swarm`),
//! what must hold (`claims`, with the `ledger` of what the clients know), and the record of it all (`trace`,
//! `marks`, and on demand the `film`, which becomes a page). madsim is the `shell` around each run. `run` takes a plan
//! to a report; `shrink` makes a failing plan small; `story` tells it in words.
//!
//! Invariants: a plan and a build determine every byte of a run; every choice comes from a named stream of the
//! plan's root; no fault code is inside the core.
//!
//! What is claimed: `docs/claims.md`; what proves that a claim can fail: `docs/mutants.md`.

pub mod claims;
pub mod client;
pub mod clock;
pub mod coverage;
pub mod dice;
pub mod disk;
pub mod explore;
pub mod film;
pub mod golden;
pub mod marks;
pub mod mutants;
pub mod network;
pub mod node;
pub mod plan;
pub mod run;
pub mod schedule;
pub mod score;
pub mod shell;
pub mod shrink;
pub mod story;
pub mod swarm;
pub mod trace;
pub mod trouble;
pub mod wire;
pub mod world;

/// The node binary's own allocator: a run is short-lived pieces of many sizes, an eighth of its time with the
/// system's one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
