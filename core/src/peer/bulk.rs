//! The words of the bulk lane in the core's own types, and their way to and from the wire's.
//!
//! Ids, offsets and terms that cannot be are refused here; what they refer to is judged by whoever is asked.

use super::hello::{id_bytes, read_id};
use crate::entry::Members;
use crate::ids::{Index, Offset, PartitionId, ReplicaId, Term, TopicId, TopicPartition};
use crate::now::Wall;
use bytes::Bytes;
use rust_mq_proto::peer::message::{self as wire, PeerBody};

/// Ties an answer of a peer to the question. Chosen by the asker, unique for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A message of the bulk lane, forwarded requests aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// Give me committed batches.
    Fetch(Fetch),
    /// Here they are.
    Fetched(Fetched),
    /// Give me the state above the batches I have.
    SnapshotWanted(SnapshotWanted),
    /// Here it is.
    Snapshot(Snapshot),
    /// You are behind my window: fetch.
    CatchUp(CatchUp),
}

/// A replica that is behind asks for committed batches by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// Carried back by the answer.
    pub id: CallId,
    /// Of which partition.
    pub partition: TopicPartition,
    /// The first offset wanted.
    pub from: Offset,
    /// How many bytes at most; the first batch comes whole in any case.
    pub max_bytes: u32,
}

/// The answer to a [`Fetch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The request's.
    pub id: CallId,
    /// One of Kafka's error codes.
    pub error: i16,
    /// Whole record batches, one after the other, in any number of chunks.
    pub chunks: Vec<Bytes>,
    /// The end of the sender's log.
    pub log_end: Offset,
    /// The sender's high watermark.
    pub high_watermark: Offset,
}

/// A replica that has fetched its batches asks for the rest of the applied state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotWanted {
    /// Carried back by the answer.
    pub id: CallId,
    /// The replica that wants it.
    pub replica: ReplicaId,
    /// Of which partition.
    pub partition: TopicPartition,
    /// The end of what it has.
    pub log_end: Offset,
}

/// The answer to a [`SnapshotWanted`]: state and index, no files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The request's.
    pub id: CallId,
    /// One of Kafka's error codes.
    pub error: i16,
    /// The replica that wants it.
    pub replica: ReplicaId,
    /// As of which entry.
    pub index: Index,
    /// Of which term.
    pub term: Term,
    /// The entry's wall time.
    pub wall: Wall,
    /// The members as of that entry.
    pub members: Members,
    /// The log's first offset.
    pub log_start: Offset,
    /// The offset after the last batch that the state stands on.
    pub segment_end: Offset,
    /// The partition's or the machine's state, in its own codec.
    pub state: Bytes,
}

/// A leader tells a replica that what it needs next is below the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchUp {
    /// The replica that is behind.
    pub replica: ReplicaId,
    /// Of which partition.
    pub partition: TopicPartition,
    /// The leader's term.
    pub term: Term,
    /// The first offset of the leader's log.
    pub log_start: Offset,
    /// The leader's high watermark.
    pub high_watermark: Offset,
}

/// Why a message was not taken for the bulk lane. Nothing was sent; ask again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BulkRefused {
    /// The lane is not ready.
    #[error("the peer's bulk lane is down")]
    Down,
    /// As much waits as may.
    #[error("the peer's bulk lane is full")]
    Full,
    /// It would never be accepted.
    #[error("the message is larger than peers accept")]
    TooLarge,
}

impl Bulk {
    /// As the wire says it.
    pub(super) fn into_body(self) -> PeerBody {
        match self {
            Bulk::Fetch(fetch) => PeerBody::Fetch(wire::Fetch {
                id: fetch.id.0,
                topic: topic_bytes(fetch.partition),
                partition: fetch.partition.partition.0,
                from: fetch.from.0,
                max_bytes: fetch.max_bytes,
            }),
            Bulk::Fetched(fetched) => PeerBody::Fetched(wire::Fetched {
                id: fetched.id.0,
                error: fetched.error.into(),
                log_end: fetched.log_end.0,
                high_watermark: fetched.high_watermark.0,
                chunks: fetched.chunks,
            }),
            Bulk::SnapshotWanted(wanted) => PeerBody::SnapshotWanted(wire::SnapshotWanted {
                id: wanted.id.0,
                replica: wanted.replica.0,
                topic: topic_bytes(wanted.partition),
                partition: wanted.partition.partition.0,
                log_end: wanted.log_end.0,
            }),
            Bulk::Snapshot(snapshot) => PeerBody::Snapshot(wire::Snapshot {
                id: snapshot.id.0,
                error: snapshot.error.into(),
                replica: snapshot.replica.0,
                index: snapshot.index.0,
                term: snapshot.term.0,
                wall: snapshot.wall.0,
                voters: snapshot.members.voters.iter().map(|replica| replica.0).collect(),
                learners: snapshot.members.learners.iter().map(|replica| replica.0).collect(),
                log_start: snapshot.log_start.0,
                segment_end: snapshot.segment_end.0,
                state: snapshot.state,
            }),
            Bulk::CatchUp(hint) => PeerBody::CatchUp(wire::CatchUp {
                replica: hint.replica.0,
                topic: topic_bytes(hint.partition),
                partition: hint.partition.partition.0,
                term: hint.term.0,
                log_start: hint.log_start.0,
                high_watermark: hint.high_watermark.0,
            }),
        }
    }

    /// What the wire said; `None` if it is no message of this lane, or has a number that cannot be.
    pub(super) fn read(body: PeerBody) -> Option<Bulk> {
        Some(match body {
            PeerBody::Fetch(fetch) => Bulk::Fetch(Fetch {
                id: CallId(fetch.id),
                partition: partition(&fetch.topic, fetch.partition)?,
                from: offset(fetch.from)?,
                max_bytes: fetch.max_bytes,
            }),
            PeerBody::Fetched(fetched) => Bulk::Fetched(Fetched {
                id: CallId(fetched.id),
                error: i16::try_from(fetched.error).ok()?,
                chunks: fetched.chunks,
                log_end: offset(fetched.log_end)?,
                high_watermark: offset(fetched.high_watermark)?,
            }),
            PeerBody::SnapshotWanted(wanted) => Bulk::SnapshotWanted(SnapshotWanted {
                id: CallId(wanted.id),
                replica: ReplicaId(wanted.replica),
                partition: partition(&wanted.topic, wanted.partition)?,
                log_end: offset(wanted.log_end)?,
            }),
            PeerBody::Snapshot(snapshot) => Bulk::Snapshot(Snapshot {
                id: CallId(snapshot.id),
                error: i16::try_from(snapshot.error).ok()?,
                replica: ReplicaId(snapshot.replica),
                index: index(snapshot.index)?,
                term: term(snapshot.term)?,
                wall: Wall(snapshot.wall),
                members: Members { voters: replicas(snapshot.voters), learners: replicas(snapshot.learners) },
                log_start: offset(snapshot.log_start)?,
                segment_end: offset(snapshot.segment_end)?,
                state: snapshot.state,
            }),
            PeerBody::CatchUp(hint) => Bulk::CatchUp(CatchUp {
                replica: ReplicaId(hint.replica),
                partition: partition(&hint.topic, hint.partition)?,
                term: term(hint.term)?,
                log_start: offset(hint.log_start)?,
                high_watermark: offset(hint.high_watermark)?,
            }),
            _ => return None,
        })
    }
}

fn topic_bytes(partition: TopicPartition) -> Bytes {
    id_bytes(u128::from_be_bytes(partition.topic.0))
}

fn partition(topic: &[u8], number: i32) -> Option<TopicPartition> {
    let topic = TopicId(read_id(topic)?.to_be_bytes());
    (number >= 0).then_some(TopicPartition { topic, partition: PartitionId(number) })
}

fn offset(number: i64) -> Option<Offset> {
    (0..=Offset::MAX.0).contains(&number).then_some(Offset(number))
}

pub(super) fn index(number: u64) -> Option<Index> {
    (number <= Index::MAX.0).then_some(Index(number))
}

fn term(number: u64) -> Option<Term> {
    (number <= Term::MAX.0).then_some(Term(number))
}

fn replicas(ids: Vec<u64>) -> Vec<ReplicaId> {
    ids.into_iter().map(ReplicaId).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_read() {
        let partition = TopicPartition { topic: TopicId([3; 16]), partition: PartitionId(4) };
        let (id, replica) = (CallId(5), ReplicaId(6));
        let (log_start, high_watermark, log_end) = (Offset(7), Offset(8), Offset(9));
        let chunks = vec![Bytes::from_static(b"batch")];
        let members = Members { voters: vec![replica, ReplicaId(7)], learners: vec![ReplicaId(8)] };
        let (index, term, state) = (Index(10), Term(11), Bytes::from_static(b"state"));
        let said = [
            Bulk::Fetch(Fetch { id, partition, from: log_start, max_bytes: 12 }),
            Bulk::Fetched(Fetched { id, error: -1, chunks, log_end, high_watermark }),
            Bulk::SnapshotWanted(SnapshotWanted { id, replica, partition, log_end }),
            Bulk::Snapshot(Snapshot {
                id,
                error: 6,
                replica,
                index,
                term,
                wall: Wall(-14),
                members,
                log_start,
                segment_end: log_end,
                state,
            }),
            Bulk::CatchUp(CatchUp { replica, partition, term, log_start, high_watermark }),
        ];
        for bulk in said {
            assert_eq!(Bulk::read(bulk.clone().into_body()), Some(bulk));
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        let good = wire::CatchUp { topic: Bytes::from(vec![0; 16]), term: Term::MAX.0, ..Default::default() };
        assert!(Bulk::read(PeerBody::CatchUp(good.clone())).is_some());
        let bad = [
            wire::CatchUp { topic: Bytes::new(), ..good.clone() },
            wire::CatchUp { partition: -1, ..good.clone() },
            wire::CatchUp { term: Term::MAX.0 + 1, ..good.clone() },
            wire::CatchUp { log_start: -1, ..good.clone() },
            wire::CatchUp { high_watermark: Offset::MAX.0 + 1, ..good.clone() },
        ];
        for hint in bad {
            assert_eq!(Bulk::read(PeerBody::CatchUp(hint)), None);
        }
    }
}
