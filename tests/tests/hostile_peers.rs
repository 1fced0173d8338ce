//! Bytes no node would send, on the port for nodes: what is no HTTP/2 is dropped, a stranger's lane ends, and the
//! cluster takes records all the while. The peers' language is ours; these messages are written by hand, in
//! protobuf's own terms, so that they can be wrong.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tests::batch::Batch;
use tests::client::PATIENCE;
use tests::cluster::{Cluster, SIZE, metadata};
use tests::dialogue::produce;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::{self, StreamExt};
use tonic::transport::Endpoint;

const TOPIC: &str = "peers";
/// What any of this may cost a node in memory.
const GROWTH_MAX: u64 = 64 << 20;

/// A cluster with a topic that takes records.
struct Stage {
    cluster: Cluster,
    before: Vec<u64>,
}

impl Stage {
    fn new() -> Stage {
        let cluster = Cluster::start();
        metadata(&mut cluster.node(0).connect(), TOPIC).expect("a founded cluster answers");
        let stage = Stage { cluster, before: Vec::new() };
        stage.takes_records();
        let before = (0..SIZE).map(|number| stage.cluster.node(number).peak_memory_bytes()).collect();
        Stage { before, ..stage }
    }

    #[track_caller]
    fn takes_records(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let leader = self.cluster.leader(TOPIC);
            let mut client = self.cluster.node(leader).connect();
            match produce(&mut client, TOPIC, Batch::of(&[b"x"]).bytes()).error {
                0 => return,
                error => assert!(Instant::now() < deadline, "no record is taken any more: {error}"),
            }
        }
    }

    /// All nodes serve, the cluster takes records, and nobody has grown.
    #[track_caller]
    fn is_unharmed(&self) {
        self.takes_records();
        for (number, before) in self.before.iter().enumerate() {
            let node = self.cluster.node(number);
            assert!(node.serves(), "node {} serves nobody:\n{}", number + 1, node.log());
            let grown = node.peak_memory_bytes() - before;
            assert!(grown < GROWTH_MAX, "node {} grew by {grown} bytes", number + 1);
        }
    }
}

/// Sends the bytes and reads until the node ends the connection; the time that took.
fn until_closed(address: SocketAddr, bytes: &[u8]) -> Duration {
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).expect("the port for nodes is open");
    stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout above zero can be set");
    // It may be closed before all of it is sent, which is as good.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    let is_reset = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    assert!(ended.is_ok() || is_reset, "the connection stays open: {ended:?}");
    started.elapsed()
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[test]
fn what_is_no_http_2_is_dropped() {
    let stage = Stage::new();
    let lies: [Vec<u8>; 7] = [
        Vec::new(),
        vec![0; 64],
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n".to_vec(),
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0, 0, 0, 0, 0],
        // Kafka's protocol, on the wrong port.
        vec![0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff],
        // A frame of 16 MiB; then one that stands on a stream nobody opened.
        [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1]].concat(),
        [PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0], &[0, 0, 4, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4]].concat(),
    ];
    for lie in &lies {
        for number in 0..SIZE {
            until_closed(stage.cluster.peer_address(number), lie);
        }
    }
    stage.is_unharmed();
}

/// More than a node keeps of strangers.
const FLOOD: usize = 400;
/// `PEER_VISITORS_MAX`, and what its peers and clients open and close meanwhile.
const KEPT_MAX: usize = 64 + 16;

#[test]
fn a_flood_of_connections_that_say_nothing_holds_up_nobody_and_is_let_go() {
    let stage = Stage::new();
    let before = stage.cluster.node(0).descriptors();
    let flood: Vec<TcpStream> = (0..FLOOD)
        .map(|_| TcpStream::connect(stage.cluster.peer_address(0)).expect("the port for nodes is open"))
        .collect();
    stage.is_unharmed();
    let kept = stage.cluster.node(0).descriptors() - before;
    assert!(kept <= KEPT_MAX, "{kept} of them are kept");
    let deadline = Instant::now() + PATIENCE;
    // Its own peers, and clients, come and go.
    while stage.cluster.node(0).descriptors() > before + 10 {
        assert!(Instant::now() < deadline, "{} descriptors", stage.cluster.node(0).descriptors());
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(flood);
    stage.is_unharmed();
}

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a test's frame is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

#[test]
fn http_2_floods_cost_a_bounded_amount() {
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const CONTINUATION: u8 = 9;
    let stage = Stage::new();
    let greeting = [PREFACE, &frame(4, 0, 0, &[])].concat();
    // POST, http and "/", from the static table; the call is over before it can be answered.
    let begun_and_reset = |stream: u32| {
        [frame(HEADERS, 4, stream, &[0x83, 0x86, 0x84]), frame(RESET, 0, stream, &[0, 0, 0, 8])]
    };
    let resets: Vec<u8> = (0..10_000_u32).flat_map(|call| begun_and_reset(2 * call + 1).concat()).collect();
    // Headers that never end.
    let endless: Vec<u8> = (0..500).flat_map(|_| frame(CONTINUATION, 0, 1, &[0x82; 10_000])).collect();
    let endless = [frame(HEADERS, 0, 1, &[0x83]), endless].concat();
    for flood in [resets, endless] {
        for number in 0..SIZE {
            until_closed(stage.cluster.peer_address(number), &[&greeting[..], &flood].concat());
        }
    }
    stage.is_unharmed();
}

/// Messages as they are.
#[derive(Clone, Copy, Debug)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Opens a lane, says these messages and then nothing more; waits until the node has ended it.
async fn lane(address: SocketAddr, lane: &'static str, messages: Vec<Bytes>) -> Result<(), Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address makes a URI");
    let channel = endpoint.connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let words = tokio_stream::iter(messages).chain(tokio_stream::pending());
    let mut request = tonic::Request::new(words);
    request.metadata_mut().insert("rustmq-lane", lane.parse().expect("a lane's name is ASCII"));
    let path = PathAndQuery::from_static("/rustmq.v1.Peer/Lane");
    let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}

#[track_caller]
fn is_ended(stage: &Stage, name: &'static str, messages: &[Bytes]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    for number in 0..SIZE {
        let talk = lane(stage.cluster.peer_address(number), name, messages.to_vec());
        let limited = async { tokio::time::timeout(PATIENCE, talk).await };
        assert!(runtime.block_on(limited).is_ok(), "the lane stays open after {messages:?}");
    }
}

/// A field of length and bytes, as protobuf writes it.
fn field(tag: u8, bytes: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(tag << 3 | 2);
    let length = u8::try_from(bytes.len()).expect("a test's field is short");
    assert!(length < 128, "one byte of length");
    out.put_u8(length);
    out.put_slice(bytes);
    out.freeze()
}

/// A hello: protocol version, cluster, node, disk, nonce.
fn hello(version: u8, cluster: &[u8], node: u8, disk: &[u8]) -> Bytes {
    let parts =
        [&[8, version, 16, 1][..], &field(3, cluster), &[32, node], &field(5, disk), &field(8, &[7; 32])];
    field(1, &parts.concat())
}

#[test]
fn lanes_of_strangers_are_ended() {
    let stage = Stage::new();
    let garbage = Bytes::from_static(&[0xff; 40]);
    let stranger = hello(2, &[7; 16], 2, &[7; 16]);
    let unborn = hello(2, &[], 3, &[7; 16]);
    let other_language = hello(99, &[7; 16], 2, &[7; 16]);
    let nobody = hello(2, &[7; 16], 77, &[7; 16]);
    let short = hello(2, &[7; 3], 2, &[]);
    // Votes, appends and requests before any hello.
    let raft = field(
        3,
        &field(1, &[8, 4, 16, 1, 24, 2, 32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
    );
    let forward = field(5, &[8, 1]);
    for name in ["raft", "bulk", "no-such-lane"] {
        for first in [&garbage, &stranger, &unborn, &other_language, &nobody, &short, &raft, &forward] {
            is_ended(&stage, name, std::slice::from_ref(first));
        }
        is_ended(&stage, name, &[stranger.clone(), raft.clone(), garbage.clone()]);
    }
    stage.is_unharmed();
}

#[test]
fn a_stranger_that_never_says_hello_is_let_go() {
    let stage = Stage::new();
    is_ended(&stage, "raft", &[]);
    is_ended(&stage, "bulk", &[Bytes::new()]);
    stage.is_unharmed();
}

/// A lane's call, by hand: the headers, and the start of a message of the largest size there is.
fn call_with_a_large_message() -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("a header is short");
        [&[length][..], text.as_bytes()].concat()
    };
    // POST and http from the static table; path, authority and content type by its names; the rest as it is.
    let headers = [
        vec![0x83, 0x86, 0x04],
        text("/rustmq.v1.Peer/Lane"),
        vec![0x01],
        text("node"),
        vec![0x0f, 0x10],
        text("application/grpc"),
        vec![0x00],
        text("te"),
        text("trailers"),
        vec![0x00],
        text("rustmq-lane"),
        text("raft"),
    ];
    let message = [&[0][..], &(24_u32 << 20).to_be_bytes()].concat();
    [PREFACE, &frame(4, 0, 0, &[]), &frame(1, 4, 1, &headers.concat()), &frame(0, 0, 1, &message)].concat()
}

/// Sends all of the message but its last byte, as fast as the node takes it, and stays.
fn withhold_the_last_byte(address: SocketAddr, until: Instant) {
    const PART: usize = 16 << 10;
    let mut stream = TcpStream::connect(address).expect("the port for nodes is open");
    let part = frame(0, 0, 1, &[0; PART]);
    let (mut left, mut window) = ((24 << 20) - 1_usize, 1_usize << 20);
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a read timeout above zero can be set");
    stream.set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout above zero can be set");
    if stream.write_all(&call_with_a_large_message()).is_err() {
        return;
    }
    let mut came = Vec::new();
    while Instant::now() < until {
        while left > PART && window > PART {
            if stream.write_all(&part).is_err() {
                // The node takes no more: that is what is looked for.
                return std::thread::sleep(until.saturating_duration_since(Instant::now()));
            }
            (left, window) = (left - PART, window - PART);
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Ok(length) => came.extend_from_slice(&bytes[..length]),
            Err(_) => {}
        }
        while came.len() >= 9 {
            let length = usize::from(came[0]) << 16 | usize::from(came[1]) << 8 | usize::from(came[2]);
            if came.len() < 9 + length {
                break;
            }
            if came[3] == 8 && came[8] == 1 {
                let more = came[9..13].try_into().expect("four bytes");
                window += usize::try_from(u32::from_be_bytes(more)).expect("it fits");
            }
            came.drain(..9 + length);
        }
    }
}

#[test]
fn a_stranger_brings_little_whatever_it_announces() {
    let stage = Stage::new();
    let address = stage.cluster.peer_address(0);
    let until = Instant::now() + Duration::from_secs(8);
    let strangers: Vec<_> =
        (0..60).map(|_| std::thread::spawn(move || withhold_the_last_byte(address, until))).collect();
    stage.is_unharmed();
    strangers.into_iter().for_each(|stranger| stranger.join().expect("it ends by itself"));
    stage.is_unharmed();
}

#[test]
fn strangers_at_the_doors_keep_no_member_out() {
    let mut stage = Stage::new();
    stage.cluster.kill(2);
    let strangers: Vec<TcpStream> = [0, 1]
        .iter()
        .flat_map(|node| std::iter::repeat_n(stage.cluster.peer_address(*node), FLOOD))
        .filter_map(|address| {
            let mut stream = TcpStream::connect(address).ok()?;
            stream.write_all(&call_with_a_large_message()[..60]).ok()?;
            Some(stream)
        })
        .collect();
    let started = Instant::now();
    stage.cluster.revive(2);
    while metadata(&mut stage.cluster.node(2).connect(), TOPIC)
        .is_none_or(|answer| answer.brokers.len() < SIZE)
    {
        assert!(started.elapsed() < PATIENCE, "node 3 is kept out");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(strangers);
    stage.takes_records();
}
