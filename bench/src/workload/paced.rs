//! Records that leave when they are due, not when the broker has time: an open loop. A record's latency counts from
//! when it was due, so that a stall is paid by every record it held up, and not only by the one that met it
//! (the mistake known as coordinated omission).
//!
//! As real producers do, one has at most [`IN_FLIGHT`] requests under way; what is due meanwhile waits and leaves
//! as one batch. Consumers sit at the tail with a long poll each. All share one clock, as they are one process.

use crate::client::{Client, fetch_request};
use crate::side::cluster::Topic;
use crate::statistics::Latencies;
use crate::workload::pipelined::{error_code, request};
use crate::workload::watch::Work;
use rust_mq_proto::kafka::api::fetch::FetchRequest;
use rust_mq_proto::records::{BatchBuilder, Batches, Decompressor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Unanswered requests of a producer, as clients have by default.
const IN_FLIGHT: usize = 5;
/// How long records and answers may still be under way after the last was due.
const DRAIN_MAX: Duration = Duration::from_secs(20);
/// More than this waits for the next request.
const BATCH_BYTES_MAX: usize = 512 << 10;

/// What to send, and who reads it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Records a second, of all producers together; each producer has a partition of its own.
    pub rate: u64,
    /// Bytes of a record's value, at least 8.
    pub record_bytes: usize,
    /// Consumers of each partition.
    pub consumers: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Paced {
    /// What was acknowledged.
    pub work: Work,
    /// Bytes of values that consumers received.
    pub consumed_bytes: u64,
    /// From due to acknowledged.
    pub acknowledged: Latencies,
    /// From due to received.
    pub received: Latencies,
}

/// Sends for some time, and waits until all is acknowledged and received.
pub fn run(topic: &Topic, pace: Pace, length: Duration) -> io::Result<Paced> {
    let producers = topic.leaders.len() as u64;
    let each = pace.rate * length.as_millis() as u64 / 1_000 / producers;
    let interval = Duration::from_nanos(1_000_000_000 * producers / pace.rate);
    // A consumer looks for the end first; nothing may have been produced by then.
    let tails: Vec<Vec<Consumer>> = (0..topic.leaders.len())
        .map(|partition| (0..pace.consumers).map(|_| Consumer::at_the_end(topic, partition)).collect())
        .collect::<io::Result<_>>()?;
    let begun = Instant::now() + Duration::from_millis(50);
    let acknowledged = AtomicU64::new(0);
    thread::scope(|scope| {
        let mut threads = Vec::new();
        for (partition, tails) in tails.into_iter().enumerate() {
            let offset = interval * u32::try_from(partition).unwrap_or(0) / topic.leaders.len() as u32;
            let schedule = Schedule { begun: begun + offset, interval, count: each };
            for consumer in tails {
                threads.push(scope.spawn(move || consumer.run(schedule)));
            }
            let (acknowledged, topic) = (&acknowledged, &topic);
            threads.push(scope.spawn(move || produce(topic, partition, pace, schedule, acknowledged)));
        }
        let mut all = Paced::default();
        for thread in threads {
            all.add(thread.join().expect("a client thread does not panic")?);
        }
        Ok(all)
    })
}

impl Paced {
    /// Adds another run.
    pub fn add(&mut self, mut other: Paced) {
        self.work.requests += other.work.requests;
        self.work.records += other.work.records;
        self.work.bytes += other.work.bytes;
        self.consumed_bytes += other.consumed_bytes;
        self.acknowledged.append(&mut other.acknowledged);
        self.received.append(&mut other.received);
    }
}

/// When the records of one producer are due.
#[derive(Clone, Copy)]
struct Schedule {
    begun: Instant,
    interval: Duration,
    count: u64,
}

impl Schedule {
    fn due(self, number: u64) -> Instant {
        self.begun + Duration::from_nanos(u64::try_from(self.interval.as_nanos()).unwrap_or(0) * number)
    }

    /// How many are due by then.
    fn due_by(self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.begun).as_nanos();
        let due = if now < self.begun { 0 } else { since / self.interval.as_nanos().max(1) + 1 };
        u64::try_from(due).unwrap_or(u64::MAX).min(self.count)
    }

    fn latency(self, number: u64, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.due(number)).as_micros()).unwrap_or(u64::MAX)
    }

    fn is_given_up(self, now: Instant) -> bool {
        now > self.due(self.count) + DRAIN_MAX
    }
}

/// A producer with one partition.
fn produce(
    topic: &Topic,
    partition: usize,
    pace: Pace,
    schedule: Schedule,
    acknowledged: &AtomicU64,
) -> io::Result<Paced> {
    let mut stream = Client::connect(&topic.leaders[partition])?.into_stream();
    let mut answers = Answers::default();
    let mut paced = Paced::default();
    // The first record's number and the count of each request under way.
    let mut under_way: VecDeque<(u64, u64)> = VecDeque::new();
    let mut sent = 0;
    while sent < schedule.count || !under_way.is_empty() {
        let now = Instant::now();
        if schedule.is_given_up(now) {
            return Err(io::Error::other("the rate was more than the broker could take"));
        }
        let most = (BATCH_BYTES_MAX / pace.record_bytes).max(1) as u64;
        let waiting = schedule.due_by(now).saturating_sub(sent).min(most);
        if waiting > 0 && under_way.len() < IN_FLIGHT {
            stream.write_all(&paced_request(&topic.name, partition, pace, sent, waiting))?;
            under_way.push_back((sent, waiting));
            sent += waiting;
            continue;
        }
        let wait = if sent < schedule.count && under_way.len() < IN_FLIGHT {
            schedule.due(sent).saturating_duration_since(now)
        } else {
            Duration::from_millis(100)
        };
        if !is_readable(&stream, wait)? {
            continue;
        }
        answers.read(&mut stream)?;
        while let Some(answer) = answers.next() {
            let code = error_code(&answer, &topic.name);
            let (first, count) = under_way
                .pop_front()
                .filter(|_| code == Some(0))
                .ok_or_else(|| io::Error::other(format!("a produce was refused: {code:?}")))?;
            let now = Instant::now();
            (first..first + count).for_each(|number| paced.acknowledged.push(schedule.latency(number, now)));
            paced.work.requests += 1;
            paced.work.records += count;
            acknowledged.fetch_add(count, Ordering::Relaxed);
        }
    }
    paced.work.bytes = paced.work.records * pace.record_bytes as u64;
    Ok(paced)
}

/// Records `first..first + count`, each with its number at the start of its value.
fn paced_request(topic: &str, partition: usize, pace: Pace, first: u64, count: u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let mut value = vec![b'x'; pace.record_bytes.max(8)];
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let timestamp = i64::try_from(since.as_millis()).unwrap_or(0);
    for number in first..first + count {
        value[..8].copy_from_slice(&number.to_be_bytes());
        builder.push(timestamp, None, Some(&value), &[]);
    }
    request(topic, i32::try_from(partition).unwrap_or(0), builder.build())
}

fn is_readable(stream: &TcpStream, wait: Duration) -> io::Result<bool> {
    let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
    let mut polled = [PollFd::new(stream, PollFlags::IN)];
    match poll(&mut polled, Some(&wait)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Answers out of a stream.
#[derive(Default)]
struct Answers {
    held: Vec<u8>,
    at: usize,
}

impl Answers {
    fn read(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        self.held.drain(..self.at);
        self.at = 0;
        let mut buffer = [0; 16 << 10];
        let read = stream.read(&mut buffer)?;
        self.held.extend_from_slice(&buffer[..read]);
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_be_bytes(*self.held[self.at..].first_chunk::<4>()?) as usize;
        let answer = self.held.get(self.at + 4..self.at + 4 + length)?.to_vec();
        self.at += 4 + length;
        Some(answer)
    }
}

/// A reader of one partition's tail.
struct Consumer {
    client: Client,
    topic: String,
    partition: i32,
    offset: i64,
}

impl Consumer {
    fn at_the_end(topic: &Topic, partition: usize) -> io::Result<Consumer> {
        let client = Client::connect(&topic.leaders[partition])?;
        let partition = i32::try_from(partition).unwrap_or(0);
        let mut consumer = Consumer { client, topic: topic.name.clone(), partition, offset: 0 };
        // The answer to any fetch within the log says where its end is; warming up may have moved it.
        consumer.offset = consumer.fetch(0)?.0;
        Ok(consumer)
    }

    /// The high watermark and the records after the offset.
    fn fetch(&mut self, max_wait_ms: i32) -> io::Result<(i64, bytes::Bytes)> {
        let mut body: FetchRequest = fetch_request(&self.topic, self.offset);
        body.max_wait_ms = max_wait_ms;
        body.topics[0].partitions[0].partition = self.partition;
        let partition = self.client.fetch_partition(&body)?;
        let records = partition.records.map(|records| bytes::Bytes::from(records.parts().concat()));
        Ok((partition.high_watermark, records.unwrap_or_default()))
    }

    fn run(mut self, schedule: Schedule) -> io::Result<Paced> {
        let mut paced = Paced::default();
        let mut decompressor = Decompressor::new();
        let mut received = 0;
        while received < schedule.count {
            let (_, records) = self.fetch(500)?;
            let now = Instant::now();
            if schedule.is_given_up(now) {
                return Err(io::Error::other(format!("{received} of {} records came", schedule.count)));
            }
            for batch in Batches::new(&records) {
                let batch = batch.map_err(io::Error::other)?;
                for record in batch.records(&mut decompressor, usize::MAX).map_err(io::Error::other)? {
                    let record = record.map_err(io::Error::other)?;
                    let value = record.value.unwrap_or_default();
                    let number = value.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
                    let number = number.ok_or_else(|| io::Error::other("not a record of ours"))?;
                    paced.received.push(schedule.latency(number, now));
                    paced.consumed_bytes += value.len() as u64;
                    received += 1;
                }
                self.offset = batch.last_offset() + 1;
            }
        }
        Ok(paced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_paid_by_every_record_it_held_up() {
        let begun = Instant::now();
        let schedule = Schedule { begun, interval: Duration::from_millis(1), count: 100 };
        let after_a_stall = begun + Duration::from_millis(50);
        assert_eq!(schedule.due_by(after_a_stall), 51);
        assert_eq!(schedule.latency(0, after_a_stall), 50_000);
        assert_eq!(schedule.latency(50, after_a_stall), 0);
    }

    #[test]
    fn nothing_is_due_before_the_start_and_no_more_than_there_are() {
        let begun = Instant::now() + Duration::from_secs(1);
        let schedule = Schedule { begun, interval: Duration::from_millis(1), count: 100 };
        assert_eq!(schedule.due_by(begun - Duration::from_millis(1)), 0);
        assert_eq!(schedule.due_by(begun + Duration::from_secs(9)), 100);
    }
}
