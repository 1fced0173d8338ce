//! What a consumer group (KIP-848) is made of, without the coordinator around it: plain data in, plain data out.
//!
//! `member` is what is replicated; `partitions` sets of them; `assignor`, `uniform`, `range` who is to have what, of
//! `candidate`s; `reconcile` a member's walk from what it has to what it is to have; `pattern` subscription by regular
//! expression, `matching` what it means; `roll` what follows from all members; `live` what only the coordinator knows.
//!
//! - Invariant: a target is worked out from one state of the group, in pieces of bounded work.
//!
//! A rack is kept and described, and no assignor looks at it. Not here: what is decided when (`consumer`).
//!
//! Sources: KIP-848; Apache Kafka 4.4, `group-coordinator`.

mod assignor;
mod candidate;
mod live;
mod matching;
mod member;
mod partitions;
mod pattern;
mod range;
mod reconcile;
mod roll;
#[cfg(test)]
mod tests;
mod uniform;

pub use assignor::Assignor;
pub(super) use candidate::{Candidate, Targets};
pub(super) use live::{Live, Stage, Work};
pub(super) use matching::Topics;
pub use member::{About, Changed, Consumer, Member, MemberChanged, Spoken};
pub use partitions::{Given, Partitions};
pub(super) use pattern::Pattern;
pub use reconcile::Current;
pub(super) use reconcile::{Goal, Phase, Said};
pub(super) use roll::Roll;
