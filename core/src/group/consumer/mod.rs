//! Consumer groups (KIP-848): the coordinator says who gets what, and each member walks there by itself, one heartbeat
//! after the other, while the others read on.
//!
//! ```text
//! heartbeat      somebody comes, goes, or subscribes to something else     the group's epoch rises
//!                what each is to have is worked out                        the targets' epoch follows
//!                each walks from what it has to its target                 its own epoch follows
//! ```
//! `change` is a decision about one group, of which `heartbeat`, `leave`, `target` and `sessions` are the parts; `mixed`
//! members that speak the classic protocol, `embedded` what they say, `migration` how a group becomes the one and the
//! other; `commits` whose offsets are taken, `describe` what administrators see.
//!
//! - Invariant: no partition is with two members at once: it is given on only when its holder has let go, or is gone.
//! - Invariant: what a turn does for a group <= CONSUMER_STEPS steps.
//!
//! Not here: what a group is made of (`sharing`), classic groups (`classic`).
//!
//! Sources: KIP-848, KIP-1082; Apache Kafka 4.4, `GroupMetadataManager`, `ConsumerGroup`.

mod change;
mod commits;
mod describe;
mod embedded;
mod heartbeat;
mod leave;
mod migration;
mod mixed;
mod sessions;
mod target;

pub use describe::describe;
pub use heartbeat::heartbeat;
pub use mixed::{classic_heartbeat, join, leave, sync};
pub use sessions::{rang, reseat};
