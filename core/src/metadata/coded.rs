//! The bytes of what carries one of Kafka's codes. By hand, since a code is a word of Kafka's language and knows nothing
//! of our codec. It is written as its value on the wire, and not as its place in the list, which the next new code would
//! shift; one that this build does not know says nothing but that it was no.

use super::request::{Deletion, Refusal};
use bincode::de::Decoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{Decode, Encode};
use rust_mq_proto::kafka::ErrorCode;

impl Encode for Refusal {
    fn encode<E: Encoder>(&self, to: &mut E) -> Result<(), EncodeError> {
        let Refusal { code, message } = self;
        (code.code(), message).encode(to)
    }
}

impl<C> Decode<C> for Refusal {
    fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<Refusal, DecodeError> {
        let (code, message) = Decode::decode(from)?;
        Ok(Refusal { code: ErrorCode::of(code), message })
    }
}

bincode::impl_borrow_decode!(Refusal);

impl Encode for Deletion {
    fn encode<E: Encoder>(&self, to: &mut E) -> Result<(), EncodeError> {
        let Deletion { name, id, code } = self;
        (name, id, code.code()).encode(to)
    }
}

impl<C> Decode<C> for Deletion {
    fn decode<D: Decoder<Context = C>>(from: &mut D) -> Result<Deletion, DecodeError> {
        let (name, id, code) = Decode::decode(from)?;
        Ok(Deletion { name, id, code: ErrorCode::of(code) })
    }
}

bincode::impl_borrow_decode!(Deletion);
