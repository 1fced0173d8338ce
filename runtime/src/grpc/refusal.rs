//! Refusals: Kafka's codes as gRPC has them. `proto/rustmq/v1/errors.proto` says what callers are promised.

use super::lines::Ended;
use rust_mq_proto::grpc::Error;
use rust_mq_proto::kafka::ErrorCode;
use rust_mq_proto::translation::{Misuse, details, error};
use tonic::{Code, Status};

/// A call that fails for that.
pub(super) fn status(error: Error) -> Status {
    let code = fitting(error::code(&error));
    let message = format!("{}: {}", error.name, error.message);
    let details = details::write(code as i32, &message, &error);
    Status::with_details(code, message, details.into())
}

/// Fails the call if it named one item, and that was refused.
pub(super) fn if_alone<'a>(errors: impl ExactSizeIterator<Item = Option<&'a Error>>) -> Result<(), Status> {
    error::if_alone(errors).map_err(status)
}

/// A call that makes no sense.
pub(super) fn misused(misuse: Misuse) -> Status {
    Status::invalid_argument(misuse.to_string())
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
    fn a_status_fits_the_code_and_carries_the_error() {
        let refused = Error { code: 6, name: "N".into(), message: "gone".into(), ..Default::default() };
        let status = status(refused.clone());
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "N: gone"));
        assert_eq!(details::read(status.details()), Some(refused));
    }

    #[test]
    fn what_makes_no_sense_is_an_invalid_argument() {
        let status = misused(Misuse::NoData);
        assert_eq!((status.code(), status.details()), (Code::InvalidArgument, &[][..]));
        assert_eq!(status.message(), "neither `records` nor a `batch` to append");
    }
}
