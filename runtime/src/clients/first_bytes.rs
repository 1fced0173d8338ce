//! What a connection's first four bytes say about its protocol. A Kafka request starts with its length, at
//! most 16 MiB; every text protocol and TLS read as a length far above.

/// What was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Kafka, or something the core will refuse.
    Kafka,
    /// HTTP/2's preface: gRPC.
    Grpc,
    /// Something else; the words say what, and what to do.
    Other(&'static str),
}

/// Recognises a protocol by its first four bytes.
pub(super) fn recognise(first: [u8; 4]) -> Protocol {
    match &first {
        // RFC 9113 section 3.4. As a length it is over 1.3 GB.
        b"PRI " => Protocol::Grpc,
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"OPTI" | b"DELE" | b"CONN" => {
            Protocol::Other("HTTP/1; this port speaks Kafka's protocol and gRPC")
        }
        // RFC 8446 section 5.1: handshake record, legacy version 3.x.
        [0x16, 0x03, ..] => {
            Protocol::Other("TLS; this listener is plain: set security.protocol=PLAINTEXT on the client")
        }
        b"SSH-" => Protocol::Other("SSH"),
        _ => Protocol::Kafka,
    }
}
