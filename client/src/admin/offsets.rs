//! Offsets of partitions: where they begin and end, what was there at a time; and to let them begin later.

use super::spread::{Spread, Told};
use super::{Admin, TopicPartition};
use crate::machine::error::Error;
use rust_mq_proto::grpc::{self, offset_query::At};

/// A place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first record that it holds.
    Start,
    /// Behind the last record.
    End,
    /// The first record whose timestamp is this or later, in milliseconds since 1970-01-01 UTC.
    Time(i64),
    /// The record with the largest timestamp.
    Newest,
}

/// An offset that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The offset; none if no record is as late as the time that was asked for.
    pub offset: Option<i64>,
    /// The record's timestamp in milliseconds, if it was looked up by one.
    pub timestamp_ms: Option<i64>,
    /// The leader epoch in which it was written, if it is known.
    pub leader_epoch: Option<i32>,
}

impl Admin {
    /// Looks up offsets, each at its partition's leader: all leaders at once, some at a time. The answers are in the order
    /// of the questions.
    ///
    /// # Errors
    /// None as a whole; each partition has its own.
    pub async fn offsets(
        &self,
        places: Vec<(TopicPartition, Place)>,
    ) -> Vec<(TopicPartition, Result<Found, Error>)> {
        self.spread(&OFFSETS, places).await
    }

    /// Deletes the oldest records of partitions: what lies below an offset, or all with `None`. Answers where each begins
    /// now, in the order of the questions.
    ///
    /// # Errors
    /// None as a whole; each partition has its own. OFFSET_OUT_OF_RANGE for an offset behind its end.
    pub async fn delete_records(
        &self,
        before: Vec<(TopicPartition, Option<i64>)>,
    ) -> Vec<(TopicPartition, Result<i64, Error>)> {
        self.spread(&TRIM, before).await
    }
}

const OFFSETS: Spread<Place, grpc::ListOffsetsRequest, Found> = Spread {
    ask: |places| grpc::ListOffsetsRequest {
        queries: places.into_iter().map(query).collect(),
        isolation: grpc::Isolation::ReadUncommitted as i32,
    },
    read: |answer| answer.offsets.into_iter().map(found).collect(),
};

const TRIM: Spread<Option<i64>, grpc::DeleteRecordsRequest, i64> = Spread {
    ask: |before| grpc::DeleteRecordsRequest {
        partitions: before
            .into_iter()
            .map(|(of, offset)| grpc::PartitionToTrim {
                topic: of.topic,
                partition: of.partition,
                before_offset: offset.unwrap_or(ALL),
            })
            .collect(),
        timeout_ms: 0,
    },
    read: |answer| {
        let parts = answer.partitions.into_iter();
        let told = |part: grpc::TrimmedPartition| Told {
            of: TopicPartition::new(part.topic, part.partition),
            found: part.log_start_offset,
            error: part.error,
        };
        parts.map(told).collect()
    },
};

/// The offset that means the end.
const ALL: i64 = -1;

fn query((of, place): (TopicPartition, Place)) -> grpc::OffsetQuery {
    let at = match place {
        Place::Start => At::Position(grpc::Position::Earliest as i32),
        Place::End => At::Position(grpc::Position::Latest as i32),
        Place::Newest => At::Position(grpc::Position::MaxTimestamp as i32),
        Place::Time(timestamp_ms) => At::TimestampMs(timestamp_ms),
    };
    grpc::OffsetQuery { topic: of.topic, partition: of.partition, at: Some(at) }
}

fn found(told: grpc::FoundOffset) -> Told<Found> {
    let said = |number: i64| (number >= 0).then_some(number);
    let found = Found {
        offset: said(told.offset),
        timestamp_ms: said(told.timestamp_ms),
        leader_epoch: (told.leader_epoch >= 0).then_some(told.leader_epoch),
    };
    Told { of: TopicPartition::new(told.topic, told.partition), found, error: told.error }
}
