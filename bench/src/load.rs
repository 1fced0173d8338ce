//! Load: many connections, each with so many requests in flight; as an answer comes, the next request leaves.
//!
//! The requests are made once and sent again and again: the client costs as little as it can, so that the two
//! processors of a small machine are the broker's.

use crate::client::{Client, message, produce_request};
use bytes::BytesMut;
use rust_mq_proto::records::BatchBuilder;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;

/// A batch of `count` records of `bytes` each, stamped as of now.
pub fn batch(count: usize, bytes: usize) -> BytesMut {
    let value = vec![b'x'; bytes];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let timestamp = i64::try_from(now.as_millis()).unwrap_or(0);
    let mut builder = BatchBuilder::new();
    for _ in 0..count {
        builder.push(timestamp, None, Some(&value), &[]);
    }
    builder.build()
}

/// What to send.
#[derive(Clone, Copy)]
pub struct Produce<'a> {
    /// To which topic.
    pub topic: &'a str,
    /// On how many connections.
    pub connections: usize,
    /// How many unanswered requests on each.
    pub in_flight: usize,
    /// How many requests on each.
    pub requests: usize,
    /// Over how many partitions; each connection has its share of them, and writes to one after the other.
    pub partitions: usize,
}

/// Sends `batch` again and again, and returns how many requests were answered.
pub fn produce(address: &str, load: Produce<'_>, batch: &BytesMut) -> io::Result<usize> {
    let requests: Vec<Vec<u8>> = (0..load.partitions)
        .map(|partition| message(7, &produce_request(load.topic, partition as i32, batch.clone())))
        .collect();
    let clients: Vec<TcpStream> = (0..load.connections)
        .map(|_| Client::connect(address).map(Client::into_stream))
        .collect::<io::Result<_>>()?;
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .into_iter()
            .enumerate()
            .map(|(number, stream)| {
                let first = number % load.partitions;
                let own: Vec<&[u8]> =
                    requests.iter().skip(first).step_by(load.connections).map(Vec::as_slice).collect();
                scope.spawn(move || keep_in_flight(stream, &own, load.in_flight, load.requests))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client thread does not panic")).sum()
    })
}

fn keep_in_flight(
    mut stream: TcpStream,
    own: &[&[u8]],
    in_flight: usize,
    requests: usize,
) -> io::Result<usize> {
    // All partitions in turn, and as many again as may be in flight: the next ones are always in one piece.
    let request_bytes = own[0].len();
    let many: Vec<u8> = own.iter().cycle().take(own.len() + in_flight).copied().flatten().copied().collect();
    let (mut sent, mut answered) = (in_flight.min(requests), 0);
    stream.write_all(&many[..sent * request_bytes])?;
    let mut buffer = vec![0; 64 << 10];
    let mut held = 0;
    while answered < requests {
        let read = stream.read(&mut buffer[held..])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        held += read;
        let mut at = 0;
        let mut came = 0;
        while let Some(length) = buffer[at..held].first_chunk::<4>() {
            let end = at + 4 + u32::from_be_bytes(*length) as usize;
            if end > held {
                break;
            }
            at = end;
            came += 1;
        }
        buffer.copy_within(at..held, 0);
        held -= at;
        answered += came;
        let more = came.min(requests - sent);
        let next = sent % own.len();
        stream.write_all(&many[next * request_bytes..(next + more) * request_bytes])?;
        sent += more;
    }
    Ok(answered)
}
