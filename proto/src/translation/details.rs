//! What a status carries in `grpc-status-details-bin`: a `google.rpc.Status` with a `google.rpc.ErrorInfo` for whoever
//! knows only Google's shapes, and our own `Error`. In the published numbers of their fields.

use crate::grpc::{Error, Node};
use prost::Message;
use std::collections::BTreeMap;

const ERROR_INFO: &str = "google.rpc.ErrorInfo";
const ERROR: &str = "rustmq.v1.Error";

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Details {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
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

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
}

/// The details of a call that fails for `error`, with gRPC's number `code` and that message.
pub fn write(code: i32, message: &str, error: &Error) -> Vec<u8> {
    let mut metadata = BTreeMap::from([("code".to_owned(), error.code.to_string())]);
    if let Some(Node { node_id, host, port, .. }) = &error.leader {
        metadata.insert("leader".to_owned(), format!("{host}:{port}"));
        metadata.insert("leader_id".to_owned(), node_id.to_string());
    }
    let info = ErrorInfo { reason: error.name.clone(), domain: "kafka.apache.org".into(), metadata };
    let details = vec![any(ERROR_INFO, &info), any(ERROR, error)];
    Details { code, message: message.to_owned(), details }.encode_to_vec()
}

/// The error that details carry, if they are ours.
pub fn read(details: &[u8]) -> Option<Error> {
    let details = Details::decode(details).ok()?;
    let is_ours = |any: &&Any| any.type_url.rsplit_once('/').is_some_and(|(_, name)| name == ERROR);
    let own = details.details.iter().find(is_ours)?;
    Error::decode(&own.value[..]).ok().filter(|error| error.code != 0)
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        let leader = Node { node_id: 2, host: "b".into(), port: 9093, rack: String::new() };
        Error { code: 6, name: "N".into(), is_retriable: true, leader: Some(leader), ..Default::default() }
    }

    #[test]
    fn they_carry_the_code_its_name_and_the_leader() {
        let written = write(14, "N: gone", &refused());
        let details = Details::decode(&written[..]).expect("details are a google.rpc.Status");
        assert_eq!((details.code, details.message.as_str()), (14, "N: gone"));
        let info = ErrorInfo::decode(&details.details[0].value[..]).expect("the first is an ErrorInfo");
        assert_eq!((info.reason.as_str(), info.metadata["leader"].as_str()), ("N", "b:9093"));
        assert_eq!(read(&written), Some(refused()));
    }

    #[test]
    fn what_is_not_ours_is_no_error() {
        let other = Any { type_url: format!("type.googleapis.com/{ERROR_INFO}"), value: vec![1] };
        let details = Details { details: vec![other, any(ERROR, &Error::default())], ..Default::default() };
        assert_eq!(read(&details.encode_to_vec()), None);
        assert_eq!(read(&[255, 255]), None);
        assert_eq!(read(&[]), None);
    }
}
