//! Kafka's codes as errors. `rustmq/v1/errors.proto` says what callers are promised.

use crate::grpc::Error;
use crate::kafka::ErrorCode;

/// What is asked of the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To look.
    Read,
    /// To change something, which may happen although the answer says otherwise.
    Change,
}

/// Whom an error sends its caller to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The partition's leader.
    Leader,
    /// The group's coordinator.
    Coordinator,
    /// The controller.
    Controller,
}

/// A code of Kafka's as an error, if it is one.
pub fn error(asked: Asked, number: i16, message: Option<String>) -> Option<Error> {
    if number == ErrorCode::None.code() {
        return None;
    }
    let code = ErrorCode::of(number);
    let name = code.name();
    let message = message.filter(|message| !message.is_empty());
    let message = message.unwrap_or_else(|| name.to_lowercase().replace('_', " "));
    Some(Error {
        code: i32::from(number),
        name,
        message,
        is_retriable: code.is_retriable(),
        may_take_effect: asked == Asked::Change && code.is_unsure(),
        leader: None,
    })
}

/// The code that an error is made of.
pub fn code(error: &Error) -> ErrorCode {
    i16::try_from(error.code).map_or(ErrorCode::UnknownServerError, ErrorCode::of)
}

/// Whose address its caller is to be told, because this node is not the right one. In a cluster that has had no group
/// yet, asking for the coordinator makes the place for them.
pub fn missing(error: &Error) -> Option<Missing> {
    match code(error) {
        ErrorCode::NotLeaderOrFollower => Some(Missing::Leader),
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable => Some(Missing::Coordinator),
        ErrorCode::NotController => Some(Missing::Controller),
        _ => None,
    }
}

/// Fails the call if it named one item, and that was refused.
///
/// # Errors
/// What the item was refused with.
pub fn if_alone<'a>(errors: impl ExactSizeIterator<Item = Option<&'a Error>>) -> Result<(), Error> {
    let is_alone = errors.len() == 1;
    match errors.flatten().next() {
        Some(error) if is_alone => Err(error.clone()),
        _ => Ok(()),
    }
}

/// Fails the call for a code of the answer as a whole.
pub(super) fn if_any(asked: Asked, number: i16, message: Option<String>) -> Result<(), Error> {
    error(asked, number, message).map_or(Ok(()), Err)
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
        assert_eq!(
            (code(&refused), missing(&refused)),
            (ErrorCode::NotLeaderOrFollower, Some(Missing::Leader))
        );
        assert!(!error(Asked::Read, 6, None).expect("6 is an error").may_take_effect);
        assert_eq!(error(Asked::Read, 17, None).expect("an error").name, "INVALID_TOPIC_EXCEPTION");
        assert_eq!(error(Asked::Read, 999, None).expect("an error").name, "UNKNOWN_SERVER_ERROR");
    }

    #[test]
    fn one_refused_item_fails_the_call_and_one_of_two_does_not() {
        let refused = error(Asked::Read, 3, None);
        assert_eq!(if_alone([refused.as_ref()].into_iter()).err(), refused);
        assert!(if_alone([refused.as_ref(), None].into_iter()).is_ok());
        assert!(if_alone([None].into_iter()).is_ok());
    }
}
