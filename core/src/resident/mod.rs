//! What is replicated on this node: user data and machines, each on a replica of its own, in one table.
//!
//! ```text
//! entries committed --apply-->   effects: what they ask of the node (batches to keep, topics to start and stop)
//! a round of them   --settle-->  told: who waited, and is answered now
//! a checkpoint, a snapshot  <--encode--  the state  --install-->  the state of another replica in its place
//! ```
//! A [`Resident`] is of a kind, and answers the same questions whichever it is; the floor above asks them and never
//! which kind it is. Another machine is another variant here, another arm in each `match` of this room, and nothing in
//! the rooms above but what its commands do to a node, if they do anything.
//!
//! `residents` is the table, `asked` what machines are asked and answer, `effect` what an entry asks of the node,
//! `belief` what may take the place of what is here, `frozen` a state while a checkpoint takes it, `unfolding` one
//! while it is read from the disk, `life` how a resident starts and ends, `kind` what it can be.
//!
//! - Invariant: a resident's state is a function of the entries up to `applied`.
//! - Invariant: only here it is asked which partition is the metadata's, and which are a machine's.
//!
//! Not here: what effects do (`node`), how a machine is kept on a replica (`host`), what user data is (`partition`).

mod asked;
mod belief;
mod effect;
mod frozen;
mod kind;
mod life;
#[cfg(feature = "simulation")]
pub mod replayed;
mod residents;
#[cfg(test)]
mod tests;
mod unfolding;

pub use asked::{Reply, Request};
pub use belief::Disbelief;
pub use effect::Effect;
pub use frozen::Frozen;
pub use kind::{Kind, Means, Unstartable};
pub use life::{founded, metadata_among, sort_out, unborn};
pub use residents::Residents;
pub use unfolding::Unfolding;

use crate::entry::{Entry, EntryKind, Stamp};
use crate::group::{self, Groups};
use crate::host::{Host, Replied};
use crate::ids::{Index, Offset, PartitionId, ReplicaId, TopicId, TopicPartition};
#[cfg(feature = "simulation")]
use crate::machine::Machine;
use crate::machine::{Undecodable, Waiter};
use crate::metadata::{self, Metadata};
use crate::now::{Mono, Now};
use crate::partition::{Partition, Settled, Weight};
use crate::replica::{ReadContext, Replica};
use crate::storage::CommittedBatch;
use bytes::Bytes;

/// The metadata machine's partition.
pub const METADATA: TopicPartition = TopicPartition { topic: TopicId::METADATA, partition: PartitionId(0) };

/// One of the things that are replicated here.
#[allow(clippy::large_enum_variant, reason = "each lies in a box of the table, and most are records")]
pub enum Resident {
    /// User data.
    Records(Partition),
    /// Which topics exist, and where.
    Metadata(Host<Metadata>),
    /// Consumer groups, those of one partition of their topic, by its number.
    Group(PartitionId, Host<Groups>),
}

/// Where it is put what those who wait are told.
pub struct Told<'a> {
    /// Batches that are committed, or lost their leader.
    pub settled: &'a mut Vec<Settled>,
    /// Who waits for records, and is to look again at which partition.
    pub woken: &'a mut Vec<(Waiter, TopicPartition)>,
    /// What machines answer.
    pub replied: &'a mut Vec<Replied<Reply>>,
}

/// What a machine may know besides its own state.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Both clocks.
    pub now: Now,
    /// The applied metadata of this node; none for the metadata itself, which sees its own.
    pub image: Option<&'a Metadata>,
}

impl Told<'_> {
    /// What the metadata machine answers: each answer speaks of what the image shows once it is that far.
    fn by_metadata<T>(&mut self, what: impl FnOnce(&mut Vec<Replied<metadata::Reply>>) -> T) -> T {
        let mut replied = Vec::new();
        let done = what(&mut replied);
        self.replied.extend(replied.into_iter().map(|Replied { waiter, reply, index }| Replied {
            waiter,
            reply: Reply::Metadata(reply),
            index,
        }));
        done
    }

    /// What groups answer: what they speak of is no matter of the image's.
    fn by_groups<T>(&mut self, what: impl FnOnce(&mut Vec<Replied<group::Reply>>) -> T) -> T {
        let mut replied = Vec::new();
        let done = what(&mut replied);
        self.replied.extend(replied.into_iter().map(|Replied { waiter, reply, .. }| Replied {
            waiter,
            reply: Reply::Group(reply),
            index: Index(0),
        }));
        done
    }
}

/// What happens to it.
impl Resident {
    /// Takes a committed entry in. What it asks of the node is added to `effects`.
    ///
    /// # Errors
    /// An entry that this build cannot apply: the node must stop rather than skip it.
    pub fn apply(&mut self, entry: &Entry, effects: &mut Vec<Effect>) -> Result<(), Undecodable> {
        match self {
            Resident::Records(partition) => {
                let applied = partition.apply(entry)?;
                if let Some(batch) = applied.batch {
                    assert!(entry.kind == EntryKind::Batch, "only a batch has records to keep");
                    let (base, next, max_timestamp) = (batch.base, batch.next, batch.max_timestamp);
                    let bytes = entry.payload.clone();
                    effects.push(Effect::Kept(CommittedBatch { base, next, max_timestamp, bytes }));
                }
                effects.extend(applied.log_start.map(Effect::LogStarts));
            }
            Resident::Metadata(host) => {
                host.apply(entry, |before, command| effects.extend(Effect::of(before, command)))?;
                effects.push(Effect::ImageAt(entry.index));
            }
            Resident::Group(_, host) => host.apply(entry, |_, _| {})?,
        }
        Ok(())
    }

    /// After a round of `apply`, or a change of role: tells what is true now.
    fn settle(&mut self, moment: Moment<'_>, told: &mut Told<'_>) {
        match self {
            Resident::Records(partition) => {
                partition.settle(told.settled);
                partition.wake_watchers(told.woken);
            }
            Resident::Metadata(host) => told.by_metadata(|out| host.settle(moment.now, &(), out)),
            Resident::Group(_, host) => {
                if let Some(image) = moment.image {
                    told.by_groups(|out| host.settle(moment.now, image, out));
                }
            }
        }
    }

    /// Puts a snapshot of another member's state in the place of this one.
    ///
    /// # Errors
    /// A state that this build cannot read.
    pub fn install(
        &mut self,
        at: Stamp,
        state: &[u8],
        effects: &mut Vec<Effect>,
        told: &mut Told<'_>,
    ) -> Result<(), Undecodable> {
        match self {
            Resident::Records(partition) => {
                partition.install(at, state)?;
                // Who gave it may have kept more: where a client deletes within a segment, each keeps what it must.
                effects.push(Effect::LogStarts(partition.log_start()));
            }
            Resident::Metadata(host) => {
                let before = Box::new(host.committed().clone());
                told.by_metadata(|out| host.install(at, state, out))?;
                effects.push(Effect::ImageReplaced(before));
            }
            Resident::Group(_, host) => told.by_groups(|out| host.install(at, state, out))?,
        }
        Ok(())
    }

    /// What a ready says of reads that a majority has confirmed.
    pub fn heard(&mut self, reads: &[(ReadContext, Index)], told: &mut Told<'_>) {
        match self {
            // Who reads records waits above (`node/reading`).
            Resident::Records(_) => {}
            Resident::Metadata(host) => told.by_metadata(|out| host.heard(reads, out)),
            Resident::Group(_, host) => told.by_groups(|out| host.heard(reads, out)),
        }
    }

    /// Lets a machine see what time has brought.
    fn due(&mut self, moment: Moment<'_>, told: &mut Told<'_>) {
        match self {
            Resident::Records(_) => {}
            Resident::Metadata(host) => told.by_metadata(|out| host.due(moment.now, &(), out)),
            Resident::Group(_, host) => {
                if let Some(image) = moment.image {
                    told.by_groups(|out| host.due(moment.now, image, out));
                }
            }
        }
    }

    /// Asks a machine. A request that it is not there for is answered as by who does not lead.
    fn request(&mut self, moment: Moment<'_>, waiter: Waiter, request: Request, told: &mut Told<'_>) {
        match (self, request) {
            (Resident::Metadata(host), Request::Metadata(request)) => {
                told.by_metadata(|out| host.request(moment.now, waiter, request, &(), out));
            }
            (Resident::Group(_, host), Request::Group(_, request)) => match moment.image {
                Some(image) => {
                    told.by_groups(|out| host.request(moment.now, waiter, request, image, out));
                }
                None => told.by_groups(|out| {
                    let reply = group::Reply::NotCoordinator;
                    out.push(Replied { waiter, reply, index: Index(0) });
                }),
            },
            (_, request) => {
                told.replied.push(Replied { waiter, reply: request.not_leader(), index: Index(0) });
            }
        }
    }

    /// It runs here no more: whoever waits for it is told that the outcome is not known.
    pub fn abandon(&mut self, told: &mut Told<'_>) {
        match self {
            Resident::Records(partition) => {
                told.settled.extend(partition.abandon());
                partition.wake_watchers(told.woken);
            }
            Resident::Metadata(host) => told.by_metadata(|out| host.abandon(out)),
            Resident::Group(_, host) => told.by_groups(|out| host.abandon(out)),
        }
    }

    /// Something about its records has changed: whoever waits for them is to look again.
    pub fn wake_readers(&mut self, woken: &mut Vec<(Waiter, TopicPartition)>) {
        if let Resident::Records(partition) = self {
            partition.wake_watchers(woken);
        }
    }

    /// A member's node is gone.
    pub fn follower_lost(&mut self, follower: ReplicaId) {
        if let Resident::Records(partition) = self {
            partition.follower_lost(follower);
        }
    }

    /// A member's node is there again.
    pub fn follower_returned(&mut self, follower: ReplicaId, now: Mono) {
        if let Resident::Records(partition) = self {
            partition.follower_returned(follower, now);
        }
    }

    /// The replica below, to be stepped, ticked and read.
    pub fn replica_mut(&mut self) -> &mut Replica {
        match self {
            Resident::Records(partition) => partition.replica_mut(),
            Resident::Metadata(host) => host.replica_mut(),
            Resident::Group(_, host) => host.replica_mut(),
        }
    }
}

/// What it is.
impl Resident {
    /// Which partition.
    pub fn of(&self) -> TopicPartition {
        match self {
            Resident::Records(partition) => partition.of(),
            Resident::Metadata(_) => METADATA,
            Resident::Group(number, _) => {
                TopicPartition { topic: TopicId::CONSUMER_OFFSETS, partition: *number }
            }
        }
    }

    /// The replica below.
    pub fn replica(&self) -> &Replica {
        match self {
            Resident::Records(partition) => partition.replica(),
            Resident::Metadata(host) => host.replica(),
            Resident::Group(_, host) => host.replica(),
        }
    }

    /// The last entry that its state includes.
    pub fn applied(&self) -> Stamp {
        match self {
            Resident::Records(partition) => partition.applied(),
            Resident::Metadata(host) => host.applied(),
            Resident::Group(_, host) => host.applied(),
        }
    }

    /// When a machine wants to see what time has brought.
    pub fn next_deadline(&self) -> Option<Mono> {
        match self {
            Resident::Records(_) => None,
            Resident::Metadata(host) => host.next_deadline(),
            Resident::Group(_, host) => host.next_deadline(),
        }
    }

    /// Whether it serves as leader: an entry of its own term is applied.
    pub fn is_leading(&self) -> bool {
        match self {
            Resident::Records(partition) => partition.is_leading(),
            Resident::Metadata(host) => host.is_leading(),
            Resident::Group(_, host) => host.is_leading(),
        }
    }

    /// The state as bytes, for a checkpoint or a snapshot.
    pub fn encode(&self) -> Bytes {
        match self {
            Resident::Records(partition) => partition.encode().freeze(),
            Resident::Metadata(host) => host.encode().freeze(),
            Resident::Group(_, host) => host.encode().freeze(),
        }
    }

    /// Where its records begin and end, committed ones; a machine has none.
    pub fn extent(&self) -> (Offset, Offset) {
        match self {
            Resident::Records(partition) => (partition.log_start(), partition.high_watermark()),
            Resident::Metadata(_) | Resident::Group(..) => (Offset(0), Offset(0)),
        }
    }

    /// What it keeps in memory until the disk has it.
    pub fn weight(&self) -> Weight {
        match self {
            Resident::Records(partition) => partition.weight(),
            Resident::Metadata(_) | Resident::Group(..) => {
                Weight { entries_bytes: self.replica().held_bytes() as u64, producers: 0 }
            }
        }
    }

    /// User data, if it is that.
    pub fn records(&self) -> Option<&Partition> {
        match self {
            Resident::Records(partition) => Some(partition),
            Resident::Metadata(_) | Resident::Group(..) => None,
        }
    }

    /// User data, if it is that, to be changed.
    pub fn records_mut(&mut self) -> Option<&mut Partition> {
        match self {
            Resident::Records(partition) => Some(partition),
            Resident::Metadata(_) | Resident::Group(..) => None,
        }
    }

    /// The image, if it is the metadata.
    pub fn image(&self) -> Option<&Metadata> {
        match self {
            Resident::Records(_) | Resident::Group(..) => None,
            Resident::Metadata(host) => Some(host.committed()),
        }
    }

    /// Of a machine that leads and has nothing in flight: whether its two copies are equal. What is applied beyond the
    /// tip's index holds no commands: a leader's tip has seen all of its term.
    #[cfg(feature = "simulation")]
    pub fn is_tip_committed(&self) -> Option<bool> {
        match self {
            Resident::Records(_) => None,
            Resident::Metadata(host) => is_tip_committed(host),
            Resident::Group(_, host) => is_tip_committed(host),
        }
    }
}

#[cfg(feature = "simulation")]
fn is_tip_committed<M: Machine + PartialEq>(host: &Host<M>) -> Option<bool> {
    let (tip, _) = host.tip().filter(|(_, index)| *index <= host.applied().index)?;
    Some(tip == host.committed())
}
