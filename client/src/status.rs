//! A status as an error: Kafka's own where a node refused, the network's where none was heard. `errors.proto` says what a
//! status carries.

use crate::machine::error::Error;
use prost::Message;
use rust_mq_proto::grpc;
use tonic::{Code, Status};

/// What `grpc-status-details-bin` holds: `google.rpc.Status`, in the published numbers of its fields.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// What a status of that node means.
pub fn error(node: &str, status: &Status) -> Error {
    let node = node.to_owned();
    if let Some(refusal) = refusal(status.details()) {
        return Error::Refused { node, refusal: Box::new(refusal) };
    }
    let why = match status.message() {
        "" => format!("{:?}", status.code()),
        message => message.to_owned(),
    };
    match status.code() {
        // Whoever serves HTTP but not this service says so, and so does an older broker.
        Code::Unimplemented | Code::InvalidArgument | Code::PermissionDenied | Code::Unauthenticated => {
            Error::Rejected { node, why }
        }
        Code::OutOfRange | Code::DataLoss => Error::Unreadable { node, why },
        _ => Error::Unreachable { node, why, was_sent: true },
    }
}

fn refusal(details: &[u8]) -> Option<grpc::Error> {
    let details = Details::decode(details).ok()?;
    let own = details.details.iter().find(|any| any.type_url.ends_with("/rustmq.v1.Error"))?;
    grpc::Error::decode(&own.value[..]).ok().filter(|error| error.code != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafkas_code_is_read_from_the_details() {
        let refusal = grpc::Error { code: 3, name: "N".into(), is_retriable: true, ..Default::default() };
        let own =
            Any { type_url: "type.googleapis.com/rustmq.v1.Error".into(), value: refusal.encode_to_vec() };
        let other = Any { type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(), value: vec![1] };
        let details = Details { details: vec![other, own] }.encode_to_vec();
        let status = Status::with_details(Code::NotFound, "N: gone", details.into());
        assert_eq!(error("a:1", &status).code(), Some(3));
    }

    #[test]
    fn without_details_the_code_of_the_call_says_what_it_was() {
        let of = |code| error("a:1", &Status::new(code, "x"));
        assert!(matches!(of(Code::Unimplemented), Error::Rejected { .. }));
        assert!(matches!(of(Code::Unavailable), Error::Unreachable { was_sent: true, .. }));
        assert!(matches!(of(Code::Cancelled), Error::Unreachable { .. }));
        let nonsense = Status::with_details(Code::Unavailable, "", vec![255, 255].into());
        assert_eq!(error("a:1", &nonsense).to_string(), "a:1 cannot be reached: Unavailable");
    }
}
