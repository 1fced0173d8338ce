//! Reading one partition for a Fetch: whether the asked offset can be read, and how much of it.
//!
//! - Invariant: nothing at or above the high watermark is ever given (claim C9).
//! - An offset that cannot be read and is being mended is waited for, as one that is not written yet; whoever can
//!   wait no longer is told KAFKA_STORAGE_ERROR, which clients retry.
//! - Records are empty and never null where there are none: librdkafka refuses a null.

use super::emptied::{self, Given};
use crate::compaction::Compacted;
use crate::ids::{Offset, Term, TopicPartition};
use crate::node::Node;
use crate::partition::Partition;
use crate::storage::{Chunk, Lookup, ReadFault, ReadId};
use bytes::Bytes;
use rust_mq_proto::kafka::api::fetch::{EpochEndOffset, FetchPartition, PartitionData};
use rust_mq_proto::kafka::{Chain, ErrorCode};
use rust_mq_proto::records::Batches;

/// What is asked of one partition.
pub(super) struct Part {
    /// Which, or why it is none.
    pub of: Result<TopicPartition, ErrorCode>,
    /// Its topic's place in the request.
    pub topic: usize,
    /// At most this much, but for the first batch.
    pub max_bytes: usize,
    index: i32,
    offset: Offset,
    /// Up to here there is no record for it, as far as was looked.
    passed: Offset,
    leader_epoch: i32,
    last_fetched_epoch: i32,
    is_committed_only: bool,
}

/// What came of looking.
pub(super) enum Read {
    /// An answer.
    Done(PartitionData),
    /// The disk is asked.
    Later(ReadId),
}

/// What came of a read.
pub(super) enum Brought {
    /// An answer.
    Data(PartitionData),
    /// There is no record for it up to here, and what follows is to be read.
    Nothing(Offset),
}

/// What came of looking once.
enum Looked {
    /// The disk is asked.
    Later(ReadId),
    /// What is there without it.
    Now(Brought),
}

impl Part {
    pub fn new(
        of: Result<TopicPartition, ErrorCode>,
        topic: usize,
        asked: &FetchPartition,
        is_committed_only: bool,
    ) -> Part {
        Part {
            of,
            topic,
            max_bytes: usize::try_from(asked.partition_max_bytes).unwrap_or(0),
            index: asked.partition,
            offset: Offset(asked.fetch_offset),
            passed: Offset(asked.fetch_offset),
            leader_epoch: asked.current_leader_epoch,
            last_fetched_epoch: asked.last_fetched_epoch,
            is_committed_only,
        }
    }

    /// There is no record up to there.
    pub fn pass(&mut self, to: Offset) {
        self.passed = self.passed.max(to);
    }

    /// What it was made of, as far as it goes by that.
    pub fn asked(&self) -> FetchPartition {
        FetchPartition {
            partition: self.index,
            current_leader_epoch: self.leader_epoch,
            fetch_offset: self.offset.0,
            last_fetched_epoch: self.last_fetched_epoch,
            partition_max_bytes: i32::try_from(self.max_bytes).unwrap_or(i32::MAX),
            ..FetchPartition::default()
        }
    }

    fn error(&self, error: ErrorCode) -> PartitionData {
        let error = match error {
            // A Java consumer knows no such answer to a Fetch, and ends with an IllegalStateException (`FetchCollector`).
            ErrorCode::LeaderNotAvailable => ErrorCode::NotLeaderOrFollower,
            error => error,
        };
        PartitionData {
            partition_index: self.index,
            error_code: error.code(),
            high_watermark: -1,
            aborted_transactions: self.is_committed_only.then(Vec::new),
            records: Some(Chain::default()),
            ..Default::default()
        }
    }

    /// Whether there is a record that it asks for.
    #[cfg(feature = "simulation")]
    pub fn has_come(&self, node: &Node) -> bool {
        node.has_come(self.of, self.leader_epoch, self.offset)
    }

    /// What is answered where the disk does not give back what was written.
    pub fn unreadable(&self) -> PartitionData {
        self.error(ErrorCode::KafkaStorageError)
    }

    /// What is answered while it is looked for more.
    pub fn nothing_yet(&self) -> PartitionData {
        self.error(ErrorCode::None)
    }

    fn data(&self, partition: &Partition, records: Chain) -> PartitionData {
        let high_watermark = partition.high_watermark().0;
        PartitionData {
            high_watermark,
            // Without transactions all that is committed is stable.
            last_stable_offset: high_watermark,
            log_start_offset: partition.log_start().0,
            records: Some(records),
            ..self.error(ErrorCode::None)
        }
    }

    /// There are no records, and never will be: it is a machine's partition.
    fn empty(&self, led: Result<Term, ErrorCode>) -> PartitionData {
        match led {
            Err(error) => self.error(error),
            Ok(_) if self.offset != Offset(0) => self.error(ErrorCode::OffsetOutOfRange),
            Ok(_) => PartitionData {
                high_watermark: 0,
                last_stable_offset: 0,
                log_start_offset: 0,
                ..self.error(ErrorCode::None)
            },
        }
    }

    /// It says where the log begins, also where that is so only since the disk was asked (seed 123061).
    fn out_of_range(&self, partition: &Partition) -> PartitionData {
        let error_code = ErrorCode::OffsetOutOfRange.code();
        PartitionData { error_code, ..self.data(partition, Chain::default()) }
    }
}

/// Looks at one partition. `left` bytes are left of the whole answer; `is_first` lets one batch pass any limit.
pub(super) fn read(node: &mut Node, part: &mut Part, left: usize, is_first: bool) -> Read {
    loop {
        match read_on(node, part, left, is_first) {
            Looked::Later(read) => return Read::Later(read),
            Looked::Now(Brought::Data(data)) => return Read::Done(data),
            Looked::Now(Brought::Nothing(next)) => part.pass(next),
        }
    }
}

/// Asks the disk, or says what needs no asking.
fn read_on(node: &mut Node, part: &Part, left: usize, is_first: bool) -> Looked {
    let data = |data| Looked::Now(Brought::Data(data));
    if let Some(empty) = part.of.ok().and_then(|of| node.empty(of, part.leader_epoch)) {
        return data(part.empty(empty));
    }
    let partition = match node.serving(part.of, part.leader_epoch) {
        Ok((_, partition)) => partition,
        Err(error) => return data(part.error(error)),
    };
    if part.offset < partition.log_start() || part.offset > partition.log_end() {
        return data(part.out_of_range(partition));
    }
    if let Some(diverging_epoch) = diverging(partition, part) {
        return data(PartitionData { diverging_epoch, ..part.data(partition, Chain::default()) });
    }
    let max_bytes = part.max_bytes.min(left);
    if part.offset >= partition.high_watermark() || (max_bytes == 0 && !is_first) {
        return data(part.data(partition, Chain::default()));
    }
    let of = partition.of();
    if node.is_being_mended(of, part.passed) {
        return data(part.unreadable());
    }
    match node.read(of, part.passed, max_bytes) {
        Lookup::Later(read) => Looked::Later(read),
        Lookup::Now(chunk) => Looked::Now(from_disk(node, part, Ok(chunk), is_first, max_bytes)),
        Lookup::Refused(fault) => Looked::Now(from_disk(node, part, Err(fault), is_first, max_bytes)),
    }
}

/// What a read has brought. Of an answer of which it has `max_bytes`, and whose first batch passes any limit.
pub(super) fn from_disk(
    node: &Node,
    part: &Part,
    result: Result<Chunk, ReadFault>,
    is_first: bool,
    max_bytes: usize,
) -> Brought {
    let partition = match node.serving(part.of, -1) {
        Ok((_, partition)) => partition,
        Err(error) => return Brought::Data(part.error(error)),
    };
    Brought::Data(match result {
        Ok(chunk) => {
            let batches = match with_records(partition, chunk.batches) {
                Given::Batches(batches) => batches,
                Given::Nothing(next) => return Brought::Nothing(next),
            };
            part.data(partition, Chain::from(fitting(batches, max_bytes, is_first)))
        }
        Err(ReadFault::OutOfRange) => part.out_of_range(partition),
        Err(_) => part.unreadable(),
    })
}

/// As many whole batches as there is room for: a read that several share brings what the greediest asked for. `is_first`
/// lets one pass.
fn fitting(mut runs: Vec<Bytes>, max_bytes: usize, is_first: bool) -> Vec<Bytes> {
    if runs.iter().map(Bytes::len).sum::<usize>() <= max_bytes {
        return runs;
    }
    let (mut left, mut may_pass) = (max_bytes, is_first);
    for number in 0..runs.len() {
        let mut at = 0;
        for batch in Batches::new(&runs[number]).map_while(Result::ok) {
            let bytes = batch.bytes().len();
            if bytes > left && !std::mem::take(&mut may_pass) {
                runs[number].truncate(at);
                runs.truncate(number + 1);
                return runs;
            }
            may_pass = false;
            left = left.saturating_sub(bytes);
            at += bytes;
        }
    }
    runs
}

/// To look at each batch would cost more than all else: only where there may be one without records.
fn with_records(partition: &Partition, batches: Vec<Bytes>) -> Given {
    if partition.compacted() == Compacted::default() {
        return Given::Batches(batches);
    }
    emptied::with_records(batches, partition.high_watermark())
}

/// Whether waiting may bring more for this part than was found.
pub(super) fn may_come(node: &Node, part: &Part, found: &PartitionData) -> bool {
    if found.error_code == ErrorCode::KafkaStorageError.code() {
        return part.of.is_ok_and(|of| node.is_being_mended(of, part.offset));
    }
    found.error_code == 0 && found.diverging_epoch.epoch < 0
}

/// Where a reader's log left ours (KIP-320, KIP-595): its last epoch ended earlier here than where it stands.
fn diverging(partition: &Partition, part: &Part) -> Option<EpochEndOffset> {
    let epoch = u64::try_from(part.last_fetched_epoch).ok()?;
    let (term, end) = partition.epochs().end_of(Term(epoch), partition.log_start(), partition.log_end())?;
    let is_diverging = term < Term(epoch) || end < part.offset;
    is_diverging.then(|| EpochEndOffset { epoch: term.epoch(), end_offset: end.0 })
}
