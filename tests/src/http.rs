//! One request over HTTP/1 at a time, written out by hand: no library stands between a test and what it sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was answered.
#[derive(Clone, Debug)]
pub struct Page {
    /// HTTP's number.
    pub status: u16,
    /// The lines between the status and the body.
    pub head: String,
    /// The rest.
    pub body: String,
}

/// Asks for a page.
#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Page {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"))
}

/// Sends a whole request, and reads until the other side closes.
#[track_caller]
pub fn ask(address: SocketAddr, request: &str) -> Page {
    let mut stream = TcpStream::connect(address).expect("the address is listened on");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream.write_all(request.as_bytes()).expect("the request is taken");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the connection is closed in time");
    let text = String::from_utf8(bytes).expect("the answer is text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Page { status: status.unwrap_or(0), head: head.to_owned(), body: body.to_owned() }
}
