//! Refusals: Kafka's codes as gRPC has them. `proto/rustmq/v1/errors.proto` says what callers are promised.

use super::lines::Ended;
use prost::Message;
use rust_mq_proto::grpc::{Error, Node};
use rust_mq_proto::kafka::ErrorCode;
use std::collections::BTreeMap;
use tonic::{Code, Status};

/// What `grpc-status-details-bin` holds: `google.rpc.Status`, in the published numbers of its fields.
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

/// What is asked of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To look.
    Read,
    /// To change something, which may happen although the answer says otherwise.
    Change,
}

/// A code of Kafka's as an error, if it is one.
pub(super) fn error(asked: Asked, number: i16, message: Option<String>) -> Option<Error> {
    if number == ErrorCode::None.code() {
        return None;
    }
    let code = ErrorCode::parse(number).unwrap_or(ErrorCode::UnknownServerError);
    let name = name(code);
    let message = message.filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| name.to_lowercase().replace('_', " "));
    Some(Error {
        code: i32::from(number),
        name,
        message,
        is_retriable: is_retriable(code),
        may_take_effect: asked == Asked::Change && code.is_unsure(),
        leader: None,
    })
}

/// A call that fails for that.
pub(super) fn status(error: &Error) -> Status {
    let number = i16::try_from(error.code).unwrap_or(ErrorCode::UnknownServerError.code());
    let code = fitting(ErrorCode::parse(number).unwrap_or(ErrorCode::UnknownServerError));
    let mut metadata = BTreeMap::from([("code".to_owned(), error.code.to_string())]);
    if let Some(Node { node_id, host, port, .. }) = &error.leader {
        metadata.insert("leader".to_owned(), format!("{host}:{port}"));
        metadata.insert("leader_id".to_owned(), node_id.to_string());
    }
    let info = ErrorInfo { reason: error.name.clone(), domain: "kafka.apache.org".into(), metadata };
    let message = format!("{}: {}", error.name, error.message);
    let details = Details {
        code: code as i32,
        message: message.clone(),
        details: vec![any("google.rpc.ErrorInfo", &info), any("rustmq.v1.Error", error)],
    };
    Status::with_details(code, message, details.encode_to_vec().into())
}

/// Fails the call if it named one item, and that was refused.
pub(super) fn if_alone<'a>(errors: impl ExactSizeIterator<Item = Option<&'a Error>>) -> Result<(), Status> {
    let is_alone = errors.len() == 1;
    match errors.flatten().next() {
        Some(error) if is_alone => Err(status(error)),
        _ => Ok(()),
    }
}

/// Fails the call for a code of the answer as a whole.
pub(super) fn if_any(asked: Asked, number: i16, message: Option<String>) -> Result<(), Status> {
    error(asked, number, message).map_or(Ok(()), |error| Err(status(&error)))
}

/// Why a line ended.
pub(super) fn of_end(ended: Ended) -> Status {
    match ended {
        Ended::Rejected(reason) => Status::invalid_argument(reason),
        Ended::Closed => Status::unavailable(
            "this node serves nobody right now, or needed the room: try again, or another node",
        ),
    }
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

/// Kafka's name of a code: `NOT_LEADER_OR_FOLLOWER`.
fn name(code: ErrorCode) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// Kafka's `RetriableException`s among the codes that are answered here, and a rebalance.
fn is_retriable(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CorruptMessage
            | ErrorCode::UnknownTopicOrPartition
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::NotLeaderOrFollower
            | ErrorCode::RequestTimedOut
            | ErrorCode::NetworkException
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable
            | ErrorCode::NotCoordinator
            | ErrorCode::NotEnoughReplicas
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::RebalanceInProgress
            | ErrorCode::NotController
            | ErrorCode::KafkaStorageError
            | ErrorCode::FetchSessionIdNotFound
            | ErrorCode::InvalidFetchSessionEpoch
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::OffsetNotAvailable
            | ErrorCode::UnstableOffsetCommit
            | ErrorCode::ThrottlingQuotaExceeded
            | ErrorCode::UnknownTopicId
            | ErrorCode::InconsistentTopicId
    )
}

/// The gRPC status that fits a code: by what a caller is to do about it.
fn fitting(code: ErrorCode) -> Code {
    match code {
        ErrorCode::None => Code::Ok,
        ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::GroupIdNotFound
        | ErrorCode::UnknownMemberId
        | ErrorCode::UnknownProducerId => Code::NotFound,
        ErrorCode::TopicAlreadyExists | ErrorCode::DuplicateSequenceNumber => Code::AlreadyExists,
        ErrorCode::OffsetOutOfRange => Code::OutOfRange,
        ErrorCode::RequestTimedOut => Code::DeadlineExceeded,
        ErrorCode::GroupAuthorizationFailed | ErrorCode::TransactionalIdAuthorizationFailed => {
            Code::PermissionDenied
        }
        ErrorCode::GroupMaxSizeReached | ErrorCode::ThrottlingQuotaExceeded => Code::ResourceExhausted,
        ErrorCode::RebalanceInProgress => Code::Aborted,
        ErrorCode::LeaderNotAvailable
        | ErrorCode::NotLeaderOrFollower
        | ErrorCode::NetworkException
        | ErrorCode::CoordinatorLoadInProgress
        | ErrorCode::CoordinatorNotAvailable
        | ErrorCode::NotCoordinator
        | ErrorCode::NotEnoughReplicas
        | ErrorCode::NotEnoughReplicasAfterAppend
        | ErrorCode::NotController
        | ErrorCode::KafkaStorageError
        | ErrorCode::OffsetNotAvailable
        | ErrorCode::UnstableOffsetCommit => Code::Unavailable,
        ErrorCode::PolicyViolation
        | ErrorCode::TopicDeletionDisabled
        | ErrorCode::IllegalGeneration
        | ErrorCode::NonEmptyGroup
        | ErrorCode::GroupSubscribedToTopic
        | ErrorCode::OutOfOrderSequenceNumber
        | ErrorCode::InvalidProducerEpoch
        | ErrorCode::InvalidTxnState
        | ErrorCode::FencedLeaderEpoch
        | ErrorCode::UnknownLeaderEpoch
        | ErrorCode::FencedInstanceId
        | ErrorCode::FencedMemberEpoch
        | ErrorCode::StaleMemberEpoch
        | ErrorCode::UnreleasedInstanceId
        | ErrorCode::InconsistentTopicId
        | ErrorCode::MemberIdRequired => Code::FailedPrecondition,
        ErrorCode::UnsupportedVersion => Code::Unimplemented,
        ErrorCode::UnknownServerError => Code::Internal,
        _ => Code::InvalidArgument,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_kafkas_name_and_no_code_is_no_error() {
        assert_eq!(error(Asked::Read, 0, None), None);
        let refused = error(Asked::Change, 6, None).expect("6 is an error");
        assert_eq!((refused.name.as_str(), refused.is_retriable), ("NOT_LEADER_OR_FOLLOWER", true));
        assert!(refused.may_take_effect);
        assert!(!error(Asked::Read, 6, None).expect("6 is an error").may_take_effect);
        assert_eq!(error(Asked::Read, 17, None).expect("an error").name, "INVALID_TOPIC_EXCEPTION");
        assert_eq!(error(Asked::Read, 999, None).expect("an error").name, "UNKNOWN_SERVER_ERROR");
    }

    #[test]
    fn a_status_carries_the_code_its_name_and_the_leader() {
        let leader = Node { node_id: 2, host: "b".into(), port: 9093, rack: String::new() };
        let refused = Error { leader: Some(leader), ..error(Asked::Change, 6, None).expect("an error") };
        let status = status(&refused);
        assert_eq!(status.code(), Code::Unavailable);
        let details = Details::decode(status.details()).expect("details are a google.rpc.Status");
        let info = ErrorInfo::decode(&details.details[0].value[..]).expect("the first is an ErrorInfo");
        assert_eq!(info.metadata["leader"], "b:9093");
        assert_eq!(Error::decode(&details.details[1].value[..]), Ok(refused));
    }

    #[test]
    fn one_refused_item_fails_the_call_and_one_of_two_does_not() {
        let refused = error(Asked::Read, 3, None);
        assert!(if_alone([refused.as_ref()].into_iter()).is_err());
        assert!(if_alone([refused.as_ref(), None].into_iter()).is_ok());
        assert!(if_alone([None].into_iter()).is_ok());
    }
}
