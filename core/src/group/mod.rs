//! Consumer groups and what they have committed: the machine on each partition of `__consumer_offsets`, whose leader is
//! the coordinator of the groups that [`partition_of`] sends there.
//!
//! ```text
//! asked     api -> decide(tip, soft) -> commands -> ... committed -> apply          answers leave when that is so
//! by time   a deadline of soft state -> due -> commands, and answers to who waited
//! ```
//! **What is replicated** (`state`): which groups there are, each with a number of its own; what they have committed, by
//! group, topic and partition; of a group that is more than that its generation, its members with what they subscribe to,
//! and what each was assigned. A *generation* begins by a command, so that no two of one group are ever told apart by
//! nothing: a coordinator that takes over counts on from there. **What is soft** (`soft`) ends with the leader's term:
//! when each member was last heard, who waits in a join or a sync, and ids that were handed out and not used. A new
//! coordinator gives each member a session that begins anew.
//!
//! A [`Group`] is of one of three kinds, its [`State`]: *simple* (nothing but offsets, from who uses no group protocol or
//! administers), *classic* (`classic`: clients choose among themselves who gets what, KIP-62, KIP-345, KIP-814), and
//! *consumer* (`consumer`: the coordinator does, KIP-848). Offsets stand beside, under the group's number, whichever it
//! is; members stand beside too, one entry each, so that what happens to one costs what one takes.
//!
//! `state` what is replicated, of classic groups `generation`; `soft` what is not, of classic groups `live`; `command` what is proposed, `request` what is asked and answered;
//! `contract` the machine; `offsets` what is committed, `expiry` when it goes; `classic` the classic protocol; `listing`
//! describes, lists and deletes.
//!
//! - Invariant: a group has one number, which is given once: `next_group` only rises.
//! - Invariant: offsets and members belong to a group that there is.
//! - Invariant: a group's generation only rises, also from one coordinator to the next.
//! - Invariant: a commit is taken only from a member in the group's own generation, or for a group without members.
//! - Invariant: the encoded state <= `state_bytes_max` of the room: what is accepted can be kept and sent.
//!
//! Not here: which node leads the partition (`node`), what Kafka's requests look like (`api`), the topic itself
//! (`metadata/internal`).
//!
//! Sources: Apache Kafka 4.4, `group-coordinator`: `GroupMetadataManager`, `OffsetMetadataManager`, `ClassicGroup`.

mod classic;
mod command;
mod consumer;
mod contract;
mod expiry;
mod generation;
mod listing;
mod live;
mod offsets;
mod request;
mod sharing;
mod soft;
mod state;
#[cfg(test)]
mod tests;

pub use command::{Command, Commit};
pub use generation::{Classic, Generation, Member as ClassicMember};
pub use request::{
    Beat, Beaten, ConsumerDescription, Described, Description, Join, Joined, Leaving, Listed, Phase, Refusal,
    Refused, Reply, Request, Sync, Synced, Who,
};
pub use sharing::{
    About, Assignor, Changed, Consumer, Current, Given, Member as ConsumerMember, MemberChanged, Partitions,
    Spoken,
};
pub use soft::Soft;
pub use state::{Committed, Group, GroupNumber, Groups, Member, MemberKey, OffsetKey, State};

use crate::ids::{PartitionId, TopicId, TopicPartition};

/// The partition of `__consumer_offsets`, which has so many, where the coordinator of a group leads: Kafka's own choice,
/// the hash of the id as Java has it.
pub fn partition_of(group: &str, partitions: usize) -> TopicPartition {
    let hash =
        group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
    // The one number that has no positive of its kind is 0 (Kafka's `Utils.abs`).
    let place = hash.checked_abs().unwrap_or(0) % partitions;
    TopicPartition { topic: TopicId::CONSUMER_OFFSETS, partition: PartitionId(place) }
}

#[cfg(test)]
mod placing {
    use super::*;

    #[test]
    fn the_partition_is_the_one_that_kafka_chooses() {
        let place = |group| partition_of(group, 50).partition.0;
        assert_eq!([place(""), place("a"), place("hello"), place("my-group")], [0, 47, 22, 12]);
        // Their hashes are negative: the distance from zero counts, not the bits below the sign (that would be 17, 10).
        assert_eq!([place("orders"), place("consumer-group")], [31, 38]);
        assert_eq!(place("polygenelubricants"), 0, "its hash is the least number there is");
    }
}
