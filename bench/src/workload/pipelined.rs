//! Producers that keep so many requests in flight each: when an answer comes, the next request leaves. The requests
//! are made once and sent again and again, so that the client costs as little as it can.
//!
//! Every answer's error code is looked at: a refusal is cheap, and would make a broker look fast.

use crate::client::{Client, message};
use crate::load::batch;
use crate::side::cluster::{Cluster, Topic};
use crate::workload::watch::{WarmUp, Work, settle};
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// The version of Produce that is sent: the last whose answer has its error code at a fixed place.
const PRODUCE_VERSION: i16 = 7;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Bytes of a record's value.
    pub record_bytes: usize,
    /// Records in a request.
    pub batch_records: usize,
    /// Over how many partitions.
    pub partitions: i32,
    /// From how many connections.
    pub producers: usize,
    /// How many unanswered requests on each.
    pub in_flight: usize,
    /// No more than so many bytes in all, as memory is finite.
    pub bytes_max: u64,
}

impl Load {
    fn request_bytes(self) -> usize {
        self.record_bytes * self.batch_records
    }

    /// What so many answered requests amount to.
    fn work(self, requests: u64) -> Work {
        let records = requests * self.batch_records as u64;
        Work { requests, records, bytes: records * self.record_bytes as u64 }
    }
}

/// The request that appends one batch to a partition.
pub fn request(topic: &str, partition: i32, records: bytes::BytesMut) -> Vec<u8> {
    let partition_data = vec![PartitionProduceData { index: partition, records: Some(records) }];
    let topic_data = vec![TopicProduceData { name: topic.into(), partition_data, ..Default::default() }];
    message(
        PRODUCE_VERSION,
        &ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data },
    )
}

/// Where the error code stands in an answer, behind its length.
pub fn error_code(answer: &[u8], topic: &str) -> Option<i16> {
    // Correlation id, array of one topic, its name, array of one partition, its index.
    let at = 4 + 4 + 2 + topic.len() + 4 + 4;
    Some(i16::from_be_bytes(answer.get(at..at + 2)?.try_into().ok()?))
}

/// Sends for some time, and says what was acknowledged.
pub fn produce(topic: &Topic, load: Load, length: Duration) -> io::Result<Work> {
    let records = batch(load.batch_records, load.record_bytes);
    let each_max = load.bytes_max / (load.request_bytes() * load.producers) as u64;
    let producers: Vec<Producer<'_>> = (0..load.producers)
        .map(|number| Producer::connect(topic, &records, number, load))
        .collect::<io::Result<_>>()?;
    let deadline = Instant::now() + length;
    let answered: io::Result<u64> = thread::scope(|scope| {
        let threads: Vec<_> = producers
            .into_iter()
            .map(|producer| scope.spawn(move || producer.run(load.in_flight, deadline, each_max.max(1))))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client thread does not panic")).sum()
    });
    Ok(load.work(answered?))
}

/// A side is not warm before it was sent so many records.
const WARM_RECORDS: u64 = 2_000_000;

/// Makes a topic, and sends to it until the cost of a request is settled or `most` is over.
pub fn warm_up(cluster: &Cluster, load: Load, most: Duration) -> io::Result<WarmUp> {
    let topic = cluster.create_topic("warm-up", load.partitions)?;
    let warm = settle(cluster, most / 12, most, WARM_RECORDS, |length| produce(&topic, load, length))?;
    cluster.delete_topic("warm-up")?;
    Ok(warm)
}

/// One connection.
struct Producer<'a> {
    stream: TcpStream,
    topic: &'a str,
    /// One for each partition it writes to, used in turn.
    requests: Vec<Vec<u8>>,
}

impl<'a> Producer<'a> {
    /// Producer `number` talks to one leader, and shares its partitions with the others that do.
    fn connect(
        topic: &'a Topic,
        records: &bytes::BytesMut,
        number: usize,
        load: Load,
    ) -> io::Result<Producer<'a>> {
        let mut leaders: Vec<&String> = topic.leaders.iter().collect();
        leaders.sort();
        leaders.dedup();
        let leader = leaders[number % leaders.len()];
        let led: Vec<usize> = (0..topic.leaders.len()).filter(|at| topic.leaders[*at] == *leader).collect();
        let (place, of) = (number / leaders.len(), load.producers.div_ceil(leaders.len()));
        let own: Vec<usize> = if led.len() >= of {
            led.iter().copied().skip(place).step_by(of).collect()
        } else {
            vec![led[place % led.len()]]
        };
        let requests = own
            .iter()
            .map(|partition| request(&topic.name, i32::try_from(*partition).unwrap_or(0), records.clone()))
            .collect();
        Ok(Producer { stream: Client::connect(leader)?.into_stream(), topic: &topic.name, requests })
    }

    fn run(mut self, in_flight: usize, deadline: Instant, most: u64) -> io::Result<u64> {
        let (mut sent, mut answered) = (0_u64, 0_u64);
        let mut buffer = vec![0; 64 << 10];
        let mut held = 0;
        let mut next = Vec::new();
        loop {
            let is_over = Instant::now() >= deadline;
            while !is_over && sent < most && sent - answered < in_flight as u64 {
                next.extend_from_slice(&self.requests[sent as usize % self.requests.len()]);
                sent += 1;
            }
            self.stream.write_all(&next)?;
            next.clear();
            if sent == answered {
                return Ok(answered);
            }
            let read = self.stream.read(&mut buffer[held..])?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            held += read;
            let (consumed, came) = self.answers(&buffer[..held])?;
            buffer.copy_within(consumed..held, 0);
            held -= consumed;
            answered += came;
        }
    }

    /// How many bytes of whole answers there are, and how many answers.
    fn answers(&self, held: &[u8]) -> io::Result<(usize, u64)> {
        let (mut at, mut came) = (0, 0);
        while let Some(length) = held[at..].first_chunk::<4>() {
            let end = at + 4 + u32::from_be_bytes(*length) as usize;
            let Some(answer) = held.get(at + 4..end) else { break };
            match error_code(answer, self.topic) {
                Some(0) => came += 1,
                code => return Err(io::Error::other(format!("a produce was refused: {code:?}"))),
            }
            at = end;
        }
        Ok((at, came))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use rust_mq_proto::kafka::api::produce::{
        PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
    };
    use rust_mq_proto::kafka::{Response, Writer};

    #[test]
    fn the_error_code_is_where_the_codec_writes_it() {
        let partition = PartitionProduceResponse { index: 3, error_code: 6, ..Default::default() };
        let topic = TopicProduceResponse {
            name: "wide".into(),
            partition_responses: vec![partition],
            ..Default::default()
        };
        let mut writer = Writer::new();
        ProduceResponse { responses: vec![topic], ..Default::default() }.encode(&mut writer, PRODUCE_VERSION);
        let mut answer = BytesMut::from(&[0, 0, 0, 7][..]);
        answer.extend_from_slice(&writer.take().concat());
        assert_eq!(error_code(&answer, "wide"), Some(6));
        assert_eq!(error_code(&answer[..10], "wide"), None);
    }
}
