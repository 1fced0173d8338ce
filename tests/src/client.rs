//! Kafka's protocol from outside, over plain TCP: typed requests through `kafka-protocol` (a codec that shares
//! no code with ours), and any bytes at all for those who come with bad intent.
//!
//! Invariant: no wait is longer than [`PATIENCE`].

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    correlation: i32,
}

/// What came back for some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// One message, without its length.
    Message(Bytes),
    /// The broker closed the connection.
    Closed,
    /// Nothing within the given time; the connection is open.
    Silence,
}

impl Client {
    /// Connects, or fails the test.
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Client {
        Client::try_connect(address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
    }

    /// Connects.
    pub fn try_connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { stream, correlation: 0 })
    }

    /// Sends a request and waits for its answer, or fails the test.
    #[track_caller]
    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let answer = self.try_ask(version, request);
        answer.unwrap_or_else(|| panic!("no answer to API {} version {version}", R::KEY))
    }

    /// Sends a request and waits for its answer; nothing if the connection broke first.
    pub fn try_ask<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send_request(version, request).ok()?;
        self.answer_to(version, request)
    }

    /// Waits for the answer to the request that was sent last; nothing if the connection broke first.
    pub fn answer_to<R: Request>(&mut self, version: i16, _: &R) -> Option<R::Response> {
        match self.receive(PATIENCE) {
            Reply::Message(message) => Some(self.decode::<R>(version, message)),
            Reply::Closed | Reply::Silence => None,
        }
    }

    /// Sends a request without waiting.
    pub fn send_request<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.correlation += 1;
        let message = encode(version, self.correlation, request);
        self.send_message(&message)
    }

    /// Sends bytes as one message: with their length before them.
    pub fn send_message(&mut self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).expect("test messages are below 4 GiB");
        self.send([&length.to_be_bytes(), message].concat().as_slice())
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// How long a write may wait for the broker to take it.
    pub fn limit_writes(&mut self, patience: Duration) {
        self.stream.set_write_timeout(Some(patience)).expect("a write timeout above zero can be set");
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        // A connection that the broker has closed already is as finished.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits this long for one message.
    pub fn receive(&mut self, patience: Duration) -> Reply {
        self.stream.set_read_timeout(Some(patience)).expect("a read timeout above zero can be set");
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Reply::Silence;
            }
            Err(_) => return Reply::Closed,
        }
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        match self.stream.read_exact(&mut message) {
            Ok(()) => Reply::Message(message.into()),
            Err(_) => Reply::Closed,
        }
    }

    #[track_caller]
    fn decode<R: Request>(&self, version: i16, mut message: Bytes) -> R::Response {
        let header_version = <R::Response as HeaderVersion>::header_version(version);
        let header = ResponseHeader::decode(&mut message, header_version).expect("the answer has a header");
        assert_eq!(header.correlation_id, self.correlation, "answers come in the order of their requests");
        let answer = R::Response::decode(&mut message, version)
            .expect("the answer has the shape of its API and version");
        assert!(!message.has_remaining(), "{} bytes after the answer", message.remaining());
        answer
    }
}

/// A request with its header, without its length.
pub fn encode<R: Request>(version: i16, correlation: i32, request: &R) -> Bytes {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("tests")));
    let mut message = BytesMut::new();
    header.encode(&mut message, R::header_version(version)).expect("a header of that version can be encoded");
    request.encode(&mut message, version).expect("a request of that version can be encoded");
    message.freeze()
}
