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
}

/// Sends `batch` again and again, and returns how many requests were answered.
pub fn produce(address: &str, load: Produce<'_>, batch: &BytesMut) -> io::Result<usize> {
    let request = message(7, &produce_request(load.topic, batch.clone()));
    let clients: Vec<TcpStream> = (0..load.connections)
        .map(|_| Client::connect(address).map(Client::into_stream))
        .collect::<io::Result<_>>()?;
    thread::scope(|scope| {
        let threads: Vec<_> = clients
            .into_iter()
            .map(|stream| scope.spawn(|| keep_in_flight(stream, &request, load.in_flight, load.requests)))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a client thread does not panic")).sum()
    })
}

fn keep_in_flight(
    mut stream: TcpStream,
    request: &[u8],
    in_flight: usize,
    requests: usize,
) -> io::Result<usize> {
    let first = in_flight.min(requests);
    let many = request.repeat(first);
    stream.write_all(&many)?;
    let (mut sent, mut answered) = (first, 0);
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
        stream.write_all(&many[..more * request.len()])?;
        sent += more;
    }
    Ok(answered)
}
