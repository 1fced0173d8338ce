//! What can go wrong, in the words of whoever said so.
//!
//! A caller asks three things of an error: what it is (the variant, and Kafka's code and name where a node refused), what
//! helps ([`Error::remedy`]), and whether what was asked may have been done all the same ([`Error::may_take_effect`]).

use rust_mq_proto::grpc;

/// Why something was not done, or is not known to be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A node refused, in Kafka's terms.
    #[error("{node} refused with {} ({}): {}", refusal.name, refusal.code, refusal.message)]
    Refused {
        /// Its address.
        node: String,
        /// Kafka's code and name, what happened, and who else is to be asked.
        refusal: Box<grpc::Error>,
    },
    /// A node could not be reached, or went away in the middle.
    #[error("{node} cannot be reached: {why}")]
    Unreachable {
        /// Its address.
        node: String,
        /// What the network said.
        why: String,
        /// Whether the question had been sent.
        was_sent: bool,
    },
    /// A node did not understand what it was asked: it is no Rust-MQ, or an older or a newer one.
    #[error("{node} cannot answer that: {why}")]
    Rejected {
        /// Its address.
        node: String,
        /// What it said.
        why: String,
    },
    /// Time was up before it was done.
    #[error("{what}: time is up{}", last.as_ref().map_or(String::new(), |last| format!("; at last: {last}")))]
    TimedOut {
        /// What was to be done.
        what: String,
        /// What went wrong at last, if anything had.
        last: Option<Box<Error>>,
        /// Whether an attempt was sent of which nothing was heard.
        may_take_effect: bool,
    },
    /// It was sent, and whether it was done will not be known: sending it again could do it twice.
    #[error("{what}: whether it was done is not known{}", last.as_ref().map_or(String::new(), |last| format!("; at last: {last}")))]
    Unsure {
        /// What was to be done.
        what: String,
        /// What went wrong at last.
        last: Option<Box<Error>>,
    },
    /// What was asked for makes no sense: an argument or a setting.
    #[error("{why}")]
    Unusable {
        /// Why not.
        why: String,
    },
    /// What came back cannot be read.
    #[error("{node} answered something that cannot be read: {why}")]
    Unreadable {
        /// Whose answer.
        node: String,
        /// Why not.
        why: String,
    },
    /// The producer or consumer was closed, or dropped, before it was done.
    #[error("closed before it was done")]
    Closed {
        /// Whether it was on its way already.
        may_take_effect: bool,
    },
}

/// What helps against an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same again, after a pause: it was temporary.
    Again,
    /// Another node is to be asked: this one is not there, or no longer leads.
    Elsewhere,
    /// Nothing: it would fail again.
    Never,
}

/// Kafka's codes that a client acts upon, as messages have them.
pub(crate) mod code {
    use rust_mq_proto::kafka::ErrorCode;

    pub const OFFSET_OUT_OF_RANGE: i32 = ErrorCode::OffsetOutOfRange as i32;
    pub const UNKNOWN_TOPIC_OR_PARTITION: i32 = ErrorCode::UnknownTopicOrPartition as i32;
    pub const NOT_LEADER_OR_FOLLOWER: i32 = ErrorCode::NotLeaderOrFollower as i32;
    pub const COORDINATOR_NOT_AVAILABLE: i32 = ErrorCode::CoordinatorNotAvailable as i32;
    pub const NOT_COORDINATOR: i32 = ErrorCode::NotCoordinator as i32;
    pub const ILLEGAL_GENERATION: i32 = ErrorCode::IllegalGeneration as i32;
    pub const UNKNOWN_MEMBER_ID: i32 = ErrorCode::UnknownMemberId as i32;
    pub const REBALANCE_IN_PROGRESS: i32 = ErrorCode::RebalanceInProgress as i32;
    pub const NOT_CONTROLLER: i32 = ErrorCode::NotController as i32;
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: i32 = ErrorCode::OutOfOrderSequenceNumber as i32;
    pub const DUPLICATE_SEQUENCE_NUMBER: i32 = ErrorCode::DuplicateSequenceNumber as i32;
    pub const INVALID_PRODUCER_EPOCH: i32 = ErrorCode::InvalidProducerEpoch as i32;
    pub const UNKNOWN_PRODUCER_ID: i32 = ErrorCode::UnknownProducerId as i32;
    pub const FENCED_LEADER_EPOCH: i32 = ErrorCode::FencedLeaderEpoch as i32;
    pub const UNKNOWN_LEADER_EPOCH: i32 = ErrorCode::UnknownLeaderEpoch as i32;
    pub const FENCED_INSTANCE_ID: i32 = ErrorCode::FencedInstanceId as i32;
}

impl Error {
    pub(crate) fn unusable(why: impl Into<String>) -> Error {
        Error::Unusable { why: why.into() }
    }

    /// What `node` refused with, if it did.
    pub(crate) fn refused(node: &str, refusal: Option<grpc::Error>) -> Result<(), Error> {
        refusal.map_or(Ok(()), |refusal| {
            Err(Error::Refused { node: node.to_owned(), refusal: Box::new(refusal) })
        })
    }

    /// Kafka's code, if a node gave one.
    pub fn code(&self) -> Option<i32> {
        self.refusal().map(|refusal| refusal.code)
    }

    /// Kafka's name of that code: `UNKNOWN_TOPIC_OR_PARTITION`.
    pub fn name(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.name.as_str())
    }

    /// The address of the node that it came from.
    pub fn node(&self) -> Option<&str> {
        match self {
            Error::Refused { node, .. }
            | Error::Unreachable { node, .. }
            | Error::Rejected { node, .. }
            | Error::Unreadable { node, .. } => Some(node),
            Error::TimedOut { last, .. } | Error::Unsure { last, .. } => {
                last.as_deref().and_then(Error::node)
            }
            Error::Unusable { .. } | Error::Closed { .. } => None,
        }
    }

    /// Who is to be asked instead, if the node that refused knew.
    pub fn leader(&self) -> Option<&grpc::Node> {
        self.refusal().and_then(|refusal| refusal.leader.as_ref())
    }

    /// What helps against it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Error::Refused { refusal, .. } => match refusal.code {
                code::NOT_LEADER_OR_FOLLOWER
                | code::NOT_COORDINATOR
                | code::NOT_CONTROLLER
                | code::COORDINATOR_NOT_AVAILABLE
                | code::FENCED_LEADER_EPOCH
                | code::UNKNOWN_LEADER_EPOCH => Remedy::Elsewhere,
                _ if refusal.is_retriable => Remedy::Again,
                _ => Remedy::Never,
            },
            Error::Unreachable { .. } => Remedy::Elsewhere,
            Error::TimedOut { .. }
            | Error::Unsure { .. }
            | Error::Rejected { .. }
            | Error::Unusable { .. }
            | Error::Unreadable { .. }
            | Error::Closed { .. } => Remedy::Never,
        }
    }

    /// Whether what was asked may have been done, or still be done, although this is what came back.
    pub fn may_take_effect(&self) -> bool {
        match self {
            Error::Refused { refusal, .. } => refusal.may_take_effect,
            Error::Unreachable { was_sent, .. } => *was_sent,
            Error::TimedOut { may_take_effect, .. } | Error::Closed { may_take_effect } => *may_take_effect,
            Error::Unreadable { .. } | Error::Unsure { .. } => true,
            Error::Rejected { .. } | Error::Unusable { .. } => false,
        }
    }

    fn refusal(&self) -> Option<&grpc::Error> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal),
            Error::TimedOut { last, .. } | Error::Unsure { last, .. } => {
                last.as_deref().and_then(Error::refusal)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: i32, is_retriable: bool) -> Error {
        let refusal = grpc::Error { code, name: "N".into(), is_retriable, ..Default::default() };
        Error::refused("a:1", Some(refusal)).expect_err("it is one")
    }

    #[test]
    fn a_remedy_follows_from_the_code() {
        assert_eq!(refused(code::NOT_LEADER_OR_FOLLOWER, true).remedy(), Remedy::Elsewhere);
        assert_eq!(refused(code::UNKNOWN_TOPIC_OR_PARTITION, true).remedy(), Remedy::Again);
        assert_eq!(refused(10, false).remedy(), Remedy::Never);
        let gone = Error::Unreachable { node: "a:1".into(), why: "x".into(), was_sent: true };
        assert_eq!((gone.remedy(), gone.may_take_effect()), (Remedy::Elsewhere, true));
    }

    #[test]
    fn what_went_wrong_at_last_is_still_told_when_time_is_up() {
        let late = Error::TimedOut {
            what: "asking".into(),
            last: Some(Box::new(refused(code::UNKNOWN_TOPIC_OR_PARTITION, true))),
            may_take_effect: false,
        };
        assert_eq!((late.code(), late.node(), late.remedy()), (Some(3), Some("a:1"), Remedy::Never));
        assert_eq!(late.to_string(), "asking: time is up; at last: a:1 refused with N (3): ");
    }
}
