//! HTTP/2 below any gRPC client, for what none of them would send or show.

use bytes::{BufMut, Bytes, BytesMut};
use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::codegen::http::{HeaderMap, Request};

const SERVICE: &str = "/rustmq.v1.KafkaBroker/";

/// A connection.
pub struct Wire {
    sender: SendRequest<Bytes>,
}

/// What a call came to.
#[derive(Debug)]
pub struct Ending {
    /// Of gRPC, if it has got so far.
    pub status: Option<Code>,
    /// The messages, framed.
    pub body: BytesMut,
}

impl Wire {
    /// Connects, and serves the connection as long as the runtime runs.
    pub async fn connect(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).await.expect("the listener accepts");
        let (sender, connection) = h2::client::handshake(stream).await.expect("the port speaks HTTP/2");
        tokio::spawn(connection);
        Wire { sender }
    }

    /// Calls with one message.
    pub async fn call(&mut self, method: &str, headers: &[(&str, &str)], message: &[u8]) -> Ending {
        self.call_framed(method, headers, framed(message)).await
    }

    /// Calls with these bytes.
    pub async fn call_framed(&mut self, method: &str, headers: &[(&str, &str)], bytes: Bytes) -> Ending {
        self.call_path(&format!("{SERVICE}{method}"), headers, bytes).await
    }

    /// Calls any path.
    pub async fn call_path(&mut self, path: &str, headers: &[(&str, &str)], bytes: Bytes) -> Ending {
        let mut ending = Ending { status: None, body: BytesMut::new() };
        let mut opened = self.send(path, headers).await;
        // A stream that is refused at once takes no data.
        let _ = opened.sending.send_data(bytes, true);
        let Ok(response) = opened.response.await else { return ending };
        ending.status = status(response.headers());
        let mut body = response.into_body();
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            ending.body.put(data);
        }
        if let Ok(Some(trailers)) = body.trailers().await {
            ending.status = status(&trailers);
        }
        ending
    }

    /// Calls, and takes nothing of the answer for as long as what is returned is kept.
    pub async fn open(&self, method: &str, bytes: Bytes) -> Opened {
        let mut opened = self.send(&format!("{SERVICE}{method}"), &[]).await;
        let _ = opened.sending.send_data(bytes, true);
        opened
    }

    /// Begins a call, and does not end it.
    pub async fn open_half(&self, method: &str, bytes: Bytes) -> Opened {
        let mut opened = self.send(&format!("{SERVICE}{method}"), &[]).await;
        let _ = opened.sending.send_data(bytes, false);
        opened
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)]) -> Opened {
        let mut request = Request::post(format!("http://broker{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("headers are well formed");
        let mut sender = self.sender.clone().ready().await.expect("the connection lives");
        let (response, sending) = sender.send_request(request, false).expect("a stream is free");
        Opened { response, sending }
    }
}

/// A call under way.
pub struct Opened {
    response: ResponseFuture,
    sending: SendStream<Bytes>,
}

/// A message with gRPC's five bytes before it.
pub fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(u32::try_from(message.len()).expect("a message is short"));
    bytes.put_slice(message);
    bytes.freeze()
}

fn status(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes()))
}
