//! Reading records.
//!
//! Bound: records as fields take at most `fields_bytes_max` of an answer, whatever they decompress to; the next fetch goes
//! on where this one stopped, within a batch if need be.

use super::Misuse;
use super::by_topic::by_topic;
use super::error::{self, Asked};
use super::misuse::known;
use super::records::level;
use crate::grpc::{
    AbortedTransaction, Error, FetchPartition, FetchRequest, FetchResponse, FetchedPartition, Header,
    Isolation, Record, RecordFormat,
};
use crate::kafka::api::fetch;
use crate::kafka::{Chain, ErrorCode};
use crate::records::{self, Batches, Decompressor};
use bytes::Bytes;
use std::collections::BTreeMap;

/// The version of Fetch that is spoken.
pub const FETCH: i16 = 12;
/// What a record as fields takes in memory beside its key, value and headers, and a header beside its own, at most.
pub const RECORD_OVERHEAD_BYTES: usize = 128;

/// What may be read at once.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// What an answer has at most, its first batch aside.
    pub bytes_max: i32,
    /// What it has of a partition unless the call says so.
    pub partition_bytes: i32,
    /// What records take that are returned as fields, and one batch of them while it is read.
    pub fields_bytes_max: usize,
}

/// Where each partition was asked from.
pub type Starts = BTreeMap<(String, i32), i64>;

/// Where these are asked from.
pub fn starts(partitions: &[FetchPartition]) -> Starts {
    partitions.iter().map(|part| ((part.topic.clone(), part.partition), part.offset)).collect()
}

/// How records are wanted.
///
/// # Errors
/// It is no way that this build knows.
pub fn format(number: i32) -> Result<RecordFormat, Misuse> {
    known(RecordFormat::try_from(number), "format")
}

/// Reads records. How long it waits for them (`max_wait_ms`) is the asker's to say, and not at all until then.
///
/// # Errors
/// It names no partition.
pub fn to_read(request: FetchRequest, bounds: &Bounds) -> Result<fetch::FetchRequest, Misuse> {
    let isolation = known(Isolation::try_from(request.isolation), "isolation")?;
    if request.partitions.is_empty() {
        return Err(Misuse::Empty("partition to read"));
    }
    let most = |said: i32, otherwise: i32| if said > 0 { said.min(bounds.bytes_max) } else { otherwise };
    let parts = request.partitions.into_iter().map(|part| {
        let wanted = fetch::FetchPartition {
            partition: part.partition,
            current_leader_epoch: part.leader_epoch.unwrap_or(-1),
            fetch_offset: part.offset,
            partition_max_bytes: most(part.max_bytes, bounds.partition_bytes),
            ..Default::default()
        };
        (part.topic, wanted)
    });
    let topics = by_topic(parts.collect()).into_iter();
    Ok(fetch::FetchRequest {
        min_bytes: request.min_bytes.max(1),
        max_bytes: most(request.max_bytes, bounds.bytes_max),
        isolation_level: level(isolation),
        session_epoch: -1,
        topics: topics
            .map(|(topic, partitions)| fetch::FetchTopic { topic, partitions, ..Default::default() })
            .collect(),
        ..Default::default()
    })
}

/// Fails the call if it was refused as a whole.
///
/// # Errors
/// What with.
pub fn if_refused(answer: &fetch::FetchResponse) -> Result<(), Error> {
    error::if_any(Asked::Read, answer.error_code, None)
}

/// What was read, and what it takes in memory if it is fields. Batches are the answer's own bytes.
pub fn read(
    answer: &fetch::FetchResponse,
    from: &Starts,
    format: RecordFormat,
    bounds: &Bounds,
) -> (FetchResponse, usize) {
    let mut fields = Fields::new(bounds.fields_bytes_max);
    let mut partitions = Vec::new();
    for topic in &answer.responses {
        for part in &topic.partitions {
            let offset = from.get(&(topic.topic.clone(), part.partition_index)).copied().unwrap_or_default();
            let mut found = FetchedPartition {
                topic: topic.topic.clone(),
                partition: part.partition_index,
                high_watermark: part.high_watermark,
                last_stable_offset: part.last_stable_offset,
                log_start_offset: part.log_start_offset,
                next_offset: offset,
                error: error::error(Asked::Read, part.error_code, None),
                ..Default::default()
            };
            let batches = contiguous(part.records.as_ref());
            match format {
                RecordFormat::Fields => {
                    let read = fields.read(&batches, offset);
                    (found.records, found.next_offset) = (read.records, read.next_offset);
                    if let Some((code, why)) = read.fault {
                        found.error = error::error(Asked::Read, code.code(), Some(why));
                    }
                }
                RecordFormat::Batches => {
                    (found.next_offset, found.batches) = (behind(&batches, offset), batches);
                    let aborted = part.aborted_transactions.iter().flatten();
                    found.aborted_transactions = aborted
                        .map(|aborted| AbortedTransaction {
                            producer_id: aborted.producer_id,
                            first_offset: aborted.first_offset,
                        })
                        .collect();
                }
            }
            partitions.push(found);
        }
    }
    (FetchResponse { partitions }, fields.bytes)
}

/// The batches as one run of bytes, which they are when they come whole from a message.
fn contiguous(records: Option<&Chain>) -> Bytes {
    match records.map(Chain::parts).unwrap_or_default() {
        [] => Bytes::new(),
        [whole] => whole.clone(),
        parts => parts.concat().into(),
    }
}

/// The offset behind all these batches.
fn behind(batches: &[u8], offset: i64) -> i64 {
    let last = Batches::new(batches).filter_map(Result::ok).last();
    last.map_or(offset, |batch| offset.max(batch.last_offset().saturating_add(1)))
}

/// Turns batches into records, as many as one answer may hold.
#[derive(Debug)]
struct Fields {
    decompressor: Decompressor,
    bytes: usize,
    bytes_max: usize,
}

/// What became of one partition's batches.
#[derive(Debug, Default)]
struct Read {
    records: Vec<Record>,
    next_offset: i64,
    /// Why the next record cannot be given.
    fault: Option<(ErrorCode, String)>,
}

impl Fields {
    fn new(bytes_max: usize) -> Fields {
        Fields { decompressor: Decompressor::new(), bytes: 0, bytes_max }
    }

    /// The records from `offset` on.
    fn read(&mut self, batches: &[u8], offset: i64) -> Read {
        let mut read = Read { next_offset: offset, ..Read::default() };
        for batch in Batches::new(batches) {
            let is_whole = match batch {
                Ok(batch) => self.read_batch(&batch, offset, &mut read),
                Err(error) => Err((ErrorCode::CorruptMessage, error.to_string())),
            };
            match is_whole {
                Ok(true) => {}
                Ok(false) => break,
                // What was read before it is given first.
                Err(_) if !read.records.is_empty() => break,
                Err(fault) => {
                    read.fault = Some(fault);
                    break;
                }
            }
        }
        read
    }

    /// Says whether all of it was read.
    fn read_batch(
        &mut self,
        batch: &records::Batch<'_>,
        offset: i64,
        read: &mut Read,
    ) -> Result<bool, (ErrorCode, String)> {
        let behind = batch.last_offset().saturating_add(1);
        if !batch.is_control() {
            let records = batch.records(&mut self.decompressor, self.bytes_max);
            let too_large = |error: records::BatchError| (ErrorCode::MessageTooLarge, too_large(&error));
            for record in records.map_err(too_large)? {
                let record = record.map_err(|fault| (ErrorCode::CorruptMessage, fault.to_string()))?;
                if record.offset < offset {
                    continue;
                }
                let bytes = weight(&record);
                if self.bytes + bytes > self.bytes_max {
                    let is_alone = self.bytes == 0;
                    let why = "one record is larger than an answer may be: read it in batches";
                    return if is_alone { Err((ErrorCode::MessageTooLarge, why.into())) } else { Ok(false) };
                }
                self.bytes += bytes;
                read.next_offset = record.offset.saturating_add(1);
                read.records.push(in_fields(&record));
            }
        }
        read.next_offset = read.next_offset.max(behind);
        Ok(true)
    }
}

fn too_large(error: &records::BatchError) -> String {
    format!("{error}: read it in batches")
}

fn weight(record: &records::Record<'_>) -> usize {
    let headers = record.headers.into_iter();
    let headers =
        headers.map(|header| RECORD_OVERHEAD_BYTES + header.key.len() + header.value.map_or(0, <[u8]>::len));
    let own = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    RECORD_OVERHEAD_BYTES + own + headers.sum::<usize>()
}

fn in_fields(record: &records::Record<'_>) -> Record {
    let headers = record.headers.into_iter();
    Record {
        offset: record.offset,
        timestamp_ms: record.timestamp,
        key: record.key.map(Bytes::copy_from_slice),
        value: record.value.map(Bytes::copy_from_slice),
        headers: headers
            .map(|header| Header {
                key: String::from_utf8_lossy(header.key).into_owned(),
                value: header.value.map(Bytes::copy_from_slice),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, Codec};

    const BOUNDS: Bounds = Bounds { bytes_max: 1_000, partition_bytes: 100, fields_bytes_max: 1_000 };

    /// An answer with these values in one batch of partition 0 of `t`, in two pieces if that is wanted.
    fn answer(values: &[Vec<u8>], is_cut: bool) -> fetch::FetchResponse {
        let mut batch = BatchBuilder::new().codec(Codec::Lz4);
        values.iter().for_each(|value| batch.push(1, None, Some(value), &[]));
        let whole = batch.build().freeze();
        let mut records = Chain::default();
        match is_cut {
            true => [whole.slice(..40), whole.slice(40..)].into_iter().for_each(|part| records.push(part)),
            false => records.push(whole),
        }
        let part = fetch::PartitionData { records: Some(records), ..Default::default() };
        let topic =
            fetch::FetchableTopicResponse { topic: "t".into(), partitions: vec![part], ..Default::default() };
        fetch::FetchResponse { responses: vec![topic], ..Default::default() }
    }

    fn read_from(
        offset: i64,
        answer: &fetch::FetchResponse,
        format: RecordFormat,
    ) -> (FetchedPartition, usize) {
        let asked = FetchPartition { topic: "t".into(), offset, ..Default::default() };
        let (mut found, weight) = read(answer, &starts(&[asked]), format, &BOUNDS);
        (found.partitions.pop().expect("one partition"), weight)
    }

    #[test]
    fn what_is_asked_stays_within_the_bounds() {
        let part = FetchPartition { topic: "t".into(), max_bytes: 5_000, ..Default::default() };
        let unsaid = FetchPartition { topic: "t".into(), partition: 1, ..Default::default() };
        let request = FetchRequest { partitions: vec![part, unsaid], ..Default::default() };
        let asked = to_read(request, &BOUNDS).expect("it names two");
        let parts: Vec<i32> =
            asked.topics[0].partitions.iter().map(|part| part.partition_max_bytes).collect();
        assert_eq!((asked.min_bytes, asked.max_bytes, asked.max_wait_ms), (1, 1_000, 0));
        assert_eq!(parts, [1_000, 100]);
        assert_eq!(to_read(FetchRequest::default(), &BOUNDS).err(), Some(Misuse::Empty("partition to read")));
    }

    #[test]
    fn fields_stop_where_the_answer_is_full_and_go_on_from_there() {
        let answer = answer(&[vec![1; 200], vec![2; 200], vec![3; 200], vec![4; 200]], false);
        let (first, weight) = read_from(0, &answer, RecordFormat::Fields);
        assert_eq!((first.records.len(), first.next_offset), (3, 3));
        assert_eq!(weight, 3 * (200 + RECORD_OVERHEAD_BYTES));
        let (next, _) = read_from(first.next_offset, &answer, RecordFormat::Fields);
        assert_eq!((next.records[0].offset, next.records.len(), next.next_offset), (3, 1, 4));
        let (last, _) = read_from(4, &answer, RecordFormat::Fields);
        assert_eq!((last.records.len(), last.next_offset, last.error), (0, 4, None));
    }

    #[test]
    fn a_record_larger_than_an_answer_is_an_error_that_says_what_to_do() {
        let (found, weight) = read_from(0, &answer(&[vec![1; 990]], false), RecordFormat::Fields);
        let error = found.error.expect("it does not fit");
        assert_eq!((error.name.as_str(), found.next_offset, weight), ("MESSAGE_TOO_LARGE", 0, 0));
        assert!(error.message.ends_with("read it in batches"), "{}", error.message);
    }

    #[test]
    fn batches_are_the_answers_own_bytes() {
        let answer = answer(&[vec![1; 10], vec![2; 10]], false);
        let whole = &answer.responses[0].partitions[0].records.as_ref().expect("its batch").parts()[0];
        let (found, weight) = read_from(0, &answer, RecordFormat::Batches);
        assert_eq!((found.batches.as_ptr(), found.next_offset, weight), (whole.as_ptr(), 2, 0));
    }

    #[test]
    fn batches_in_pieces_are_given_in_one() {
        let cut = answer(&[vec![1; 10]], true);
        let whole = answer(&[vec![1; 10]], false);
        let of = |answer| read_from(0, answer, RecordFormat::Batches).0.batches;
        assert_eq!(of(&cut), of(&whole));
    }
}
