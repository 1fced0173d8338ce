//! A status as an error: Kafka's own where a node refused, the network's where none was heard. `errors.proto` says what a
//! status carries.

use crate::machine::error::Error;
use rust_mq_proto::translation::details;
use tonic::{Code, Status};

/// What a status of that node means.
pub fn error(node: &str, status: &Status) -> Error {
    let node = node.to_owned();
    if let Some(refusal) = details::read(status.details()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rust_mq_proto::grpc;

    #[test]
    fn kafkas_code_is_read_from_the_details() {
        let refusal = grpc::Error { code: 3, name: "N".into(), is_retriable: true, ..Default::default() };
        let details = details::write(Code::NotFound as i32, "N: gone", &refusal);
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
