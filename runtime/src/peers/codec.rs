//! gRPC's framing around our own bytes: no generated code, the messages' schema is `proto`'s and the core
//! decodes them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Messages are bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Vec<Bytes>;
    type Decode = BytesMut;
    type Encoder = RawCodec;
    type Decoder = RawCodec;

    fn encoder(&mut self) -> RawCodec {
        RawCodec
    }

    fn decoder(&mut self) -> RawCodec {
        RawCodec
    }
}

impl Encoder for RawCodec {
    type Item = Vec<Bytes>;
    type Error = Status;

    fn encode(&mut self, parts: Vec<Bytes>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.reserve(parts.iter().map(Bytes::len).sum());
        parts.into_iter().for_each(|part| into.put(part));
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = BytesMut;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<BytesMut>, Status> {
        let mut message = BytesMut::with_capacity(from.remaining());
        message.put(from);
        Ok(Some(message))
    }
}
