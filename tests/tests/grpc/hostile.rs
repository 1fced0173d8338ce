//! Bytes that no client would send, and amounts that one would not: the connection ends, or waits, and others notice
//! nothing.

use crate::wire::{Wire, framed};
use crate::{Client, block_on, client, create, fetch, from, values};
use prost::Message;
use rust_mq_proto::grpc::partition_records::Data;
use rust_mq_proto::grpc::{Compression, GetTopicMetadataRequest, ProduceRequest};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tests::node::Node;
use tokio::time::timeout;
use tonic::Code;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;
const MIB: u64 = 1 << 20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn connected(node: &Node) -> TcpStream {
    let mut stream = TcpStream::connect(node.address()).expect("the listener accepts");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has timeouts");
    stream.write_all(PREFACE).expect("a preface fits");
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).expect("settings fit");
    stream
}

/// Sends the same again and again until the broker ends the connection.
#[track_caller]
fn ends_when_flooded(node: &Node, piece: &[u8], what: &str) {
    let mut stream = connected(node);
    // What is answered must be read, or the socket's own buffers stop us both.
    let mut reading = stream.try_clone().expect("a socket can be cloned");
    let reader =
        std::thread::spawn(move || while reading.read(&mut [0; 65_536]).is_ok_and(|count| count > 0) {});
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}: it takes them for ever");
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    reader.join().expect("the reader ends");
}

/// The broker still serves, and not by chance.
async fn serves(client: &mut Client) {
    client.produce(values("t", &["still here"])).await.expect("others are served");
}

#[test]
fn floods_of_frames_that_carry_nothing_end_their_connection() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        ends_when_flooded(&node, &frame(PING, 0, 0, &[7; 8]).repeat(1_000), "pings");
        ends_when_flooded(&node, &frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]).repeat(1_000), "settings");
        let mut resets = Vec::new();
        // Each stream begins with a call that is well formed as far as it goes (RFC 7541: literals, no index).
        for number in 0..1_000_u32 {
            resets.extend(frame(HEADERS, 4, 2 * number + 1, &[0x83, 0x86, 0x44, 1, b'/', 0x41, 1, b'b']));
            resets.extend(frame(RESET, 0, 2 * number + 1, &[0, 0, 0, 8]));
        }
        ends_when_flooded(&node, &resets, "resets");
        let mut endless = frame(HEADERS, 0, 1, &[0x83, 0x86]);
        endless.extend(frame(CONTINUATION, 0, 1, &[0, 1, b'a', 1, b'b']).repeat(10_000));
        ends_when_flooded(&node, &endless, "headers without end");
        serves(&mut client).await;
    });
}

#[test]
fn what_is_not_http2_after_all_ends() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let junk: [&[u8]; 4] = [
            b"PRI * HTTP/1.1\r\n\r\n and then something else entirely, long enough to be looked at",
            &[PREFACE, &[0xff; 100]].concat(),
            &[PREFACE, &frame(HEADERS, 4, 2, &[0x83])].concat(),
            &[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, 4, 1, &[0xff; 500])].concat(),
        ];
        for bytes in junk {
            let mut stream = TcpStream::connect(node.address()).expect("the listener accepts");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket has timeouts");
            stream.write_all(bytes).expect("a few bytes fit");
            let mut rest = Vec::new();
            let end = stream.read_to_end(&mut rest);
            let is_reset = |error: &std::io::Error| error.kind() == ErrorKind::ConnectionReset;
            assert!(end.as_ref().is_ok() || end.as_ref().is_err_and(is_reset), "{end:?} after {bytes:?}");
        }
        // Whoever stops after the first four bytes is not waited for.
        let mut stream = TcpStream::connect(node.address()).expect("the listener accepts");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket has timeouts");
        stream.write_all(b"PRI ").expect("four bytes fit");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        serves(&mut client).await;
    });
}

#[test]
fn a_call_that_is_none_is_refused_and_the_connection_lives() {
    let node = Node::in_memory();
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut wire = Wire::connect(node.address()).await;
        let huge = "h".repeat(100_000);
        let refused = wire.call("Produce", &[("x-large", huge.as_str())], &[]).await;
        assert!(!matches!(refused.status, Some(Code::Ok)), "{refused:?}");
        let mut wire = Wire::connect(node.address()).await;
        let bad: [(&str, Vec<u8>); 5] = [
            ("no protobuf", framed(&[0xff; 50]).to_vec()),
            ("a field that ends too late", framed(&[0x1a, 0xff, 0xff, 0xff, 0x7f, 1]).to_vec()),
            ("compressed, which nobody agreed on", [&[1, 0, 0, 0, 1][..], &[0]].concat()),
            ("a length of 4 GiB", vec![0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]),
            ("half a message", vec![0, 0, 0, 1, 0, 1, 2]),
        ];
        for (what, bytes) in bad {
            let refused = wire.call_framed("Produce", &[], bytes.into()).await;
            assert!(!matches!(refused.status, None | Some(Code::Ok)), "{what}: {refused:?}");
        }
        // Messages within messages within messages.
        let mut deep = Vec::new();
        for _ in 0..2_000 {
            let mut outer = vec![0x1a];
            prost::encoding::encode_varint(deep.len() as u64, &mut outer);
            outer.extend(&deep);
            deep = outer;
        }
        for call in ["Produce", "Fetch", "JoinGroup", "AlterConfigs"] {
            wire.call(call, &[], &deep).await;
        }
        let fine = wire.call("DescribeCluster", &[], &[]).await;
        assert_eq!(fine.status, Some(Code::Ok), "the connection lives");
        serves(&mut client).await;
    });
}

#[test]
fn what_is_small_on_the_wire_and_large_in_memory_is_bounded() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "256MiB"]);
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let before = node.peak_memory_bytes();
        // Two bytes a record, and two million of them.
        let mut records = Vec::new();
        for _ in 0..2_000_000 {
            records.extend([0x0a, 0]);
        }
        let mut partition = vec![0x0a, 1, b't', 0x1a];
        prost::encoding::encode_varint(records.len() as u64, &mut partition);
        partition.extend(&records);
        let mut request = vec![0x1a];
        prost::encoding::encode_varint(partition.len() as u64, &mut request);
        request.extend(&partition);
        let mut wire = Wire::connect(node.address()).await;
        for _ in 0..5 {
            let refused = wire.call("Produce", &[], &request).await;
            assert_eq!(refused.status, Some(Code::ResourceExhausted));
        }
        let names = GetTopicMetadataRequest { topics: vec![String::new(); 1_500_000], ..Default::default() };
        for _ in 0..5 {
            let refused = wire.call("GetTopicMetadata", &[], &names.encode_to_vec()).await;
            assert_ne!(refused.status, Some(Code::Ok));
        }
        let grown = node.peak_memory_bytes() - before;
        assert!(grown < 160 * MIB, "it took {} MiB", grown / MIB);
        serves(&mut client).await;
    });
}

#[test]
fn answers_that_nobody_takes_are_bounded_and_hold_up_nobody() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "256MiB"]);
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        // What is some kilobytes in the log is megabytes in an answer.
        let value = "z".repeat(1 << 20);
        let mut request: ProduceRequest = values("t", &[&value, &value, &value]);
        if let Some(Data::Records(records)) = &mut request.partitions[0].data {
            records.compression = Compression::Zstd as i32;
        }
        for _ in 0..4 {
            client.produce(request.clone()).await.expect("appended");
        }
        let poll = from("t", 0).encode_to_vec();
        let mut never = Vec::new();
        for _ in 0..10 {
            let wire = Wire::connect(node.address()).await;
            for _ in 0..100 {
                never.push(wire.open("Fetch", framed(&poll)).await);
            }
        }
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(8) {
            timeout(Duration::from_secs(6), serves(&mut client)).await.expect("others are served meanwhile");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let peak = node.peak_memory_bytes();
        assert!(peak < (256 + 64) * MIB, "1,000 answers of 12 MiB took {} MiB", peak / MIB);
        drop(never);
        let mut large = client.clone().max_decoding_message_size(16 << 20);
        fetch(&mut large, "t", 0).await;
    });
}

#[test]
fn messages_that_never_become_whole_are_bounded_and_hold_up_no_small_call() {
    let node = Node::start(&["--listen", "127.0.0.1:0", "--memory-limit", "256MiB"]);
    block_on(async {
        let mut client = client(&node).await;
        create(&mut client, "t").await;
        let mut half = vec![0, 0, 0x3f, 0xff, 0xff];
        half.resize(4 << 20, 0);
        let mut never = Vec::new();
        for _ in 0..40 {
            let wire = Wire::connect(node.address()).await;
            never.push(wire.open_half("Produce", half.clone().into()).await);
        }
        for _ in 0..20 {
            timeout(Duration::from_secs(1), serves(&mut client))
                .await
                .expect("a small call is never held up");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let peak = node.peak_memory_bytes();
        assert!(peak < (256 + 64) * MIB, "160 MiB of halves took {} MiB", peak / MIB);
        // Those that wait in vain give back what they have, so that another one gets through.
        let large = "x".repeat(1_000_000);
        let started = Instant::now();
        while let Err(refused) = client.produce(values("t", &[&large])).await {
            assert!(started.elapsed() < Duration::from_secs(40), "a large message gets through: {refused}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        drop(never);
    });
}

#[test]
fn a_thousand_idle_connections_take_little() {
    let node = Node::in_memory();
    block_on(async {
        let mut first = client(&node).await;
        create(&mut first, "t").await;
        let before = node.memory_bytes();
        let mut idle = Vec::new();
        for _ in 0..500 {
            let mut wire = Wire::connect(node.address()).await;
            let answer = wire.call("DescribeCluster", &[], &[]).await;
            assert_eq!(answer.status, Some(Code::Ok));
            idle.push(wire);
        }
        let each = (node.memory_bytes() - before) / 500;
        println!("an idle connection takes {} KiB", each / 1024);
        assert!(each < 64 << 10, "an idle connection takes {each} bytes");
        drop(idle);
        serves(&mut first).await;
    });
}
